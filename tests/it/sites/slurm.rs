//! Runs on a real Slurm.

use std::fs;

use tuneboard::spec::{Desired, Outcome, RunId, RunState};

use super::{Cluster, assert_done, queue, rig, site_of, went_on_and_began_again};
use crate::rig::until;

#[test]
#[ignore = "needs Slurm: make test-sites"]
fn slurm_runs_look_like_local_ones() {
    let cluster = Cluster::start();
    let mut rig = rig(&cluster.site("max_jobs = 8"));
    let ids = queue(&mut rig, "hpc", 3, &["epoch_ms=50"; 5]);
    rig.runner(&[("SLURM_CONF", &cluster.config())]);
    for id in &ids {
        let run = rig.ended(*id);
        assert_done(&run);
        rig.assert_whole(*id, 3);
        assert_eq!((site_of(&run), run.attempt), ("hpc", 1));
        assert!(rig.board.checkpoints(*id).join("last/state.json").is_file(), "fetched");
    }
    let jobs = cluster.tool(&["squeue", "-h", "-r", "-t", "all", "-O", "ArrayTaskID"]);
    assert_eq!(jobs.lines().count(), 5, "{jobs}");
    assert!(!jobs.contains("N/A"), "one array for all: {jobs}");
}

#[test]
#[ignore = "needs Slurm: make test-sites"]
fn slurm_says_why_a_run_waits_and_lets_go_of_it() {
    let cluster = Cluster::start();
    let mut rig = rig(&cluster.site("max_jobs = 3\nsbatch = ['--begin=now+1hour']"));
    let ids = queue(&mut rig, "hpc", 3, &["epoch_ms=50"; 2]);
    rig.runner(&[("SLURM_CONF", &cluster.config())]);
    let remark = |id: RunId| {
        let sites = rig.store.reader().sites().unwrap();
        sites.first().and_then(|site| site.runs.get(&id).cloned()).unwrap_or_default()
    };
    until("the reason is told", || remark(ids[0]).starts_with("waiting: BeginTime, about "));
    assert_eq!(rig.run(ids[0]).state, RunState::Starting);
    rig.store.set_desired(&[ids[0]], Desired::Stop).unwrap();
    assert_eq!(rig.ended(ids[0]).state, RunState::Ended(Outcome::Stopped));
    assert_eq!(rig.run(ids[1]).state, RunState::Starting);
    let jobs = cluster.tool(&["squeue", "-h", "-r", "-o", "%K"]);
    assert_eq!(jobs.trim(), "1", "its task alone has left the queue");
}

#[test]
#[ignore = "needs Slurm: make test-sites"]
fn slurm_stop_hold_and_resume() {
    let cluster = Cluster::start();
    let mut rig = rig(&cluster.site("max_jobs = 3"));
    let ids = queue(&mut rig, "hpc", 40, &["epoch_ms=400", "epoch_ms=400", "deaf epoch_ms=400"]);
    rig.runner(&[("SLURM_CONF", &cluster.config()), ("TUNEBOARD_GRACE_MS", "500")]);
    for id in &ids {
        rig.wait(*id, "at work", |run| run.step >= 5);
    }
    rig.store.set_desired(&[ids[0], ids[2]], Desired::Stop).unwrap();
    rig.store.set_desired(&[ids[1]], Desired::Hold).unwrap();
    assert_eq!(rig.ended(ids[0]).state, RunState::Ended(Outcome::Stopped));
    assert_eq!(rig.ended(ids[2]).state, RunState::Ended(Outcome::Stopped));
    rig.wait(ids[1], "held", |run| run.state == RunState::Queued && run.step > 0);
    rig.store.set_desired(&[ids[1]], Desired::Run).unwrap();
    rig.store.requeue(&[ids[0]], true).unwrap();
    went_on_and_began_again(&rig, ids[1], ids[0]);
}

#[test]
#[ignore = "needs Slurm: make test-sites"]
fn slurm_the_time_limit_is_an_interruption() {
    let cluster = Cluster::start();
    // The signal comes 120 s before the limit, that is, at once.
    let mut rig = rig(&cluster.site("max_jobs = 3\ntime = '2'"));
    let ids = queue(&mut rig, "hpc", 30, &["epoch_ms=3000"]);
    rig.runner(&[("SLURM_CONF", &cluster.config())]);
    let run = rig.wait(ids[0], "at its second attempt", |run| run.attempt >= 2);
    assert!(run.state.is_live(), "{:?}", run.state);
    let log = fs::read_to_string(rig.board.runner_log()).unwrap();
    assert!(log.contains("started again by the cluster"), "{log}");
    rig.store.set_desired(&[ids[0]], Desired::Stop).unwrap();
    rig.ended(ids[0]);
    let epochs = rig.epochs(ids[0], "val/loss");
    let whole: Vec<f64> = (1..=epochs.len()).map(|n| n as f64).collect();
    assert_eq!(epochs, whole, "none lost, none doubled");
}

#[test]
#[ignore = "needs Slurm: make test-sites"]
fn slurm_node_crash_and_controller_outage_cost_no_epoch() {
    let cluster = Cluster::start();
    let mut rig = rig(&cluster.site("max_jobs = 8"));
    let ids = queue(&mut rig, "hpc", 30, &["epoch_ms=1000", "epoch_ms=1000"]);
    rig.runner(&[("SLURM_CONF", &cluster.config())]);
    for id in &ids {
        rig.wait(*id, "at work", |run| run.step >= 15);
    }
    cluster.call(&["stop", "slurmctld"]);
    let at = rig.run(ids[0]).step;
    rig.wait(ids[0], "further without a controller", |run| run.step > at + 30);
    let node = fs::read_to_string(cluster.dir.path().join("nodes")).unwrap();
    let first = node.lines().next().unwrap().to_owned();
    cluster.call(&["start"]);
    cluster.call(&["stop", "node1"]);
    until("the node is missed, and its runs with it", || {
        // Slurm itself takes half a minute to find out, and longer while everybody asks it.
        std::thread::sleep(std::time::Duration::from_millis(500));
        let node = format!("nodename={first}");
        cluster.tool(&["scontrol", "update", &node, "state=down", "reason=crash"]);
        let restarts = cluster.tool(&["squeue", "-h", "-r", "-t", "all", "-O", "RestartCnt"]);
        println!("{}{restarts}", cluster.tool(&["sinfo", "-N"]));
        restarts.split_whitespace().any(|n| n != "0")
    });
    cluster.call(&["start"]);
    // Slurm itself holds a requeued job back for two minutes.
    for line in cluster.tool(&["squeue", "-h", "-r", "-t", "PD", "-o", "%A"]).lines() {
        std::thread::sleep(std::time::Duration::from_secs(6));
        cluster.tool(&["scontrol", "update", &format!("jobid={line}"), "StartTime=now"]);
    }
    for id in &ids {
        let run = rig.ended(*id);
        assert_done(&run);
        rig.assert_whole(*id, 30);
    }
}

#[test]
#[ignore = "needs Slurm: make test-sites"]
fn slurm_200_submits_are_quick() {
    let cluster = Cluster::start();
    let mut rig = rig(&cluster.site("max_jobs = 200\nsbatch = ['--begin=now+1hour']"));
    let ids = queue(&mut rig, "hpc", 1, &["x"; 200]);
    let start = std::time::Instant::now();
    rig.runner(&[("SLURM_CONF", &cluster.config())]);
    until("all are queued", || {
        cluster.tool(&["squeue", "-h", "-r", "-o", "%K"]).lines().count() == ids.len()
    });
    let each = start.elapsed() / 200;
    println!("200 submissions: {each:?} each");
    assert!(each.as_millis() <= 100, "{each:?}");
}

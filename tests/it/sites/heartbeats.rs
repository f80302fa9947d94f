//! Heartbeats: what a job of a cluster writes on the shared disk, while Slurm has yet to notice.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tuneboard::spec::{RunId, RunState};

use super::failures::{MOST, Watcher, replace_runner, trainers};
use super::{Cluster, assert_done, executable, queue, rig};
use crate::rig::{Rig, kill, until};

/// A job's folder and its script, as a host has them.
struct Bench {
    dir: TempDir,
    jobs: Vec<Child>,
}

impl Bench {
    /// The trainer is this script, and the pause between two heartbeats so many seconds.
    fn new(trainer: &str, pause: &str) -> Self {
        let bench = Self { dir: tempfile::tempdir().unwrap(), jobs: Vec::new() };
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/runner/launch/script");
        let read = |name: &str| fs::read_to_string(format!("{folder}/{name}")).unwrap();
        // As the host puts them together.
        let job = read("slurm_job.sh") + &read("job.sh");
        let quick = job.replace("sleep 10 &", &format!("sleep {pause} &"));
        assert_ne!(job, quick);
        let short = quick.replace("|| sleep 15", "|| sleep 1");
        assert_ne!(quick, short);
        fs::write(bench.path("job.sh"), short + "\n").unwrap();
        fs::create_dir_all(bench.path("root/runs/r1")).unwrap();
        fs::create_dir(bench.path("t-1-a")).unwrap();
        fs::write(bench.path("t-1-a/beat"), "0.0\n").unwrap();
        executable(&bench.path("trainer"), trainer);
        bench.meant("1-a");
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The attempt that the board wants.
    fn meant(&self, ticket: &str) {
        let trainer = self.path("trainer");
        let args = format!("r1\n{ticket}\n1\ncpu\n1\n{}\n/nowhere\n", trainer.display());
        fs::write(self.path("args"), args).unwrap();
    }

    /// Starts the script as Slurm does, for the first time or again.
    fn start(&mut self, restart: u32) -> i32 {
        let mut command = Command::new("sh");
        command.arg(self.path("job.sh")).arg(self.dir.path()).env("SLURM_JOB_ID", "7");
        if restart > 0 {
            command.env("SLURM_RESTART_COUNT", restart.to_string());
        }
        command.process_group(0).stdin(Stdio::null()).stderr(Stdio::null());
        let job = command.spawn().unwrap();
        let group = job.id() as i32;
        self.jobs.push(job);
        group
    }

    fn beat(&self) -> (u32, u32) {
        let text = fs::read_to_string(self.path("t-1-a/beat")).unwrap();
        let (restart, count) = text.lines().next().unwrap().split_once('.').unwrap();
        (restart.parse().unwrap(), count.parse().unwrap())
    }

    fn has_ended(&mut self, at: usize) -> bool {
        self.jobs[at].try_wait().unwrap().is_some()
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        for job in &mut self.jobs {
            kill(-(job.id() as i32), libc::SIGKILL);
            let _ = job.wait();
        }
    }
}

fn lives(group: i32) -> bool {
    // SAFETY: two integers go in, nothing of ours is touched.
    unsafe { libc::kill(-group, 0) == 0 }
}

/// Saves for a second when it is asked to end.
const PATIENT: &str =
    "#!/bin/sh\ntrap 'sleep 1; exit 0' TERM\necho up >up\nwhile :; do sleep 0.05; done\n";

#[test]
fn a_job_has_a_heartbeat_until_its_trainer_has_ended() {
    let mut bench = Bench::new(PATIENT, "0.2");
    let group = bench.start(0);
    until("the trainer is up", || bench.path("root/up").exists());
    until("it lives on", || bench.beat() >= (0, 3));
    // Slurm asks every process of a job to end.
    kill(-group, libc::SIGTERM);
    let then = bench.beat().1;
    until("it saves, and lives", || bench.beat().1 >= then + 2);
    assert!(!bench.path("t-1-a/rc").exists(), "it still saves");
    until("it has ended", || bench.has_ended(0));
    assert_eq!(fs::read_to_string(bench.path("t-1-a/rc")).unwrap(), "0\n");
    let last = bench.beat();
    until("nothing is left of it", || !lives(group));
    thread::sleep(Duration::from_millis(500));
    assert_eq!(bench.beat(), last);
}

#[test]
fn heartbeats_do_not_keep_a_job_alive() {
    let mut bench = Bench::new("#!/bin/sh\nsleep 0.3\nexit 3\n", "600");
    let group = bench.start(0);
    until("it has ended", || bench.has_ended(0));
    assert_eq!(fs::read_to_string(bench.path("t-1-a/rc")).unwrap(), "3\n");
    assert_eq!(bench.beat(), (0, 1));
    until("nothing is left of it", || !lives(group));
}

#[test]
fn a_job_that_was_started_again_has_heartbeats_of_its_own() {
    let mut bench = Bench::new(PATIENT, "0.2");
    let group = bench.start(0);
    until("many heartbeats are there", || bench.beat() >= (0, 11));
    kill(-group, libc::SIGKILL);
    until("the node is dead", || bench.has_ended(0));
    bench.start(1);
    until("another attempt lives", || bench.beat() >= (1, 2));
    assert_eq!(fs::read_to_string(bench.path("t-1-a/restarts")).unwrap(), "1\n");
}

/// A node that is cut off from its cluster trains on while Slurm starts the job elsewhere.
#[test]
fn an_attempt_whose_place_was_taken_ends_itself_and_says_nothing() {
    let mut bench = Bench::new(PATIENT, "0.2");
    let old = bench.start(0);
    until("the first lives", || bench.beat() >= (0, 1));
    let new = bench.start(1);
    until("the second lives", || bench.beat() >= (1, 1));
    assert!(bench.has_ended(0), "never at once");
    until("nothing is left of it", || !lives(old));
    assert!(!bench.path("t-1-a/rc").exists(), "the run has not ended");
    until("the second lives on", || bench.beat() >= (1, 3));
    // The board itself has given up on it and wants another one.
    bench.meant("2-b");
    until("it gives way too", || bench.has_ended(1) && !lives(new));
    assert!(!bench.path("t-1-a/rc").exists());
}

/// On two clusters at once, for they mostly wait.
#[test]
#[ignore = "needs Slurm: make test-sites"]
fn slurm_heartbeats_show_which_job_is_dead_and_which_is_cut_off() {
    thread::scope(|both| {
        both.spawn(a_dead_node_is_missed_within_a_minute);
        both.spawn(a_node_that_is_cut_off_does_not_train_beside_its_successor);
    });
}

fn a_dead_node_is_missed_within_a_minute() {
    // As clusters have it: a node that says nothing is believed for five minutes.
    let cluster = Cluster::with_patience(300);
    // One run for each node.
    let mut rig = rig(&cluster.site("max_jobs = 2\ncpus = 4"));
    let ids = queue(&mut rig, "hpc", 40, &["epoch_ms=1500"; 2]);
    let (slurm, folder) = (cluster.config(), cluster.dir.path().canonicalize().unwrap());
    let folders = [folder];
    let watcher = Watcher::start(&rig, &ids, folders.to_vec());
    rig.runner(&[("SLURM_CONF", &slurm)]);
    for id in &ids {
        rig.wait(*id, "at work", |run| run.step >= 5);
    }
    cluster.call(&["stop", "node1"]);
    let crash = Instant::now();
    until("one run is dead", || trainers(&folders).len() == 1);
    let living = *trainers(&folders).keys().next().unwrap();
    let dead = ids.iter().copied().find(|id| *id != living).unwrap();
    let is_missed = |rig: &Rig| status(rig, dead).starts_with("unreachable, last seen ");
    until("the dead one is missed", || is_missed(&rig));
    println!("the crash of the node was shown after {:?}", crash.elapsed());
    assert!(crash.elapsed() <= MOST);
    let states = cluster.tool(&["squeue", "-h", "-r", "-o", "%T"]);
    assert_eq!(states, "RUNNING\nRUNNING\n", "Slurm has not noticed");
    assert_eq!(rig.run(dead).state, RunState::Running, "away is not failed");
    assert_eq!(doubt(&rig, dead), Some("away"));
    assert_eq!(doubt(&rig, living), None);

    // Another runner knows it from the start, and the controller is not needed for it.
    cluster.call(&["stop", "slurmctld"]);
    let start = Instant::now();
    replace_runner(&mut rig, &slurm);
    until("it is still missed", || is_missed(&rig));
    println!("another runner knew it after {:?}", start.elapsed());
    assert!(start.elapsed() < Duration::from_secs(20));
    cluster.call(&["start"]);

    // Somebody has looked after the node.
    let nodes = fs::read_to_string(cluster.dir.path().join("nodes")).unwrap();
    let node = format!("nodename={}", nodes.lines().next().unwrap());
    let restarts = || cluster.tool(&["squeue", "-h", "-r", "-t", "all", "-O", "RestartCnt"]);
    until("the job is taken off it", || {
        cluster.tool(&["scontrol", "update", &node, "state=down", "reason=crash"]);
        thread::sleep(Duration::from_millis(500));
        restarts().split_whitespace().any(|n| n != "0")
    });
    until("it is said to wait", || status(&rig, dead).starts_with("waiting: "));
    cluster.call(&["start"]);
    // Slurm itself holds a requeued job back for two minutes.
    for job in cluster.tool(&["squeue", "-h", "-r", "-t", "PD", "-o", "%A"]).lines() {
        thread::sleep(Duration::from_secs(6));
        cluster.tool(&["scontrol", "update", &format!("jobid={job}"), "StartTime=now"]);
    }
    until("it is at work again", || trainers(&folders).contains_key(&dead));
    until("it is shown as running again", || {
        rig.run(dead).state == RunState::Running && doubt(&rig, dead).is_none()
    });
    for id in &ids {
        let run = rig.ended(*id);
        assert_done(&run);
        assert_eq!(run.attempt > 1, *id == dead, "{}", run.attempt);
        rig.assert_whole(*id, 40);
    }
    let seen = watcher.finish();
    println!("{} looks; shown at work while dead: {:?}", seen.looks, seen.dead);
    assert_eq!(seen.wrong, Vec::<String>::new());
    for (id, dead) in seen.dead {
        assert!(dead <= MOST, "{id} was dead for {dead:?} and shown as at work");
    }
}

fn a_node_that_is_cut_off_does_not_train_beside_its_successor() {
    let cluster = Cluster::start();
    let mut rig = rig(&cluster.site("max_jobs = 1\ncpus = 4"));
    let id = queue(&mut rig, "hpc", 60, &["epoch_ms=1500"])[0];
    let folders = [cluster.dir.path().canonicalize().unwrap()];
    let watcher = Watcher::start(&rig, &[id], folders.to_vec());
    rig.runner(&[("SLURM_CONF", &cluster.config())]);
    rig.wait(id, "at work", |run| run.step >= 5);
    let nodes = fs::read_to_string(cluster.dir.path().join("nodes")).unwrap();
    let its = cluster.tool(&["squeue", "-h", "-o", "%N"]);
    let at = nodes.lines().position(|node| node == its.trim()).unwrap();
    cluster.call(&["cut", &format!("node{}", at + 1)]);
    let cut = rig.run(id).step;
    let old = trainers(&folders)[&id].clone();
    let restarts = || cluster.tool(&["squeue", "-h", "-r", "-t", "all", "-O", "RestartCnt"]);
    until("Slurm misses the node", || {
        thread::sleep(Duration::from_millis(500));
        restarts().trim() != "0"
    });
    assert_eq!(trainers(&folders)[&id], old, "it lives, and nobody has told it");
    rig.wait(id, "further than it was when it was cut off", |run| run.step > cut + 10);
    // Slurm itself holds a requeued job back for two minutes.
    let job = cluster.tool(&["squeue", "-h", "-r", "-t", "PD", "-o", "%A"]);
    thread::sleep(Duration::from_secs(6));
    cluster.tool(&["scontrol", "update", &format!("jobid={}", job.trim()), "StartTime=now"]);
    until("another one trains", || trainers(&folders).get(&id).is_some_and(|new| *new != old));
    let run = rig.ended(id);
    assert_done(&run);
    assert!(run.attempt > 1);
    rig.assert_whole(id, 60);
    let seen = watcher.finish();
    println!("{} looks; shown at work while dead: {:?}", seen.looks, seen.dead);
    assert_eq!(seen.wrong, Vec::<String>::new());
}

/// What lists say of a run beside its state.
fn status(rig: &Rig, id: RunId) -> String {
    let sites = rig.store.reader().sites().unwrap();
    sites.iter().find_map(|site| site.runs.get(&id).cloned()).unwrap_or_default()
}

/// What lists call a run instead of its state.
fn doubt(rig: &Rig, id: RunId) -> Option<&'static str> {
    rig.run(id).doubt(&rig.store.reader().sites().unwrap())
}

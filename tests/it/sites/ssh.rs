//! Runs on hosts behind a real sshd.

use std::fs;
use std::path::Path;
use std::process::Command;

use tuneboard::spec::{Desired, Outcome, RunId, RunSpec, RunState};
use tuneboard::store::SiteState;

use super::{
    FAKE, Hosts, assert_done, executable, queue, rig, site_of, site_state, there,
    went_on_and_began_again,
};
use crate::rig::{kill, lives, until};

#[test]
#[ignore = "needs sshd: make test-sites"]
fn ssh_runs_look_like_local_ones() {
    let hosts = Hosts::start(1);
    let mut rig = rig(&hosts.sites(2, ""));
    let ids = queue(&mut rig, "host1", 3, &["epoch_ms=50", "epoch_ms=50", "epoch_ms=50"]);
    let local = queue(&mut rig, "local", 3, &["epoch_ms=50"]);
    rig.runner(&[]);
    for id in &ids {
        let run = rig.ended(*id);
        assert_done(&run);
        rig.assert_whole(*id, 3);
        assert_eq!((site_of(&run), run.attempt), ("host1", 1));
        let far = there(&hosts, &run);
        let name = format!("root/runs/{id}/events.jsonl");
        assert_eq!(fs::read(rig.board.events(*id)).unwrap(), fs::read(far.join(name)).unwrap());
        assert_eq!(
            fs::read(rig.board.out_log(*id)).unwrap(),
            fs::read(far.join("out.log")).unwrap()
        );
        assert!(rig.board.checkpoints(*id).join("last/state.json").is_file(), "fetched");
        assert_eq!(run.facts.unwrap().host, "host1");
    }
    let here = rig.ended(local[0]);
    let (a, b) = (rig.run(ids[0]), here);
    assert_eq!((a.last, a.best, a.step), (b.last, b.best, b.step));
    // One content each, however many runs read it.
    let store = hosts.home("host1").join("tuneboard/store");
    assert_eq!(fs::read_dir(store).unwrap().count(), 2, "model and data, once");
}

#[test]
#[ignore = "needs sshd: make test-sites"]
fn ssh_any_fills_every_site() {
    let hosts = Hosts::start(2);
    let mut rig = rig(&hosts.sites(1, ""));
    let ids = queue(&mut rig, "any", 6, &["epoch_ms=300"; 3]);
    rig.runner(&[]);
    let mut sites: Vec<String> = ids.iter().map(|id| site_of(&rig.ended(*id)).to_owned()).collect();
    sites.sort();
    assert_eq!(sites, ["host1", "host2", "local"]);
    let moon = queue(&mut rig, "moon", 1, &[""]);
    rig.runner(&[]);
    let run = rig.ended(moon[0]);
    let why = run.state.outcome().and_then(Outcome::why).unwrap();
    assert_eq!(why, "There is no site moon; config.toml has local, host1, host2.");
}

#[test]
#[ignore = "needs sshd: make test-sites"]
fn ssh_stop_hold_resume_and_retry() {
    let hosts = Hosts::start(1);
    let mut rig = rig(&hosts.sites(3, ""));
    let ids = queue(&mut rig, "host1", 40, &["epoch_ms=400", "epoch_ms=401", "deaf epoch_ms=400"]);
    rig.runner(&[("TUNEBOARD_GRACE_MS", "500")]);
    for id in &ids {
        rig.wait(*id, "at work", |run| run.step >= 5);
    }
    rig.store.set_desired(&[ids[0], ids[2]], Desired::Stop).unwrap();
    rig.store.set_desired(&[ids[1]], Desired::Hold).unwrap();
    assert_eq!(rig.ended(ids[0]).state, RunState::Ended(Outcome::Stopped));
    assert_eq!(
        rig.ended(ids[2]).state,
        RunState::Ended(Outcome::Stopped),
        "killed after the grace"
    );
    rig.wait(ids[1], "held", |run| run.state == RunState::Queued && run.step > 0);
    // On it goes from where it was, over there; another from its start.
    rig.store.set_desired(&[ids[1]], Desired::Run).unwrap();
    rig.store.requeue(&[ids[0]], true).unwrap();
    rig.runner(&[]);
    went_on_and_began_again(&rig, ids[1], ids[0]);
}

#[test]
#[ignore = "needs sshd: make test-sites"]
fn ssh_failures_say_why() {
    let hosts = Hosts::start(1);
    let mut rig = rig(&hosts.sites(3, ""));
    let ids = queue(&mut rig, "host1", 2, &["exit=3", "fail", "signal=11"]);
    rig.runner(&[]);
    let why = |id| match rig.ended(id).state {
        RunState::Ended(Outcome::Failed { why, last_lines }) => (why, last_lines),
        other => panic!("{other:?}"),
    };
    let (reason, lines) = why(ids[0]);
    assert_eq!(reason, "The trainer ended with exit code 3 and did not say why.");
    assert!(lines.ends_with("Traceback: no luck"), "{lines}");
    assert_eq!(why(ids[1]).0, "The loss is NaN at step 15.");
    assert_eq!(why(ids[2]).0, "The trainer crashed (SIGSEGV).");
}

#[test]
#[ignore = "needs sshd: make test-sites"]
fn ssh_runs_outlive_runner_and_connection() {
    let hosts = Hosts::start(1);
    let mut rig = rig(&hosts.sites(2, ""));
    let ids = queue(&mut rig, "host1", 8, &["epoch_ms=400", "epoch_ms=400"]);
    rig.ensure();
    rig.wait(ids[0], "at work", |run| run.step >= 5);
    kill(rig.runner_pid() as i32, libc::SIGKILL);
    until("the runner is dead", || {
        !rig.store.reader().runner().unwrap().is_some_and(|r| lives(r.process.pid))
    });
    rig.ensure();
    let at = rig.run(ids[0]).step;
    rig.wait(ids[0], "further", |run| run.step > at + 5);
    kill(hosts.master("host1"), libc::SIGKILL);
    for id in &ids {
        let run = rig.ended(*id);
        assert_done(&run);
        assert_eq!(run.attempt, 1, "it was found again, not started again");
        rig.assert_whole(*id, 8);
    }
}

#[test]
#[ignore = "needs sshd: make test-sites"]
fn ssh_a_power_cut_costs_no_epoch() {
    let hosts = Hosts::start(1);
    let mut rig = rig(&hosts.sites(1, ""));
    let ids = queue(&mut rig, "host1", 20, &["epoch_ms=500"]);
    rig.runner(&[]);
    rig.wait(ids[0], "at work", |run| run.step >= 15);
    hosts.power_cut("host1");
    until("the host is missed", || site_state(&rig, "host1") == SiteState::Unreachable);
    let run = rig.run(ids[0]);
    assert_eq!(run.state, RunState::Running, "unreachable is not failed");
    let info = rig.store.reader().sites().unwrap().remove(0);
    assert!(info.seen.is_some() && !info.why.is_empty(), "{info:?}");
    hosts.power_on();
    let run = rig.ended(ids[0]);
    assert_done(&run);
    assert_eq!((run.attempt, site_of(&run)), (2, "host1"));
    rig.assert_whole(ids[0], 20);
}

#[test]
#[ignore = "needs sshd: make test-sites"]
fn ssh_names_do_no_harm() {
    let hosts = Hosts::start(1);
    let odd = "-o $(touch evil) `x` 'q' \"d\" * ; & | é";
    let folder = format!("folder = '{}'\n", odd.replace('\'', ""));
    let mut rig = rig(&hosts.sites(1, &folder));
    let root = rig.board.root().to_path_buf();
    let names = [format!("data/{odd}.csv"), format!("{odd}.csv")];
    fs::create_dir_all(root.join("data")).unwrap();
    let outside = tempfile::tempdir().unwrap();
    let far = outside.path().join(format!("{odd}.csv"));
    for path in names.iter().map(|name| root.join(name)).chain([far.clone()]) {
        fs::write(path, "text,label\nhello,ham\n").unwrap();
    }
    let all = names.iter().cloned().chain([far.to_string_lossy().into_owned()]);
    let model = format!("fake {odd}");
    fs::create_dir_all(rig.board.models().join(&model)).unwrap();
    fs::write(rig.board.models().join(&model).join("config.json"), "{}").unwrap();
    let spec = |data| RunSpec {
        model: model.clone(),
        data,
        epochs: 1,
        site: "host1".into(),
        ..RunSpec::default()
    };
    let ids = rig.queue_specs(all.map(spec).collect::<Vec<_>>().into_iter());
    rig.runner(&[]);
    for id in &ids {
        assert_done(&rig.ended(*id));
    }
    let evil = Command::new("find").arg(hosts.dir.path()).args(["-name", "evil"]).output().unwrap();
    assert!(evil.stdout.is_empty() && !Path::new("/evil").exists());
    assert!(!root.join("evil").exists());
}

#[test]
#[ignore = "needs sshd: make test-sites"]
fn ssh_200_submits_are_quick_and_use_few_sessions() {
    let hosts = Hosts::start(1);
    let mut rig = rig(&hosts.sites(200, ""));
    // The trainer itself would take the machine's whole attention: here it only waits.
    let script = hosts.dir.path().join("idle.sh");
    executable(&script, "#!/bin/sh\nexec sleep 1000\n");
    let config = fs::read_to_string(rig.board.config_file()).unwrap();
    let idle = config.replacen(
        &format!("ssh_config = '{}'\ntrainer = '{FAKE}'", hosts.config().display()),
        &format!("ssh_config = '{}'\ntrainer = '{}'", hosts.config().display(), script.display()),
        1,
    );
    assert_ne!(idle, config);
    fs::write(rig.board.config_file(), idle).unwrap();
    let ids = queue(&mut rig, "host1", 1, &["x"; 200]);
    let start = std::time::Instant::now();
    rig.runner(&[]);
    let submitted = |id: &RunId| {
        there(&hosts, &{
            let mut run = rig.run(*id);
            if run.placement.is_none() {
                run.placement = Some(tuneboard::spec::Placement {
                    site: "host1".into(),
                    slot: String::new(),
                    device: String::new(),
                    threads: 1,
                });
            }
            run
        })
        .join("pid")
        .exists()
    };
    until("all are submitted", || ids.iter().rev().all(&submitted));
    let each = start.elapsed() / 200;
    println!("200 submissions: {each:?} each");
    assert!(each.as_millis() <= 100, "{each:?}");
    let log = fs::read_to_string(hosts.dir.path().join("host1/log")).unwrap();
    let logins = log.matches("Accepted publickey").count();
    println!("{logins} connections");
    assert!(logins <= 8, "{logins}");
}

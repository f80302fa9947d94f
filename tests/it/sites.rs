//! Runs on other machines, with a real OpenSSH and a real Slurm on loopback (`make test-sites`).

mod failures;
mod hostile;
mod lag;
#[cfg(feature = "train")]
mod lineage;
#[cfg(feature = "train")]
mod same;
mod sessions;
mod signs;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;
use tuneboard::spec::{Outcome, RunId, RunSpec, RunState, Wish};
use tuneboard::store::{Run, SiteState};

use super::rig::{Rig, kill, lives, tuneboard, until};

const TESTBED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/testbed");
const FAKE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/fake_trainer.py");

/// SSH hosts `host1` .. `hostN`; they are shut down with it.
struct Hosts {
    dir: TempDir,
    count: usize,
}

impl Hosts {
    fn start(count: usize) -> Self {
        Self::with_answers(&[], count)
    }

    /// Hosts of which the first answer every call with these scripts.
    fn with_answers(scripts: &[&str], count: usize) -> Self {
        // Not below a folder that is closed to others, and short enough for sockets.
        let dir = tempfile::Builder::new().prefix("tbt").tempdir_in("/tmp").unwrap();
        let hosts = Self { dir, count };
        for (i, script) in (1..).zip(scripts) {
            let here = hosts.dir.path().join(format!("host{i}"));
            fs::create_dir_all(&here).unwrap();
            executable(&here.join("force"), script);
        }
        hosts.power_on();
        hosts
    }

    fn call(&self, words: &[&str]) {
        let mut command = Command::new(format!("{TESTBED}/sshd.sh"));
        let status = command.arg(words[0]).arg(self.dir.path()).args(&words[1..]).status().unwrap();
        assert!(status.success(), "{words:?}");
    }

    fn power_on(&self) {
        self.call(&["start", &self.count.to_string()]);
    }

    fn power_cut(&self, host: &str) {
        self.call(&["stop", host]);
    }

    fn config(&self) -> PathBuf {
        self.dir.path().join("config")
    }

    /// The process of the master connection to a host.
    fn master(&self, host: &str) -> i32 {
        let runtime =
            std::env::var_os("XDG_RUNTIME_DIR").map(|dir| PathBuf::from(dir).join("tuneb"));
        let plain = PathBuf::from(format!("/tmp/tuneboard-{}", unsafe { libc::getuid() }));
        let sockets = runtime.filter(|dir| dir.is_dir()).unwrap_or(plain);
        let said = Command::new("ssh")
            .arg("-F")
            .arg(self.config())
            .arg("-o")
            .arg(format!("ControlPath={}/%C", sockets.display()))
            .args(["-O", "check", host])
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&said.stderr).into_owned();
        let pid =
            said.split_once("pid=").and_then(|(_, rest)| rest.split(')').next()?.parse().ok());
        pid.unwrap_or_else(|| panic!("no master: {said}"))
    }

    /// The home folder of a host, as a folder here.
    fn home(&self, host: &str) -> PathBuf {
        self.dir.path().join(host).join("home")
    }

    /// `[sites.HOST]` for each host.
    fn sites(&self, slots: u32, more: &str) -> String {
        let site = |i: usize| {
            format!(
                "[sites.host{i}]\nkind = 'ssh'\nhost = 'host{i}'\nssh_config = '{}'\ntrainer = \
                 '{FAKE}'\nslots = {slots}\nthreads = 1\n{more}\n",
                self.config().display()
            )
        };
        (1..=self.count).map(site).collect()
    }
}

fn executable(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// A Slurm cluster of two nodes; it is shut down with it.
struct Cluster {
    dir: TempDir,
}

impl Cluster {
    fn start() -> Self {
        Self::with_patience(10)
    }

    /// A cluster that misses a node only after so many seconds.
    fn with_patience(seconds: u32) -> Self {
        // Jobs and munged want a folder that every user may enter.
        let dir = tempfile::Builder::new().prefix("tbs").tempdir_in("/var/tmp").unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let cluster = Self { dir };
        cluster.call(&["start", "2", &seconds.to_string()]);
        cluster
    }

    fn call(&self, words: &[&str]) {
        let mut command = Command::new(format!("{TESTBED}/slurm.sh"));
        let status = command.arg(words[0]).arg(self.dir.path()).args(&words[1..]).status().unwrap();
        assert!(status.success(), "{words:?}");
    }

    fn config(&self) -> String {
        self.dir.path().join("slurm.conf").to_string_lossy().into_owned()
    }

    fn tool(&self, words: &[&str]) -> String {
        let mut command = Command::new(words[0]);
        let output = command.args(&words[1..]).env("SLURM_CONF", self.config()).output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// `[sites.hpc]`, whose disk is this machine's.
    fn site(&self, more: &str) -> String {
        format!(
            "[sites.hpc]\nkind = 'slurm'\nfolder = '{}'\ntrainer = '{FAKE}'\npartition = 'main'\n{more}\n",
            self.dir.path().join("shared").display()
        )
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.call(&["stop"]);
    }
}

impl Drop for Hosts {
    fn drop(&mut self) {
        self.call(&["stop"]);
    }
}

/// A board with one local seat and these sites.
fn rig(sites: &str) -> Rig {
    let config = format!("[sites.local]\nslots = 1\nthreads = 1\ntrainer = '{FAKE}'\n{sites}");
    let rig = Rig::with_config(&config);
    fs::write(rig.board.root().join("none.csv"), "text,label\nhello,ham\n").unwrap();
    rig
}

/// Queues fake runs there; the model's name says how they behave.
fn queue(rig: &mut Rig, site: &str, epochs: u32, words: &[&str]) -> Vec<RunId> {
    let spec = |words: &&str| RunSpec {
        model: format!("fake {words}"),
        data: "none.csv".into(),
        epochs,
        site: site.to_owned(),
        ..RunSpec::default()
    };
    let specs: Vec<RunSpec> = words.iter().map(spec).collect();
    for spec in &specs {
        let folder = rig.board.models().join(&spec.model);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("config.json"), "{}").unwrap();
    }
    rig.queue_specs(specs.into_iter())
}

fn assert_done(run: &Run) {
    assert_eq!(run.state, RunState::Ended(Outcome::Done), "{}", run.id);
}

fn site_of(run: &Run) -> &str {
    &run.placement.as_ref().unwrap().site
}

/// The run's folder on its host.
fn there(hosts: &Hosts, run: &Run) -> PathBuf {
    let jobs = hosts.home(site_of(run)).join("tuneboard/jobs");
    jobs.join(format!("{}-{:x}", run.id, run.created))
}

fn site_state(rig: &Rig, name: &str) -> SiteState {
    let sites = rig.store.reader().sites().unwrap();
    sites.into_iter().find(|site| site.name == name).map(|site| site.state).unwrap_or_default()
}

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
    rig.store.set_wish(&[ids[0], ids[2]], Wish::Stop).unwrap();
    rig.store.set_wish(&[ids[1]], Wish::Hold).unwrap();
    assert_eq!(rig.ended(ids[0]).state, RunState::Ended(Outcome::Stopped));
    assert_eq!(
        rig.ended(ids[2]).state,
        RunState::Ended(Outcome::Stopped),
        "killed after the grace"
    );
    rig.wait(ids[1], "held", |run| run.state == RunState::Queued && run.step > 0);
    // On it goes from where it was, over there; another from its start.
    rig.store.set_wish(&[ids[1]], Wish::Run).unwrap();
    rig.store.requeue(&[ids[0]], true).unwrap();
    rig.runner(&[]);
    let held = rig.ended(ids[1]);
    assert_done(&held);
    assert_eq!(held.attempt, 2);
    rig.assert_whole(ids[1], 40);
    let again = rig.ended(ids[0]);
    assert_done(&again);
    assert_eq!(again.attempt, 1, "from the start");
    rig.assert_whole(ids[0], 40);
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

#[test]
#[ignore = "needs sshd: make test-sites"]
fn sites_are_listed() {
    let hosts = Hosts::start(1);
    let mut rig = rig(&hosts.sites(2, ""));
    let ids = queue(&mut rig, "host1", 20, &[""]);
    rig.runner(&[]);
    rig.wait(ids[0], "at work", |run| run.step >= 2);
    let list = || {
        let output = Command::new(tuneboard())
            .args(["sites", "--json", "--board"])
            .arg(rig.board.root())
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap()
    };
    until("the seat is told", || list()[1]["free"] == 1);
    let sites = list();
    assert_eq!(sites[1]["name"], "host1");
    assert_eq!((&sites[1]["state"], &sites[1]["slots"]), (&"up".into(), &2.into()));
    assert_eq!(sites[0]["name"], "local");
}

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
    rig.store.set_wish(&[ids[0]], Wish::Stop).unwrap();
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
    rig.store.set_wish(&[ids[0], ids[2]], Wish::Stop).unwrap();
    rig.store.set_wish(&[ids[1]], Wish::Hold).unwrap();
    assert_eq!(rig.ended(ids[0]).state, RunState::Ended(Outcome::Stopped));
    assert_eq!(rig.ended(ids[2]).state, RunState::Ended(Outcome::Stopped));
    rig.wait(ids[1], "held", |run| run.state == RunState::Queued && run.step > 0);
    rig.store.set_wish(&[ids[1]], Wish::Run).unwrap();
    rig.store.requeue(&[ids[0]], true).unwrap();
    let held = rig.ended(ids[1]);
    assert_done(&held);
    assert_eq!(held.attempt, 2);
    rig.assert_whole(ids[1], 40);
    let again = rig.ended(ids[0]);
    assert_done(&again);
    assert_eq!(again.attempt, 1, "from the start");
    rig.assert_whole(ids[0], 40);
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
    rig.store.set_wish(&[ids[0]], Wish::Stop).unwrap();
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

#[test]
#[ignore = "needs sshd: make test-sites"]
fn a_site_is_checked_equipped_and_fetched_from() {
    let hosts = Hosts::start(1);
    let none = hosts.sites(2, "fetch = 'none'").replacen(&format!("trainer = '{FAKE}'"), "", 1);
    let mut rig = rig(&none);
    let root = rig.board.root().to_path_buf();
    let call = |words: &[&str]| {
        let mut command = Command::new(tuneboard());
        let output = command.args(words).arg("--board").arg(&root).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        (output.status.code(), text + &String::from_utf8_lossy(&output.stderr))
    };
    let (code, said) = call(&["sites", "check", "host1"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("mend: `tuneboard sites install host1`"), "{said}");
    let (code, said) = call(&["sites", "install", "host1"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(hosts.home("host1").join("tuneboard/bin/tuneboard-train").is_file());
    let ids = queue(&mut rig, "host1", 2, &["epoch_ms=20"]);
    rig.runner(&[]);
    assert_done(&rig.ended(ids[0]));
    assert!(!rig.board.checkpoints(ids[0]).exists());
    let (code, said) = call(&["sites", "fetch", &ids[0].to_string()]);
    assert_eq!(code, Some(0), "{said}");
    assert!(rig.board.checkpoints(ids[0]).join("last/state.json").is_file());
    hosts.power_cut("host1");
    let (code, said) = call(&["sites", "check", "host1"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("Connection refused") || said.contains("closed"), "{said}");
    let (code, said) = call(&["sites", "check", "hots1"]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("did you mean `host1`?"), "{said}");
}

//! Runs on other machines, with a real OpenSSH and a real Slurm on loopback (`make test-sites`).

mod chaos;
mod failures;
mod heartbeats;
mod hostile;
mod lag;
#[cfg(feature = "train")]
mod lineage;
#[cfg(feature = "train")]
mod same;
mod sessions;
mod slurm;
mod ssh;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;
use tuneboard::spec::{Outcome, RunId, RunSpec, RunState};
use tuneboard::store::{Run, SiteState};

use super::rig::{Rig, tuneboard, until};

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
        self.master_now(host).unwrap_or_else(|| panic!("no master of {host}"))
    }

    /// The same, if there is one at this moment.
    fn master_now(&self, host: &str) -> Option<i32> {
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
        said.split_once("pid=").and_then(|(_, rest)| rest.split(')').next()?.parse().ok())
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

/// A board with one local slot and these sites.
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

/// A run that was held goes on from where it was; another begins anew. Each has 40 epochs.
fn went_on_and_began_again(rig: &Rig, held: RunId, again: RunId) {
    let run = rig.ended(held);
    assert_done(&run);
    assert_eq!(run.attempt, 2);
    rig.assert_whole(held, 40);
    let run = rig.ended(again);
    assert_done(&run);
    assert_eq!(run.attempt, 1, "from the start");
    rig.assert_whole(again, 40);
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
    until("the slot is told", || list()[1]["free"] == 1);
    let sites = list();
    assert_eq!(sites[1]["name"], "host1");
    assert_eq!((&sites[1]["state"], &sites[1]["slots"]), (&"up".into(), &2.into()));
    assert_eq!(sites[0]["name"], "local");
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

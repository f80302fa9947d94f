//! Runs on a Slurm cluster that is a script: the same scheduler, script and jobs as on a real one, without
//! daemons and without root. What only a real cluster can show is in `sites.rs`. Epochs take a second, so
//! that on a busy machine a run is still at work when something happens to it.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;
use tuneboard::spec::{Desired, Outcome, RunId, RunSpec, RunState};
use tuneboard::store::{Run, SiteState};

use super::rig::{Rig, kill, lives, tuneboard, until};

const FAKE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/fake_slurm.py");
const TRAINER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/fake_trainer.py");

/// The cluster's commands and its state, in a folder of its own.
struct Cluster {
    dir: TempDir,
    path: String,
    config: String,
}

impl Cluster {
    fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let bin = dir.path().join("bin");
        fs::create_dir(&bin).unwrap();
        for name in ["sbatch", "squeue", "scancel", "scontrol", "sacct"] {
            symlink(FAKE, bin.join(name)).unwrap();
        }
        let config = dir.path().join("slurm.conf");
        fs::write(&config, "").unwrap();
        let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
        Self { path, config: config.to_string_lossy().into_owned(), dir }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// `crash`, `warn` or `forget` the job of a run.
    fn does(&self, verb: &str, job: &str) {
        let status = Command::new(FAKE).arg(verb).arg(self.dir.path()).arg(job).status().unwrap();
        assert!(status.success());
    }

    /// How often a command was called in this way.
    fn calls(&self, words: &str) -> usize {
        let calls = fs::read_to_string(self.file("calls")).unwrap_or_default();
        calls.lines().filter(|line| line.starts_with(words)).count()
    }

    /// A board with this cluster as its site `hpc`.
    fn rig(&self, more: &str) -> Rig {
        let rig = Rig::with_config(&format!(
            "[sites.local]\nslots = 1\n[sites.hpc]\nkind = 'slurm'\nfolder = '{}'\ntrainer = \
             '{TRAINER}'\n{more}\n",
            self.file("shared").display()
        ));
        fs::write(rig.board.root().join("none.csv"), "text,label\nhello,ham\n").unwrap();
        rig
    }

    /// A runner that finds the cluster's commands and looks often.
    fn runner(&self, rig: &mut Rig) -> u32 {
        self.runner_that_gives_up(rig, "600000")
    }

    /// One that waits so many milliseconds for a job that is to end.
    fn runner_that_gives_up(&self, rig: &mut Rig, after: &str) -> u32 {
        rig.runner(&[
            ("TUNEBOARD_GIVE_UP_MS", after),
            ("PATH", &self.path),
            ("SLURM_CONF", &self.config),
            ("TUNEBOARD_POLL_MS", "100"),
            ("TUNEBOARD_QUEUE_MS", "200"),
            ("TUNEBOARD_GRACE_MS", "500"),
        ])
    }

    /// The cluster's number of a run's job.
    fn job(&self, run: &Run) -> String {
        let folder = format!("shared/jobs/{}-{:x}/slurm", run.id, run.created);
        fs::read_to_string(self.file(&folder)).unwrap().trim().to_owned()
    }
}

impl Drop for Cluster {
    /// Ends what the jobs are still at.
    fn drop(&mut self) {
        let tasks = fs::read_to_string(self.file("tasks")).unwrap_or_default();
        let tasks: serde_json::Value = serde_json::from_str(&tasks).unwrap_or_default();
        for task in tasks.as_array().into_iter().flatten() {
            if let Some(group) = task["group"].as_i64().filter(|group| *group > 1) {
                kill(-(group as i32), libc::SIGKILL);
            }
        }
    }
}

/// Queues fake runs on the cluster; the model's name says how they behave.
fn queue(rig: &mut Rig, epochs: u32, words: &[&str]) -> Vec<RunId> {
    let spec = |words: &&str| RunSpec {
        model: format!("fake {words}"),
        data: "none.csv".into(),
        epochs,
        site: "hpc".to_owned(),
        ..RunSpec::default()
    };
    let specs: Vec<RunSpec> = words.iter().map(spec).collect();
    for spec in &specs {
        let folder = rig.board.models().join(&spec.model);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("config.json"), "{\"model_type\":\"bert\"}").unwrap();
    }
    rig.queue_specs(specs.into_iter())
}

fn assert_done(run: &Run) {
    assert_eq!(run.state, RunState::Ended(Outcome::Done), "{}", run.id);
}

/// What lists say of a run beside its state.
fn status(rig: &Rig, id: RunId) -> String {
    let sites = rig.store.reader().sites().unwrap();
    sites.iter().find_map(|site| site.runs.get(&id).cloned()).unwrap_or_default()
}

#[test]
fn runs_that_are_ready_together_are_one_array() {
    let cluster = Cluster::start();
    fs::write(cluster.file("cpus"), "4").unwrap();
    let mut rig = cluster.rig("partition = 'gpu'\ncpus = 4\nsbatch = ['--constraint=a b']");
    let ids = queue(&mut rig, 2, &["epoch_ms=50"; 4]);
    cluster.runner(&mut rig);
    for id in &ids {
        let run = rig.ended(*id);
        assert_done(&run);
        rig.assert_whole(*id, 2);
        assert_eq!((run.attempt, run.placement.as_ref().unwrap().site.as_str()), (1, "hpc"));
        assert!(rig.board.checkpoints(*id).join("last/state.json").is_file(), "fetched");
        let log = fs::read_to_string(rig.board.out_log(*id)).unwrap();
        assert!(log.starts_with("fake trainer on cpu 4 threads\n"), "{log}");
    }
    let calls = fs::read_to_string(cluster.file("calls")).unwrap();
    let submitted: Vec<&str> = calls.lines().filter(|l| l.starts_with("sbatch ")).collect();
    assert_eq!(submitted.len(), 1, "{submitted:?}");
    for option in ["--array=0-3", "--partition=gpu", "--cpus-per-task=4", "--constraint=a b"] {
        assert!(submitted[0].contains(option), "{option} in {submitted:?}");
    }
}

#[test]
fn a_job_that_waits_says_so_and_stop_takes_it_out_of_the_queue() {
    let cluster = Cluster::start();
    fs::write(cluster.file("cpus"), "1").unwrap();
    let mut rig = cluster.rig("");
    let ids = queue(&mut rig, 60, &["epoch_ms=1000", "epoch_ms=1001"]);
    cluster.runner(&mut rig);
    rig.wait(ids[0], "at work", |run| run.step >= 5);
    until("the other one waits", || status(&rig, ids[1]) == "waiting: Priority");
    // The one that waits goes first: the end of the other would let it start.
    for id in [ids[1], ids[0]] {
        rig.store.set_desired(&[id], Desired::Stop).unwrap();
        assert_eq!(rig.ended(id).state, RunState::Ended(Outcome::Stopped));
    }
    assert_eq!(rig.run(ids[1]).step, 0);
    assert!(rig.run(ids[0]).step < 600, "it was asked, and saved");
    assert!(cluster.calls("scancel --full --signal=TERM") >= 1);
}

#[test]
fn hold_and_resume_go_on_and_a_deaf_trainer_is_killed() {
    let cluster = Cluster::start();
    let mut rig = cluster.rig("");
    let ids = queue(&mut rig, 12, &["epoch_ms=1000", "deaf epoch_ms=2000"]);
    cluster.runner(&mut rig);
    for id in &ids {
        rig.wait(*id, "at work", |run| run.step >= 5);
    }
    rig.store.set_desired(&ids[..1], Desired::Hold).unwrap();
    rig.store.set_desired(&ids[1..], Desired::Stop).unwrap();
    rig.wait(ids[0], "held", |run| run.state == RunState::Queued && run.step > 0);
    assert_eq!(rig.ended(ids[1]).state, RunState::Ended(Outcome::Stopped));
    rig.store.set_desired(&ids[..1], Desired::Run).unwrap();
    let run = rig.ended(ids[0]);
    assert_done(&run);
    assert_eq!(run.attempt, 2);
    rig.assert_whole(ids[0], 12);
}

#[test]
fn the_time_limit_and_a_crashed_node_are_further_attempts_of_the_same_run() {
    let cluster = Cluster::start();
    let mut rig = cluster.rig("");
    let ids = queue(&mut rig, 12, &["epoch_ms=1000", "epoch_ms=1001"]);
    cluster.runner(&mut rig);
    for id in &ids {
        rig.wait(*id, "at work", |run| run.step >= 5);
    }
    cluster.does("warn", &cluster.job(&rig.run(ids[0])));
    cluster.does("crash", &cluster.job(&rig.run(ids[1])));
    for id in &ids {
        let run = rig.ended(*id);
        assert_done(&run);
        assert_eq!(run.attempt, 2, "{id}");
        rig.assert_whole(*id, 12);
    }
    assert_eq!(cluster.calls("scontrol requeue"), 1, "the trainer had saved");
    let log = fs::read_to_string(rig.board.runner_log()).unwrap();
    assert_eq!(log.matches("started again by the cluster, attempt 2").count(), 2, "{log}");
}

#[test]
fn jobs_go_on_while_the_controller_is_down() {
    let cluster = Cluster::start();
    let mut rig = cluster.rig("");
    let ids = queue(&mut rig, 12, &["epoch_ms=1000"]);
    cluster.runner(&mut rig);
    rig.wait(ids[0], "at work", |run| run.step >= 5);
    fs::write(cluster.file("down"), "").unwrap();
    until("that is said", || status(&rig, ids[0]).starts_with("Slurm does not answer: "));
    let step = rig.run(ids[0]).step;
    rig.wait(ids[0], "further without a controller", |run| run.step > step + 10);
    let sites = rig.store.reader().sites().unwrap();
    assert_eq!(sites[0].state, SiteState::Up, "the host itself answers");
    fs::remove_file(cluster.file("down")).unwrap();
    let run = rig.ended(ids[0]);
    assert_done(&run);
    assert_eq!(run.attempt, 1);
    rig.assert_whole(ids[0], 12);
}

#[test]
fn a_refused_submission_is_tried_again() {
    let cluster = Cluster::start();
    fs::write(cluster.file("refuse"), "Batch job submission failed: Job violates policy").unwrap();
    let mut rig = cluster.rig("");
    let ids = queue(&mut rig, 1, &["epoch_ms=20"]);
    cluster.runner(&mut rig);
    until("the reason is told", || status(&rig, ids[0]).contains("Job violates policy"));
    assert!(rig.run(ids[0]).state.outcome().is_none(), "it is not the run's fault");
    fs::remove_file(cluster.file("refuse")).unwrap();
    assert_done(&rig.ended(ids[0]));
}

#[test]
fn a_job_that_the_cluster_forgot_is_lost_and_goes_on() {
    let cluster = Cluster::start();
    let mut rig = cluster.rig("");
    let ids = queue(&mut rig, 12, &["epoch_ms=1000"]);
    cluster.runner(&mut rig);
    rig.wait(ids[0], "at work", |run| run.step >= 12);
    cluster.does("forget", &cluster.job(&rig.run(ids[0])));
    let run = rig.ended(ids[0]);
    assert_done(&run);
    assert_eq!(run.attempt, 2);
    rig.assert_whole(ids[0], 12);
    let log = fs::read_to_string(rig.board.runner_log()).unwrap();
    assert!(log.contains("Slurm no longer knows it"), "{log}");
}

#[test]
fn another_runner_finds_the_jobs_of_the_last_one() {
    let cluster = Cluster::start();
    let mut rig = cluster.rig("");
    let ids = queue(&mut rig, 8, &["epoch_ms=1000", "epoch_ms=1001"]);
    let runner = cluster.runner(&mut rig);
    for id in &ids {
        rig.wait(*id, "at work", |run| run.step >= 5);
    }
    kill(runner as i32, libc::SIGKILL);
    until("the runner is dead", || !lives(runner));
    cluster.runner(&mut rig);
    for id in &ids {
        let run = rig.ended(*id);
        assert_done(&run);
        assert_eq!(run.attempt, 1);
        rig.assert_whole(*id, 8);
    }
    assert_eq!(cluster.calls("sbatch "), 1, "nothing is submitted twice");
}

#[test]
fn a_run_that_its_host_will_not_end_can_be_ended_removed_and_retried() {
    let cluster = Cluster::start();
    let mut rig = cluster.rig("");
    let ids = queue(&mut rig, 60, &["epoch_ms=1000"]);
    cluster.runner_that_gives_up(&mut rig, "3000");
    rig.wait(ids[0], "at work", |run| run.step >= 5);
    // Whatever is cancelled there goes on, and is said to.
    fs::remove_file(cluster.file("bin/scancel")).unwrap();
    fs::write(cluster.file("bin/scancel"), "#!/bin/sh\nexit 0\n").unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(cluster.file("bin/scancel"), mode).unwrap();
    rig.store.set_desired(&ids, Desired::Stop).unwrap();
    let why = match rig.ended(ids[0]).state {
        RunState::Ended(Outcome::Lost { why }) => why,
        other => panic!("{other:?}"),
    };
    assert_eq!(why, "hpc was asked to end it and did not; it may still run there.");
    rig.store.requeue(&ids, false).unwrap();
    assert_eq!(rig.run(ids[0]).state, RunState::Queued);
    rig.store.set_desired(&ids, Desired::Stop).unwrap();
    rig.ended(ids[0]);
    rig.store.trash(&ids).unwrap();
}

#[test]
fn a_run_whose_site_was_taken_out_of_the_config_can_be_ended() {
    let cluster = Cluster::start();
    let mut rig = cluster.rig("");
    let ids = queue(&mut rig, 60, &["epoch_ms=1000"]);
    let runner = cluster.runner(&mut rig);
    rig.wait(ids[0], "at work", |run| run.step >= 5);
    kill(runner as i32, libc::SIGKILL);
    until("the runner is dead", || !lives(runner));
    fs::write(rig.board.root().join("config.toml"), "[sites.local]\nslots = 1\n").unwrap();
    cluster.runner(&mut rig);
    until("the run is not forgotten", || {
        let log = fs::read_to_string(rig.board.runner_log()).unwrap();
        log.contains("r1: its site hpc is not in config.toml")
    });
    assert!(rig.run(ids[0]).state.is_live());
    rig.store.set_desired(&ids, Desired::Stop).unwrap();
    let why = match rig.ended(ids[0]).state {
        RunState::Ended(Outcome::Lost { why }) => why,
        other => panic!("{other:?}"),
    };
    assert!(why.ends_with("so it cannot be asked to end; it may still run there."), "{why}");
}

#[test]
fn a_check_names_the_tools_that_a_cluster_lacks() {
    let cluster = Cluster::start();
    let rig = cluster.rig("");
    let check = |path: &str| {
        let mut command = Command::new(tuneboard());
        command.args(["sites", "check", "hpc", "--board"]).arg(rig.board.root());
        let output = command.env("PATH", path).env("SLURM_CONF", &cluster.config).output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    assert!(check(&cluster.path).contains("all there"), "{}", check(&cluster.path));
    fs::remove_file(cluster.file("bin/squeue")).unwrap();
    if !Path::new("/usr/bin/squeue").exists() {
        assert!(check(&cluster.path).contains("no squeue"), "{}", check(&cluster.path));
    }
}

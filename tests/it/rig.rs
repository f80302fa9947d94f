//! A board in a folder of its own, with the fake trainer, real processes and real signals.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tuneboard::board::Board;
use tuneboard::runner;
use tuneboard::spec::{Desired, RunId, RunSpec, RunState, Sweep};
use tuneboard::store::{NewRun, NewSweep, Process, Reader, Run, Store};

/// Long enough for a busy machine; every wait ends as soon as what it waits for is there.
const DEADLINE: Duration = Duration::from_mins(2);

pub struct Rig {
    /// Removed by its drop; `None` = somebody else's.
    dir: Option<TempDir>,
    pub board: Board,
    pub store: Store,
    runners: Vec<Child>,
}

impl Rig {
    /// A board with that many slots.
    pub fn new(slots: u32) -> Self {
        Self::with_config(&config(slots, &fake_trainer()))
    }

    pub fn with_trainer(slots: u32, trainer: &Path) -> Self {
        Self::with_config(&config(slots, trainer))
    }

    pub fn with_config(config: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut rig = Self::within(dir.path(), config);
        rig.dir = Some(dir);
        rig
    }

    /// A board of fake trainers made in a folder that stays.
    pub fn within(folder: &Path, config: &str) -> Self {
        fs::create_dir(folder.join("runs")).unwrap();
        fs::write(folder.join("config.toml"), config).unwrap();
        Self::over(folder)
    }

    /// The board that lies there.
    pub fn over(folder: &Path) -> Self {
        let board = Board::open(folder).unwrap();
        let store = Store::open(&board.database()).unwrap();
        Self { dir: None, board, store, runners: Vec::new() }
    }

    /// Queues one run per text, which is words for the fake trainer.
    pub fn queue(&mut self, epochs: u32, words: &[&str]) -> Vec<RunId> {
        let spec = |words: &&str| RunSpec {
            model: format!("fake {words}"),
            data: "none.csv".into(),
            epochs,
            ..RunSpec::default()
        };
        self.queue_specs(words.iter().map(spec))
    }

    /// Queues a sweep of quick runs.
    pub fn sweep(&mut self, pairs: &[(&str, &str)]) -> Vec<RunId> {
        let model = "fake epoch_ms=5".to_owned();
        let base = RunSpec { model, data: "none.csv".into(), ..RunSpec::default() };
        let sweep = Sweep::parse(base, pairs.iter().copied()).unwrap();
        let run = |spec| NewRun { name: "swept".into(), spec, desired: Desired::Run };
        let runs: Vec<NewRun> = sweep.expand().unwrap().into_iter().map(run).collect();
        self.store.enqueue(Some(&NewSweep { name: "first".into(), sweep }), &runs).unwrap().1
    }

    pub fn queue_specs(&mut self, specs: impl Iterator<Item = RunSpec>) -> Vec<RunId> {
        let run = |spec: RunSpec| NewRun { name: spec.model.clone(), spec, desired: Desired::Run };
        let runs: Vec<NewRun> = specs.map(run).collect();
        self.store.enqueue(None, &runs).unwrap().1
    }

    /// As a client does it after queueing.
    pub fn ensure(&self) {
        runner::ensure_with(&self.board, &tuneboard()).unwrap();
    }

    /// A runner as a child of the test, with these variables; gives its pid.
    pub fn runner(&mut self, variables: &[(&str, &str)]) -> u32 {
        let child = Command::new(tuneboard())
            .args(["runner", "--board"])
            .arg(self.board.root())
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let pid = child.id();
        self.runners.push(child);
        pid
    }

    /// Waits for a runner of [`Rig::runner`] to leave; true if it exited with 0.
    pub fn left(&mut self, pid: u32) -> bool {
        let at = self.runners.iter().position(|child| child.id() == pid).unwrap();
        let mut child = self.runners.remove(at);
        let mut status = None;
        until("the runner leaves", || {
            status = child.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap().success()
    }

    pub fn run(&self, id: RunId) -> Run {
        self.store.reader().run(id).unwrap().unwrap()
    }

    /// Waits until the run is as `what` says.
    pub fn wait(&self, id: RunId, what: &str, is: impl Fn(&Run) -> bool) -> Run {
        let mut run = self.run(id);
        let start = Instant::now();
        while !is(&run) {
            assert!(
                start.elapsed() < DEADLINE,
                "{id} is not {what}: {run:?}\n{}",
                fs::read_to_string(self.board.runner_log()).unwrap_or_default()
            );
            thread::sleep(Duration::from_millis(5));
            run = self.run(id);
        }
        run
    }

    pub fn ended(&self, id: RunId) -> Run {
        self.wait(id, "ended", |run| matches!(run.state, RunState::Ended(_)))
    }

    /// Waits until the trainer has taken that many steps, and gives its process.
    pub fn at_step(&self, id: RunId, step: u64) -> Process {
        self.wait(id, "far enough", |run| run.step >= step && run.state == RunState::Running);
        self.store.process(id).unwrap().unwrap()
    }

    /// The pid of the runner that serves the board, once one does.
    pub fn runner_pid(&self) -> u32 {
        let mut pid = None;
        until("a runner signs on", || {
            let info = self.store.reader().runner().unwrap().filter(runner::alive);
            pid = info.map(|info| info.process.pid);
            pid.is_some()
        });
        pid.unwrap()
    }

    /// The epochs of a curve.
    pub fn epochs(&self, id: RunId, metric: &str) -> Vec<f64> {
        self.store.reader().curve(id, metric, 0).unwrap().epoch
    }

    /// Every epoch must have been committed once, in order.
    pub fn assert_whole(&self, id: RunId, epochs: u32) {
        let want: Vec<f64> = (1..=epochs).map(f64::from).collect();
        assert_eq!(self.epochs(id, "val/loss"), want, "{id}");
        assert_eq!(self.epochs(id, "val/acc"), want, "{id}");
        let confusions = self.store.reader().confusions(id).unwrap();
        let unique: BTreeSet<_> = confusions.iter().collect();
        assert_eq!((confusions.len(), unique.len()), (epochs as usize + 1, epochs as usize + 1));
    }
}

impl Drop for Rig {
    /// Leaves no process behind, whatever the test came to.
    fn drop(&mut self) {
        for runner in &mut self.runners {
            let _ = runner.kill();
            let _ = runner.wait();
        }
        let reader: &Reader = self.store.reader();
        if let Ok(Some(info)) = reader.runner()
            && runner::alive(&info)
        {
            kill(info.process.pid as i32, libc::SIGKILL);
        }
        for run in self.store.unfinished().unwrap_or_default() {
            if let Ok(Some(process)) = self.store.process(run.id) {
                kill(-(process.pid as i32), libc::SIGKILL);
            }
        }
    }
}

/// `config.toml` of a board that trains on this machine alone.
pub fn config(slots: u32, trainer: &Path) -> String {
    format!("[sites.local]\nslots = {slots}\nthreads = 1\ntrainer = {trainer:?}\n")
}

pub fn fake_trainer() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/fake_trainer.py")
}

/// Polls until `is` holds.
pub fn until(what: &str, mut is: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is() {
        assert!(start.elapsed() < DEADLINE, "in vain: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Sends a signal; a process that is gone is no error.
pub fn kill(pid: i32, signal: i32) {
    assert!(pid.unsigned_abs() > 1);
    // SAFETY: two integers go in, nothing of ours is touched.
    unsafe { libc::kill(pid, signal) };
}

/// The executable under test.
pub fn tuneboard() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_tuneboard"))
}

/// A field of `/proc/PID/stat`, counted as in proc(5); `None` once the process is gone.
pub fn stat(pid: u32, field: usize) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let rest = stat.rsplit_once(") ")?.1.to_owned();
    rest.split(' ').nth(field - 3).map(str::to_owned)
}

/// True while the process runs; a zombie does not.
pub fn lives(pid: u32) -> bool {
    stat(pid, 3).is_some_and(|state| state != "Z" && state != "X")
}

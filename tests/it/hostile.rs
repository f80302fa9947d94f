//! What comes from outside and means no good: each fault that was found once, as a test.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tuneboard::board::Board;
use tuneboard::spec::{Desired, Outcome, RunState};
use tuneboard::spec::{RunId, RunSpec};
use tuneboard::store::{NewRun, Store};

use super::rig::{Rig, kill, lives, tuneboard, until};

/// Short lines without sense froze the runner once, and with it every other run and every `stop`.
#[test]
fn a_run_that_floods_its_events_file_is_ended_and_keeps_nobody_waiting() {
    let mut rig = Rig::new(4);
    let ids = rig.queue(300, &["junk=30000 epoch_ms=50", "", "epoch_ms=10 junk=3"]);
    let quick = rig.queue(2, &["epoch_ms=20"])[0];
    rig.runner(&[]);
    let flooding = rig.wait(ids[0], "started", |run| run.state != RunState::Queued);
    let process = rig.store.process(flooding.id).unwrap();
    let run = rig.ended(ids[0]);
    let RunState::Ended(Outcome::Failed { why, .. }) = &run.state else { panic!("{run:?}") };
    assert!(why.contains("10000 lines of its events file are no events"), "{why}");
    assert!(process.is_none_or(|process| !lives(process.pid)), "its trainer goes on");
    assert_eq!(rig.ended(quick).state, RunState::Ended(Outcome::Done));
    rig.assert_whole(quick, 2);

    let start = Instant::now();
    rig.store.set_desired(&[ids[1]], Desired::Stop).unwrap();
    rig.ended(ids[1]);
    assert!(start.elapsed() < Duration::from_secs(10), "stop took {:?}", start.elapsed());
    let few = rig.run(ids[2]);
    assert!(few.state.is_live() && few.step > 1, "a few torn lines are no flood: {few:?}");
}

#[test]
fn an_events_file_without_end_ends_its_run() {
    let mut rig = Rig::new(1);
    let id = rig.queue(300, &[""])[0];
    rig.runner(&[]);
    rig.at_step(id, 2);
    // A hole, so that the test does not fill a disk.
    let events = File::options().write(true).open(rig.board.events(id)).unwrap();
    events.set_len(3 << 30).unwrap();
    let run = rig.ended(id);
    let RunState::Ended(Outcome::Failed { why, .. }) = &run.state else { panic!("{run:?}") };
    assert!(why.contains("more than 1025 MiB"), "{why}");
    fs::remove_file(rig.board.events(id)).unwrap();
}

/// A board whose config names an executable that leaves a mark when it is started.
struct Foreign {
    dir: TempDir,
    root: PathBuf,
}

impl Foreign {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("board");
        let board = Board::init(&root).unwrap();
        Store::open(&board.database()).unwrap();
        let program = root.join("trainer.sh");
        let mark = dir.path().join("started");
        fs::write(&program, format!("#!/bin/sh\ntouch '{}'\n", mark.display())).unwrap();
        fs::set_permissions(&program, Permissions::from_mode(0o755)).unwrap();
        fs::write(board.config_file(), "[sites.local]\ntrainer = \"trainer.sh\"\n").unwrap();
        fs::create_dir(root.join("data/deep")).unwrap();
        Self { dir, root }
    }

    /// With the working folder deep inside of it.
    fn ask(&self, args: &[&str]) -> Output {
        Command::new(tuneboard())
            .args(args)
            .current_dir(self.root.join("data/deep"))
            .env("XDG_CONFIG_HOME", self.dir.path().join("config"))
            .env_remove("TUNEBOARD_BOARD")
            .env_remove("SUDO_UID")
            .output()
            .unwrap()
    }

    fn was_started(&self) -> bool {
        fs::remove_file(self.dir.path().join("started")).is_ok()
    }

    /// It is not discovered; named, it is shown with a warning and serves nobody.
    fn is_refused(&self, what: &str) {
        let root = self.root.to_str().unwrap();
        for args in [
            &["ls"][..],
            &["doctor"],
            &["runner"],
            &["run", "model=bow", "data=x.csv"],
            &["runner", "--board", root],
            &["run", "model=bow", "data=x.csv", "--board", root],
            &["reindex", "--board", root],
            &["note", "r1", "hello", "--board", root],
            &["doctor", "--board", root],
            &["tokenize", "x", "--model", "bow", "--board", root],
            &["sites", "check", "--board", root],
        ] {
            let output = self.ask(args);
            let said = String::from_utf8_lossy(&output.stderr).into_owned()
                + &String::from_utf8_lossy(&output.stdout);
            if !matches!(args[0], "tokenize" | "sites") || said.contains("trusted") {
                assert!(said.contains("not trusted"), "{what}, {args:?}: {said}");
                assert!(said.contains("tuneboard trust"), "{what}, {args:?}: {said}");
            }
            assert_ne!(output.status.code(), Some(0), "{what}, {args:?}: {said}");
            assert!(!self.was_started(), "{what}, {args:?}");
        }
        let output = self.ask(&["ls", "--board", root]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success() && said.contains("warning: "), "{what}: {said}");
    }

    fn is_accepted(&self, what: &str) {
        for end in ["-wal", "-shm"] {
            // SQLite makes them after the database's own owner and mode.
            let _ = fs::remove_file(self.root.join(format!("runs/board.db{end}")));
        }
        let output = self.ask(&["ls"]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success() && !said.contains("warning"), "{what}: {said}");
        self.ask(&["doctor"]);
        assert!(self.was_started(), "{what}");
    }
}

fn is_root() -> bool {
    // SAFETY: it only reads what the kernel knows of this process.
    unsafe { libc::geteuid() == 0 }
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_board_that_everybody_can_write_runs_nothing() {
    let it = Foreign::new();
    it.is_accepted("one's own");
    for (part, open, closed) in [
        ("", 0o777, 0o755),
        ("config.toml", 0o666, 0o644),
        ("runs", 0o1777, 0o755),
        ("runs/board.db", 0o666, 0o600),
    ] {
        mode(&it.root.join(part), open);
        it.is_refused(part);
        mode(&it.root.join(part), closed);
    }
    it.is_accepted("one's own again");
}

/// The folders of others, as they are met under /tmp or /scratch: needs root to make them.
#[test]
fn a_board_of_somebody_else_runs_nothing_until_it_is_trusted() {
    if !is_root() {
        println!("not tested: only root can give files away");
        return;
    }
    let it = Foreign::new();
    let (own, other) = (Some(0), Some(12_345));
    for part in ["", "config.toml", "runs", "runs/board.db"] {
        chown(it.root.join(part), other, None).unwrap();
        it.is_refused(part);
        chown(it.root.join(part), own, None).unwrap();
    }
    let config = it.root.join("config.toml");
    chown(&config, None, other).unwrap();
    it.is_accepted("a group that only reads");
    mode(&config, 0o664);
    it.is_refused("a group that writes");
    mode(&config, 0o644);

    // A link is as good as what it leads to.
    let aside = it.dir.path().join("aside.toml");
    fs::rename(&config, &aside).unwrap();
    std::os::unix::fs::symlink(&aside, &config).unwrap();
    chown(&aside, other, None).unwrap();
    it.is_refused("a link to a config of somebody else");

    let root = it.root.to_str().unwrap();
    assert!(it.ask(&["trust", root]).status.success());
    it.is_accepted("trusted by name");
    let list = it.dir.path().join("config/tuneboard/trusted");
    assert_eq!(fs::read_to_string(&list).unwrap(), format!("{root}\n"));
    mode(&list, 0o666);
    it.is_refused("a list that everybody can write");
    mode(&list, 0o600);
    assert!(it.ask(&["trust", "--remove", root]).status.success());
    it.is_refused("no longer trusted");
    let nowhere = it.ask(&["trust", it.dir.path().to_str().unwrap()]);
    assert_eq!(nowhere.status.code(), Some(3));
}

#[test]
fn a_config_that_is_a_pipe_is_not_waited_for() {
    let it = Foreign::new();
    let config = it.root.join("config.toml");
    fs::remove_file(&config).unwrap();
    let made = Command::new("mkfifo").arg(&config).status().unwrap();
    assert!(made.success());
    let output = it.ask(&["ls", "--board", it.root.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(3));
}

/// A board whose runs wait and have notes, and lie in no folder.
fn noted(runs: u32) -> (TempDir, Board) {
    let dir = tempfile::tempdir().unwrap();
    let board = Board::init(dir.path()).unwrap();
    let mut store = Store::open(&board.database()).unwrap();
    let run = |seed: u32| NewRun {
        name: format!("seed={seed}"),
        spec: RunSpec { model: "m".into(), seed: u64::from(seed), ..RunSpec::default() },
        desired: Desired::Hold,
    };
    let (_, ids) = store.enqueue(None, &(1..=runs).map(run).collect::<Vec<_>>()).unwrap();
    for id in &ids {
        store.set_note(*id, &format!("what I thought of {id}.")).unwrap();
    }
    store.set_tags(ids[1], &["kept".to_owned()]).unwrap();
    store.set_archived(&ids[2..3], true).unwrap();
    (dir, board)
}

/// Overwrites the page that holds these words.
fn damage(board: &Board, words: &str) {
    let path = board.database();
    let mut bytes = fs::read(&path).unwrap();
    let at = bytes.windows(words.len()).position(|window| window == words.as_bytes()).unwrap();
    let page = at / 4096 * 4096;
    bytes[page..page + 4096].fill(0x5a);
    fs::write(&path, bytes).unwrap();
}

fn reindex(board: &Board) -> Output {
    let root = board.root().to_str().unwrap();
    Command::new(tuneboard()).args(["reindex", "--board", root]).output().unwrap()
}

/// `reindex` gave up on the whole old database at the first row that it could not read.
#[test]
fn a_damaged_page_costs_its_own_rows_and_the_journal_has_those() {
    let (_dir, board) = noted(400);
    let journal = board.runs().join("board.journal");
    assert_eq!(fs::metadata(&journal).unwrap().permissions().mode() & 0o777, 0o600);
    damage(&board, "what I thought of r200.");
    let output = reindex(&board);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("cannot be read in the old database"), "{said}");
    let store = Store::open(&board.database()).unwrap();
    for number in 1..=400 {
        let run = store.reader().run(RunId(number)).unwrap().unwrap();
        assert_eq!(run.note, format!("what I thought of r{number}."));
        assert_eq!((run.desired, run.spec.seed), (Desired::Hold, u64::from(number)));
        assert_eq!((run.tags.len(), run.archived), (usize::from(number == 2), number == 3));
    }
    assert_eq!(store.reader().integrity().unwrap(), Vec::<String>::new());
    let old = fs::read_dir(board.runs()).unwrap().flatten();
    assert!(old.into_iter().any(|e| e.file_name().to_string_lossy().contains("bak-")));
}

#[test]
fn without_a_journal_what_is_lost_is_named() {
    let (_dir, board) = noted(400);
    damage(&board, "what I thought of r200.");
    fs::remove_file(board.runs().join("board.journal")).unwrap();
    let output = reindex(&board);
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(1), "{out}");
    assert!(out.contains("Left out r200: its row cannot be read"), "{out}");
    let store = Store::open(&board.database()).unwrap();
    let kept = (1..=400).filter_map(|n| store.reader().run(RunId(n)).unwrap());
    let notes = kept.filter(|run| run.note == format!("what I thought of {}.", run.id)).count();
    assert!((350..400).contains(&notes), "{notes}");
    // From now on there is one, whole.
    let again = fs::read_to_string(board.runs().join("board.journal")).unwrap();
    assert_eq!(again.matches("what I thought of").count(), notes);
}

/// The database and its folders gone, the queue is still there.
#[test]
fn the_queue_survives_its_database() {
    let (_dir, board) = noted(3);
    fs::write(board.database(), "no database at all").unwrap();
    let output = reindex(&board);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && said.contains("Nothing of the old database"), "{said}");
    let store = Store::open(&board.database()).unwrap();
    let run = store.reader().run(RunId(3)).unwrap().unwrap();
    assert_eq!((run.state, run.desired, run.archived), (RunState::Queued, Desired::Hold, true));
}

/// One full disk failed run after run once, until the queue was empty.
#[test]
fn a_full_disk_pauses_the_queue() {
    let mut rig = Rig::new(1);
    let id = rig.queue(1, &["epoch_ms=10"])[0];
    let left = rig.board.root().join("config.77.tmp");
    fs::write(&left, "").unwrap();
    let yesterday = std::time::SystemTime::now() - Duration::from_hours(24);
    File::options().write(true).open(&left).unwrap().set_modified(yesterday).unwrap();
    let runner =
        rig.runner(&[("TUNEBOARD_LEFT_FREE_MB", "1000000000"), ("TUNEBOARD_IDLE_MS", "1")]);
    let log = rig.board.runner_log();
    until("the log tells", || {
        fs::read_to_string(&log).is_ok_and(|text| text.contains("the disk of runs/ is full"))
    });
    assert_eq!(rig.run(id).state, RunState::Queued);
    assert!(!left.exists(), "what a killed client left is removed");
    kill(runner as i32, libc::SIGTERM);
    assert!(rig.left(runner));
    rig.runner(&[]);
    assert_eq!(rig.ended(id).state, RunState::Ended(Outcome::Done));
}

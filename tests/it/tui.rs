//! The dashboard in a real pseudo-terminal, as a person meets it.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::num::NonZero;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use tuneboard::board::Board;
use tuneboard::events::{Batch, Ending, Event, EventKind, Number, Split, Started, VERSION};
use tuneboard::spec::{Desired, Outcome, Placement, RunId, RunSpec, RunState};
use tuneboard::store::{NewRun, Store};

const DEADLINE: Duration = Duration::from_secs(20);

fn cells(n: u16) -> NonZero<u16> {
    NonZero::new(n).unwrap()
}

/// A board with ended and held runs only, so that no runner is needed or started.
pub fn board(folder: &Path, runs: u32) -> Board {
    let board = Board::init(folder).unwrap();
    let mut store = Store::open(&board.database()).unwrap();
    let base =
        RunSpec { model: "minilm".into(), data: "data/sms_spam.csv".into(), ..RunSpec::default() };
    let new: Vec<NewRun> = (0..runs)
        .map(|i| NewRun {
            name: format!("seed={i}"),
            spec: RunSpec { seed: u64::from(i), ..base.clone() },
            desired: Desired::Run,
        })
        .collect();
    let (_, ids) = store.enqueue(None, &new).unwrap();
    for id in ids {
        if id.0.is_multiple_of(10) {
            store.set_desired(&[id], Desired::Hold).unwrap();
        } else {
            train(&mut store, id);
        }
    }
    board
}

pub fn train(store: &mut Store, id: RunId) {
    let (slot, device) = ("cpu/0".to_owned(), "cpu".to_owned());
    let placement = Placement { site: "local".into(), slot, device, threads: 1 };
    store.lease(id, 1, &placement, None).unwrap();
    let started = Started {
        attempt: 1,
        labels: vec!["ham".into(), "spam".into()],
        rows: [80, 10, 10],
        epochs: 2,
        ..Started::default()
    };
    let mut events = vec![(0, EventKind::Started(Box::new(started)))];
    for epoch in 1..=2u32 {
        let split = Split::Val;
        let loss = 0.5 / f64::from(epoch) + f64::from(id.0) * 0.001;
        let values: BTreeMap<String, Number> =
            [("loss".to_owned(), Number(loss)), ("acc".to_owned(), Number(1.0 - loss))].into();
        events.push((u64::from(epoch) * 10, EventKind::Eval { split, epoch, values }));
        let counts = vec![vec![5, 1], vec![u64::from(2 - epoch), 3]];
        events.push((u64::from(epoch) * 10, EventKind::Confusion { split, epoch, counts }));
    }
    let ended = EventKind::Ended { ending: Ending::Done, why: String::new(), best_epoch: Some(2) };
    events.push((20, ended));
    let events = events
        .into_iter()
        .map(|(step, kind)| Event { v: VERSION, t: 1_767_225_600_000 + step as i64, step, kind })
        .collect();
    store.ingest(id, 0, &Batch { events, offset: 1000, ..Batch::default() }).unwrap();
    store.set_state(id, &RunState::Ended(Outcome::Done)).unwrap();
}

/// The dashboard, and the screen a person sees of it.
pub struct Session {
    child: Box<dyn Child + Send + Sync>,
    master: Box<dyn MasterPty + Send>,
    keys: Arc<Mutex<Box<dyn Write + Send>>>,
    seen: Arc<Mutex<(vt100::Parser, Vec<u8>)>>,
}

impl Session {
    pub fn start(board: &Path) -> Self {
        Self::start_with(board, &[])
    }

    /// With these variables.
    pub fn start_with(board: &Path, variables: &[(&str, &str)]) -> Self {
        Self::start_verb(board, variables, &[])
    }

    /// Another verb than the dashboard.
    pub fn start_verb(board: &Path, variables: &[(&str, &str)], words: &[&str]) -> Self {
        let size = PtySize { rows: 30, cols: 120, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).unwrap();
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_tuneboard"));
        command.args(["--board", board.to_str().unwrap()]);
        command.args(words);
        command.env("TERM", "xterm-256color");
        command.env_remove("NO_COLOR");
        for (name, value) in variables {
            command.env(name, value);
        }
        let child = pair.slave.spawn_command(command).unwrap();
        let seen = Arc::new(Mutex::new((vt100::Parser::new(cells(30), cells(120), 0), Vec::new())));
        let mut output = pair.master.try_clone_reader().unwrap();
        let sink = Arc::clone(&seen);
        let keys = Arc::new(Mutex::new(pair.master.take_writer().unwrap()));
        let answers = Arc::clone(&keys);
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(n) = output.read(&mut bytes)
                && n > 0
            {
                let mut seen = sink.lock().unwrap();
                seen.0.process(&bytes[..n]);
                let old = seen.1.len();
                seen.1.extend_from_slice(&bytes[..n]);
                // "Where is the cursor?", as every terminal is asked; a question may come in two pieces.
                let new = &seen.1[old.saturating_sub(3)..];
                let asked = new.windows(4).filter(|part| *part == b"\x1b[6n").count();
                answers.lock().unwrap().write_all(b"\x1b[1;1R".repeat(asked).as_slice()).unwrap();
            }
        });
        Self { child, master: pair.master, keys, seen }
    }

    /// Makes the terminal larger or smaller.
    pub fn resize(&self, rows: u16, cols: u16) {
        self.seen.lock().unwrap().0.set_size(cells(rows), cells(cols));
        self.master.resize(PtySize { rows, cols, pixel_width: 0, pixel_height: 0 }).unwrap();
    }

    pub fn screen(&self) -> String {
        self.seen.lock().unwrap().0.screen().contents()
    }

    fn bytes(&self) -> usize {
        self.seen.lock().unwrap().1.len()
    }

    /// Everything that it wrote to the terminal so far.
    pub fn written(&self) -> Vec<u8> {
        self.seen.lock().unwrap().1.clone()
    }

    pub fn press(&mut self, keys: &str) {
        self.keys.lock().unwrap().write_all(keys.as_bytes()).unwrap();
    }

    pub fn wait(&self, what: &str, holds: impl Fn(&str) -> bool) {
        let end = Instant::now() + DEADLINE;
        while !holds(&self.screen()) {
            assert!(Instant::now() < end, "waited for {what}; the screen shows\n{}", self.screen());
            thread::sleep(Duration::from_millis(10));
        }
    }

    pub fn misses(&self, words: &str) {
        self.wait(&format!("no {words}"), |screen| !screen.contains(words));
    }

    /// Waits until nothing more comes.
    pub fn settles(&self) {
        let mut before = usize::MAX;
        while std::mem::replace(&mut before, self.bytes()) != self.bytes() {
            thread::sleep(Duration::from_millis(400));
        }
    }

    pub fn sees(&self, words: &str) {
        self.wait(words, |screen| screen.contains(words));
    }

    pub fn ends(&mut self) -> u32 {
        let end = Instant::now() + DEADLINE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.exit_code();
            }
            assert!(Instant::now() < end, "it goes on; the screen shows\n{}", self.screen());
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Every mode that was set is put back.
    pub fn is_restored(&self) {
        let end = Instant::now() + DEADLINE;
        loop {
            let seen = self.seen.lock().unwrap();
            let screen = seen.0.screen();
            let modes = (
                screen.alternate_screen(),
                screen.hide_cursor(),
                screen.bracketed_paste(),
                screen.mouse_protocol_mode() != vt100::MouseProtocolMode::None,
            );
            if modes == (false, false, false, false) {
                return;
            }
            assert!(Instant::now() < end, "alternate, hidden, paste, mouse: {modes:?}");
            drop(seen);
            thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_person_finds_their_way_around() {
    let folder = tempfile::tempdir().unwrap();
    let board = board(folder.path(), 40);
    let mut it = Session::start(folder.path());
    it.sees("36 done");
    it.sees("seed=39");
    it.press("/seed=12");
    it.wait("the filter", |s| s.contains(" 1 run") && !s.contains("seed=39"));
    it.press("\x1b");
    it.wait("the run among its neighbours", |s| s.contains("seed=12") && s.contains("seed=11"));
    it.press("sjjj\r");
    it.sees("best acc▾");
    it.wait("the best run first", |s| {
        s.find("seed=0").zip(s.find("seed=38")).is_none_or(|(a, b)| a < b) && s.contains("seed=0")
    });
    it.press("/seed=4\r\r");
    it.sees("confusion, val epoch 2/2");
    it.sees("loss");
    it.press("\x1b[D");
    it.sees("confusion, val epoch 1/2");
    it.press("3");
    it.sees("most confused");
    it.press("4");
    it.sees("waiting 4");
    it.press("?");
    it.sees("any other key closes");
    it.press("\x1b");
    it.wait("the help gone", |s| !s.contains("any other key closes"));
    it.press("1");
    it.sees("/ seed=4");
    it.press("tfirst two\r");
    it.sees("#first #two");
    let store = Store::open(&board.database()).unwrap();
    let run = store.reader().run(RunId(5)).unwrap().unwrap();
    assert_eq!(run.tags, ["first", "two"]);
    let size = PtySize { rows: 24, cols: 80, pixel_width: 0, pixel_height: 0 };
    it.seen.lock().unwrap().0.screen_mut().set_size(cells(24), cells(80));
    it.master.resize(size).unwrap();
    it.wait("the small screen", |s| s.lines().count() <= 24 && s.contains("seed=4"));
    it.press("q");
    assert_eq!(it.ends(), 0);
    it.is_restored();
}

#[test]
fn nothing_is_sent_while_nothing_happens() {
    let folder = tempfile::tempdir().unwrap();
    board(folder.path(), 20);
    let it = Session::start(folder.path());
    it.sees("18 done");
    // The last of the first answers may still be on its way.
    let mut before = it.bytes();
    let end = Instant::now() + DEADLINE;
    loop {
        thread::sleep(Duration::from_millis(500));
        let now = it.bytes();
        if now == before {
            break;
        }
        before = now;
        assert!(Instant::now() < end, "it never comes to rest");
    }
    thread::sleep(Duration::from_secs(3));
    assert_eq!(it.bytes(), before);
}

#[test]
fn signals_end_it_and_put_the_terminal_back() {
    let folder = tempfile::tempdir().unwrap();
    board(folder.path(), 3);
    for signal in [libc::SIGTERM, libc::SIGINT, libc::SIGHUP, libc::SIGQUIT] {
        let mut it = Session::start(folder.path());
        it.sees("3 done");
        assert!(it.seen.lock().unwrap().0.screen().alternate_screen());
        let pid = it.child.process_id().unwrap() as i32;
        // SAFETY: signals a child that was not yet waited for, so the number is still its own.
        assert_eq!(unsafe { libc::kill(pid, signal) }, 0);
        assert_eq!(it.ends(), 0, "signal {signal}");
        it.is_restored();
    }
}

/// What a library that aborts does to the process: nothing unwinds, nothing is dropped.
#[test]
fn an_abort_puts_the_terminal_back_too() {
    let folder = tempfile::tempdir().unwrap();
    board(folder.path(), 3);
    let mut it = Session::start(folder.path());
    it.sees("3 done");
    let settings = |it: &Session| {
        // SAFETY: all zeros are settings, and the descriptor is open while `it` lives.
        unsafe {
            let mut now: libc::termios = std::mem::zeroed();
            assert_eq!(libc::tcgetattr(it.master.as_raw_fd().unwrap(), &raw mut now), 0);
            now.c_lflag & (libc::ICANON | libc::ECHO)
        }
    };
    assert_eq!(settings(&it), 0);
    let pid = it.child.process_id().unwrap() as i32;
    // SAFETY: signals a child that was not yet waited for, so the number is still its own.
    assert_eq!(unsafe { libc::kill(pid, libc::SIGABRT) }, 0);
    assert_ne!(it.ends(), 0);
    it.is_restored();
    assert_eq!(settings(&it), libc::ICANON | libc::ECHO);
}

#[test]
fn a_terminal_that_nobody_reads_does_not_keep_it() {
    let folder = tempfile::tempdir().unwrap();
    board(folder.path(), 40);
    let size = PtySize { rows: 60, cols: 200, pixel_width: 0, pixel_height: 0 };
    let pair = native_pty_system().openpty(size).unwrap();
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_tuneboard"));
    command.args(["--board", folder.path().to_str().unwrap()]);
    command.env("TERM", "xterm-256color");
    let mut child = pair.slave.spawn_command(command).unwrap();
    // By now the first screen has filled the terminal's buffer.
    thread::sleep(Duration::from_secs(2));
    assert!(child.try_wait().unwrap().is_none());
    // SAFETY: signals a child that was not yet waited for, so the number is still its own.
    assert_eq!(unsafe { libc::kill(child.process_id().unwrap() as i32, libc::SIGTERM) }, 0);
    let end = Instant::now() + DEADLINE;
    while child.try_wait().unwrap().is_none() {
        assert!(Instant::now() < end, "it is stuck");
        thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_board_that_vanishes_and_comes_back_is_shown_again() {
    let folder = tempfile::tempdir().unwrap();
    let board = board(folder.path(), 5);
    let it = Session::start(folder.path());
    it.sees("5 done");
    let away = folder.path().join("away.db");
    let beside = |end: &str| format!("{}{end}", board.database().display());
    // The store folds its write-ahead log in when its last connection closes; here it is moved along.
    for end in ["-wal", "-shm", ""] {
        let _ = std::fs::rename(beside(end), format!("{}{end}", away.display()));
    }
    it.sees("The database is gone");
    for end in ["-wal", "-shm", ""] {
        let _ = std::fs::rename(format!("{}{end}", away.display()), beside(end));
    }
    it.sees("5 done");
    it.wait("the rows", |s| s.contains("seed=4"));
}

#[test]
fn a_new_board_becomes_a_board_with_runs_under_the_users_eyes() {
    let folder = tempfile::tempdir().unwrap();
    Board::init(folder.path()).unwrap();
    let it = Session::start(folder.path());
    it.sees("See it work");
    board(folder.path(), 2);
    it.sees("2 done");
    it.sees("seed=1");
}

#[test]
fn keys_of_the_config_are_checked_before_the_terminal_is_touched() {
    let folder = tempfile::tempdir().unwrap();
    Board::init(folder.path()).unwrap();
    std::fs::write(folder.path().join("config.toml"), "[tui.keys]\nstpo = \"x\"\n").unwrap();
    let mut it = Session::start(folder.path());
    assert_eq!(it.ends(), 2);
    it.sees("there is no action `stpo`; did you mean `stop`?");
    assert!(!it.seen.lock().unwrap().1.windows(8).any(|w| w == b"\x1b[?1049h"));
}

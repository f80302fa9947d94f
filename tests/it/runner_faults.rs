//! What a runner meets that is not its own doing: a database that goes or is another one, a machine with
//! another name, a lock that somebody else holds, its own death together with its trainers'.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use tuneboard::spec::{Desired, Outcome, RunId, RunSpec, RunState};
use tuneboard::store::{NewRun, Process, Run, Store};

use super::rig::{Rig, kill, lives, stat, tuneboard, until};
use super::shell::Shell;

fn assert_done(run: &Run) {
    assert_eq!(run.state, RunState::Ended(Outcome::Done), "{}", run.id);
}

fn log(rig: &Rig) -> String {
    fs::read_to_string(rig.board.runner_log()).unwrap()
}

/// Removes the database and what SQLite keeps beside it.
fn remove_database(rig: &Rig) {
    let path = rig.board.database().to_string_lossy().into_owned();
    for end in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(path.clone() + end);
    }
}

#[test]
fn a_deleted_database_is_made_anew_from_the_folders() {
    let mut rig = Rig::new(2);
    let ids = rig.queue(20, &["epoch_ms=500", "epoch_ms=501"]);
    rig.runner(&[]);
    let trainers: Vec<u32> = ids.iter().map(|id| rig.at_step(*id, 5).pid).collect();
    remove_database(&rig);
    until("there is one again", || rig.board.database().exists());
    until("it is that of the folders", || {
        let store = Store::open(&rig.board.database()).unwrap();
        store.reader().runs(&ids).is_ok_and(|runs| runs.len() == 2)
    });
    rig.store = Store::open(&rig.board.database()).unwrap();
    assert!(trainers.iter().all(|pid| lives(*pid)), "they go on");
    for id in &ids {
        let run = rig.ended(*id);
        assert_done(&run);
        assert_eq!(run.attempt, 1, "taken over, not started again");
        rig.assert_whole(*id, 20);
    }
    assert!(log(&rig).contains("board.db was deleted or replaced"), "{}", log(&rig));
}

#[test]
fn a_run_of_another_database_inherits_nothing() {
    let mut rig = Rig::new(1);
    let ids = rig.queue(200, &["epoch_ms=500"]);
    rig.runner(&[]);
    let trainer = rig.at_step(ids[0], 5);
    // A backup of another board, say, that has a run of the same number.
    let other = rig.board.root().join("other.db");
    let mut store = Store::open(&other).unwrap();
    let spec = RunSpec {
        model: "fake epoch_ms=20".into(),
        data: "none.csv".into(),
        epochs: 2,
        ..RunSpec::default()
    };
    let run = |desired| NewRun { name: "another".into(), spec: spec.clone(), desired };
    store.enqueue(None, &[run(Desired::Run), run(Desired::Run)]).unwrap();
    drop(store);
    remove_database(&rig);
    fs::rename(&other, rig.board.database()).unwrap();
    rig.store = Store::open(&rig.board.database()).unwrap();
    let Some(Outcome::Failed { why, .. }) = rig.ended(RunId(1)).state.outcome().cloned() else {
        panic!("{:?}", rig.run(RunId(1)).state);
    };
    assert!(why.contains("for a run that this board no longer has"), "{why}");
    let second = rig.ended(RunId(2));
    assert_done(&second);
    rig.assert_whole(RunId(2), 2);
    assert!(lives(trainer.pid), "nobody's to end");
    assert_eq!(rig.run(RunId(1)).step, 0, "none of its events were taken in");
    kill(-(trainer.pid as i32), libc::SIGKILL);
    until("it is gone", || !lives(trainer.pid));
    // Its folder is kept aside.
    rig.store.requeue(&[RunId(1)], false).unwrap();
    rig.ensure();
    assert_done(&rig.ended(RunId(1)));
    let aside = fs::read_dir(rig.board.runs()).unwrap().flatten();
    let mut names = aside.map(|entry| entry.file_name().to_string_lossy().into_owned());
    assert!(names.any(|name| name.starts_with("r1.old-")));
}

#[test]
fn another_name_of_the_machine_keeps_nobody_from_stopping_a_run() {
    let mut rig = Rig::new(1);
    let ids = rig.queue(200, &["epoch_ms=500"]);
    rig.runner(&[]);
    let trainer = rig.at_step(ids[0], 5);
    kill(rig.runner_pid() as i32, libc::SIGKILL);
    until("the runner is dead", || {
        !rig.store.reader().runner().unwrap().is_some_and(|r| lives(r.process.pid))
    });
    // As a laptop is called in one network and in the next.
    let run = rig.run(ids[0]);
    let renamed = Process { host: "dhcp-17.example.org".into(), ..trainer.clone() };
    let placement = run.placement.unwrap();
    rig.store.lease(ids[0], run.attempt, &placement, Some(&renamed)).unwrap();
    rig.store.set_desired(&ids, Desired::Stop).unwrap();
    rig.ensure();
    assert_eq!(rig.ended(ids[0]).state, RunState::Ended(Outcome::Stopped));
    assert!(!lives(trainer.pid));
}

#[test]
fn a_run_whose_runner_and_trainer_are_dead_is_lost_until_a_runner_looks() {
    let mut rig = Rig::new(1);
    let ids = rig.queue(3, &["epoch_ms=2000"]);
    rig.runner(&[]);
    let trainer = rig.at_step(ids[0], 2);
    let runner = rig.runner_pid();
    kill(runner as i32, libc::SIGKILL);
    kill(-(trainer.pid as i32), libc::SIGKILL);
    until("both are dead", || !lives(runner) && !lives(trainer.pid));
    let said = |words: &[&str]| {
        let mut command = Command::new(tuneboard());
        let output = command.args(words).arg("--board").arg(rig.board.root()).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        text + &String::from_utf8_lossy(&output.stderr)
    };
    let list = said(&["ls"]);
    assert!(list.contains("lost?") && !list.contains("running"), "{list}");
    assert!(list.contains("`tuneboard runner` starts one"), "{list}");
    let shown = said(&["show", "r1"]);
    assert!(shown.contains("lost?"), "{shown}");
    rig.ensure();
    let run = rig.ended(ids[0]);
    assert_done(&run);
    assert_eq!(run.attempt, 2);
    assert!(!said(&["ls"]).contains("lost?"));
}

#[test]
fn locks_logs_and_the_database_are_their_owners_alone() {
    let mut rig = Rig::new(1);
    let ids = rig.queue(1, &["epoch_ms=20"]);
    // As an earlier version made it.
    let lock = rig.board.runner_lock();
    fs::write(&lock, "").unwrap();
    fs::set_permissions(&lock, fs::Permissions::from_mode(0o644)).unwrap();
    rig.runner(&[]);
    assert_done(&rig.ended(ids[0]));
    let board = &rig.board;
    for path in [lock, board.runner_log(), board.out_log(ids[0]), board.database()] {
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{}", path.display());
    }
}

#[test]
fn who_waits_in_vain_for_a_runner_is_told_who_keeps_it_away() {
    let shell = Shell::board();
    let path = shell.path("runs/runner.lock");
    let lock = File::create(&path).unwrap();
    lock.lock().unwrap();
    let words = ["run", "model=fake epoch_ms=20", "data=data/mail.csv", "epochs=1", "--wait"];
    let mut command = shell.command(&words);
    let mut waiting = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    // What is said of the data comes first.
    let mut lines = BufReader::new(waiting.stderr.take().unwrap()).lines().map_while(Result::ok);
    let said = lines.find(|line| line.contains("No runner serves this board")).unwrap();
    let holder = format!("is held by process {} (", std::process::id());
    assert!(said.contains(&holder), "{said}");
    lock.unlock().unwrap();
    drop(lock);
    assert!(waiting.wait().unwrap().success());
    assert!(Path::new(&path).exists());
}

#[test]
fn a_dying_terminal_takes_nothing_with_it() {
    use portable_pty::{CommandBuilder, PtySize, native_pty_system};
    let mut rig = Rig::new(1);
    let ids = rig.queue(8, &[""]);
    let pty = native_pty_system().openpty(PtySize::default()).unwrap();
    let mut command = CommandBuilder::new(super::rig::tuneboard());
    command.args(["runner", "--board"]);
    command.arg(rig.board.root());
    let mut runner = pty.slave.spawn_command(command).unwrap();
    let trainer = rig.at_step(ids[0], 5);
    let session = |pid: u32| stat(pid, 6).unwrap();
    assert_eq!(session(trainer.pid), trainer.pid.to_string(), "a session of its own");
    assert_ne!(stat(rig.runner_pid(), 7).unwrap(), "0", "the runner has a terminal");
    assert_eq!(stat(trainer.pid, 7).unwrap(), "0", "the trainer has none");
    // The kernel sends SIGHUP to the session of a terminal that is gone.
    drop(pty);
    let run = rig.ended(ids[0]);
    assert_done(&run);
    assert_eq!(run.attempt, 1);
    kill(rig.runner_pid() as i32, libc::SIGTERM);
    runner.wait().unwrap();
    let log = fs::read_to_string(rig.board.runner_log()).unwrap();
    assert!(log.contains("asked to leave"), "the runner lived to see the end: {log}");
}

#[test]
fn what_a_client_started_survives_the_clients_terminal() {
    use portable_pty::{CommandBuilder, PtySize, native_pty_system};
    let mut rig = Rig::new(1);
    let ids = rig.queue(12, &[""]);
    rig.store.set_desired(&ids, Desired::Hold).unwrap();
    let pty = native_pty_system().openpty(PtySize::default()).unwrap();
    let mut command = CommandBuilder::new("sh");
    let client = super::rig::tuneboard();
    command.arg("-c");
    command.arg(format!("{client:?} resume r1 --board {:?} && sleep 1000", rig.board.root()));
    let mut shell = pty.slave.spawn_command(command).unwrap();
    let trainer = rig.at_step(ids[0], 5);
    let runner = rig.runner_pid();
    for pid in [runner, trainer.pid] {
        assert_eq!(stat(pid, 6).unwrap(), pid.to_string(), "a session of its own");
        assert_eq!(stat(pid, 7).unwrap(), "0", "no terminal");
    }
    let stdin = fs::read_link(format!("/proc/{runner}/fd/0")).unwrap();
    assert_eq!(stdin, Path::new("/dev/null"));
    drop(pty);
    shell.wait().unwrap();
    let run = rig.ended(ids[0]);
    assert_done(&run);
    assert_eq!(run.attempt, 1);
    assert_eq!(rig.runner_pid(), runner);
}

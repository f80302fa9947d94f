//! The runner with real processes: who is started when, and what becomes of whom.

use std::fs;
use std::path::Path;

use tuneboard::spec::{Desired, Outcome, RunId, RunSpec, RunState};
use tuneboard::store::Run;

use super::rig::{Rig, kill, lives, until};

fn why(run: &Run) -> String {
    run.state.outcome().and_then(Outcome::why).unwrap_or_default()
}

fn assert_done(run: &Run) {
    assert_eq!(run.state, RunState::Ended(Outcome::Done), "{}", run.id);
}

#[test]
fn a_queue_is_worked_off_in_order_and_the_runner_leaves() {
    let mut rig = Rig::new(1);
    let ids = rig.queue(2, &["epoch_ms=20"; 4]);
    let runner = rig.runner(&[("TUNEBOARD_IDLE_MS", "100")]);
    let runs: Vec<Run> = ids.iter().map(|id| rig.ended(*id)).collect();
    for run in &runs {
        assert_done(run);
        rig.assert_whole(run.id, 2);
        assert_eq!((run.attempt, run.step), (1, 20));
        let placement = run.placement.as_ref().unwrap();
        assert_eq!((placement.slot.as_str(), placement.threads), ("cpu/0", 1));
        let printed = fs::read_to_string(rig.board.out_log(run.id)).unwrap();
        assert!(printed.starts_with("fake trainer on cpu 1 threads\n"), "{printed}");
    }
    for pair in runs.windows(2) {
        assert!(pair[0].ended <= pair[1].started, "one at a time, in order");
    }
    assert!(rig.left(runner), "it leaves by itself");
    assert_eq!(rig.store.reader().runner().unwrap(), None);
    assert_eq!(rig.store.reader().slots().unwrap(), []);
}

#[test]
fn a_slot_is_not_empty_for_long() {
    let mut rig = Rig::new(1);
    let ids = rig.queue(1, &["epoch_ms=20"; 8]);
    rig.runner(&[]);
    for id in &ids {
        assert_done(&rig.ended(*id));
    }
    // From the last word of one trainer to the start of the next process, as the runner logged it.
    let log = fs::read_to_string(rig.board.runner_log()).unwrap();
    let started = |id: RunId| {
        let line = log.lines().find(|line| line.contains(&format!("{id}: started"))).unwrap();
        chrono::DateTime::parse_from_rfc3339(line.split(' ').next().unwrap()).unwrap()
    };
    let gap =
        |pair: &[RunId]| started(pair[1]).timestamp_millis() - rig.run(pair[0]).ended.unwrap();
    let mut gaps: Vec<i64> = ids.windows(2).map(gap).collect();
    gaps.sort_unstable();
    println!("gaps between runs: {gaps:?} ms");
    // The median: a machine that does other things too may be late once.
    assert!(gaps[gaps.len() / 2] <= 300, "{gaps:?}");
}

#[test]
fn slots_are_filled_at_once_and_say_by_whom() {
    let mut rig = Rig::new(2);
    let ids = rig.queue(50, &["", "", ""]);
    rig.runner(&[]);
    for id in &ids[..2] {
        rig.at_step(*id, 1);
    }
    assert_eq!(rig.run(ids[2]).state, RunState::Queued);
    until("the slots are told", || {
        let slots = rig.store.reader().slots().unwrap();
        slots.iter().map(|slot| slot.run).eq([Some(ids[0]), Some(ids[1])])
    });
}

#[test]
fn there_are_never_two_runners() {
    let mut rig = Rig::new(1);
    let ids = rig.queue(100, &[""]);
    rig.ensure();
    let first = rig.runner_pid();
    for _ in 0..5 {
        rig.ensure();
    }
    let second = rig.runner(&[]);
    assert!(rig.left(second), "it leaves without a complaint");
    assert_eq!(rig.runner_pid(), first);
    rig.at_step(ids[0], 3);
    let log = fs::read_to_string(rig.board.runner_log()).unwrap();
    assert_eq!(log.matches("started").count(), 1, "{log}");
}

#[test]
fn a_killed_runner_loses_nothing() {
    let mut rig = Rig::new(1);
    let ids = rig.queue(8, &["epoch_ms=200", "epoch_ms=10"]);
    rig.ensure();
    let trainer = rig.at_step(ids[0], 5);
    kill(rig.runner_pid() as i32, libc::SIGKILL);
    until("the runner is dead", || {
        !rig.store.reader().runner().unwrap().is_some_and(|r| lives(r.process.pid))
    });
    assert!(lives(trainer.pid), "the trainer goes on");
    rig.ensure();
    let run = rig.ended(ids[0]);
    assert_done(&run);
    assert_eq!(run.attempt, 1, "it was taken over, not started again");
    rig.assert_whole(ids[0], 8);
    assert_done(&rig.ended(ids[1]));
}

#[test]
fn what_happened_while_no_runner_was_there_is_made_up_for() {
    let mut rig = Rig::new(2);
    let ids = rig.queue(3, &["epoch_ms=300", "epoch_ms=300"]);
    rig.ensure();
    let trainers = [rig.at_step(ids[0], 12), rig.at_step(ids[1], 12)];
    kill(rig.runner_pid() as i32, libc::SIGKILL);
    // One ends well and one badly, and nobody looks.
    kill(trainers[1].pid as i32, libc::SIGKILL);
    until("both are gone", || !trainers.iter().any(|t| lives(t.pid)));
    rig.ensure();
    for (id, attempts) in [(ids[0], 1), (ids[1], 2)] {
        let run = rig.ended(id);
        assert_done(&run);
        assert_eq!(run.attempt, attempts);
        rig.assert_whole(id, 3);
    }
}

#[test]
fn a_runner_does_not_outlive_its_board() {
    let mut rig = Rig::new(1);
    rig.queue(50, &["epoch_ms=50"]);
    let runner = rig.runner(&[]);
    until("the runner is at work", || rig.store.reader().runner().unwrap().is_some());
    fs::remove_dir_all(rig.board.runs()).unwrap();
    assert!(rig.left(runner), "it leaves by itself");
}

#[test]
fn sigterm_sends_the_runner_away_and_leaves_its_runs_alone() {
    let mut rig = Rig::new(1);
    let ids = rig.queue(8, &[""]);
    let runner = rig.runner(&[]);
    let trainer = rig.at_step(ids[0], 5);
    kill(runner as i32, libc::SIGHUP);
    kill(runner as i32, libc::SIGTERM);
    assert!(rig.left(runner));
    assert!(lives(trainer.pid));
    assert_eq!(rig.store.reader().runner().unwrap(), None);
    rig.ensure();
    let run = rig.ended(ids[0]);
    assert_done(&run);
    assert_eq!(run.attempt, 1);
}

#[test]
fn a_killed_trainer_goes_on_from_its_checkpoint() {
    let mut rig = Rig::new(1);
    let ids = rig.queue(5, &[""]);
    rig.ensure();
    for step in [12, 33] {
        kill(rig.at_step(ids[0], step).pid as i32, libc::SIGKILL);
        rig.wait(ids[0], "started again", |run| run.step < step || run.attempt > 1);
    }
    let run = rig.ended(ids[0]);
    assert_done(&run);
    assert!(run.attempt >= 2);
    rig.assert_whole(ids[0], 5);
}

#[test]
fn a_hopeless_run_is_given_up() {
    let mut rig = Rig::new(1);
    let ids = rig.queue(3, &["epoch_ms=5 signal=9", "epoch_ms=20 signal=11"]);
    rig.ensure();
    let lost = rig.ended(ids[0]);
    assert_eq!(lost.state.to_string(), "lost");
    assert!(why(&lost).contains("killed by SIGKILL"), "{}", why(&lost));
    // The first death comes after an epoch; the twenty resumptions bring no further one.
    assert_eq!(lost.attempt, 21);
    assert_eq!(rig.epochs(ids[0], "val/loss"), [1.0]);
    let crashed = rig.ended(ids[1]);
    assert_eq!((crashed.state.to_string().as_str(), crashed.attempt), ("failed", 1));
    assert_eq!(why(&crashed), "The trainer crashed (SIGSEGV).");
}

#[test]
fn a_trainer_that_fails_says_why() {
    let mut rig = Rig::new(1);
    let ids = rig.queue(3, &["epoch_ms=20 exit=2", "epoch_ms=20 fail", "epoch_ms=20 nan"]);
    rig.ensure();
    let Some(Outcome::Failed { why, last_lines }) = rig.ended(ids[0]).state.outcome().cloned()
    else {
        panic!("{:?}", rig.run(ids[0]).state);
    };
    assert_eq!(why, "The trainer ended with exit code 2 and did not say why.");
    assert!(last_lines.ends_with("step 15\nTraceback: no luck"), "{last_lines}");
    assert_eq!(last_lines.lines().count(), 17, "all that it printed");
    let said = rig.ended(ids[1]);
    assert_eq!(said.state.outcome().unwrap().why().unwrap(), "The loss is NaN at step 15.");
    let nan = rig.ended(ids[2]);
    assert_done(&nan);
    assert!(rig.store.reader().curve(ids[2], "val/loss", 0).unwrap().value[0].is_nan());
    assert_eq!([rig.run(ids[0]).attempt, said.attempt, nan.attempt], [1, 1, 1]);
}

#[test]
fn without_a_trainer_a_run_says_how_to_get_one() {
    let mut rig = Rig::with_trainer(1, Path::new("/nowhere/tuneboard-train"));
    let ids = rig.queue(1, &[""]);
    rig.ensure();
    let run = rig.ended(ids[0]);
    assert_eq!(run.state.to_string(), "failed");
    assert!(why(&run).contains("/nowhere/tuneboard-train is not there"), "{}", why(&run));
    assert!(why(&run).contains("make build"), "{}", why(&run));
}

#[test]
fn a_device_that_is_not_there_is_told() {
    let mut rig = Rig::new(1);
    let device = "cuda:77".to_owned();
    let ids = rig.queue_specs([RunSpec { device, ..RunSpec::default() }].into_iter());
    rig.ensure();
    assert!(why(&rig.ended(ids[0])).starts_with("There is no device cuda:77 on this machine"));
}

#[test]
fn stop_and_resume() {
    let mut rig = Rig::new(1);
    let ids = rig.queue(6, &["", ""]);
    rig.ensure();
    let trainer = rig.at_step(ids[0], 15);
    rig.store.set_desired(&ids, Desired::Stop).unwrap();
    for id in &ids {
        assert_eq!(rig.ended(*id).state, RunState::Ended(Outcome::Stopped));
    }
    assert!(!lives(trainer.pid));
    let stopped = rig.run(ids[0]);
    assert!((15..60).contains(&stopped.step), "{}", stopped.step);
    assert_eq!(rig.run(ids[1]).attempt, 0, "it never started");
    rig.store.requeue(&ids, false).unwrap();
    rig.ensure();
    for (id, attempts) in [(ids[0], 2), (ids[1], 1)] {
        let run = rig.ended(id);
        assert_done(&run);
        assert_eq!(run.attempt, attempts);
        rig.assert_whole(id, 6);
    }
}

#[test]
fn a_long_queue_is_worked_off_and_stopped_at_its_far_end_too() {
    let mut rig = Rig::new(1);
    let ids = rig.queue(100, &vec![""; 2_500]);
    rig.ensure();
    rig.at_step(ids[0], 1);
    rig.store.set_desired(&ids[1..], Desired::Stop).unwrap();
    rig.store.set_desired(&ids[2_000..2_001], Desired::Hold).unwrap();
    assert_eq!(rig.ended(ids[1]).state, RunState::Ended(Outcome::Stopped));
    assert_eq!(rig.ended(ids[2_499]).state, RunState::Ended(Outcome::Stopped));
    until("all the others have ended", || rig.store.unfinished().unwrap().len() == 2);
    rig.store.set_desired(&ids[2_000..2_001], Desired::Run).unwrap();
    rig.store.set_desired(&ids[..1], Desired::Stop).unwrap();
    rig.at_step(ids[2_000], 1);
}

#[test]
fn hold_gives_the_slot_back_and_resume_takes_it_again() {
    let mut rig = Rig::new(1);
    let ids = rig.queue(6, &["", "epoch_ms=20"]);
    rig.ensure();
    rig.at_step(ids[0], 15);
    rig.store.set_desired(&ids[..1], Desired::Hold).unwrap();
    assert_done(&rig.ended(ids[1]));
    let held = rig.run(ids[0]);
    assert_eq!((&held.state, held.desired), (&RunState::Queued, Desired::Hold));
    rig.store.set_desired(&ids[..1], Desired::Run).unwrap();
    rig.ensure();
    let run = rig.ended(ids[0]);
    assert_done(&run);
    assert_eq!(run.attempt, 2);
    rig.assert_whole(ids[0], 6);
}

#[test]
fn a_run_that_does_not_stop_is_killed_after_the_grace() {
    let mut rig = Rig::new(1);
    let ids = rig.queue(1000, &["deaf litter"]);
    rig.runner(&[("TUNEBOARD_GRACE_MS", "300")]);
    let trainer = rig.at_step(ids[0], 5);
    rig.store.set_desired(&ids, Desired::Stop).unwrap();
    rig.wait(ids[0], "stopping", |run| run.state != RunState::Running);
    assert_eq!(rig.ended(ids[0]).state, RunState::Ended(Outcome::Stopped));
    assert!(!lives(trainer.pid));
}

#[test]
fn a_dead_trainers_children_do_not_stay() {
    let mut rig = Rig::new(1);
    let ids = rig.queue(1, &["litter epoch_ms=20"]);
    rig.ensure();
    assert_done(&rig.ended(ids[0]));
    until("the litter is gone", || {
        let log = fs::OpenOptions::new().append(true).open(rig.board.out_log(ids[0])).unwrap();
        log.try_lock().is_ok()
    });
}

#[test]
fn retry_starts_with_a_clean_folder() {
    let mut rig = Rig::new(1);
    let ids = rig.queue(3, &["epoch_ms=20"]);
    rig.ensure();
    assert_done(&rig.ended(ids[0]));
    let stale = rig.board.predictions(ids[0]).join("stale.parquet");
    fs::create_dir_all(stale.parent().unwrap()).unwrap();
    fs::write(&stale, "old").unwrap();
    let before = rig.run(ids[0]).started.unwrap();
    rig.store.requeue(&ids, true).unwrap();
    rig.ensure();
    let run = rig.ended(ids[0]);
    assert_done(&run);
    assert_eq!(run.attempt, 1);
    assert!(run.started.unwrap() > before && !stale.exists());
    rig.assert_whole(ids[0], 3);
}

#[test]
fn another_boards_folder_is_not_overwritten() {
    let mut rig = Rig::new(1);
    let ids = rig.queue(1, &["epoch_ms=20"]);
    let folder = rig.board.run(ids[0]);
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("events.jsonl"), "precious").unwrap();
    rig.ensure();
    assert_done(&rig.ended(ids[0]));
    let kept = rig.board.runs().join("r1.old-0/events.jsonl");
    assert_eq!(fs::read_to_string(kept).unwrap(), "precious");
}

#[test]
fn work_that_comes_as_the_runner_leaves_is_done() {
    let mut rig = Rig::new(1);
    // The runner leaves after 1 ms without work, so that most of these meet it as it goes.
    for _ in 0..15 {
        let ids = rig.queue(1, &["epoch_ms=1"]);
        let free = !rig.store.reader().runner().unwrap().is_some_and(|r| lives(r.process.pid));
        if free {
            rig.runner(&[("TUNEBOARD_IDLE_MS", "1")]);
        } else {
            rig.ensure();
        }
        assert_done(&rig.ended(ids[0]));
    }
}

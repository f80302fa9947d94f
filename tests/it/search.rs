//! A search whose trials are chosen one after the other, with real runners and the fake trainer.

use std::time::Duration;

use tuneboard::spec::{Desired, Outcome, Part, RunId, RunState, Strategy, SweepId};
use tuneboard::store::{self, Run};

use super::rig::{Rig, kill, until};

const FIRST: SweepId = SweepId(1);
const PAIRS: [(&str, &str); 4] =
    [("lr", "log(1e-6,1e-3)"), ("batch_size", "8,16,32"), ("trials", "16"), ("search", "tpe")];

fn trials(rig: &Rig) -> Vec<Run> {
    rig.store.reader().trials(FIRST).unwrap()
}

fn is_over(runs: &[Run]) -> bool {
    runs.len() == 16 && runs.iter().all(|run| run.state == RunState::Ended(Outcome::Done))
}

/// Ten trials are queued at once. The runner adds the others, also the runners that come after one that was
/// killed; each trial follows from the history that it had.
#[test]
fn a_search_gets_its_trials_though_runners_are_killed_and_can_be_replayed() {
    let mut rig = Rig::new(1);
    assert_eq!(rig.sweep(&PAIRS).len(), 10);
    for seen in [11, 13, 15] {
        let pid = rig.runner(&[]);
        until("the search adds trials", || trials(&rig).len() >= seen);
        kill(pid as i32, libc::SIGKILL);
        rig.left(pid);
    }
    rig.ensure();
    until("the search has all its trials", || is_over(&trials(&rig)));
    std::thread::sleep(Duration::from_millis(500));
    let runs = trials(&rig);
    assert_eq!(runs.len(), 16);

    let sweep = rig.store.reader().sweep(FIRST).unwrap().unwrap().sweep;
    assert!(matches!(sweep.strategy, Strategy::Tpe { trials: 16, .. }));
    for (index, run) in runs.iter().enumerate() {
        let history = store::trials_at(&runs[..index], &sweep.plan, run.created);
        assert_eq!(sweep.propose(index, &history).unwrap(), run.spec, "{}", run.id);
    }
}

#[test]
fn a_search_rests_where_its_runs_are_stopped_and_goes_on_with_them() {
    let mut rig = Rig::new(2);
    rig.sweep(&[&PAIRS[..], &[("model", "fake epoch_ms=500")]].concat());
    rig.ensure();
    until("the search adds trials", || trials(&rig).len() >= 11);
    let ids: Vec<RunId> = trials(&rig).iter().map(|run| run.id).collect();
    rig.store.set_desired(&ids, Desired::Stop).unwrap();
    until("all of it has ended", || trials(&rig).iter().all(|run| run.state.outcome().is_some()));
    let count = trials(&rig).len();
    std::thread::sleep(Duration::from_secs(1));
    let runs = trials(&rig);
    assert_eq!(runs.len(), count, "nothing is added to a search that was stopped");
    let stopped = |run: &&Run| run.state == RunState::Ended(Outcome::Stopped);
    let stopped: Vec<RunId> = runs.iter().filter(stopped).map(|run| run.id).collect();
    assert!(!stopped.is_empty(), "{runs:?}");
    rig.store.requeue(&stopped, false).unwrap();
    rig.ensure();
    until("the search has all its trials", || is_over(&trials(&rig)));
}

/// Rates from worst to best and back: who comes late and is bad is cut, and is let go on when its user says so.
#[test]
fn a_run_that_falls_behind_is_pruned_and_says_why_and_can_be_let_go_on() {
    let mut rig = Rig::new(1);
    let model = ("model", "fake epoch_ms=300 skill evals=2");
    let rates = ("lr", "1e-6,1e-5,1e-4,2e-4,5e-4,1e-7,2e-3,9e-5");
    let ids = rig.sweep(&[model, rates, ("epochs", "4"), ("prune", "asha")]);
    rig.ensure();
    let runs: Vec<Run> = ids.iter().map(|id| rig.ended(*id)).collect();
    let words: Vec<&str> = runs.iter().map(|run| run.state.outcome().unwrap().word()).collect();
    // The first two are too few to compare; the third is the best. Losses are the same and save nobody.
    assert_eq!(words, ["done", "done", "done", "pruned", "pruned", "pruned", "pruned", "done"]);
    let Some(Outcome::Pruned(at)) = runs[5].state.outcome() else { panic!("{words:?}") };
    // An eighth of four epochs; of 1e-6, 1e-5, 1e-4, 2e-4, 5e-4 and itself two are good enough.
    assert_eq!((at.rung, at.epoch.as_str(), at.rank, at.of), (1, "0.5", 6, 6));
    let value = |text: &str| text.parse::<f64>().unwrap();
    assert!((value(&at.value) - 1.0 / 3.0 / 4.0).abs() < 1e-9, "{at:?}");
    assert!((value(&at.threshold) - 1.0 / 3.0 / (1.0 + 2_f64.log10())).abs() < 1e-9, "{at:?}");
    assert_eq!((at.metric.as_str(), runs[5].epoch < 4.0), ("val/acc", true));
    assert!(rig.board.checkpoints(ids[5]).join("last").is_dir(), "it could go on");

    // The events alone say the same.
    let reader = rig.store.reader();
    let sweep = reader.sweep(FIRST).unwrap().unwrap().sweep;
    let rule = sweep.plan.prune.unwrap();
    let ladder = reader.ladder(&runs, &sweep.plan, &rule).unwrap();
    for run in &runs {
        let is_pruned = matches!(run.state.outcome(), Some(Outcome::Pruned(_)));
        assert_eq!(ladder.judge(&rule, run.id).is_some(), is_pruned, "{}", run.id);
    }

    rig.store.requeue(&ids[5..6], false).unwrap();
    rig.ensure();
    let spared = rig.ended(ids[5]);
    assert_eq!((spared.state, spared.part), (RunState::Ended(Outcome::Done), Part::Spared));
    assert!(spared.attempt > 1 && spared.epoch == 4.0);
}

/// The same rates under the median of those that came to their end, which those that were pruned are not.
#[test]
fn the_median_rule_compares_with_runs_that_ended() {
    let mut rig = Rig::new(1);
    let model = ("model", "fake epoch_ms=100 skill evals=2");
    let rates = ("lr", "1e-6,1e-5,1e-4,2e-4,5e-4,1e-7,2e-3,9e-5");
    let more = [("epochs", "4"), ("prune", "median"), ("keep", "none")];
    let ids = rig.sweep(&[&[model, rates], &more[..]].concat());
    rig.ensure();
    let runs: Vec<Run> = ids.iter().map(|id| rig.ended(*id)).collect();
    let words: Vec<&str> = runs.iter().map(|run| run.state.outcome().unwrap().word()).collect();
    assert_eq!(words, ["done", "done", "done", "done", "pruned", "pruned", "pruned", "done"]);
    for run in &runs[4..7] {
        let Some(Outcome::Pruned(at)) = run.state.outcome() else { panic!("{words:?}") };
        // Of the four that ended and itself, two are good enough: 1e-4 and 2e-4.
        assert_eq!((at.rung, at.of), (2, 5));
        let threshold = at.threshold.parse::<f64>().unwrap();
        assert!((threshold - 0.5 / (1.0 + 2_f64.log10())).abs() < 1e-9, "{at:?}");
        let left = rig.board.checkpoints(run.id).join("last");
        until("the checkpoint that nobody wants is gone", || !left.exists());
    }
    // It begins again.
    rig.store.requeue(&ids[4..5], false).unwrap();
    rig.ensure();
    let again = rig.ended(ids[4]);
    assert_eq!((again.state, again.epoch), (RunState::Ended(Outcome::Done), 4.0));
}

/// The trials of a pruned search while runner and trainers are killed over and over: each is there once, and
/// has an end.
#[test]
fn kills_during_a_pruned_search_lose_no_trial_and_double_none() {
    let mut rig = Rig::new(2);
    let more = [("model", "fake epoch_ms=250 skill evals=2"), ("epochs", "4"), ("prune", "asha")];
    rig.sweep(&[&PAIRS[..], &more].concat());
    let kills = std::env::var("TUNEBOARD_KILLS").map_or(12, |text| text.parse().unwrap());
    let mut killed = 0;
    while killed < kills {
        let pid = rig.runner(&[]);
        for _ in 0..3 {
            std::thread::sleep(Duration::from_millis(60 + killed * 7 % 50));
            let live = rig.store.unfinished().unwrap();
            let process = live.iter().find_map(|run| rig.store.process(run.id).unwrap());
            if let Some(process) = process {
                kill(process.pid as i32, libc::SIGKILL);
                killed += 1;
            }
        }
        kill(pid as i32, libc::SIGKILL);
        rig.left(pid);
        killed += 1;
        if trials(&rig).len() == 16 && trials(&rig).iter().all(|run| run.state.outcome().is_some())
        {
            break;
        }
    }
    rig.ensure();
    until("the search has all its trials", || {
        let runs = trials(&rig);
        runs.len() == 16 && runs.iter().all(|run| run.state.outcome().is_some())
    });
    std::thread::sleep(Duration::from_millis(500));
    let runs = trials(&rig);
    assert_eq!(runs.len(), 16, "none doubled");
    let words: Vec<&str> = runs.iter().map(|run| run.state.outcome().unwrap().word()).collect();
    assert!(words.iter().all(|word| ["done", "pruned"].contains(word)), "{words:?}");
    assert!(words.contains(&"pruned"), "{words:?}");
    for run in runs.iter().filter(|run| run.state == RunState::Ended(Outcome::Done)) {
        let epochs = rig.epochs(run.id, "val/acc");
        assert_eq!(epochs, [0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0], "{}", run.id);
    }
    // Each follows from the trials that were there when it was chosen.
    let sweep = rig.store.reader().sweep(FIRST).unwrap().unwrap().sweep;
    for (index, run) in runs.iter().enumerate() {
        let history = store::trials_at(&runs[..index], &sweep.plan, run.created);
        assert_eq!(sweep.propose(index, &history).unwrap(), run.spec, "{}", run.id);
    }
    eprintln!("{killed} kills, {} trials: {words:?}", runs.len());
}

/// The two best of four settings run again on three seeds that no trial had, once.
#[test]
fn the_best_settings_are_confirmed_on_fresh_seeds() {
    let mut rig = Rig::new(2);
    let pairs =
        [("model", "fake epoch_ms=5 skill"), ("lr", "1e-6,1e-4,2e-4,1e-2"), ("confirm", "2")];
    rig.sweep(&pairs);
    rig.ensure();
    let is_confirmed = || {
        let runs = trials(&rig);
        runs.len() == 10 && runs.iter().all(|run| run.state.outcome().is_some())
    };
    until("the best are confirmed", is_confirmed);
    std::thread::sleep(Duration::from_millis(500));
    let runs = trials(&rig);
    let fresh: Vec<(f64, u64)> = runs
        .iter()
        .filter(|run| run.part == Part::Confirmation)
        .map(|run| (run.spec.lr, run.spec.seed))
        .collect();
    let seed = runs[0].spec.seed;
    let seeds: Vec<u64> = (0..).filter(|s| *s != seed).take(3).collect();
    let want = |lr: f64| seeds.iter().map(move |s| (lr, *s));
    assert_eq!(fresh, want(1e-4).chain(want(2e-4)).collect::<Vec<_>>());
}

/// What has not started when the time is over does not start any more.
#[test]
fn time_ends_a_sweep() {
    let mut rig = Rig::new(1);
    let pairs = [("model", "fake epoch_ms=400"), ("seed", "0..9"), ("until", "1s")];
    let ids = rig.sweep(&pairs);
    rig.ensure();
    let runs: Vec<Run> = ids.iter().map(|id| rig.ended(*id)).collect();
    let stopped = runs.iter().filter(|run| run.state == RunState::Ended(Outcome::Stopped)).count();
    let started = runs.iter().filter(|run| run.attempt > 0).count();
    assert!(stopped > 0 && started > 0 && stopped + started == 10, "{stopped} {started}");
}

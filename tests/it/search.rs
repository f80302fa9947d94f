//! A search whose trials are chosen one after the other, with real runners and the fake trainer.

use std::time::Duration;

use tuneboard::spec::{Desired, Outcome, RunId, RunState, Strategy, SweepId};
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
        let history = store::trials_at(&runs[..index], run.created);
        assert_eq!(sweep.propose(index, &history).unwrap(), run.spec, "{}", run.id);
    }
}

#[test]
fn a_search_rests_where_its_runs_are_stopped_and_goes_on_with_them() {
    let mut rig = Rig::new(2);
    rig.sweep(&[&PAIRS[..], &[("model", "fake epoch_ms=200")]].concat());
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

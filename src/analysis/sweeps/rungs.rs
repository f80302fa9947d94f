//! The rungs of a sweep as they are shown: who is there, who was cut, and what it takes to go on.

use std::collections::{BTreeMap, BTreeSet};

use super::Pruning;
use crate::spec::search::ladder::Ladder;
use crate::spec::{Outcome, Plan, RunId, turned};
use crate::store::Run;

/// A rung with the runs that got there.
#[derive(Debug, Clone, PartialEq)]
pub struct Rung {
    /// How many eighths of a schedule are done.
    pub number: u32,
    /// Epochs of the first run there.
    pub epoch: f64,
    /// How many runs got there.
    pub runs: usize,
    /// What a run has to have that gets there now; `None` while all go on.
    pub threshold: Option<f64>,
    /// The best value there.
    pub best: Option<f64>,
    /// The runs that are under way and got no higher yet.
    pub now: Vec<RunId>,
    /// The runs that were, or would have been, cut there.
    pub cut: Vec<RunId>,
}

/// The rungs of a sweep from the lowest on, as far as runs got. `metric` is what its runs are compared by.
pub fn rungs(
    ladder: &Ladder,
    plan: &Plan,
    runs: &[Run],
    pruning: Option<&Pruning>,
    metric: &str,
) -> Vec<Rung> {
    let rule = plan.prune.unwrap_or_default();
    let live: BTreeSet<RunId> =
        runs.iter().filter(|run| run.state.outcome().is_none()).map(|run| run.id).collect();
    let cut_at: BTreeMap<RunId, u32> = match (pruning, plan.prune) {
        (Some(pruning), None) => pruning.cut.iter().map(|(run, rung, _)| (*run, *rung)).collect(),
        _ => runs.iter().filter_map(|run| Some((run.id, rung_of(run)?))).collect(),
    };
    let height: BTreeMap<RunId, u32> = ladder
        .rungs()
        .flat_map(|(number, steps)| steps.iter().map(move |step| (step.run, number)))
        .collect();
    let reached = ladder.rungs().filter(|(_, steps)| !steps.is_empty());
    let rung = |(number, steps): (u32, &[crate::spec::search::ladder::Step])| {
        let ids = || steps.iter().map(|step| step.run);
        let values = steps.iter().map(|step| step.at.mark.value).filter(|value| value.is_finite());
        Rung {
            number,
            epoch: steps.first().map_or(0.0, |step| step.at.epoch),
            runs: steps.len(),
            threshold: ladder.threshold(&rule, number).map(|value| turned(metric, value)),
            best: values.min_by(f64::total_cmp).map(|value| turned(metric, value)),
            now: ids().filter(|id| live.contains(id) && height.get(id) == Some(&number)).collect(),
            cut: ids().filter(|id| cut_at.get(id) == Some(&number)).collect(),
        }
    };
    reached.map(rung).collect()
}

/// Where a run was cut.
fn rung_of(run: &Run) -> Option<u32> {
    match run.state.outcome() {
        Some(Outcome::Pruned(at)) => Some(at.rung),
        _ => None,
    }
}

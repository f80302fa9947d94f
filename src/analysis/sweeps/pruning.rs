//! What pruning made of a sweep, or would have made of one that ran to its end.

use std::collections::BTreeMap;

use crate::spec::search::ladder::{Evaluation, replay};
use crate::spec::search::prune::{PARTS, Rule};
use crate::spec::{Outcome, Part, Plan, RunId, RunState, turned};
use crate::store::{Reader, Run, StoreError};

/// What pruning saves, and what it loses.
#[derive(Debug, Clone, PartialEq)]
pub struct Pruning {
    /// The rule.
    pub rule: Rule,
    /// True if it was applied; else it is replayed on the runs that are done.
    pub is_pruned: bool,
    /// The runs that were, or are, judged.
    pub runs: usize,
    /// Those that were, or would have been, stopped: at which rung, and how much of the schedule was done.
    pub cut: Vec<(RunId, u32, f64)>,
    /// The share of all their schedules that was not, or would not have been, walked.
    pub saved: f64,
    /// The run with the best last value.
    pub best: Option<(RunId, f64)>,
    /// The best of those that were not cut.
    pub kept: Option<(RunId, f64)>,
}

/// Every look of each run of a sweep at the val rows.
pub type Evaluated = BTreeMap<RunId, Vec<Evaluation>>;

/// Reads the evaluations of the runs of a sweep, but for those that confirm a setting.
///
/// # Errors
/// What the store says.
pub fn evaluated(reader: &Reader, plan: &Plan, runs: &[Run]) -> Result<Evaluated, StoreError> {
    let trials = runs.iter().filter(|run| run.part != Part::Confirmation);
    trials.map(|run| Ok((run.id, reader.evaluations(run, plan)?))).collect()
}

/// What came of the rule of a sweep, or what would come of the default one: only then `evaluated` is looked at.
pub fn pruning(plan: &Plan, runs: &[Run], evaluated: &Evaluated) -> Pruning {
    let trials = runs.iter().filter(|run| run.part != Part::Confirmation);
    let rule = plan.prune.unwrap_or_default();
    if plan.prune.is_some() {
        let ended: Vec<&Run> = trials.filter(|run| run.state.outcome().is_some()).collect();
        let cut = ended.iter().filter_map(|run| match run.state.outcome() {
            Some(Outcome::Pruned(at)) => {
                let epochs = f64::from(run.spec.planned_epochs().max(1));
                let share = at
                    .epoch
                    .parse()
                    .map_or(f64::from(at.rung) / f64::from(PARTS), |e: f64| e / epochs);
                Some((run.id, at.rung, share))
            }
            _ => None,
        });
        let cut: Vec<_> = cut.collect();
        let saved: f64 = cut.iter().map(|(.., share)| 1.0 - share).sum();
        let saved = if ended.is_empty() { 0.0 } else { saved / ended.len() as f64 };
        let runs = ended.len();
        return Pruning { rule, is_pruned: true, runs, cut, saved, best: None, kept: None };
    }
    let mut known: Vec<(RunId, &[Evaluation])> = Vec::new();
    let mut last: Vec<(RunId, f64, f64)> = Vec::new();
    for run in trials.filter(|run| run.state == RunState::Ended(Outcome::Done)) {
        if let Some(evaluations) = evaluated.get(&run.id)
            && let Some(end) = evaluations.last()
            && !rule.climb(evaluations).is_empty()
        {
            // Turned twice, a value is what it was.
            let value = turned(plan.metric_of(&run.spec), end.mark.value);
            last.push((run.id, end.mark.value, value));
            known.push((run.id, evaluations.as_slice()));
        }
    }
    let replay = replay(&rule, &known);
    let best = |of: &dyn Fn(RunId) -> bool| {
        let finite = last.iter().filter(|(id, value, _)| value.is_finite() && of(*id));
        let best = finite.min_by(|a, b| a.1.total_cmp(&b.1).then(a.0.cmp(&b.0)));
        best.map(|(id, _, value)| (*id, *value))
    };
    let is_kept = |id: RunId| !replay.cut.iter().any(|(cut, ..)| *cut == id);
    Pruning {
        rule,
        is_pruned: false,
        runs: known.len(),
        best: best(&|_| true),
        kept: best(&is_kept),
        saved: replay.saved,
        cut: replay.cut,
    }
}

use std::path::PathBuf;

use super::{
    Confirmation, Evaluated, Pruning, Rung, SweepReport, confirmation, ends, evaluated, pruning,
    report_with, rungs,
};
use crate::analysis::groups::are_folds;
use crate::spec::metrics::{heading, higher_is_better};
use crate::spec::search::ladder::Ladder;
use crate::spec::{Plan, RunId, RunSpec, SweepId, Task};
use crate::store::{Listing, Reader, Run, StoreError};

/// A sweep with its runs, read from the board.
#[derive(Debug, Clone)]
pub struct SweepFacts {
    /// Its name.
    pub name: String,
    /// What is planned for it.
    pub plan: Plan,
    /// Trials that it will have in all.
    pub planned: usize,
    /// Whether its trials were drawn, so that there can be more of them.
    pub is_drawn: bool,
    /// The figure that its runs are ranked by.
    pub metric: String,
    /// Its runs, newest first.
    pub runs: Vec<Run>,
    /// Their analysis.
    pub report: SweepReport,
    /// Its rungs from the lowest on; none where runs have no evaluations within their schedule.
    pub rungs: Vec<Rung>,
    /// What pruning made of it, or would have; `None` for a sweep of very many runs that does not prune.
    pub pruning: Option<Pruning>,
    /// What its best settings did on fresh seeds.
    pub confirmation: Option<Confirmation>,
}

impl SweepFacts {
    /// The figure that its runs are ranked by.
    pub fn metric(&self) -> &str {
        &self.metric
    }

    /// What its runs learn.
    pub fn task(&self) -> Task {
        self.runs.first().map_or(Task::Classify, |run| run.spec.task)
    }

    /// What heads a column of it: `val acc`.
    pub fn heading(&self) -> String {
        heading(&self.metric)
    }

    /// Whether its runs hold out the folds of their settings.
    pub fn are_folds(&self) -> bool {
        self.runs.iter().any(|run| are_folds(&run.spec))
    }

    /// The keys of chance that its settings are folded over, in words.
    pub fn folded(&self) -> &'static str {
        if self.are_folds() { "folds and seeds folded" } else { "seeds folded" }
    }

    /// What a run is ranked by: the best of the validation rows, or that of the fold that it holds out.
    pub fn score(&self, run: &Run) -> Option<f64> {
        score(&self.plan, run)
    }
}

/// Runs read of one sweep at most, the newest.
const MOST: usize = 20_000;
/// The ladder of a sweep that does not prune is made of so many runs at most: it reads their curves.
const MOST_CURVES: usize = 300;

/// What a run of a sweep with this plan is ranked by.
pub fn score(plan: &Plan, run: &Run) -> Option<f64> {
    run.value_by(plan)
}

/// Reads and analyses a sweep; `None` if it does not exist. `folder` is where the predictions of a run lie.
///
/// # Errors
/// What the store says.
pub fn read(
    reader: &Reader,
    id: SweepId,
    folder: &dyn Fn(RunId) -> PathBuf,
) -> Result<Option<SweepFacts>, StoreError> {
    let Some(new) = reader.sweep(id)? else { return Ok(None) };
    let listing =
        Listing { sweep: Some(id), archived: true, descending: true, ..Listing::default() };
    let runs = reader.runs(&reader.first_ids(&listing, MOST)?)?;
    let varied: Vec<String> = new.sweep.varied().map(str::to_owned).collect();
    let planned = new.sweep.planned();
    let is_drawn = new.sweep.strategy.draws().is_some();
    let plan = new.sweep.plan;
    let lower = plan.metric.as_deref().is_some_and(|metric| !higher_is_better(metric));
    // Folds are no rivals: rows are easy or hard.
    let is_held_out = runs.iter().any(|run| are_folds(&run.spec));
    let has_ladder = !is_held_out && (plan.prune.is_some() || runs.len() <= MOST_CURVES);
    let evaluated = if has_ladder { evaluated(reader, &plan, &runs)? } else { Evaluated::new() };
    let pruning = has_ladder.then(|| pruning(&plan, &runs, &evaluated));
    let own = |run: &Run| score(&plan, run);
    let ends = ends(&plan, &runs, &evaluated, own);
    let report = report_with(&runs, &varied, lower, own, |run| ends.get(&run.id).copied());
    let confirmation = confirmation(reader, &runs, &report.axes, lower, own, folder)?;
    let default = RunSpec { task: Task::Classify, ..RunSpec::default() };
    let metric = plan.ranked_by(runs.first().map_or(&default, |run| &run.spec));
    let rule = plan.prune.unwrap_or_default();
    let mut ladder = Ladder::default();
    for run in &runs {
        if let Some(evaluations) = evaluated.get(&run.id) {
            ladder.put(run.id, &rule.climb(evaluations));
        }
    }
    let rungs = rungs(&ladder, &plan, &runs, pruning.as_ref(), &metric);
    Ok(Some(SweepFacts {
        name: new.name,
        metric,
        plan,
        planned,
        is_drawn,
        runs,
        report,
        rungs,
        pruning,
        confirmation,
    }))
}

use super::{SweepReport, report};
use crate::spec::{SweepId, Task};
use crate::store::{Listing, Reader, Run, StoreError};

/// A sweep with its runs, read from the board.
#[derive(Debug, Clone)]
pub struct SweepFacts {
    /// Its name.
    pub name: String,
    /// Its runs, newest first.
    pub runs: Vec<Run>,
    /// Their analysis.
    pub report: SweepReport,
}

impl SweepFacts {
    /// The figure that its runs are ranked by.
    pub fn metric(&self) -> &'static str {
        self.runs.first().map_or(Task::Classify, |run| run.spec.task).score()[0]
    }
}

/// Runs read of one sweep at most, the newest.
const MOST: usize = 20_000;

/// What a run is ranked by: the best score of the validation rows, since test rows must not choose the winner.
pub fn score(run: &Run) -> Option<f64> {
    run.best.get(run.spec.task.score()[0]).copied()
}

/// Reads and analyses a sweep; `None` if it does not exist.
///
/// # Errors
/// What the store says.
pub fn read(reader: &Reader, id: SweepId) -> Result<Option<SweepFacts>, StoreError> {
    let Some(new) = reader.sweep(id)? else { return Ok(None) };
    let listing =
        Listing { sweep: Some(id), archived: true, descending: true, ..Listing::default() };
    let runs = reader.runs(&reader.first_ids(&listing, MOST)?)?;
    let varied: Vec<String> = new.sweep.varied().map(str::to_owned).collect();
    let report = report(&runs, &varied, score);
    Ok(Some(SweepFacts { name: new.name, runs, report }))
}

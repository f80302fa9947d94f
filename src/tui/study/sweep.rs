use crate::analysis::sweeps::{SweepReport, report};
use crate::board::Board;
use crate::spec::SweepId;
use crate::store::{Listing, Reader, Run, StoreError};

/// Which sweep is looked at as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SweepQuestion {
    /// The sweep.
    pub sweep: SweepId,
    /// Steps of its runs that still train, and runs that have ended: the answer is as old as this.
    pub steps: u64,
}

/// A sweep as a whole.
#[derive(Debug, Clone)]
pub struct SweepFacts {
    /// Its name.
    pub name: String,
    /// Its runs.
    pub runs: Vec<Run>,
    /// What they say together.
    pub report: SweepReport,
}

/// Runs read of one sweep at most, the newest.
const MOST: usize = 20_000;

/// What a run is ranked by: the best validation accuracy, since test rows are for one last look.
pub fn score(run: &Run) -> Option<f64> {
    run.best.get("val/acc").copied()
}

/// Looks at a sweep; an error is one sentence.
pub fn sweep(board: &Board, question: SweepQuestion) -> Result<SweepFacts, String> {
    let found = read(board, question.sweep).map_err(|e| e.to_string())?;
    found.ok_or_else(|| format!("{} does not exist any more.", question.sweep))
}

fn read(board: &Board, id: SweepId) -> Result<Option<SweepFacts>, StoreError> {
    let reader = Reader::open(&board.database())?;
    let Some(new) = reader.sweep(id)? else { return Ok(None) };
    let listing =
        Listing { sweep: Some(id), archived: true, descending: true, ..Listing::default() };
    let runs = reader.runs(&reader.first_ids(&listing, MOST)?)?;
    let varied: Vec<String> = new.sweep.varied().map(str::to_owned).collect();
    let report = report(&runs, &varied, score);
    Ok(Some(SweepFacts { name: new.name, runs, report }))
}

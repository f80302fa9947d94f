use crate::analysis::sweeps;
use crate::board::Board;
use crate::spec::SweepId;
use crate::store::Reader;

pub use crate::analysis::sweeps::SweepFacts;

/// Which sweep is looked at as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SweepQuestion {
    /// The sweep.
    pub sweep: SweepId,
    /// Steps of its runs that still train, and runs that have ended: the answer is as old as this.
    pub steps: u64,
}

/// Looks at a sweep; an error is one sentence.
pub fn sweep(board: &Board, question: SweepQuestion) -> Result<SweepFacts, String> {
    let found = Reader::open(&board.database())
        .and_then(|reader| sweeps::read(&reader, question.sweep, &|run| board.predictions(run)))
        .map_err(|e| e.to_string())?;
    found.ok_or_else(|| format!("{} does not exist any more.", question.sweep))
}

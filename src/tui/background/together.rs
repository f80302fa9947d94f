use std::sync::Arc;

use super::scores::{Found, Other, found, of_words, other};
use crate::analysis::together::Together;
use crate::board::Board;
use crate::dataset::predictions::Pass;
use crate::spec::{RunId, Task};
use crate::store::{Confusion, Reader, Split};

/// Whose predictions are taken together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TogetherQuestion {
    /// Runs of one setting: its folds, or its seeds.
    pub runs: Arc<Vec<RunId>>,
    /// Which rows.
    pub split: Split,
    /// Runs of the board that have ended: the answer is as old as this.
    pub ended: u64,
}

/// What runs of one setting say together.
#[derive(Debug, Clone)]
pub struct TogetherFacts {
    /// Of how many runs: `5 held-out folds together`.
    pub heading: String,
    /// What they learn.
    pub task: Task,
    /// Their counts, added up; `None` for a task without classes.
    pub confusion: Option<Arc<Confusion>>,
    /// What their probabilities say, or why that is not known.
    pub found: Result<Found, String>,
    /// What a task without classes shows instead.
    pub other: Option<Other>,
}

/// The answer; an error is one sentence.
#[derive(Debug, Clone)]
pub struct TogetherAnswer {
    /// What it answers.
    pub question: TogetherQuestion,
    /// The facts.
    pub facts: Result<TogetherFacts, String>,
}

/// Reads the last passes of these runs.
pub fn together(board: &Board, question: TogetherQuestion) -> TogetherAnswer {
    let facts = Reader::open(&board.database())
        .and_then(|reader| Ok((reader.runs(&question.runs)?, reader)))
        .map_err(|e| e.to_string())
        .and_then(|(runs, reader)| {
            Together::read(&reader, &runs, question.split, |run| board.predictions(run))
        })
        .map(TogetherFacts::from);
    TogetherAnswer { question, facts }
}

impl From<Together> for TogetherFacts {
    fn from(of: Together) -> Self {
        let n = of.runs.len();
        let what = match (of.are_folds, n) {
            (true, 1) => "held-out fold",
            (true, _) => "held-out folds",
            (false, 1) => "run",
            (false, _) => "runs",
        };
        let missing =
            if of.missing > 0 { format!(", {} to come", of.missing) } else { String::new() };
        let heading = match (of.accuracy.mean, of.accuracy.sd) {
            (Some(mean), Some(sd)) => {
                format!("{n} {what} together{missing}  accuracy {mean:.4} ±{sd:.4} over them")
            }
            _ => format!("{n} {what} together{missing}"),
        };
        let (found, other) = match &of.pass {
            Ok(Pass::Classes(pass)) => (Ok(found(pass)), None),
            Ok(pass @ Pass::Tags(_)) => (of_words(pass), other(pass)),
            Ok(pass) => (Err(format!("task={} has no classes.", of.task)), other(pass)),
            Err(why) => (Err(why.clone()), None),
        };
        Self { heading, task: of.task, confusion: of.confusion.map(Arc::new), found, other }
    }
}

use std::collections::BTreeMap;

use crate::analysis::compare::{Comparison, Entry, compare};
use crate::board::Board;
use crate::spec::RunId;
use crate::spec::metrics::{train, val};
use crate::store::{Curve, Reader, Run, StoreError};

/// Which runs are set against each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompareQuestion {
    /// The baseline first.
    pub runs: Vec<RunId>,
    /// More runs, which are not shown but count as seeds of their settings.
    pub seeds: Vec<RunId>,
    /// Into how many buckets curves are thinned.
    pub buckets: usize,
    /// Steps of those that still train: the answer is as old as this.
    pub steps: u64,
}

/// Runs side by side.
#[derive(Debug, Clone)]
pub struct Compared {
    /// The runs, the baseline first.
    pub runs: Vec<Run>,
    /// What differs.
    pub comparison: Comparison,
    /// Their curves by metric.
    pub curves: Vec<BTreeMap<String, Curve>>,
}

/// Metrics whose curves are drawn.
const DRAWN: [&str; 6] = [val::LOSS, val::ACC, train::LOSS, val::F1, val::PEARSON, val::MICRO_F1];

/// Sets runs against each other; an error is one sentence.
pub fn compared(board: &Board, question: &CompareQuestion) -> Result<Compared, String> {
    read(board, question).map_err(|e| e.to_string())
}

fn read(board: &Board, question: &CompareQuestion) -> Result<Compared, StoreError> {
    let reader = Reader::open(&board.database())?;
    let runs = reader.runs(&question.runs)?;
    let (mut entries, mut curves) = (Vec::new(), Vec::new());
    for run in &runs {
        entries.push(Entry::read(&reader, run.clone(), &board.predictions(run.id))?);
        let mut own = BTreeMap::new();
        for metric in DRAWN {
            let curve = reader.curve(run.id, metric, question.buckets)?;
            if !curve.value.is_empty() {
                own.insert(metric.to_owned(), curve);
            }
        }
        curves.push(own);
    }
    let mut comparison = compare(&entries, 0);
    if !question.seeds.is_empty() {
        for run in reader.runs(&question.seeds)? {
            let folder = board.predictions(run.id);
            entries.push(Entry::read(&reader, run, &folder)?);
        }
        let all = compare(&entries, 0);
        (comparison.contrasts, comparison.folds) = (all.contrasts, all.folds);
    }
    Ok(Compared { runs, comparison, curves })
}

//! Runs side by side: what differs in their specs, by how much their figures differ, and whether that
//! is more than chance.

mod figures;
mod folds;
mod pairs;
mod read;
mod scores;
mod settings;

use serde::Serialize;

use crate::spec::RunId;
use crate::spec::keys::KEYS;
use crate::store::{Confusion, Curve, Run};
use std::collections::BTreeMap;

use super::confusion::Matrix;
use crate::dataset::predictions::{Pass, Predictions};

pub use figures::{Change, Extreme, Figures, MetricRow};
pub use folds::{FoldContrast, FoldFigure};
pub use pairs::{Pair, Refused, same_rows};
pub use scores::ScorePair;
pub(crate) use settings::word;
pub use settings::{Contrast, Estimate};

/// As many runs as a comparison takes: more colours than this cannot be told apart.
pub const MAX_RUNS: usize = 8;

/// One run of a comparison, with all that is compared.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The run.
    pub run: Run,
    /// Every metric's curve, thinned at most to its first, lowest, highest and last point.
    pub curves: BTreeMap<String, Curve>,
    /// The counts of its test pass.
    pub confusion: Option<Confusion>,
    /// What it predicted for the test rows, or why that is not known, as the rest of a sentence that
    /// starts with the run's id.
    pub predictions: Result<Predictions, String>,
    /// The same of a task without classes.
    pub other: Option<Pass>,
}

/// Runs side by side. Every vector with one entry per run is in the order of `runs`.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// Which.
    pub runs: Vec<RunId>,
    /// The position of the one that the others are measured against.
    pub baseline: usize,
    /// Every key of a spec.
    pub keys: Vec<KeyRow>,
    /// Every metric that any of them has.
    pub metrics: Vec<MetricRow>,
    /// F1 of every class on the test rows; empty unless all that were tested have the same classes.
    pub classes: Vec<ClassRow>,
    /// Test counts minus the baseline's, `[true][predicted]`; `None` for the baseline, and where the
    /// classes differ.
    pub confusion_deltas: Vec<Option<Vec<Vec<i64>>>>,
    /// Tests on the same rows, two runs at a time; pairs with the baseline come first.
    pub pairs: Vec<Pair>,
    /// Settings with several seeds set against each other, those with the baseline's first.
    pub contrasts: Vec<Contrast>,
    /// Settings under cross-validation set against each other, those with the baseline's first.
    pub folds: Vec<FoldContrast>,
    /// Tests of the scores of tasks without classes.
    pub scores: Vec<ScorePair>,
    /// Pairs that cannot be tested.
    pub refused: Vec<Refused>,
}

/// One key of the specs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeyRow {
    /// Its name.
    pub key: &'static str,
    /// Its text in each run; empty for "not given".
    pub values: Vec<String>,
    /// Whether they are not all the same.
    pub differs: bool,
}

/// One class of the test rows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClassRow {
    /// Its name as in the data: make it printable.
    pub label: String,
    /// F1 in each run; `None` for one that was not tested.
    pub f1: Vec<Option<f64>>,
    /// F1 minus the baseline's.
    pub delta: Vec<Option<f64>>,
}

/// Compares runs with the one at position `baseline`.
pub fn compare(entries: &[Entry], baseline: usize) -> Comparison {
    let (pairs, mut refused, mut contrasts) = pairs::all(entries, baseline);
    let scores = scores::all(entries, baseline);
    let folds = folds::all(entries, baseline);
    refused.retain(|r| !scores.iter().any(|s| [s.a, s.b] == [r.a, r.b]));
    // All folds together say more than each by itself, and are one question instead of several.
    let in_folds = |runs: [RunId; 2]| folds.iter().any(|contrast| contrast.has(runs));
    refused.retain(|r| !in_folds([r.a, r.b]));
    contrasts.retain(|c| {
        let one = c.a.first().zip(c.b.first());
        !one.is_some_and(|(a, b)| in_folds([*a, *b]))
    });
    Comparison {
        runs: entries.iter().map(|e| e.run.id).collect(),
        baseline,
        keys: keys(entries),
        metrics: figures::metrics(entries, baseline),
        classes: classes(entries, baseline),
        confusion_deltas: confusion_deltas(entries, baseline),
        pairs,
        contrasts,
        folds,
        scores,
        refused,
    }
}

fn keys(entries: &[Entry]) -> Vec<KeyRow> {
    let row = |key: &'static crate::spec::keys::Key| {
        let obeying = entries.iter().map(|e| &e.run.spec).filter(|spec| spec.obeys(key.name));
        let mut texts = obeying.map(key.get);
        let first = texts.next();
        let differs = texts.any(|text| Some(text) != first);
        let values = entries.iter().map(|e| e.run.spec.shown(key.name)).collect();
        KeyRow { key: key.name, values, differs }
    };
    KEYS.iter().map(row).collect()
}

fn classes(entries: &[Entry], baseline: usize) -> Vec<ClassRow> {
    let mut tested = entries.iter().filter_map(|e| e.confusion.as_ref());
    let Some(first) = tested.next() else { return Vec::new() };
    if tested.any(|other| other.labels != first.labels) {
        return Vec::new();
    }
    let matrices: Vec<Option<Matrix>> =
        entries.iter().map(|e| e.confusion.as_ref().map(Matrix::new)).collect();
    let row = |(class, label): (usize, &String)| {
        let f1: Vec<Option<f64>> =
            matrices.iter().map(|m| m.as_ref().map(|m| m.class(class).f1)).collect();
        let base = f1.get(baseline).copied().flatten();
        let delta = f1.iter().map(|f1| Some((*f1)? - base?)).collect();
        ClassRow { label: label.clone(), f1, delta }
    };
    first.labels.iter().enumerate().map(row).collect()
}

fn confusion_deltas(entries: &[Entry], baseline: usize) -> Vec<Option<Vec<Vec<i64>>>> {
    let base = entries.get(baseline).and_then(|e| e.confusion.as_ref());
    let delta = |(i, entry): (usize, &Entry)| {
        let (base, own) = (base?, entry.confusion.as_ref()?);
        let comparable = i != baseline && base.labels == own.labels;
        comparable.then(|| Matrix::new(own).minus(&Matrix::new(base)))
    };
    entries.iter().enumerate().map(delta).collect()
}

#[cfg(test)]
mod tests;

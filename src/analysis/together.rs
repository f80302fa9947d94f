//! Runs of one setting taken together: their confusion counts added up, their predictions one behind the other.
//! Under cross-validation every row is in them once, judged by the model that never saw it.

use std::path::PathBuf;

use super::confusion::Matrix;
use super::groups::{Spread, are_folds, setting_hash};
use crate::dataset::predictions::{Pass, latest, read_pass};
use crate::spec::{RunId, Task};
use crate::store::{Confusion, Reader, Run, Split, StoreError};

/// Runs of one setting, of which each has judged its rows of a split.
#[derive(Debug, Clone)]
pub struct Together {
    /// The runs that have.
    pub runs: Vec<RunId>,
    /// How many have not, so far.
    pub missing: usize,
    /// What they learn.
    pub task: Task,
    /// Whether they hold out folds.
    pub are_folds: bool,
    /// Their counts; `None` for a task without classes.
    pub confusion: Option<Confusion>,
    /// The share of right predictions of each.
    pub accuracy: Spread,
    /// Their predictions, which are kept for a while only, or why they are not known.
    pub pass: Result<Pass, String>,
}

/// Whether runs differ in seed and fold alone.
///
/// # Errors
/// A sentence that says in what else they differ.
pub fn one_setting(runs: &[Run]) -> Result<(), String> {
    let Some(first) = runs.first() else { return Ok(()) };
    let hash = setting_hash(&first.spec);
    match runs.iter().find(|run| setting_hash(&run.spec) != hash) {
        None => Ok(()),
        Some(other) => Err(format!(
            "{} and {} differ in {}: only runs that differ in seed or fold alone are counted together.",
            first.id,
            other.id,
            other.spec.deciding_differences(&first.spec).join(", ")
        )),
    }
}

/// The counts of several runs as one, of no epoch.
///
/// # Errors
/// No run, or runs with other classes; a sentence.
pub fn added(counts: Vec<(RunId, Confusion)>) -> Result<Confusion, String> {
    let mut counts = counts.into_iter();
    let (first, mut all) = counts.next().ok_or("There is no run with confusion counts.")?;
    all.epoch = 0;
    for (run, own) in counts {
        if all.labels != own.labels || all.split != own.split {
            return Err(format!("{first} and {run} have other classes."));
        }
        for (sums, row) in all.counts.iter_mut().zip(&own.counts) {
            sums.iter_mut().zip(row).for_each(|(sum, n)| *sum += n);
        }
    }
    Ok(all)
}

impl Together {
    /// Reads the last passes of these runs over a split; `folder` is where the predictions of a run lie.
    ///
    /// # Errors
    /// Runs of several settings, or none that has judged such rows; a sentence.
    pub fn read(
        reader: &Reader,
        runs: &[Run],
        split: Split,
        folder: impl Fn(RunId) -> PathBuf,
    ) -> Result<Self, String> {
        one_setting(runs)?;
        let first = runs.first().ok_or("There is no such run any more.")?;
        let (task, are_folds) = (first.spec.task, are_folds(&first.spec));
        let counts = runs
            .iter()
            .filter_map(|run| match reader.confusion(run.id, split, None) {
                Ok(own) => Some(Ok((run.id, own?))),
                Err(e) => Some(Err(e)),
            })
            .collect::<Result<Vec<_>, StoreError>>()
            .map_err(|e| e.to_string())?;
        let accuracy = Spread::of(counts.iter().map(|(_, own)| Matrix::new(own).accuracy()));
        let passes: Vec<_> = runs
            .iter()
            .filter_map(|run| Some((run.id, latest(&folder(run.id), &split.to_string())?.1)))
            .collect();
        let counted: Vec<RunId> = if counts.is_empty() {
            passes.iter().map(|(run, _)| *run).collect()
        } else {
            counts.iter().map(|(run, _)| *run).collect()
        };
        if counted.is_empty() {
            return Err(format!("None of {} runs has judged {split} rows yet.", runs.len()));
        }
        let gone = format!("Not all of them keep their predictions of {split} rows.");
        let pass = if passes.len() < counted.len() {
            Err(gone)
        } else {
            let read = passes.iter().map(|(_, path)| read_pass(path, task));
            let read = read.collect::<Result<Vec<_>, _>>().map_err(|e| e.to_string());
            read.and_then(|read| Pass::joined(read).ok_or("Their predictions do not fit.".into()))
        };
        let confusion = if counts.is_empty() { None } else { Some(added(counts)?) };
        let missing = runs.len() - counted.len();
        Ok(Self { runs: counted, missing, task, are_folds, confusion, accuracy, pass })
    }
}

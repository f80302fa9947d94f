use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::analysis::groups::are_folds;
use crate::analysis::metrics::figures;
use crate::dataset::predictions::{Pass, latest, read_pass};
use crate::spec::RunId;
use crate::store::{Run, Split};

/// The rows that the folds of a setting hold out, judged all at once: each by a model that never saw it.
#[derive(Debug, Clone, PartialEq)]
pub struct Pooled {
    /// How many rows; of several seeds each counts as often.
    pub rows: usize,
    /// The folds that they come from.
    pub folds: usize,
    /// Figures by short name, the task's score first.
    pub figures: Vec<(&'static str, f64)>,
}

impl Pooled {
    /// Reads the test passes of runs of one setting; `folder` is that of a run's predictions. `None` unless the runs
    /// hold out folds and a file of each that was tested can be read.
    pub fn read(runs: &[&Run], folder: impl Fn(RunId) -> PathBuf) -> Option<Self> {
        let held = runs.iter().filter(|run| are_folds(&run.spec) && run.state.outcome().is_some());
        let mut passes = Vec::new();
        let mut folds = BTreeSet::new();
        for run in held {
            let Some((_, path)) = latest(&folder(run.id), &Split::Test.to_string()) else {
                continue;
            };
            passes.push(read_pass(&path, run.spec.task).ok()?);
            folds.insert(run.spec.fold);
        }
        let whole = Pass::joined(passes)?;
        Some(Self { rows: whole.rows().len(), folds: folds.len(), figures: figures(&whole) })
    }

    /// The task's score.
    pub fn score(&self) -> Option<f64> {
        self.figures.first().map(|(_, score)| *score)
    }
}

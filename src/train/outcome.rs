//! What a whole pass over a split gives, and how it is reported.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use tuneboard::analysis::metrics::{at_temperature, sureness};
use tuneboard::dataset::predictions::{self, Pass};
use tuneboard::events::{Ending, EventKind, Number, Saved, Split};
use tuneboard::spec::metrics;

use crate::error::TrainError;
use crate::journal::Journal;

/// How a run ended, and its best epoch.
pub type End = (Ending, Option<u32>);

/// The result of one pass over a split without learning.
#[derive(Debug, Default)]
pub struct Outcome {
    /// The figures by short name, the loss among them.
    pub values: BTreeMap<String, Number>,
    /// `counts[true][predicted]`; `None` for a task without classes.
    pub confusion: Option<Vec<Vec<u64>>>,
    /// What was said of each row; `None` for a language model.
    pub predictions: Option<Pass>,
}

impl Outcome {
    /// The figure of that short name; NaN if there is none.
    pub fn value(&self, name: &str) -> f64 {
        self.values.get(name).map_or(f64::NAN, |value| value.0)
    }

    /// With what probabilities of the test rows say of themselves: as they are, and at the temperature that was fitted
    /// on the val rows.
    pub fn with_sureness(mut self, temperature: Option<f64>) -> Self {
        let Some(pass) = &self.predictions else { return self };
        let before = sureness(pass).map(|s| (metrics::ECE, s.ece));
        let after =
            |t: f64| Some((metrics::CALIBRATED_ECE, sureness(&at_temperature(pass, t))?.ece));
        let after = temperature.and_then(after);
        let fitted = temperature.filter(|_| after.is_some()).map(|t| (metrics::TEMPERATURE, t));
        let values = [before, after, fitted].into_iter().flatten();
        let values: Vec<(String, Number)> =
            values.map(|(name, x)| (name.to_owned(), Number(x))).collect();
        self.values.extend(values);
        self
    }

    /// Writes the predictions of a pass into the folder of the run `run` and reports its figures.
    /// `train` are the figures of the epoch that was just trained; they are reported first. Gives the predictions
    /// back.
    ///
    /// # Errors
    /// A full disk, say.
    pub fn report(
        self,
        journal: &mut Journal,
        run: &Path,
        (split, epoch): (Split, u32),
        train: Option<BTreeMap<String, Number>>,
    ) -> Result<Option<Pass>, TrainError> {
        let path = format!("predictions/{split}-{epoch:04}.parquet");
        if let Some(pass) = &self.predictions {
            let folder = run.join("predictions");
            fs::create_dir_all(&folder).map_err(TrainError::write(&folder))?;
            predictions::write_pass(&run.join(&path), pass)
                .map_err(|e| TrainError::Failed(e.to_string()))?;
        }
        if let Some(values) = train {
            journal.write(EventKind::Eval { split: Split::Train, epoch, values })?;
        }
        journal.write(EventKind::Eval { split, epoch, values: self.values })?;
        if let Some(counts) = self.confusion {
            journal.write(EventKind::Confusion { split, epoch, counts })?;
        }
        if self.predictions.is_some() {
            journal.write(EventKind::Saved { what: Saved::Predictions, epoch, path })?;
        }
        Ok(self.predictions)
    }
}

use std::path::Path;

use super::Entry;
use crate::dataset::predictions::{self, Pass};
use crate::spec::Task;
use crate::store::{Reader, Run, Split, StoreError};

impl Entry {
    /// Reads what is compared of a run; `folder` is that of its predictions.
    ///
    /// # Errors
    /// What the database refuses. A file of predictions that cannot be read only keeps the run from
    /// being tested against others.
    pub fn read(reader: &Reader, run: Run, folder: &Path) -> Result<Self, StoreError> {
        let mut curves = std::collections::BTreeMap::new();
        for name in reader.metrics(run.id)? {
            // One bucket: first, lowest, highest and last point, however long the curve is.
            let curve = reader.curve(run.id, &name, 1)?;
            curves.insert(name, curve);
        }
        let confusion = reader.confusion(run.id, Split::Test, None)?;
        let test = Split::Test.to_string();
        let predictions = match predictions::latest(folder, &test) {
            None if run.state.outcome().is_none() => Err(format!("is {} still", run.state)),
            _ if run.spec.task != Task::Classify => {
                Err(format!("learnt task={}; the tests compare classes", run.spec.task))
            }
            None => Err("has no saved predictions of the test rows".to_owned()),
            Some((_, path)) => predictions::read(&path)
                .map_err(|e| format!("has predictions that cannot be read: {e}")),
        };
        let is_other = run.spec.task != Task::Classify && run.spec.task != Task::Lm;
        let other = predictions::latest(folder, &test).filter(|_| is_other);
        let other = other.and_then(|(_, path)| predictions::read_pass(&path, run.spec.task).ok());
        Ok(Self { run, curves, confusion, predictions, other })
    }

    /// What it said of its test rows.
    ///
    /// # Errors
    /// A sentence of why that is not known.
    pub fn pass(&self) -> Result<Pass, String> {
        match (&self.other, &self.predictions) {
            (Some(pass), _) => Ok(pass.clone()),
            (None, Ok(predictions)) => Ok(Pass::Classes(predictions.clone())),
            (None, Err(why)) => Err(format!("{} {}.", self.run.id, why.trim_end_matches('.'))),
        }
    }
}

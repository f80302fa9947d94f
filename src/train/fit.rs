//! One run, from its folder's `spec.toml` to the test of its best epoch.
//!
//! Order keeps a killed run whole: what an epoch gave (figures, confusion, predictions) is written
//! before the checkpoint that makes the epoch count. A run killed in between goes on from the
//! checkpoint before, voids what came after it, and reports the epoch again.

use std::fs;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use serde_json::json;
use tuneboard::spec::{BuiltIn, RunSpec};

use crate::baselines;
use crate::error::TrainError;
use crate::journal::{History, Journal};
use crate::outcome::End;
use crate::progress::out;
use crate::trainer::{Range, Trainer};

/// Runs or resumes the run of `folder`; `stop` asks for a clean stop between two steps.
///
/// # Errors
/// Whatever ends the run early.
pub fn run(
    folder: &Path,
    history: History,
    journal: &mut Journal,
    stop: &AtomicBool,
) -> Result<End, TrainError> {
    let spec = read_spec(folder)?;
    if let Some(BuiltIn::Baseline(model)) = BuiltIn::named(&spec.model) {
        return baselines::run(folder, &spec, model, history, journal, stop);
    }
    Trainer::open(folder, spec, history, journal, stop)?.run()
}

/// Prints rate and loss of some steps whose rate grows, of the spec in `folder`.
///
/// # Errors
/// Whatever is wrong with model, data or device.
pub fn find_rate(folder: &Path, range: Range) -> Result<(), TrainError> {
    opened(folder, |trainer| {
        trainer.walk(range, |step, rate, loss| {
            out(&json!({ "step": step, "rate": rate, "loss": loss }).to_string());
        })
    })
}

/// Prints what so many steps of the spec in `folder` ask of its device.
///
/// # Errors
/// As [`find_rate`].
pub fn watch(folder: &Path, steps: u64) -> Result<(), TrainError> {
    opened(folder, |trainer| {
        let mut asked = json!(trainer.watch(steps)?);
        asked["steps"] = json!(steps);
        out(&asked.to_string());
        Ok(())
    })
}

/// Opens the run of a folder for something else than to train it.
fn opened(
    folder: &Path,
    what: impl FnOnce(&mut Trainer) -> Result<(), TrainError>,
) -> Result<(), TrainError> {
    let spec = read_spec(folder)?;
    let (mut journal, history) = Journal::open(folder)?;
    let stop = AtomicBool::new(false);
    what(&mut Trainer::open(folder, spec, history, &mut journal, &stop)?)
}

/// The spec of a run's folder.
///
/// # Errors
/// A file that is missing or holds no valid spec.
pub fn read_spec(folder: &Path) -> Result<RunSpec, TrainError> {
    let path = folder.join("spec.toml");
    let text = fs::read_to_string(&path).map_err(TrainError::read(&path))?;
    let spec = RunSpec::from_toml(&text)?;
    spec.check()?;
    Ok(spec)
}

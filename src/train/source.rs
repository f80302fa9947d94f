//! Where a run's model comes from.

use std::path::{Path, PathBuf};

use tuneboard::dataset::Dataset;
use tuneboard::events::Split;
use tuneboard::spec::{BuiltIn, Init, RunId, RunSpec, locate};

use crate::error::TrainError;
use crate::model::{self, ADAPTER_CONFIG, Limits, Start};
use crate::splits;

/// The folder that a run's model is read from.
#[derive(Debug)]
pub struct Source {
    /// It holds at least a config.json.
    pub folder: PathBuf,
    /// Whether its weights are wanted.
    pub start: Start,
}

impl Source {
    /// The folder of the model that the spec names, or of the best checkpoint of the run that `init`
    /// names. A built-in network gets a folder of its own in the folder of the run: its words are those
    /// of the train rows.
    ///
    /// # Errors
    /// A model or a checkpoint that does not exist, or a folder that cannot be written.
    pub fn open(
        root: &Path,
        run: &Path,
        spec: &RunSpec,
        data: &Dataset,
    ) -> Result<Self, TrainError> {
        let built_in = BuiltIn::named(&spec.model);
        let folder = match (spec.init, built_in) {
            (Init::Run(parent), _) => best_checkpoint(root, parent)?,
            (_, None) => find_model(root, &spec.model)?,
            (_, Some(built_in)) => {
                let folder = run.join("model");
                let texts =
                    splits::texts(data, Split::Train).chain(splits::pairs(data, Split::Train));
                model::make_built_in(built_in, &folder, texts, !data.pairs.is_empty())?;
                return Ok(Self { folder, start: Start::Random });
            }
        };
        let start = if spec.init == Init::Random { Start::Random } else { Start::Checkpoint };
        Ok(Self { folder, start })
    }

    /// Checks `max_length` against the model's positions.
    ///
    /// # Errors
    /// A length that is more than the model takes.
    pub fn check_length(&self, spec: &RunSpec, limits: Limits) -> Result<(), TrainError> {
        let positions = limits.positions;
        if i64::from(spec.max_length) > positions {
            return Err(TrainError::Input(format!(
                "max_length={} is more than the {positions} positions of {}; set \
                 max_length={positions} or less.",
                spec.max_length,
                self.folder.display()
            )));
        }
        Ok(())
    }
}

fn best_checkpoint(root: &Path, parent: RunId) -> Result<PathBuf, TrainError> {
    let folder = locate::kept_checkpoint(root, parent);
    if folder.join("config.json").is_file() {
        return Ok(folder);
    }
    Err(TrainError::Input(format!(
        "init={parent} goes on from the best checkpoint of {parent}, but {} is not there.",
        folder.join("config.json").display()
    )))
}

/// The folder that `model=` means: one that holds a config.json, an adapter, or at least a tokenizer.json.
///
/// # Errors
/// A built-in model, which has no folder, or a model that does not exist.
pub fn find_model(root: &Path, name: &str) -> Result<PathBuf, TrainError> {
    if BuiltIn::named(name).is_some() {
        return Err(TrainError::Input(format!(
            "model={name} is built in and has no folder: it makes its words from the train rows."
        )));
    }
    let [first, second] = locate::model_candidates(root, name);
    let holds = |folder: &&PathBuf| {
        locate::DESCRIPTIONS
            .iter()
            .chain(&["tokenizer.json", ADAPTER_CONFIG])
            .any(|name| folder.join(name).is_file())
    };
    [&first, &second].into_iter().find(holds).cloned().ok_or_else(|| {
        TrainError::Input(format!(
            "There is no model `{name}`: neither {} nor {} exists.",
            first.join("config.json").display(),
            second.join("config.json").display()
        ))
    })
}

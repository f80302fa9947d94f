//! `task=lm`: a language model learns from texts alone, and is a model folder again, on which a classifier
//! can start. How it learns is its family's ability (`spec::family::LanguageModel`):
//!
//! - [`stream`]: the next word of the stream of all texts, as the first two stages of ULMFiT (Howard &
//!   Ruder 2018). From random weights it is pretraining; from given ones, fine-tuning on the texts at
//!   hand.
//! - [`subwords`], causal: the next token of each text (Radford et al. 2019).
//! - [`subwords`], masked: tokens that were hidden (Devlin et al. 2019), see [`mask`].

mod mask;
mod pieces;
mod start;
mod stream;
mod subwords;
mod sums;

use tuneboard::dataset::Dataset;
use tuneboard::spec::family::LanguageModel;
use tuneboard::spec::{Family, Unfreeze};

use super::{Objective, Opened, Setup};
use crate::error::TrainError;

/// A language model of the data's texts.
///
/// # Errors
/// As [`super::open`].
pub fn open(setup: &Setup, data: &Dataset) -> Result<Opened, TrainError> {
    let opened = match setup.family.row().language_model {
        LanguageModel::No => return Err(learns_no_language(setup)),
        LanguageModel::Stream => stream::open(setup, data)?,
        LanguageModel::Masked(_) | LanguageModel::Causal(_) => subwords::open(setup, data)?,
    };
    must_have_head(setup, &*opened.objective)?;
    Ok(opened)
}

fn learns_no_language(setup: &Setup) -> TrainError {
    let learn = |family: &&Family| family.row().language_model != LanguageModel::No;
    let names: Vec<&str> = Family::ALL.iter().filter(learn).map(|f| f.name()).collect();
    TrainError::Input(format!(
        "task=lm trains {} models; {} holds a {} model.",
        names.join(", "),
        setup.source.folder.display(),
        setup.family.name()
    ))
}

/// Refuses to unfreeze from the head on where there is none.
fn must_have_head(setup: &Setup, objective: &dyn Objective) -> Result<(), TrainError> {
    let has_head = objective.parameters().iter().any(|p| p.is_head && p.learns);
    if setup.spec.unfreeze == Unfreeze::All || has_head {
        return Ok(());
    }
    Err(TrainError::Input(format!(
        "unfreeze={} begins with the layer above the encoder, and a {} language model has none of its \
         own: its word embeddings are its output layer; set unfreeze=all.",
        setup.spec.unfreeze,
        setup.family.name()
    )))
}

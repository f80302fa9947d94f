//! What a family lacks of what a run asks for. The trainer would refuse the same, once the run has been started.

use std::path::Path;

use serde_json::Value;

use super::model::described;
use crate::model_config::Architecture;
use crate::spec::family::LanguageModel;
use crate::spec::{Family, RunSpec, Task, Unfreeze};

/// Why a run cannot be had of the model in `folder`, as a fragment that names its family.
pub fn unsuited(folder: &Path, board: &Path, spec: &RunSpec) -> Option<String> {
    let (family, config) = described(folder, board)?;
    if family != Family::Elmo && (spec.stateful || spec.layer_norm) {
        return Some(format!(
            "stateful=true and layer_norm=true are ELMo's, and it is of the family {family}"
        ));
    }
    if spec.task == Task::Lm {
        return unspeakable(family, &config, spec);
    }
    if spec.task == Task::Tag && Architecture::of(family) != Architecture::Encoder {
        return Some(format!(
            "task=tag needs an encoder, such as BERT, RoBERTa or DeBERTa, and it is of the family {family}"
        ));
    }
    if spec.obeys("pool") { family.pool(spec.pool, None).err() } else { None }
}

/// What keeps a model from learning as a language model.
fn unspeakable(family: Family, config: &Value, spec: &RunSpec) -> Option<String> {
    let kind = family.row().language_model;
    let is_tied = config.get("tie_word_embeddings").and_then(Value::as_bool) != Some(false);
    match kind {
        LanguageModel::No => {
            let learn = |family: &&Family| family.row().language_model != LanguageModel::No;
            let names: Vec<&str> = Family::ALL.iter().filter(learn).map(|f| f.name()).collect();
            Some(format!("task=lm trains {} models, and it is of the family {family}", names.join(", ")))
        }
        LanguageModel::Masked(_) | LanguageModel::Causal(_) if !is_tied => Some(
            "its tie_word_embeddings is false; only models whose output layer is their word embeddings learn as \
             language models"
                .into(),
        ),
        LanguageModel::Causal(_) if family.unfreeze(spec.unfreeze) != Unfreeze::All => Some(format!(
            "unfreeze={} begins with the layer above the encoder, and a {family} language model has none of its \
             own: its word embeddings are its output layer; set unfreeze=all",
            spec.unfreeze
        )),
        _ => None,
    }
}

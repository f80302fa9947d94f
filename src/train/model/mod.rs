//! The networks: an encoder of one of the families with a classification head, from a checkpoint folder
//! or from a config alone.
//!
//! The rest of the trainer knows [`Loaded`] and [`Network`] only. How a family is added:
//! docs/architecture.md.

mod adapter;
mod attention;
mod awd_lstm;
mod builder;
mod built_in;
mod config;
mod damage;
mod dropout;
mod elmo;
mod encoder;
mod family;
mod gpt2;
mod gru;
mod head;
mod labels;
mod layers;
mod lora;
mod network;
mod parameters;
#[cfg(test)]
mod parity;
mod pooling;
mod predictor;
mod reads;
mod recurrent;
mod rotary;
mod unpadded;
mod varlen;
pub mod weights;

use std::fs;
use std::path::Path;
use std::rc::Rc;

use serde_json::Value;
use tch::{Device, Kind};
use tuneboard::model_config::Architecture;
pub use tuneboard::spec::Family;

pub use adapter::{CONFIG as ADAPTER_CONFIG, WEIGHTS as ADAPTER_WEIGHTS, parts};
pub use awd_lstm::{
    Carried, LanguageModel, LoadedLanguageModel, Predicted, matched, regularisation,
};
pub use builder::Builder;
pub use built_in::make_built_in;
pub use config::read as read_config;
pub use damage::damage;
pub use family::FamilyExt;
pub use head::is_of_tokens;
pub use labels::labels;
pub use lora::Lora;
pub use network::{
    Context, Inputs, Limits, Loaded, Memory, Mode, Network, Padding, Request, Side, Start,
};
#[cfg(test)]
pub use parameters::Fresh;
pub use parameters::{Leaf, Parameter};
pub use predictor::{LoadedPredictor, mask_id};
pub use reads::Reads;
pub use unpadded::Unpadded;
pub use weights::WeightFiles;

use self::adapter::Adapter;
use self::predictor::speaks_not;
use crate::error::TrainError;
use crate::tokenize::{Subwords, Tokenizer};

/// Text -> ids for the model of `folder`; see [`Reads::tokenizer`]. A folder that holds nothing but a
/// tokenizer.json will do.
///
/// # Errors
/// Whatever is wrong with the folder.
pub fn tokenizer(
    folder: &Path,
    max_length: Option<usize>,
) -> Result<Box<dyn Tokenizer>, TrainError> {
    if config::exists(folder) {
        Family::of(folder, &config::read(folder)?)?.tokenizer(folder, max_length)
    } else {
        Ok(Box::new(Subwords::read(folder, max_length)?))
    }
}

/// The id that fills short rows, for the model of `folder` and its tokenizer. Where there is no
/// config.json it is the id of the token that tokenizer_config.json names, or else 0.
///
/// # Errors
/// Whatever is wrong with the folder.
pub fn padding_id(folder: &Path, tokenizer: &dyn Tokenizer) -> Result<u32, TrainError> {
    if config::exists(folder) {
        let json = config::read(folder)?;
        return Ok(Family::of(folder, &json)?.padding(&json));
    }
    let named = fs::read_to_string(folder.join("tokenizer_config.json")).unwrap_or_default();
    let named: Value = serde_json::from_str(&named).unwrap_or_default();
    let token = ["pad_token", "eos_token"].iter().find_map(|key| named.get(key)?.as_str());
    let id = token.map(|token| tokenizer.ids(token, false)).transpose()?;
    Ok(id.and_then(|id| id.first().copied()).unwrap_or(0))
}

/// Reads the folder of a checkpoint and puts a head on it.
///
/// # Errors
/// Whatever is wrong with the folder, by name of file and tensor.
pub fn load(folder: &Path, request: &Request) -> Result<Loaded, TrainError> {
    let Some(adapter) = Adapter::open(folder, request.lora.as_ref())? else {
        return load_plain(folder, config::read(folder)?, request);
    };
    // The config beside an adapter is its own: labels, pool.
    let json = config::read(folder)?;
    let family = Family::of(folder, &json)?;
    if family.row().lora.is_empty() {
        return Err(TrainError::Input(format!(
            "adapter=lora is not for {family} models, of which {} is one.",
            folder.display()
        )));
    }
    let adapter = Rc::new(adapter);
    load_plain(&adapter.base, json, &Request { adapter: Some(adapter.clone()), ..request.clone() })
}

/// Reads the folder of a checkpoint, which `json` is said to be.
fn load_plain(folder: &Path, json: Value, request: &Request) -> Result<Loaded, TrainError> {
    let family = Family::of(folder, &json)?;
    if family != Family::Elmo && request.elmo.is_some_and(|context| context != Context::default()) {
        return Err(TrainError::Input(format!(
            "stateful=true and layer_norm=true are ELMo's; {} is of the family {}.",
            folder.display(),
            family.name()
        )));
    }
    if request.of_tokens && family.tagger().is_none() {
        return Err(TrainError::Input(format!(
            "task=tag needs an encoder, such as BERT, RoBERTa or DeBERTa; {} is of the family {}.",
            folder.display(),
            family.name()
        )));
    }
    match Architecture::of(family) {
        Architecture::Encoder if request.of_tokens => {
            encoder::load_tagger(family, folder, json, request)
        }
        Architecture::Encoder => encoder::load(family, folder, json, request),
        Architecture::Rotary => rotary::load(family, folder, json, request),
        Architecture::Elmo => elmo::load(folder, json, request),
        Architecture::Gru => gru::load(folder, json, request),
        Architecture::Gpt2 => gpt2::load(folder, json, request),
        Architecture::AwdLstm => awd_lstm::load(folder, json, request),
    }
}

/// Reads the folder of a transformer's checkpoint as a language model.
///
/// # Errors
/// Whatever is wrong with the folder; a family that is none.
pub fn load_predictor(
    folder: &Path,
    start: Start,
    dropout: Option<f64>,
    device: Device,
    kind: Kind,
) -> Result<LoadedPredictor, TrainError> {
    if adapter::is_adapter(folder) {
        return Err(TrainError::Input(format!(
            "{} is an adapter, which task=lm cannot start from; `tuneboard-train merge {0} models/NAME` makes one \
             model of it and its base.",
            folder.display()
        )));
    }
    let json = config::read(folder)?;
    let family = Family::of(folder, &json)?;
    let (source, place) = ((folder, json), (device, kind));
    use tuneboard::spec::family::LanguageModel as Kinds;
    match (family, family.row().language_model) {
        (Family::Gpt2, _) => gpt2::load_causal(folder, source.1, start, dropout, device, kind),
        (Family::ModernBert, _) | (_, Kinds::Causal(_)) => {
            rotary::load_predictor(family, source, start, dropout, place)
        }
        (_, Kinds::Masked(class)) => {
            encoder::load_masked(family, class, source, start, dropout, place)
        }
        (_, Kinds::Stream | Kinds::No) => Err(speaks_not(folder, family)),
    }
}

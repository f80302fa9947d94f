//! The networks: an encoder of one of the families with a classification head, from a checkpoint folder
//! or from a config alone.
//!
//! The rest of the trainer knows [`Loaded`] and [`Network`] only. How a family is added:
//! docs/architecture.md.

mod attention;
mod awd_lstm;
mod built_in;
mod config;
mod damage;
mod elmo;
mod encoder;
mod family;
mod gpt2;
mod gru;
mod head;
mod layers;
mod parameters;
#[cfg(test)]
mod parity;
mod pooling;
mod predictor;
mod recurrent;
mod rotary;
pub mod weights;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;
use tch::{Device, Kind, Tensor};
pub use tuneboard::spec::Family;
use tuneboard::spec::Pool;

pub use awd_lstm::{
    Carried, LanguageModel, LoadedLanguageModel, Predicted, matched, regularisation,
};
pub use built_in::make_built_in;
pub use config::read as read_config;
pub use damage::damage;
pub use elmo::Context;
pub use family::FamilyExt;
#[cfg(test)]
pub use parameters::Fresh;
pub use parameters::{Builder, Leaf, Parameter};
pub use predictor::{LoadedPredictor, load_predictor, mask_id};
pub use weights::WeightFiles;

use crate::error::TrainError;
use crate::tokenize::{Subwords, Tokenizer};

/// An encoder that turns texts into vectors, and a head that turns vectors into class scores.
pub trait Network {
    /// The text vectors `[batch, width]`, 32-bit: encoder and pooling. They do not depend on the head,
    /// so those of a frozen encoder can be kept.
    ///
    /// # Errors
    /// What libtorch reports.
    fn vectors(&self, inputs: &Inputs, mode: Mode) -> Result<Tensor, TrainError>;

    /// Class scores `[batch, classes]`, 32-bit, of text vectors.
    ///
    /// # Errors
    /// What libtorch reports.
    fn logits(&self, vectors: &Tensor, mode: Mode) -> Result<Tensor, TrainError>;

    /// What the encoder gives before pooling, by transformers' names: `last_hidden_state`
    /// `[batch, length, hidden]` and what else there is.
    ///
    /// # Errors
    /// What libtorch reports.
    fn inside(
        &self,
        inputs: &Inputs,
        mode: Mode,
    ) -> Result<Vec<(&'static str, Tensor)>, TrainError>;

    /// Where batches leave what the next one goes on from; `None` for a network that carries nothing.
    fn memory(&self) -> Option<&Memory> {
        None
    }

    /// True if a text's vector depends on the texts beside it or before it, so that it cannot be kept.
    fn depends_on_batch(&self) -> bool {
        false
    }

    /// Class scores of texts.
    ///
    /// # Errors
    /// What libtorch reports.
    fn forward(&self, inputs: &Inputs, mode: Mode) -> Result<Tensor, TrainError> {
        self.logits(&self.vectors(inputs, mode)?, mode)
    }
}

/// What a network carries from one batch to the next. It is empty where a pass over texts begins.
#[derive(Debug, Default)]
pub struct Memory(RefCell<Vec<Tensor>>);

impl Memory {
    /// What there is, and leaves nothing.
    pub fn take(&self) -> Vec<Tensor> {
        self.0.take()
    }

    /// Keeps this for the next batch.
    pub fn put(&self, tensors: Vec<Tensor>) {
        self.0.replace(tensors);
    }

    /// What there is, by names for a checkpoint.
    pub fn state(&self) -> Vec<(String, Tensor)> {
        let tensors = self.0.borrow();
        let named = tensors.iter().enumerate();
        named.map(|(index, x)| (format!("carried.{index}"), x.shallow_clone())).collect()
    }

    /// Takes up what [`Self::state`] gave.
    ///
    /// # Errors
    /// What libtorch reports.
    pub fn restore(
        &self,
        state: &BTreeMap<String, Tensor>,
        device: Device,
    ) -> Result<(), TrainError> {
        let named = (0..).map_while(|index| state.get(&format!("carried.{index}")));
        self.put(named.map(|x| x.f_to_device(device)).collect::<Result<_, _>>()?);
        Ok(())
    }
}

/// One batch of texts, as ids.
#[derive(Debug)]
pub struct Inputs {
    /// `[batch, length]`, int64.
    pub ids: Tensor,
    /// `[batch, length]`, int64, 1 for real tokens; `None` = nothing is padded.
    pub mask: Option<Tensor>,
    /// `[batch, length]`, int64; `None` = all 0.
    pub segments: Option<Tensor>,
    /// `[batch, length]`, int64; `None` = 0, 1, 2, .. in each row, padding included.
    pub positions: Option<Tensor>,
    /// Word embeddings may have sparse gradients: those of these ids alone.
    pub by_row: bool,
}

/// How a pass through a network is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mode {
    /// Number format of the matrix products: `Float` or `BFloat16`.
    pub kind: Kind,
    /// With dropout.
    pub training: bool,
}

impl Mode {
    /// A pass that learns.
    pub fn training(kind: Kind) -> Self {
        Self { kind, training: true }
    }

    /// A pass that changes nothing at random.
    pub fn inference(kind: Kind) -> Self {
        Self { kind, training: false }
    }
}

/// A model that is ready to train.
pub struct Loaded {
    /// Which of the families it belongs to.
    pub family: Family,
    /// Encoder and head.
    pub network: Box<dyn Network>,
    /// All its weights, in a fixed order.
    pub parameters: Vec<Parameter>,
    /// What ids it takes.
    pub limits: Limits,
    /// How short rows of a batch are filled.
    pub padding: Padding,
    /// How token vectors become a text vector; never `auto`.
    pub pool: Pool,
    /// `config.json` as it stands, for the checkpoints' own.
    pub json: Value,
    /// True if the head came from the checkpoint.
    pub head_given: bool,
}

/// What an encoder can take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Ids are below it.
    pub vocabulary: i64,
    /// The longest text, in tokens.
    pub positions: i64,
    /// Segment ids are below it.
    pub segments: i64,
}

/// How short rows of a batch are filled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Padding {
    /// The id that fills.
    pub id: i64,
    /// The side that is filled.
    pub side: Side,
    /// Filled up to that many tokens; `None` = as the longest row of the batch.
    pub length: Option<usize>,
}

/// Left or right.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Side {
    /// Before the text.
    Left,
    /// Behind the text.
    #[default]
    Right,
}

/// Where the weights come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// The folder's `model.safetensors`.
    Checkpoint,
    /// Drawn anew, by transformers' rules; seed libtorch first.
    Random,
}

impl Start {
    /// The weights of `folder` where they are to be read; `anchor` as in [`WeightFiles::open`].
    ///
    /// # Errors
    /// As there.
    fn files(self, folder: &Path, anchor: &str) -> Result<Option<WeightFiles>, TrainError> {
        match self {
            Self::Checkpoint => WeightFiles::open(folder, anchor).map(Some),
            Self::Random => Ok(None),
        }
    }
}

/// What is asked of a model beside its config.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Request {
    /// Where the weights come from.
    pub start: Start,
    /// Classes of the head; `None` = as many as the checkpoint's own head has, or else 2.
    pub classes: Option<usize>,
    /// False if the head is new even where the checkpoint has one of that many classes.
    pub keep_head: bool,
    /// How token vectors become a text vector.
    pub pool: Pool,
    /// Tokens per text where the head needs to know (`pool=flatten`); `None` = as the checkpoint's own
    /// head has it.
    pub length: Option<usize>,
    /// Dropout of encoder and head; `None` = as the config says.
    pub dropout: Option<f64>,
    /// How an ELMo goes through its texts; `None` = as the checkpoint's config says.
    pub elmo: Option<Context>,
    /// Where the weights lie.
    pub device: Device,
    /// Number format of the matrix products: `Float` or `BFloat16`.
    pub kind: Kind,
}

impl Request {
    /// The checkpoint as it is, head and all.
    pub fn as_saved(device: Device, kind: Kind) -> Self {
        Self {
            start: Start::Checkpoint,
            classes: None,
            keep_head: true,
            pool: Pool::Auto,
            length: None,
            dropout: None,
            elmo: None,
            device,
            kind,
        }
    }
}

/// Text -> ids for the model of `folder`; see [`FamilyExt::tokenizer`]. A folder that holds nothing but a
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
    let json = config::read(folder)?;
    let family = Family::of(folder, &json)?;
    if family != Family::Elmo && request.elmo.is_some_and(|context| context != Context::default()) {
        return Err(TrainError::Input(format!(
            "stateful=true and layer_norm=true are ELMo's; {} is of the family {}.",
            folder.display(),
            family.name()
        )));
    }
    match family {
        Family::Bert
        | Family::Roberta
        | Family::XlmRoberta
        | Family::Camembert
        | Family::DistilBert
        | Family::Electra
        | Family::MpNet
        | Family::Albert
        | Family::DebertaV2 => encoder::load(family, folder, json, request),
        Family::ModernBert
        | Family::Llama
        | Family::Qwen2
        | Family::Qwen3
        | Family::Gemma3
        | Family::GptNeoX => rotary::load(family, folder, json, request),
        Family::Elmo => elmo::load(folder, json, request),
        Family::Gru => gru::load(folder, json, request),
        Family::Gpt2 => gpt2::load(folder, json, request),
        Family::AwdLstm => awd_lstm::load(folder, json, request),
    }
}

//! What a checkpoint's `config.json` says of its network, each family's fields with transformers' defaults.
//!
//! Both executables read it: the trainer to build the network, the others to refuse before anything is queued what
//! the trainer would refuse. Nothing here needs libtorch.

/// Adapters, as peft writes them.
pub mod adapter;
/// AWD-LSTM, as fastai writes it.
pub mod awd_lstm;
/// ELMo, as AllenNLP writes it (`options.json`).
pub mod elmo;
/// Encoders of BERT's kind.
pub mod encoder;
/// GPT-2.
pub mod gpt2;
/// The recurrent classifier that starts from nothing.
pub mod gru;
/// Networks with rotary positions: ModernBERT and decoders.
pub mod rotary;

mod fields;

use serde_json::Value;

use crate::spec::Family;

pub use fields::{Activation, Dropouts};

/// What a family's networks are built like: families that differ in a config's fields alone are one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Architecture {
    /// Encoders of BERT's kind.
    Encoder,
    /// Networks with rotary positions.
    Rotary,
    /// GPT-2.
    Gpt2,
    /// AWD-LSTM.
    AwdLstm,
    /// ELMo.
    Elmo,
    /// The recurrent classifier.
    Gru,
}

impl Architecture {
    /// That of a family.
    pub fn of(family: Family) -> Self {
        match family {
            Family::Bert
            | Family::Roberta
            | Family::XlmRoberta
            | Family::Camembert
            | Family::DistilBert
            | Family::Electra
            | Family::MpNet
            | Family::Albert
            | Family::DebertaV2 => Self::Encoder,
            Family::ModernBert
            | Family::Qwen2
            | Family::Qwen3
            | Family::Llama
            | Family::GptNeoX
            | Family::Gemma3 => Self::Rotary,
            Family::Gpt2 => Self::Gpt2,
            Family::AwdLstm => Self::AwdLstm,
            Family::Elmo => Self::Elmo,
            Family::Gru => Self::Gru,
        }
    }
}

/// Whether a config of a family makes a network.
///
/// # Errors
/// As a fragment: a field of another type, sizes that make no network, what is not supported.
pub fn check(family: Family, json: &Value) -> Result<(), String> {
    match Architecture::of(family) {
        Architecture::Encoder => encoder::EncoderConfig::of(family, json).map(drop),
        Architecture::Rotary => rotary::RotaryConfig::of(family, json).map(drop),
        Architecture::Gpt2 => gpt2::Gpt2Config::of(json).map(drop),
        Architecture::AwdLstm => awd_lstm::AwdLstmConfig::of(json).map(drop),
        Architecture::Elmo => elmo::Options::of(json).map(drop),
        Architecture::Gru => gru::GruConfig::of(json).map(drop),
    }
}

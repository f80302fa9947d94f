//! What a checkpoint's `config.json` says of its network, each family's fields with transformers' defaults.
//!
//! Both executables read it: the trainer to build the network, the others to refuse before anything is queued what
//! the trainer would refuse. Nothing here needs libtorch.

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

/// Whether a config of a family makes a network.
///
/// # Errors
/// As a fragment: a field of another type, sizes that make no network, what is not supported.
pub fn check(family: Family, json: &Value) -> Result<(), String> {
    match family {
        Family::Gpt2 => gpt2::Gpt2Config::of(json).map(drop),
        Family::Gru => gru::GruConfig::of(json).map(drop),
        Family::AwdLstm => awd_lstm::AwdLstmConfig::of(json).map(drop),
        Family::Elmo => elmo::Options::of(json).map(drop),
        Family::ModernBert
        | Family::Qwen2
        | Family::Qwen3
        | Family::Llama
        | Family::GptNeoX
        | Family::Gemma3 => rotary::RotaryConfig::of(family, json).map(drop),
        Family::Bert
        | Family::Roberta
        | Family::XlmRoberta
        | Family::Camembert
        | Family::DistilBert
        | Family::Electra
        | Family::MpNet
        | Family::Albert
        | Family::DebertaV2 => encoder::EncoderConfig::of(family, json).map(drop),
    }
}

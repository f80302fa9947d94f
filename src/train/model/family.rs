use std::path::Path;

use serde_json::Value;
use tch::Kind;
use tuneboard::spec::{Pool, Unfreeze};

use super::Parameter;
use super::config::bad;
use super::elmo::Characters;
use crate::error::TrainError;
use crate::fastai::Words;
use crate::tokenize::{Subwords, Tokenizer};

/// The kinds of network this trainer knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// Devlin et al. 2019.
    Bert,
    /// Radford et al. 2019.
    Gpt2,
    /// Peters et al. 2018.
    Elmo,
    /// A small recurrent network; see [`super::gru`].
    Gru,
    /// Merity, Keskar & Socher 2018, with the classifier of ULMFiT.
    AwdLstm,
}

impl Family {
    /// All of them.
    pub const ALL: &'static [Self] =
        &[Self::Bert, Self::Elmo, Self::Gpt2, Self::Gru, Self::AwdLstm];

    /// The family of a checkpoint's folder, by its `config.json`.
    ///
    /// # Errors
    /// A family that this trainer does not know.
    pub fn of(folder: &Path, config: &Value) -> Result<Self, TrainError> {
        let kind = config.get("model_type").and_then(Value::as_str);
        let known = Self::ALL.iter().find(|family| kind == Some(family.name()));
        known.copied().ok_or_else(|| {
            let kind = kind.map_or("no model_type".to_owned(), |k| format!("model_type `{k}`"));
            let names: Vec<&str> = Self::ALL.iter().map(|family| family.name()).collect();
            bad(
                folder,
                &format!("it has {kind}; this version trains `{}` models", names.join("`, `")),
            )
        })
    }

    /// The `model_type` of `config.json`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bert => "bert",
            Self::Elmo => "elmo",
            Self::Gru => "gru",
            Self::Gpt2 => "gpt2",
            Self::AwdLstm => "awd_lstm",
        }
    }

    /// The class of transformers that holds such a network with the head of `pool`, if there is one.
    pub fn architecture(self, pool: Pool, parameters: &[Parameter]) -> Option<&'static str> {
        let has = |name: &str| parameters.iter().any(|p| p.name.ends_with(name));
        match (self, pool) {
            // The class has a pooler always; without one its logits would be others.
            (Self::Bert, Pool::Cls) if has("pooler.dense.weight") => {
                Some("BertForSequenceClassification")
            }
            (Self::Gpt2, Pool::Last) => Some("GPT2ForSequenceClassification"),
            _ => None,
        }
    }

    /// The family's text -> ids; texts are cut to `max_length` tokens, specials included.
    ///
    /// # Errors
    /// A missing or malformed file, or room for fewer tokens than the specials take.
    pub fn tokenizer(
        self,
        folder: &Path,
        max_length: Option<usize>,
    ) -> Result<Box<dyn Tokenizer>, TrainError> {
        match self {
            Self::Bert | Self::Gpt2 | Self::Gru => {
                Ok(Box::new(Subwords::read(folder, max_length)?))
            }
            Self::Elmo => Ok(Box::new(Characters::new(max_length))),
            Self::AwdLstm => Ok(Box::new(Words::read(folder, max_length)?)),
        }
    }

    /// The weights that learn: what was asked for, or for `auto` the usual ones. ELMo's are the head's
    /// and the mix's, as its authors had it; its language model learns with `all`.
    pub fn unfreeze(self, asked: Unfreeze) -> Unfreeze {
        match (asked, self) {
            (Unfreeze::Auto, Self::Elmo) => Unfreeze::Head,
            (Unfreeze::Auto, Self::Bert | Self::Gpt2 | Self::Gru | Self::AwdLstm) => Unfreeze::All,
            (asked, _) => asked,
        }
    }

    /// The number format of its matrix products where `asked` is asked for: recurrent networks have
    /// 32-bit ones always.
    pub fn products(self, asked: Kind) -> Kind {
        match self {
            Self::Bert | Self::Gpt2 => asked,
            Self::Elmo | Self::Gru | Self::AwdLstm => Kind::Float,
        }
    }

    /// A learning rate at which the family learns. A tenth of it, or less, is worth a warning.
    pub fn usual_lr(self) -> f64 {
        match self {
            Self::Bert | Self::Gpt2 => 5e-5,
            Self::Elmo | Self::Gru => 1e-3,
            Self::AwdLstm => 4e-3,
        }
    }

    /// The id that fills short rows of a batch.
    pub fn padding(self, config: &Value) -> u32 {
        let id = |key: &str| config.get(key).and_then(Value::as_u64);
        let id = match self {
            Self::Bert | Self::Gru => id("pad_token_id"),
            Self::Gpt2 => id("pad_token_id").or(id("eos_token_id")),
            Self::Elmo => None,
            Self::AwdLstm => id("pad_token").or(Some(1)),
        };
        id.and_then(|id| u32::try_from(id).ok()).unwrap_or(0)
    }

    /// The pool that is meant: `asked`, or for `auto` the one of the checkpoint's own head (`head`),
    /// or else the family's usual one.
    ///
    /// # Errors
    /// A pool that makes no sense for the family.
    pub fn pool(self, asked: Pool, head: Option<Pool>) -> Result<Pool, TrainError> {
        let (usual, others): (Pool, &[Pool]) = match self {
            Self::Bert => (Pool::Mean, &[Pool::Cls, Pool::Max]),
            Self::Elmo => (Pool::Mean, &[]),
            Self::Gru => (Pool::Max, &[Pool::Mean]),
            Self::Gpt2 => (Pool::Last, &[Pool::Mean, Pool::Max, Pool::Flatten]),
            Self::AwdLstm => (Pool::Concat, &[]),
        };
        if asked == Pool::Auto {
            return Ok(head.unwrap_or(usual));
        }
        if asked == usual || others.contains(&asked) {
            return Ok(asked);
        }
        let words: Vec<String> = [usual].iter().chain(others).map(Pool::to_string).collect();
        Err(TrainError::Input(format!(
            "pool={asked} does not suit {} models; they take {}.",
            self.name(),
            words.join(", ")
        )))
    }
}

/// The pool that the head of a checkpoint which tuneboard wrote was trained on.
pub fn written_pool(config: &Value) -> Option<Pool> {
    let pool = config.get("tuneboard_pool").and_then(Value::as_str)?;
    pool.parse().ok().filter(|pool| *pool != Pool::Auto)
}

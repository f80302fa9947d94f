use std::path::Path;

use serde_json::Value;
use tch::Kind;
use tuneboard::spec::{Family, Pool};

use super::config::bad;
use crate::error::TrainError;

/// What the trainer does with a row of the table of families.
pub trait FamilyExt: Sized {
    /// The family of a checkpoint's folder, by its `config.json`.
    ///
    /// # Errors
    /// A family that this trainer does not know.
    fn of(folder: &Path, config: &Value) -> Result<Self, TrainError>;

    /// The class of transformers that holds such a network with the head of `pool`, if there is one; `has` says
    /// whether a weight's name has that end.
    fn architecture(self, pool: Pool, has: impl Fn(&str) -> bool) -> Option<&'static str>;

    /// The class of transformers that holds such a network with a head on each token; `None` if tags cannot be
    /// learnt with it.
    fn tagger(self) -> Option<String>;

    /// The number format of its matrix products where `asked` is asked for.
    fn products(self, asked: Kind) -> Kind;

    /// The pool that is meant: `asked`, or for `auto` the checkpoint's own (`given`), or else the usual
    /// one.
    ///
    /// # Errors
    /// A pool that makes no sense for the family.
    fn pool_of(self, asked: Pool, given: Option<Pool>) -> Result<Pool, TrainError>;
}

impl FamilyExt for Family {
    fn of(folder: &Path, config: &Value) -> Result<Self, TrainError> {
        Self::of_config(config).map_err(|why| bad(folder, &why))
    }

    fn architecture(self, pool: Pool, has: impl Fn(&str) -> bool) -> Option<&'static str> {
        // The class has a pooler always; without one its logits would be others.
        let lacks_pooler = match self {
            Self::Bert => !has("pooler.dense.weight"),
            Self::Albert => !has("pooler.weight"),
            _ => false,
        };
        self.class(pool).filter(|_| !lacks_pooler)
    }

    fn tagger(self) -> Option<String> {
        match self {
            Self::Bert
            | Self::Roberta
            | Self::XlmRoberta
            | Self::Camembert
            | Self::DistilBert
            | Self::Electra
            | Self::MpNet
            | Self::Albert
            | Self::DebertaV2 => {}
            _ => return None,
        }
        let class = self.class(Pool::Cls)?;
        Some(class.replace("ForSequenceClassification", "ForTokenClassification"))
    }

    fn products(self, asked: Kind) -> Kind {
        if self.row().has_half_products { asked } else { Kind::Float }
    }

    fn pool_of(self, asked: Pool, given: Option<Pool>) -> Result<Pool, TrainError> {
        self.pool(asked, given).map_err(TrainError::Input)
    }
}

/// The pool that the head of a checkpoint which tuneboard wrote was trained on.
pub fn written_pool(config: &Value) -> Option<Pool> {
    let pool = config.get("tuneboard_pool").and_then(Value::as_str)?;
    pool.parse().ok().filter(|pool| *pool != Pool::Auto)
}

use std::path::Path;

use serde_json::Value;
use tch::Kind;
use tuneboard::spec::family::TokenizerKind;
use tuneboard::spec::{Family, Pool};

use super::Parameter;
use super::config::bad;
use super::elmo::Characters;
use crate::error::TrainError;
use crate::fastai::Words;
use crate::tokenize::{Subwords, Tokenizer};

/// What the trainer does with a row of the table of families.
pub trait FamilyExt: Sized {
    /// The family of a checkpoint's folder, by its `config.json`.
    ///
    /// # Errors
    /// A family that this trainer does not know.
    fn of(folder: &Path, config: &Value) -> Result<Self, TrainError>;

    /// The class of transformers that holds such a network with the head of `pool`, if there is one.
    fn architecture(self, pool: Pool, parameters: &[Parameter]) -> Option<&'static str>;

    /// The family's text -> ids; texts are cut to `max_length` tokens, specials included.
    ///
    /// # Errors
    /// A missing or malformed file, or room for fewer tokens than the specials take.
    fn tokenizer(
        self,
        folder: &Path,
        max_length: Option<usize>,
    ) -> Result<Box<dyn Tokenizer>, TrainError>;

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

    fn architecture(self, pool: Pool, parameters: &[Parameter]) -> Option<&'static str> {
        let has = |name: &str| parameters.iter().any(|p| p.name.ends_with(name));
        // The class has a pooler always; without one its logits would be others.
        let lacks_pooler = match self {
            Self::Bert => !has("pooler.dense.weight"),
            Self::Albert => !has("pooler.weight"),
            _ => false,
        };
        self.class(pool).filter(|_| !lacks_pooler)
    }

    fn tokenizer(
        self,
        folder: &Path,
        max_length: Option<usize>,
    ) -> Result<Box<dyn Tokenizer>, TrainError> {
        Ok(match self.row().tokenizer {
            TokenizerKind::Subwords => {
                Box::new(Subwords::of_family(folder, Some(self), max_length)?)
            }
            TokenizerKind::Characters => Box::new(Characters::new(max_length)),
            TokenizerKind::Words => Box::new(Words::read(folder, max_length)?),
        })
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

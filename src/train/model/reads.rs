use std::path::Path;

use tuneboard::spec::Family;
use tuneboard::spec::family::TokenizerKind;

use super::adapter::parts;
use super::elmo::Characters;
use crate::error::TrainError;
use crate::fastai::Words;
use crate::tokenize::{Subwords, Tokenizer};

/// How a family reads texts.
pub trait Reads {
    /// The family's text -> ids; texts are cut to `max_length` tokens, specials included.
    ///
    /// # Errors
    /// A missing or malformed file, or room for fewer tokens than the specials take.
    fn tokenizer(
        self,
        folder: &Path,
        max_length: Option<usize>,
    ) -> Result<Box<dyn Tokenizer>, TrainError>;
}

impl Reads for Family {
    fn tokenizer(
        self,
        folder: &Path,
        max_length: Option<usize>,
    ) -> Result<Box<dyn Tokenizer>, TrainError> {
        Ok(match self.row().tokenizer {
            TokenizerKind::Subwords => {
                let folder = parts(folder)?.tokenizer;
                Box::new(Subwords::of_family(&folder, Some(self), max_length)?)
            }
            TokenizerKind::Characters => Box::new(Characters::new(max_length)),
            TokenizerKind::Words => Box::new(Words::read(folder, max_length)?),
        })
    }
}

use std::path::Path;

use super::{PAD, UNK, Vocab, tokens};
use crate::error::TrainError;
use crate::tokenize::{Tokenizer, longest_first};

/// Text -> ids with a vocabulary of fastai's.
pub struct Words {
    vocab: Vocab,
    max_length: Option<usize>,
}

impl Words {
    /// With a vocabulary at hand.
    pub fn new(vocab: Vocab, max_length: Option<usize>) -> Self {
        Self { vocab, max_length }
    }

    /// With the `vocab.json` of a folder.
    ///
    /// # Errors
    /// See [`Vocab::read`].
    pub fn read(folder: &Path, max_length: Option<usize>) -> Result<Self, TrainError> {
        Ok(Self::new(Vocab::read(&folder.join("vocab.json"))?, max_length))
    }
}

impl Tokenizer for Words {
    fn ids(&self, text: &str, specials: bool) -> Result<Vec<u32>, TrainError> {
        let tokens = tokens(text);
        let framed = tokens.get(usize::from(!specials)..).unwrap_or_default();
        let mut ids = self.vocab.ids(framed);
        // A text that spells the filler out must not look shorter than it is.
        ids.iter_mut().filter(|id| **id == PAD).for_each(|id| *id = UNK);
        ids.truncate(self.max_length.unwrap_or(usize::MAX));
        Ok(ids)
    }

    /// fastai's marks of fields: `xxbos xxfld 1 .. xxfld 2 ..`.
    fn pair(&self, text: &str, pair: &str) -> Result<(Vec<u32>, Vec<u32>), TrainError> {
        // Without the `xxbos` of each.
        let [one, two] = [text, pair].map(|text| tokens(text).split_off(1));
        let most = self.max_length.unwrap_or(usize::MAX).saturating_sub(5);
        let (first, second) = longest_first(one.len(), two.len(), most);
        let marks = |n: &str| ["xxfld".to_owned(), n.to_owned()];
        let mut both = vec!["xxbos".to_owned()];
        both.extend(marks("1").into_iter().chain(one.into_iter().take(first)));
        both.extend(marks("2").into_iter().chain(two.into_iter().take(second)));
        let mut ids = self.vocab.ids(&both);
        ids.iter_mut().filter(|id| **id == PAD).for_each(|id| *id = UNK);
        ids.truncate(self.max_length.unwrap_or(usize::MAX));
        let segments = vec![0; ids.len()];
        Ok((ids, segments))
    }

    fn token(&self, id: u32) -> String {
        self.vocab.words().get(id as usize).cloned().unwrap_or_else(|| format!("[{id}]"))
    }
}

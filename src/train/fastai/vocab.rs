use std::collections::HashMap;
use std::path::Path;

use crate::error::TrainError;

/// The id of words that the vocabulary lacks: `xxunk`.
pub const UNK: u32 = 0;
/// The id that fills: `xxpad`.
pub const PAD: u32 = 1;

/// Stands several times at the end of a vocabulary, to make its length a multiple of 8.
const FAKE: &str = "xxfake";

/// Words and their ids.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Vocab {
    words: Vec<String>,
    ids: HashMap<String, u32>,
}

impl Vocab {
    /// The words of a file, in the order of their ids.
    pub fn new(words: Vec<String>) -> Self {
        let known = words.iter().zip(0..).filter(|(word, _)| *word != FAKE);
        let ids = known.map(|(word, id)| (word.clone(), id)).collect();
        Self { words, ids }
    }

    /// Reads `vocab.json`: a list of words.
    ///
    /// # Errors
    /// A missing file, or one that is no list of texts or does not begin with the specials for
    /// unknown words and padding.
    pub fn read(path: &Path) -> Result<Self, TrainError> {
        let bytes = std::fs::read(path).map_err(TrainError::read(path))?;
        let bad = |why: String| TrainError::Input(format!("{}: {why}.", path.display()));
        let words: Vec<String> = serde_json::from_slice(&bytes)
            .map_err(|e| bad(format!("it is not a JSON list of words: {e}")))?;
        if words.get(..2).is_none_or(|first| first != ["xxunk", "xxpad"]) {
            return Err(bad("a vocabulary of fastai begins with xxunk and xxpad".into()));
        }
        Ok(Self::new(words))
    }

    /// The words, in the order of their ids.
    pub fn words(&self) -> &[String] {
        &self.words
    }

    /// The id of a word, if it has one.
    pub fn id(&self, word: &str) -> Option<u32> {
        self.ids.get(word).copied()
    }

    /// The ids of a text's tokens; [`UNK`] for unknown ones.
    pub fn ids(&self, tokens: &[String]) -> Vec<u32> {
        tokens.iter().map(|token| self.id(token).unwrap_or(UNK)).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::fastai::{fixture, tokens};

    /// Made by fastai 2.8.12 (tests/fixtures/ulmfit/vocab_case.json).
    #[test]
    fn ids_are_fastais() {
        let case: Value = serde_json::from_slice(&fixture("vocab_case.json")).unwrap();
        let texts = case["texts"].as_array().unwrap().iter();
        let texts: Vec<Vec<String>> = texts.map(|t| tokens(t.as_str().unwrap())).collect();
        let words = serde_json::from_value(case["vocab_min3"].clone()).unwrap();
        let vocab = Vocab::new(words);
        for (text, want) in texts.iter().zip(case["ids_min3_first20"].as_array().unwrap()) {
            assert_eq!(json!(vocab.ids(text)), *want);
        }
    }
}

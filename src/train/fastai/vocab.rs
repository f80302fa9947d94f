use std::collections::HashMap;
use std::path::Path;

use crate::error::TrainError;

/// The id of words that the vocabulary lacks: `xxunk`.
pub const UNK: u32 = 0;
/// The id that fills: `xxpad`.
pub const PAD: u32 = 1;

/// First in every vocabulary (fastai's `defaults.text_spec_tok`).
const SPECIALS: [&str; 9] =
    ["xxunk", "xxpad", "xxbos", "xxeos", "xxfld", "xxrep", "xxwrep", "xxup", "xxmaj"];
/// Fills the vocabulary up to a multiple of 8.
const FAKE: &str = "xxfake";
/// Rarer words are left out (fastai's defaults for both).
const MIN_FREQ: usize = 3;
const MAX_VOCAB: usize = 60_000;

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

    /// The words that are frequent in `texts`, by fastai's numbers.
    pub fn of<'a>(texts: impl Iterator<Item = &'a [String]>) -> Self {
        Self::counted(texts, MIN_FREQ, MAX_VOCAB)
    }

    /// fastai's `make_vocab`: the `max_vocab` most frequent words that occur `min_freq` times, ties in
    /// the order of their first occurrence; specials first; filled up to a multiple of 8, with 8
    /// more if it is one already.
    pub fn counted<'a>(
        texts: impl Iterator<Item = &'a [String]>,
        min_freq: usize,
        max_vocab: usize,
    ) -> Self {
        let mut places: HashMap<&str, usize> = HashMap::new();
        let mut counts: Vec<(&str, usize)> = Vec::new();
        for word in texts.flatten() {
            let place = *places.entry(word).or_insert_with(|| {
                counts.push((word, 0));
                counts.len() - 1
            });
            if let Some((_, count)) = counts.get_mut(place) {
                *count += 1;
            }
        }
        counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let frequent = counts.into_iter().take(max_vocab).filter(|(_, count)| *count >= min_freq);
        let frequent = frequent.map(|(word, _)| word).filter(|word| !SPECIALS.contains(word));
        let mut words: Vec<String> =
            SPECIALS.into_iter().chain(frequent).take(max_vocab).map(str::to_owned).collect();
        let filled = (words.len() / 8 + 1) * 8;
        words.resize(filled, FAKE.to_owned());
        Self::new(words)
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
        if words.get(..2).is_none_or(|first| first != &SPECIALS[..2]) {
            return Err(bad("a vocabulary of fastai begins with xxunk and xxpad".into()));
        }
        Ok(Self::new(words))
    }

    /// The text of a `vocab.json`.
    pub fn to_json(&self) -> String {
        serde_json::json!(self.words).to_string()
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
    use crate::parity::Tally;

    /// Made by fastai 2.8.12 (tests/fixtures/ulmfit/vocab_case.json).
    #[test]
    fn vocabulary_and_ids_are_fastais() {
        let case: Value = serde_json::from_slice(&fixture("vocab_case.json")).unwrap();
        let texts = case["texts"].as_array().unwrap().iter();
        let texts: Vec<Vec<String>> = texts.map(|t| tokens(t.as_str().unwrap())).collect();
        let usual = Vocab::of(texts.iter().map(Vec::as_slice));
        let mut tally = Tally::of("fastai's vocabularies");
        for (name, want) in case.as_object().unwrap() {
            // `vocab_min2_max200`, `ids_min3_first20`
            let told = |word: &str| -> Option<usize> {
                name.split('_').find_map(|part| part.strip_prefix(word)?.parse().ok())
            };
            let Some(fewest) = told("min") else { continue };
            let counted = |most| Vocab::counted(texts.iter().map(Vec::as_slice), fewest, most);
            let vocab = told("max").map_or_else(|| counted(MAX_VOCAB), counted);
            if name.starts_with("vocab") {
                assert_eq!(json!(vocab.words()), *want, "{name}");
            } else {
                let texts = texts.iter().take(want.as_array().unwrap().len());
                let ids: Vec<Vec<u32>> = texts.map(|text| vocab.ids(text)).collect();
                assert_eq!(json!(ids), *want, "{name}");
            }
            if fewest == MIN_FREQ && told("max").is_none() {
                assert_eq!(vocab.words(), usual.words());
            }
            tally.add(name, 1);
        }
        tally.end();
    }

    #[test]
    fn a_full_multiple_of_eight_gets_eight_more() {
        let words: Vec<String> = (0..7).flat_map(|i| vec![format!("w{i}"); 3]).collect();
        let vocab = Vocab::of([words.as_slice()].into_iter());
        assert_eq!(vocab.words().len(), 24);
        assert_eq!(vocab.words().iter().filter(|w| *w == FAKE).count(), 8);
        assert_eq!(vocab.ids(&[FAKE.to_owned()]), [UNK]);
    }
}

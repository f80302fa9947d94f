//! Texts -> ids, by the rules of the model's family.

use std::path::Path;
use std::thread;

use tokenizers::pre_tokenizers::whitespace::Whitespace;
use tokenizers::{
    NormalizedString, OffsetReferential, OffsetType, PreTokenizedString, PreTokenizer,
    TruncationParams,
};

use crate::error::TrainError;
use crate::model::Limits;

/// Text -> ids.
pub trait Tokenizer: Sync {
    /// The ids of one text, cut to the length that the tokenizer was made for; `specials` says
    /// whether the tokens that frame a text are among them.
    ///
    /// # Errors
    /// What the tokenizer reports.
    fn ids(&self, text: &str, specials: bool) -> Result<Vec<u32>, TrainError>;

    /// The token of an id, as text.
    fn token(&self, id: u32) -> String;

    /// How many ids make one token of a text: 1 for all but models of characters.
    fn width(&self) -> usize {
        1
    }
}

/// The tokenizer of a `tokenizer.json`: WordPiece, byte-level BPE and their like.
pub struct Subwords(tokenizers::Tokenizer);

impl Subwords {
    /// Reads `tokenizer.json`, without the truncation and padding that many files have baked in.
    ///
    /// # Errors
    /// A missing or malformed file, or room for fewer tokens than the specials take.
    pub fn read(folder: &Path, max_length: Option<usize>) -> Result<Self, TrainError> {
        let path = folder.join("tokenizer.json");
        let bytes = std::fs::read(&path).map_err(TrainError::read(&path))?;
        let bad = |why: &dyn std::fmt::Display| {
            TrainError::Input(format!("{} is no sound tokenizer: {why}.", path.display()))
        };
        let mut tokenizer = tokenizers::Tokenizer::from_bytes(bytes).map_err(|e| bad(&e))?;
        tokenizer.with_padding(None).with_truncation(None).map_err(|e| bad(&e))?;
        let mut subwords = Self(tokenizer);
        let Some(max_length) = max_length else { return Ok(subwords) };
        let specials = subwords.ids("", true)?.len();
        if max_length <= specials {
            return Err(TrainError::Input(format!(
                "max_length={max_length} leaves no room for text beside the {specials} special \
                 tokens."
            )));
        }
        let truncation = TruncationParams { max_length, ..TruncationParams::default() };
        subwords.0.with_truncation(Some(truncation)).map_err(|e| bad(&e))?;
        Ok(subwords)
    }
}

impl Tokenizer for Subwords {
    fn ids(&self, text: &str, specials: bool) -> Result<Vec<u32>, TrainError> {
        let encoding = self
            .0
            .encode_fast(text, specials)
            .map_err(|e| TrainError::Input(format!("A text cannot be tokenized: {e}.")))?;
        Ok(encoding.get_ids().to_vec())
    }

    fn token(&self, id: u32) -> String {
        self.0.id_to_token(id).unwrap_or_else(|| format!("[{id}]"))
    }
}

/// The words of a text: stretches of word characters or of other visible ones, by the `Whitespace` rule
/// of Hugging Face's tokenizers.
///
/// # Errors
/// What the library reports.
pub fn split_words(text: NormalizedString) -> Result<Vec<String>, TrainError> {
    let mut split = PreTokenizedString::from(text);
    Whitespace
        .pre_tokenize(&mut split)
        .map_err(|e| TrainError::Input(format!("A text cannot be split into words: {e}.")))?;
    let words = split.get_splits(OffsetReferential::Normalized, OffsetType::None);
    Ok(words.into_iter().map(|(word, ..)| word.to_owned()).collect())
}

/// The ids of many texts, in one buffer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tokens {
    ids: Vec<u32>,
    /// Where each text ends.
    ends: Vec<usize>,
    /// Ids per token; 0 is 1.
    width: usize,
}

impl Tokens {
    /// Tokenizes with specials, on `threads` threads.
    ///
    /// # Errors
    /// What the tokenizer reports.
    pub fn of(
        tokenizer: &dyn Tokenizer,
        texts: &[String],
        threads: usize,
    ) -> Result<Self, TrainError> {
        Self::tokenized(tokenizer, texts, threads, true)
    }

    /// As `of`, without the tokens that frame a text.
    ///
    /// # Errors
    /// What the tokenizer reports.
    pub fn without_specials(
        tokenizer: &dyn Tokenizer,
        texts: &[String],
        threads: usize,
    ) -> Result<Self, TrainError> {
        Self::tokenized(tokenizer, texts, threads, false)
    }

    fn tokenized(
        tokenizer: &dyn Tokenizer,
        texts: &[String],
        threads: usize,
        specials: bool,
    ) -> Result<Self, TrainError> {
        let share = texts.len().div_ceil(threads.max(1)).max(1);
        let parts = thread::scope(|scope| {
            let workers: Vec<_> = texts
                .chunks(share)
                .map(|part| scope.spawn(move || Self::sequentially(tokenizer, part, specials)))
                .collect();
            let died = |_| TrainError::Failed("A tokenizer thread panicked.".into());
            workers.into_iter().map(|w| w.join().map_err(died)?).collect::<Result<Vec<_>, _>>()
        })?;
        let mut all = Self { width: tokenizer.width(), ..Self::default() };
        for part in parts {
            let start = all.ids.len();
            all.ids.extend(part.ids);
            all.ends.extend(part.ends.iter().map(|end| start + end));
        }
        Ok(all)
    }

    fn sequentially(
        tokenizer: &dyn Tokenizer,
        texts: &[String],
        specials: bool,
    ) -> Result<Self, TrainError> {
        let mut all = Self::default();
        for text in texts {
            all.push(&tokenizer.ids(text, specials)?);
        }
        Ok(all)
    }

    /// As bytes, for [`Self::from_bytes`].
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(16 + 8 * self.ends.len() + 4 * self.ids.len());
        bytes.extend((self.ends.len() as u64).to_le_bytes());
        bytes.extend((self.width as u64).to_le_bytes());
        bytes.extend(self.ends.iter().flat_map(|end| (*end as u64).to_le_bytes()));
        bytes.extend(self.ids.iter().flat_map(|id| id.to_le_bytes()));
        bytes
    }

    /// What [`Self::to_bytes`] made of `texts` texts; `None` for anything else.
    pub fn from_bytes(bytes: &[u8], texts: usize) -> Option<Self> {
        let (count, rest) = bytes.split_first_chunk::<8>()?;
        if u64::from_le_bytes(*count) != texts as u64 {
            return None;
        }
        let (width, rest) = rest.split_first_chunk::<8>()?;
        let width = u64::from_le_bytes(*width) as usize;
        let (ends, ids) = rest.split_at_checked(texts.checked_mul(8)?)?;
        let (ends, _) = ends.as_chunks::<8>();
        let (ids, odd) = ids.as_chunks::<4>();
        let ends: Vec<usize> = ends.iter().map(|e| u64::from_le_bytes(*e) as usize).collect();
        let sound =
            odd.is_empty() && ends.is_sorted() && ends.last().copied().unwrap_or(0) == ids.len();
        let ids = ids.iter().map(|id| u32::from_le_bytes(*id)).collect();
        sound.then_some(Self { ids, ends, width })
    }

    /// Adds one text.
    pub fn push(&mut self, ids: &[u32]) {
        self.ids.extend_from_slice(ids);
        self.ends.push(self.ids.len());
    }

    /// The ids of text `index`; empty beyond the end.
    pub fn get(&self, index: u32) -> &[u32] {
        let index = index as usize;
        let start = if index == 0 { 0 } else { self.ends.get(index - 1).copied().unwrap_or(0) };
        let end = self.ends.get(index).copied().unwrap_or(start);
        self.ids.get(start..end).unwrap_or_default()
    }

    /// How many tokens text `index` has.
    pub fn count(&self, index: u32) -> u64 {
        (self.get(index).len() / self.width.max(1)) as u64
    }

    /// The largest id of all; 0 for no tokens.
    pub fn largest(&self) -> u32 {
        self.ids.iter().copied().max().unwrap_or(0)
    }
}

/// Holds the ids against the model's word embeddings.
///
/// # Errors
/// A tokenizer of another model.
pub fn must_fit(tokens: &Tokens, limits: Limits) -> Result<(), TrainError> {
    let (largest, words) = (tokens.largest(), limits.vocabulary);
    if i64::from(largest) >= words {
        return Err(TrainError::Input(format!(
            "The tokenizer gives the id {largest}, but the model has only {words} word embeddings; \
             tokenizer.json and config.json belong to different models."
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_come_back_from_bytes_and_nothing_else_does() {
        let mut tokens = Tokens::default();
        for text in [&[1, 2, 3][..], &[], &[70_000]] {
            tokens.push(text);
        }
        let bytes = tokens.to_bytes();
        assert_eq!(Tokens::from_bytes(&bytes, 3), Some(tokens));
        assert_eq!(Tokens::from_bytes(&bytes, 2), None);
        for length in 0..bytes.len() {
            assert_eq!(Tokens::from_bytes(&bytes[..length], 3), None);
        }
    }
}

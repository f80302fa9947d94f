//! Texts -> ids, by the rules of the model's family.

mod limits;
mod recipe;
mod sentencepiece;
mod specials;

use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::thread;

use tokenizers::pre_tokenizers::whitespace::Whitespace;
use tokenizers::{
    NormalizedString, OffsetReferential, OffsetType, PostProcessor, PreTokenizedString,
    PreTokenizer, TruncationParams, truncate_encodings,
};
use tuneboard::spec::{Family, printable};

use self::limits::{LARGEST, LIMITS, within_limits};

use crate::cache::Kept;
use crate::error::TrainError;

#[cfg(test)]
pub use self::sentencepiece::tests::file as sentencepiece_file;

/// Of what a library says of a file, so many characters are passed on.
const LONGEST_REASON: usize = 300;

/// Text -> ids.
pub trait Tokenizer: Sync {
    /// The ids of one text, cut to the length that the tokenizer was made for; `specials` says
    /// whether the tokens that frame a text are among them.
    ///
    /// # Errors
    /// What the tokenizer reports.
    fn ids(&self, text: &str, specials: bool) -> Result<Vec<u32>, TrainError>;

    /// The ids of a pair of texts and the segment of each, cut to the length that the tokenizer was made for:
    /// the longer text gives way first.
    ///
    /// # Errors
    /// A tokenizer that takes no pairs; what it reports.
    fn pair(&self, text: &str, pair: &str) -> Result<(Vec<u32>, Vec<u32>), TrainError> {
        let _ = (text, pair);
        Err(TrainError::Input("This model's tokenizer takes no pairs of texts.".into()))
    }

    /// The token of an id, as text.
    fn token(&self, id: u32) -> String;

    /// How many ids make one token of a text: 1 for all but models of characters.
    fn width(&self) -> usize {
        1
    }
}

/// The tokenizer of a `tokenizer.json`, or of the files that one is made of: WordPiece, byte-level BPE,
/// sentencepiece and their like.
pub struct Subwords {
    /// Cuts texts to `max_length`.
    tokenizer: tokenizers::Tokenizer,
    max_length: Option<usize>,
    /// The same, which cuts nothing; made where pairs are asked for.
    uncut: OnceLock<tokenizers::Tokenizer>,
}

impl Subwords {
    /// The tokenizer of a folder whose family is not known; see [`Self::of_family`].
    ///
    /// # Errors
    /// As there.
    pub fn read(folder: &Path, max_length: Option<usize>) -> Result<Self, TrainError> {
        Self::of_family(folder, None, max_length)
    }

    /// Reads `tokenizer.json`, without the truncation and padding that many files have baked in, or puts
    /// the tokenizer of `family` together where there is none.
    ///
    /// # Errors
    /// A missing or malformed file, or room for fewer tokens than the specials take.
    pub fn of_family(
        folder: &Path,
        family: Option<Family>,
        max_length: Option<usize>,
    ) -> Result<Self, TrainError> {
        let path = folder.join("tokenizer.json");
        let bad = |why: &dyn std::fmt::Display| {
            let why = printable(why.to_string().trim_end_matches('.'), LONGEST_REASON).into_owned();
            TrainError::Input(format!("{} is no sound tokenizer: {why}.", path.display()))
        };
        let mut tokenizer = if path.is_file() {
            if std::fs::metadata(&path).map_err(TrainError::read(&path))?.len() > LARGEST {
                return Err(bad(&format!("it has more than {} MiB", LARGEST >> 20)));
            }
            let bytes = std::fs::read(&path).map_err(TrainError::read(&path))?;
            let built = within_limits(LIMITS, move || tokenizers::Tokenizer::from_bytes(bytes));
            built.map_err(|e| bad(&e))?.map_err(|e| bad(&e))?
        } else {
            let said =
                |why: String| TrainError::Input(printable(&why, LONGEST_REASON).into_owned());
            recipe::make(folder, family).map_err(said)?
        };
        tokenizer.with_padding(None).with_truncation(None).map_err(|e| bad(&e))?;
        let mut subwords = Self { tokenizer, max_length, uncut: OnceLock::new() };
        let Some(max_length) = max_length else { return Ok(subwords) };
        let specials = subwords.ids("", true)?.len();
        if max_length <= specials {
            return Err(TrainError::Input(format!(
                "max_length={max_length} leaves no room for text beside the {specials} special \
                 tokens."
            )));
        }
        let truncation = TruncationParams { max_length, ..TruncationParams::default() };
        subwords.tokenizer.with_truncation(Some(truncation)).map_err(|e| bad(&e))?;
        Ok(subwords)
    }
}

impl Tokenizer for Subwords {
    fn ids(&self, text: &str, specials: bool) -> Result<Vec<u32>, TrainError> {
        let encoding = self
            .tokenizer
            .encode_fast(text, specials)
            .map_err(|e| TrainError::Input(format!("A text cannot be tokenized: {e}.")))?;
        Ok(encoding.get_ids().to_vec())
    }

    fn pair(&self, text: &str, pair: &str) -> Result<(Vec<u32>, Vec<u32>), TrainError> {
        let bad =
            |e: tokenizers::Error| TrainError::Input(format!("A pair cannot be tokenized: {e}."));
        // With its own truncation the library cuts each text on its way in, and then no longer knows which
        // was the longer one.
        let uncut = self.uncut.get_or_init(|| {
            let mut tokenizer = self.tokenizer.clone();
            // Taking a truncation away cannot fail.
            let _ = tokenizer.with_truncation(None);
            tokenizer
        });
        let specials = uncut.get_post_processor().map_or(0, |frame| frame.added_tokens(true));
        let one = uncut.encode_fast(text, false).map_err(bad)?;
        let two = uncut.encode_fast(pair, false).map_err(bad)?;
        let (one, two) = match self.max_length {
            None => (one, Some(two)),
            Some(max_length) => {
                let params = TruncationParams {
                    max_length: max_length.saturating_sub(specials),
                    ..TruncationParams::default()
                };
                truncate_encodings(one, Some(two), &params).map_err(bad)?
            }
        };
        let both = uncut.post_process(one, two, true).map_err(bad)?;
        Ok((both.get_ids().to_vec(), both.get_type_ids().to_vec()))
    }

    fn token(&self, id: u32) -> String {
        self.tokenizer.id_to_token(id).unwrap_or_else(|| format!("[{id}]"))
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
#[derive(Debug, Clone, Default)]
pub struct Tokens {
    place: Place,
    /// Ids per token; 0 is 1.
    width: usize,
}

#[derive(Debug, Clone)]
enum Place {
    /// All ids, and where each text ends.
    Memory { ids: Vec<u32>, ends: Vec<u64> },
    /// A cache's file of so many texts, as [`Tokens::to_bytes`] lays it out.
    Cache { file: Arc<Kept>, texts: usize },
}

impl Default for Place {
    fn default() -> Self {
        Self::Memory { ids: Vec::new(), ends: Vec::new() }
    }
}

/// Bytes of the two numbers before the ends of the texts.
const HEAD: usize = 16;

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
        let (mut ids, mut ends) = (Vec::new(), Vec::new());
        for part in parts {
            let start = ids.len() as u64;
            ids.extend(part.ids());
            ends.extend(part.ends().iter().map(|end| start + end));
        }
        Ok(Self { place: Place::Memory { ids, ends }, width: tokenizer.width() })
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

    /// As bytes, for [`Self::kept`], in this machine's order: the number of texts, the width, the ends of
    /// the texts (8 bytes each), the ids (4 bytes each).
    pub fn to_bytes(&self) -> Vec<u8> {
        let (ids, ends) = (self.ids(), self.ends());
        let head = [ends.len() as u64, self.width as u64];
        let parts = [bytemuck::cast_slice(&head), bytemuck::cast_slice(ends)];
        [parts[0], parts[1], bytemuck::cast_slice(ids)].concat()
    }

    /// What [`Self::to_bytes`] made of `texts` texts, left where it is; `None` for anything else.
    pub fn kept(file: Kept, texts: usize) -> Option<Self> {
        let head: [u64; 2] = bytemuck::try_pod_read_unaligned(file.get(..HEAD)?).ok()?;
        let place = Place::Cache { file: Arc::new(file), texts };
        let tokens = Self { place, width: head[1] as usize };
        let (ids, ends) = tokens.columns()?;
        let sound = head[0] == texts as u64
            && ends.is_sorted()
            && ends.last().copied().unwrap_or(0) == ids.len() as u64;
        sound.then_some(tokens)
    }

    /// Ids and ends; `None` if the file is none of ours.
    fn columns(&self) -> Option<(&[u32], &[u64])> {
        match &self.place {
            Place::Memory { ids, ends } => Some((ids, ends)),
            Place::Cache { file, texts } => {
                let (ends, ids) = file.get(HEAD..)?.split_at_checked(texts.checked_mul(8)?)?;
                let ids = bytemuck::try_cast_slice(ids).ok()?;
                Some((ids, bytemuck::try_cast_slice(ends).ok()?))
            }
        }
    }

    fn ids(&self) -> &[u32] {
        self.columns().unwrap_or_default().0
    }

    fn ends(&self) -> &[u64] {
        self.columns().unwrap_or_default().1
    }

    /// Adds one text.
    pub fn push(&mut self, text: &[u32]) {
        if let Place::Cache { .. } = self.place {
            let (ids, ends) = (self.ids().to_vec(), self.ends().to_vec());
            self.place = Place::Memory { ids, ends };
        }
        if let Place::Memory { ids, ends } = &mut self.place {
            ids.extend_from_slice(text);
            ends.push(ids.len() as u64);
        }
    }

    /// The ids of text `index`; empty beyond the end.
    pub fn get(&self, index: u32) -> &[u32] {
        let (ids, ends) = self.columns().unwrap_or_default();
        let index = index as usize;
        let start = if index == 0 { 0 } else { ends.get(index - 1).copied().unwrap_or(0) };
        let end = ends.get(index).copied().unwrap_or(start);
        ids.get(start as usize..end as usize).unwrap_or_default()
    }

    /// How many tokens text `index` has.
    pub fn count(&self, index: u32) -> u64 {
        (self.get(index).len() / self.width.max(1)) as u64
    }

    /// The largest id of all; 0 for no tokens.
    pub fn largest(&self) -> u32 {
        self.ids().iter().copied().max().unwrap_or(0)
    }
}

/// Holds the ids against the model's word embeddings, of which there are `words`.
///
/// # Errors
/// A tokenizer of another model.
pub fn must_fit(tokens: &Tokens, words: i64) -> Result<(), TrainError> {
    let largest = tokens.largest();
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
    use crate::cache::Cache;

    #[test]
    fn tokens_come_back_from_the_cache_and_nothing_else_does() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::at(folder.path().to_owned());
        let texts = [&[1, 2, 3][..], &[], &[70_000]];
        let mut tokens = Tokens::default();
        for text in texts {
            tokens.push(text);
        }
        let bytes = tokens.to_bytes();
        let kept = |bytes: &[u8], texts| {
            cache.put("a", bytes);
            Tokens::kept(cache.get("a").unwrap(), texts)
        };
        let mut known = kept(&bytes, 3).unwrap();
        for (i, text) in (0..).zip(texts) {
            assert_eq!((known.get(i), known.count(i)), (text, text.len() as u64));
        }
        assert_eq!((known.get(3), known.largest()), (&[][..], 70_000));
        assert_eq!(known.to_bytes(), bytes);
        known.push(&[4, 5]);
        assert_eq!((known.get(2), known.get(3)), (texts[2], &[4, 5][..]));
        assert!(kept(&bytes, 2).is_none() && kept(&bytes, usize::MAX).is_none());
        for length in 0..bytes.len() {
            assert!(kept(&bytes[..length], 3).is_none());
        }
    }
}

//! Texts -> ids, by the rules of the model's family.

mod limits;
mod recipe;
mod sentencepiece;
mod specials;
mod tokens;
mod windows;

use std::path::Path;
use std::sync::OnceLock;

use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::pre_tokenizers::whitespace::Whitespace;
use tokenizers::{
    EncodeInput, InputSequence, NormalizedString, OffsetReferential, OffsetType, PostProcessor,
    PreTokenizedString, PreTokenizer, TruncationParams, truncate_encodings,
};
use tuneboard::spec::{Family, printable};

use self::limits::{LARGEST, LIMITS, within_limits};
pub use self::tokens::Tokens;
pub use self::windows::{Windows, cut_windows};

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
    /// What the tokenizer reports.
    fn pair(&self, text: &str, pair: &str) -> Result<(Vec<u32>, Vec<u32>), TrainError>;

    /// The ids of a text whose words are given, cut to the length that the tokenizer was made for, and the word of
    /// each id; `None` for the tokens that frame the text, which are there if `specials` says so.
    ///
    /// # Errors
    /// A tokenizer that does not keep words apart; what it reports.
    fn of_words(
        &self,
        words: &[String],
        specials: bool,
    ) -> Result<(Vec<u32>, Vec<Option<u32>>), TrainError> {
        let _ = (words, specials);
        Err(TrainError::Input("This model's tokenizer takes no texts as words.".into()))
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
    /// The same, in which each word has a space before it; made where words are given.
    spaced: OnceLock<tokenizers::Tokenizer>,
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
        let mut subwords =
            Self { tokenizer, max_length, uncut: OnceLock::new(), spaced: OnceLock::new() };
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

    fn of_words(
        &self,
        words: &[String],
        specials: bool,
    ) -> Result<(Vec<u32>, Vec<Option<u32>>), TrainError> {
        let spaced = self.spaced.get_or_init(|| {
            let mut tokenizer = self.tokenizer.clone();
            // transformers asks for this (`add_prefix_space`) where words are given.
            if let Some(PreTokenizerWrapper::ByteLevel(bytes)) = tokenizer.get_pre_tokenizer() {
                let bytes = bytes.add_prefix_space(true);
                tokenizer.with_pre_tokenizer(Some(bytes));
            }
            tokenizer
        });
        let words = InputSequence::PreTokenizedOwned(words.into());
        // The fast way does not tell words.
        let encoding = spaced
            .encode(EncodeInput::Single(words), specials)
            .map_err(|e| TrainError::Input(format!("Words cannot be tokenized: {e}.")))?;
        Ok((encoding.get_ids().to_vec(), encoding.get_word_ids().to_vec()))
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

/// How much of two texts of these lengths stays where both together have room for `most`: the longer one
/// gives way first, as transformers' `longest_first` has it.
pub fn longest_first(one: usize, two: usize, most: usize) -> (usize, usize) {
    if one + two <= most {
        return (one, two);
    }
    let half = most / 2;
    match (one <= half, two <= half) {
        (true, _) => (one, most - one),
        (_, true) => (most - two, two),
        // The odd one goes to the longer text.
        _ if one > two => (most - half, half),
        _ => (half, most - half),
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

    #[test]
    fn the_longer_of_two_texts_gives_way_first() {
        for (one, two, most, want) in [
            (3, 4, 10, (3, 4)),
            (3, 9, 10, (3, 7)),
            (9, 3, 10, (7, 3)),
            (9, 8, 10, (5, 5)),
            (9, 8, 11, (6, 5)),
            (8, 9, 11, (5, 6)),
            (8, 9, 0, (0, 0)),
        ] {
            assert_eq!(longest_first(one, two, most), want, "{one} {two} {most}");
        }
    }
}

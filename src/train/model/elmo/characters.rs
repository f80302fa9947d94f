use tuneboard::model_config::elmo::WIDTH;

use crate::error::TrainError;
use crate::tokenize::{Tokenizer, longest_first, split_words};

/// As AllenNLP stores them: one more than the byte, so that 0 can fill.
const BEGIN_TEXT: u32 = 257;
const END_TEXT: u32 = 258;
const BEGIN_WORD: u32 = 259;
const END_WORD: u32 = 260;
const FILL: u32 = 261;

/// Text -> words -> characters: [`WIDTH`] ids per word, its UTF-8 bytes between two marks (at most 48
/// of them, longer words are cut). Reference: AllenNLP `ELMoCharacterMapper`.
///
/// AllenNLP leaves the splitting into words to its user. Here a word is a stretch of word characters
/// or of punctuation, case kept.
pub struct Characters {
    max_length: Option<usize>,
}

impl Characters {
    /// Cuts texts to `max_length` words, the two marks around a text included.
    pub fn new(max_length: Option<usize>) -> Self {
        Self { max_length }
    }
}

impl Tokenizer for Characters {
    fn ids(&self, text: &str, specials: bool) -> Result<Vec<u32>, TrainError> {
        let mut words = split_words(text.into())?;
        let around = if specials { 2 } else { 0 };
        words.truncate(self.max_length.map_or(usize::MAX, |most| most.saturating_sub(around)));
        let mut ids = Vec::with_capacity((words.len() + around) * WIDTH);
        if specials {
            ids.extend(word([BEGIN_TEXT]));
        }
        for letters in &words {
            ids.extend(word(letters.bytes().map(|byte| u32::from(byte) + 1)));
        }
        if specials {
            ids.extend(word([END_TEXT]));
        }
        Ok(ids)
    }

    /// Two framed texts, one behind the other.
    fn pair(&self, text: &str, pair: &str) -> Result<(Vec<u32>, Vec<u32>), TrainError> {
        let (one, two) = (split_words(text.into())?, split_words(pair.into())?);
        let most = self.max_length.unwrap_or(usize::MAX).saturating_sub(4);
        let (first, second) = longest_first(one.len(), two.len(), most);
        let mut ids = Vec::new();
        for (words, kept) in [(one, first), (two, second)] {
            ids.extend(word([BEGIN_TEXT]));
            for letters in words.iter().take(kept) {
                ids.extend(word(letters.bytes().map(|byte| u32::from(byte) + 1)));
            }
            ids.extend(word([END_TEXT]));
        }
        let segments = vec![0; ids.len()];
        Ok((ids, segments))
    }

    fn token(&self, id: u32) -> String {
        match id {
            0 => "[PAD]".to_owned(),
            BEGIN_TEXT => "<S>".to_owned(),
            END_TEXT => "</S>".to_owned(),
            BEGIN_WORD => "<W>".to_owned(),
            END_WORD => "</W>".to_owned(),
            FILL => "<P>".to_owned(),
            byte => match u8::try_from(byte - 1) {
                Ok(byte) if byte.is_ascii_graphic() => char::from(byte).to_string(),
                _ => format!("<{:02X}>", byte - 1),
            },
        }
    }

    fn width(&self) -> usize {
        WIDTH
    }
}

/// The ids of one word.
pub fn word(letters: impl IntoIterator<Item = u32>) -> impl Iterator<Item = u32> {
    let letters = letters.into_iter().take(WIDTH - 2);
    let marked = std::iter::once(BEGIN_WORD).chain(letters).chain([END_WORD]);
    marked.chain(std::iter::repeat(FILL)).take(WIDTH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_framed_cut_and_kept_in_case() {
        let tokenizer = Characters::new(Some(4));
        let ids = tokenizer.ids("Go on, now!", true).unwrap();
        assert_eq!(ids.len(), 4 * WIDTH);
        let words: Vec<String> = ids
            .chunks(WIDTH)
            .map(|word| word.iter().map(|id| tokenizer.token(*id)).collect::<String>())
            .map(|word| word.replace("<P>", ""))
            .collect();
        assert_eq!(words, ["<W><S></W>", "<W>Go</W>", "<W>on</W>", "<W></S></W>"]);
        assert_eq!(tokenizer.ids("", true).unwrap().len(), 2 * WIDTH);
        assert!(tokenizer.ids("", false).unwrap().is_empty());
    }
}

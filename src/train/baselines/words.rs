use std::sync::OnceLock;

use regex::Regex;

/// The words of a text as scikit-learn's vectorizers find them with `lowercase=True` and
/// `token_pattern=r"(?u)\b\w\w+\b"`: stretches of two or more word characters of the lower-cased text.
///
/// Python's `\w` is any letter, any number, or `_`; that of the regex crate also takes combining marks.
pub fn words(text: &str) -> Vec<String> {
    static PATTERN: OnceLock<Option<Regex>> = OnceLock::new();
    let Some(pattern) = PATTERN.get_or_init(|| Regex::new(r"[\p{L}\p{N}_]{2,}").ok()) else {
        return Vec::new();
    };
    let lower = text.to_lowercase();
    pattern.find_iter(&lower).map(|found| found.as_str().to_owned()).collect()
}

/// What a baseline reads of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Text<'a> {
    /// One text.
    One(&'a str),
    /// A pair of texts.
    Pair(&'a str, &'a str),
}

impl<'a> From<&'a str> for Text<'a> {
    fn from(text: &'a str) -> Self {
        Self::One(text)
    }
}

impl Text<'_> {
    /// Its words; those of a second text are marked, so that they are others than those of the first. No word
    /// of a text alone looks like a marked one.
    pub fn words(self) -> Vec<String> {
        match self {
            Self::One(text) => words(text),
            Self::Pair(one, two) => {
                let marked = words(two).into_iter().map(|word| format!("2:{word}"));
                words(one).into_iter().chain(marked).collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_a_second_text_are_marked() {
        assert_eq!(Text::Pair("Go now", "now 2:now").words(), ["go", "now", "2:now", "2:now"]);
        assert_eq!(Text::from("2:now").words(), ["now"]);
    }

    #[test]
    fn single_characters_and_marks_are_no_words() {
        assert_eq!(words("The THE 1 22 a_b é été I'm"), ["the", "the", "22", "a_b", "été"]);
        // A vowel sign ends a word, as in Python.
        assert_eq!(words("हिन्दी भाषा"), Vec::<String>::new());
    }
}

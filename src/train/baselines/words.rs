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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn single_characters_and_marks_are_no_words() {
        assert_eq!(words("The THE 1 22 a_b é été I'm"), ["the", "the", "22", "a_b", "été"]);
        // A vowel sign ends a word, as in Python.
        assert_eq!(words("हिन्दी भाषा"), Vec::<String>::new());
    }
}

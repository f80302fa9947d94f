use super::{Found, guess, listed, named};
use crate::dataset::error::DataError;
use crate::dataset::names::TEXT_NAMES;
use crate::dataset::source::Source;
use crate::spec::RunSpec;

/// Names of the columns of words and of their tags.
const WORD_NAMES: &[&str] = &["tokens", "words", "token", "word"];
const TAG_NAMES: &[&str] = &["ner_tags", "tags", "ner", "tag", "labels", "label", "pos_tags"];

/// The columns of words and tags: those the spec names, else by their usual names; none of `aside`.
pub(super) fn tagged(
    source: &Source,
    spec: &RunSpec,
    aside: [Option<usize>; 2],
) -> Result<Found, DataError> {
    let of = |key: &str, given: &Option<String>, usual: &[&str]| {
        match given {
        Some(name) => named(source, key, name),
        None => guess(source, usual, |i| !aside.contains(&Some(*i))).ok_or_else(|| {
            let has_texts = guess(source, TEXT_NAMES, |_| true).is_some();
            let hint = if has_texts { "; for a label per text say task=classify" } else { "" };
            DataError::file(
                &source.path,
                format!(
                    "has no column that is known to hold {}; task=tag reads CoNLL files, or lists under \
                     `tokens` and `ner_tags`; give {key}=COLUMN, one of {}{hint}",
                    if key == "text" { "words" } else { "a tag for each word" },
                    listed(source)
                ),
            )
        }),
    }
    };
    let text = of("text", &spec.text, WORD_NAMES)?;
    let label = of("label", &spec.label, TAG_NAMES)?;
    Ok(Found { text, labels: vec![label], ..Found::default() })
}

/// The name of a column of words to be tagged, if one goes by its usual name.
pub fn words(source: &Source) -> Option<String> {
    let found = guess(source, WORD_NAMES, |_| true)?;
    source.names.get(found).cloned()
}

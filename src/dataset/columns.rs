use super::error::{DataError, first_few, quoted};
use super::source::Source;
use crate::spec::RunSpec;
use crate::spec::keys::nearest;

/// Names that a column of texts goes by, likeliest first.
const TEXT_NAMES: &[&str] = &[
    "text",
    "texts",
    "sentence",
    "content",
    "message",
    "review",
    "body",
    "tweet",
    "comment",
    "document",
    "post",
    "utterance",
    "question",
    "headline",
    "description",
    "email",
    "sms",
    "input",
];

/// Names that a column of labels goes by, likeliest first.
const LABEL_NAMES: &[&str] = &[
    "label",
    "labels",
    "class",
    "category",
    "target",
    "spam",
    "sentiment",
    "topic",
    "author",
    "intent",
    "emotion",
    "is_spam",
    "label_text",
    "rating",
    "stars",
    "polarity",
    "y",
];

/// Positions of the columns in a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found {
    pub text: usize,
    /// `None` where nothing asks for labels.
    pub label: Option<usize>,
    pub split: Option<usize>,
}

/// Finds the columns: those the spec names, else by their names regardless of case, else, with two
/// columns of which one is known, the other one.
pub(super) fn find(source: &Source, spec: &RunSpec) -> Result<Found, DataError> {
    let given = |key: &str, name: &Option<String>| {
        name.as_ref().map(|name| named(source, key, name)).transpose()
    };
    let split = given("split_column", &spec.split_column)?;
    if !needs_labels(spec) {
        let name = |i: usize| source.names.get(i).map_or("", String::as_str);
        let is_label = |i: usize| LABEL_NAMES.iter().any(|l| l.eq_ignore_ascii_case(name(i)));
        let mut others = (0..source.names.len()).filter(|i| Some(*i) != split && !is_label(*i));
        let text = match (&spec.text, others.next(), others.next()) {
            (None, Some(only), None) => only,
            (given, ..) => find_text(source, given.as_deref())?,
        };
        return Ok(Found { text, label: None, split });
    }
    let given_text = given("text", &spec.text)?;
    let given_label = given("label", &spec.label)?;
    let free = |i: &usize| ![split, given_text, given_label].contains(&Some(*i));
    let text = given_text.or_else(|| guess(source, TEXT_NAMES, free));
    let label = given_label.or_else(|| guess(source, LABEL_NAMES, |i| free(i) && text != Some(*i)));
    let mut left = (0..source.names.len()).filter(|i| Some(*i) != split);
    let pair = (left.next(), left.next(), left.next());
    let other = |known: usize| match pair {
        (Some(a), Some(b), None) if a == known => Some(b),
        (Some(a), Some(b), None) if b == known => Some(a),
        _ => None,
    };
    match (text.or_else(|| other(label?)), label.or_else(|| other(text?))) {
        (Some(text), Some(label)) if text == label => Err(DataError::within(
            &source.path,
            format!("the column {} is given as text and as label", name(source, text)),
        )),
        (Some(text), Some(label)) => Ok(Found { text, label: Some(label), split }),
        (None, _) => Err(not_found(source, "texts", "text")),
        (_, None) => Err(not_found(source, "labels", "label")),
    }
}

/// A language model learns from texts alone; labels only count if the split is to keep their shares.
fn needs_labels(spec: &RunSpec) -> bool {
    spec.task.needs_labels() || spec.stratify
}

/// The same columns in a second file, by name.
pub(super) fn find_same(
    source: &Source,
    first: &[String],
    found: Found,
) -> Result<Found, DataError> {
    let same =
        |index: usize, key: &str| named(source, key, first.get(index).map_or("", String::as_str));
    let label = found.label.map(|label| same(label, "label")).transpose()?;
    Ok(Found { text: same(found.text, "text")?, label, split: None })
}

/// The column of the texts alone, for files that need no labels.
pub(super) fn find_text(source: &Source, given: Option<&str>) -> Result<usize, DataError> {
    match (given, source.names.len()) {
        (Some(name), _) => named(source, "text", name),
        (None, 1) => Ok(0),
        (None, _) => {
            guess(source, TEXT_NAMES, |_| true).ok_or_else(|| not_found(source, "texts", "text"))
        }
    }
}

fn guess(source: &Source, candidates: &[&str], free: impl Fn(&usize) -> bool) -> Option<usize> {
    candidates.iter().find_map(|candidate| {
        (0..source.names.len())
            .filter(&free)
            .find(|i| source.names.get(*i).is_some_and(|name| name.eq_ignore_ascii_case(candidate)))
    })
}

fn named(source: &Source, key: &str, wanted: &str) -> Result<usize, DataError> {
    let exact = source.names.iter().position(|n| n == wanted);
    let any_case = || source.names.iter().position(|n| n.eq_ignore_ascii_case(wanted));
    exact.or_else(any_case).ok_or_else(|| {
        let hint = match nearest(wanted, source.names.iter().map(String::as_str)) {
            Some(near) => format!("did you mean {}? It has", quoted(&near)),
            None => "it has".to_owned(),
        };
        let wanted = quoted(wanted);
        DataError::file(
            &source.path,
            format!("has no column {wanted} for {key}=; {hint} {}", listed(source)),
        )
    })
}

fn not_found(source: &Source, what: &str, key: &str) -> DataError {
    let why = match source.names.len() {
        1 => format!(
            "has only one column, {}; it needs one with texts and one with labels under a header line (task=lm \
             needs texts alone)",
            listed(source)
        ),
        _ => format!(
            "has no column that is known to hold the {what}; give {key}=COLUMN, one of {}",
            listed(source)
        ),
    };
    DataError::file(&source.path, why)
}

fn name(source: &Source, index: usize) -> String {
    source.names.get(index).map(|n| quoted(n)).unwrap_or_default()
}

fn listed(source: &Source) -> String {
    first_few(&source.names, |n| quoted(n))
}

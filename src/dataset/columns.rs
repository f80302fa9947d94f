use std::collections::HashSet;

use super::error::{DataError, first_few, quoted};
use super::header;
use super::sink::Column;
use super::source::Source;
use crate::spec::{RunSpec, nearest, printable};

/// Names that a column of texts goes by, likeliest first.
pub(super) const TEXT_NAMES: &[&str] = &[
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
pub(super) const LABEL_NAMES: &[&str] = &[
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

/// Columns that belong together: a model that reads one of them learns from half of each row.
const PAIRS: &[(&str, &str)] = &[
    ("premise", "hypothesis"),
    ("sentence1", "sentence2"),
    ("sentence_a", "sentence_b"),
    ("question1", "question2"),
    ("question", "sentence"),
    ("question", "passage"),
    ("question", "context"),
    ("query", "passage"),
    ("query", "document"),
    ("text_a", "text_b"),
    ("text1", "text2"),
    ("claim", "evidence"),
];

/// Finds the columns: those the spec names, else by their names regardless of case, else, with two
/// columns of which one is known, the other one; without a header by what they hold.
pub(super) fn find(source: &Source, sample: &[Column], spec: &RunSpec) -> Result<Found, DataError> {
    let given = |key: &str, name: &Option<String>| {
        name.as_ref().map(|name| named(source, key, name)).transpose()
    };
    let split = given("split_column", &spec.split_column)?;
    if !needs_labels(spec) {
        let name = |i: usize| source.names.get(i).map_or("", String::as_str);
        let is_label = |i: usize| LABEL_NAMES.iter().any(|l| l.eq_ignore_ascii_case(name(i)));
        let is_other = |i: &usize| Some(*i) != split && !is_label(*i) && !name(*i).is_empty();
        let mut others = (0..source.names.len()).filter(is_other);
        let text = match (&spec.text, others.next(), others.next()) {
            (None, Some(only), None) => only,
            (given, ..) => find_text(source, given.as_deref(), sample)?,
        };
        return Ok(Found { text, label: None, split });
    }
    let given_text = given("text", &spec.text)?;
    let given_label = given("label", &spec.label)?;
    let free = |i: &usize| ![split, given_text, given_label].contains(&Some(*i));
    let by_content = content(source, sample);
    let text = given_text
        .or_else(|| guess(source, TEXT_NAMES, free))
        .or_else(|| guess_part(source, TEXT_NAMES, sample, free))
        .or_else(|| by_content.text.filter(free));
    let label = given_label
        .or_else(|| guess(source, LABEL_NAMES, |i| free(i) && text != Some(*i)))
        .or_else(|| by_content.label.filter(free));
    // An index without a name is neither.
    let is_named = |i: &usize| source.names.get(*i).is_some_and(|name| !name.is_empty());
    let mut left = (0..source.names.len()).filter(|i| Some(*i) != split).filter(is_named);
    let pair = (left.next(), left.next(), left.next());
    let other = |known: usize| match pair {
        (Some(a), Some(b), None) if a == known => Some(b),
        (Some(a), Some(b), None) if b == known => Some(a),
        _ => None,
    };
    if given_text.is_none() {
        refuse_pairs(source, text)?;
    }
    match (text.or_else(|| other(label?)), label.or_else(|| other(text?))) {
        (Some(text), Some(label)) if text == label => Err(DataError::within(
            &source.path,
            format!("the column {} is given as text and as label", name(source, text)),
        )),
        (Some(text), Some(label)) => Ok(Found { text, label: Some(label), split }),
        (None, _) => Err(not_found(source, "texts", "text")),
        (text, None) => Err(many_labels(source, sample, text)
            .unwrap_or_else(|| not_found(source, "labels", "label"))),
    }
}

/// Without names only the values tell.
fn content(source: &Source, sample: &[Column]) -> header::Guess {
    if source.reading.header != Some(false) {
        return header::Guess { text: None, label: None };
    }
    let rows = sample.first().map_or(0, Vec::len);
    let value =
        |column: &Column, row: usize| column.get(row).cloned().flatten().unwrap_or_default();
    let rows: Vec<Vec<String>> =
        (0..rows).map(|row| sample.iter().map(|column| value(column, row)).collect()).collect();
    header::guess(&rows, source.names.len())
}

/// Refuses to choose one half of a pair of texts.
fn refuse_pairs(source: &Source, text: Option<usize>) -> Result<(), DataError> {
    let at = |wanted: &str| source.names.iter().position(|n| n.eq_ignore_ascii_case(wanted));
    let both = PAIRS.iter().find_map(|(a, b)| Some((at(a)?, at(b)?)));
    let Some((a, b)) = both.filter(|(a, b)| text.is_none_or(|text| text == *a || text == *b))
    else {
        return Ok(());
    };
    let (first, second) = (name(source, a), name(source, b));
    let plain = source.names.get(b).map_or("", String::as_str);
    Err(DataError::file(
        &source.path,
        format!(
            "has pairs of texts, {first} and {second}, and a model reads one text a row; join both in one \
             column, or say text={} to learn from that one alone",
            printable(plain, 40)
        ),
    ))
}

/// The sentence for columns of 0 and 1, one for each label, if there are no other labels.
fn many_labels(source: &Source, sample: &[Column], text: Option<usize>) -> Option<DataError> {
    let hot = hot_columns(sample, text);
    (hot.len() > 1).then(|| {
        let names = first_few(&hot, |i| name(source, *i));
        let first = source.names.get(*hot.first().unwrap_or(&0)).map_or("", String::as_str);
        DataError::file(
            &source.path,
            format!(
                "has a column of 0 and 1 for each label ({names}): that is a multi-label task, and \
                 task=classify gives each text one class; label={} learns that label alone",
                printable(first, 40)
            ),
        )
    })
}

/// Columns in which every value is 0 or 1, and both occur.
pub(super) fn hot_columns(sample: &[Column], but: Option<usize>) -> Vec<usize> {
    let is_hot = |column: &Column| {
        let values = || column.iter().flatten().map(|v| v.trim());
        values().all(|v| matches!(v, "0" | "1" | "0.0" | "1.0"))
            && values().any(|v| v.starts_with('0'))
            && values().any(|v| v.starts_with('1'))
    };
    let columns = sample.iter().enumerate().filter(|(_, column)| is_hot(column));
    columns.map(|(i, _)| i).filter(|i| Some(*i) != but).collect()
}

/// Other columns that hold texts: by their names, or because most of their values are words.
pub(super) fn left_aside(source: &Source, sample: &[Column], found: Found) -> Vec<String> {
    let known =
        |name: &str| TEXT_NAMES.iter().chain(OTHER_TEXTS).any(|t| t.eq_ignore_ascii_case(name));
    let is_text = |column: &Column| {
        let values: Vec<&String> =
            column.iter().flatten().filter(|v| !v.trim().is_empty()).collect();
        let words = |v: &&&String| v.split_whitespace().count() >= 3 && !v.starts_with(['[', '{']);
        let different: HashSet<&&String> = values.iter().collect();
        !values.is_empty()
            && values.iter().filter(words).count() * 2 > values.len()
            && (different.len() * 2 > values.len() || values.len() < 4)
    };
    let is_label = |column: &Column| {
        let figure = |v: &String| v.trim().parse::<f64>().is_ok();
        column.iter().flatten().all(figure)
    };
    let chosen = [Some(found.text), found.label, found.split];
    source
        .names
        .iter()
        .zip(sample)
        .enumerate()
        .filter(|(i, _)| !chosen.contains(&Some(*i)))
        .filter(|(_, (name, column))| (known(name) && !is_label(column)) || is_text(column))
        .map(
            |(i, (name, _))| {
                if name.is_empty() { format!("column {}", i + 1) } else { name.clone() }
            },
        )
        .collect()
}

/// Names of texts that are seldom the one to learn from.
const OTHER_TEXTS: &[&str] = &[
    "title",
    "subject",
    "summary",
    "abstract",
    "premise",
    "hypothesis",
    "context",
    "passage",
    "query",
    "answer",
    "sentence1",
    "sentence2",
    "question1",
    "question2",
    "text_a",
    "text_b",
];

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
pub(super) fn find_text(
    source: &Source,
    given: Option<&str>,
    sample: &[Column],
) -> Result<usize, DataError> {
    match (given, source.names.len()) {
        (Some(name), _) => named(source, "text", name),
        (None, 1) => Ok(0),
        (None, _) => guess(source, TEXT_NAMES, |_| true)
            .or_else(|| guess_part(source, TEXT_NAMES, sample, |_| true))
            .or_else(|| content(source, sample).text)
            .ok_or_else(|| not_found(source, "texts", "text")),
    }
}

fn guess(source: &Source, candidates: &[&str], free: impl Fn(&usize) -> bool) -> Option<usize> {
    candidates.iter().find_map(|candidate| {
        (0..source.names.len())
            .filter(&free)
            .find(|i| source.names.get(*i).is_some_and(|name| name.eq_ignore_ascii_case(candidate)))
    })
}

/// A name of which one word is known, as `comment_text`, if its column holds texts.
fn guess_part(
    source: &Source,
    candidates: &[&str],
    sample: &[Column],
    free: impl Fn(&usize) -> bool,
) -> Option<usize> {
    let is_long = |i: &usize| {
        let values = sample.get(*i).into_iter().flatten().flatten();
        let (rows, words) =
            values.fold((0, 0), |(n, w), v| (n + 1, w + v.split_whitespace().count()));
        words >= 2 * rows && rows > 0
    };
    candidates.iter().find_map(|candidate| {
        let has = |name: &String| {
            name.split(|c: char| !c.is_alphanumeric())
                .any(|word| word.eq_ignore_ascii_case(candidate))
        };
        (0..source.names.len())
            .filter(&free)
            .find(|i| source.names.get(*i).is_some_and(has) && is_long(i))
    })
}

/// The column of that name, or with that number from 1.
fn named(source: &Source, key: &str, wanted: &str) -> Result<usize, DataError> {
    let exact = source.names.iter().position(|n| n == wanted);
    let any_case = || source.names.iter().position(|n| n.eq_ignore_ascii_case(wanted));
    let by_number = || {
        wanted.parse::<usize>().ok().filter(|n| (1..=source.names.len()).contains(n)).map(|n| n - 1)
    };
    exact.or_else(any_case).or_else(by_number).ok_or_else(|| {
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

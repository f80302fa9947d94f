mod aside;
mod given;
mod tagged;

pub(super) use self::aside::left_aside;
use self::given::{given_texts, several};
use self::tagged::tagged;
pub(super) use self::tagged::words;
use super::error::{DataError, first_few, quoted};
use super::header;
use super::names::{LABEL_NAMES, PAIRS, TEXT_NAMES};
use super::sink::Column;
use super::source::Source;
use crate::spec::{RunSpec, Task, nearest, printable};

/// Positions of the columns in a source.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Found {
    pub text: usize,
    /// The second text of a pair.
    pub pair: Option<usize>,
    /// What is to be learnt; empty where nothing asks for it. More than one for tasks with many labels or
    /// numbers a row.
    pub labels: Vec<usize>,
    pub split: Option<usize>,
    /// Whose rows with the same value stay in one part.
    pub group: Option<usize>,
}

impl Found {
    /// The columns of texts.
    pub fn texts(&self) -> Vec<usize> {
        std::iter::once(self.text).chain(self.pair).collect()
    }

    fn has(&self, column: usize) -> bool {
        self.texts().contains(&column)
            || self.labels.contains(&column)
            || [self.split, self.group].contains(&Some(column))
    }
}

/// Finds the columns: those the spec names, else by their names regardless of case, else, with two
/// columns of which one is known, the other one; without a header by what they hold.
pub(super) fn find(source: &Source, sample: &[Column], spec: &RunSpec) -> Result<Found, DataError> {
    let given =
        |key, name: &Option<String>| name.as_ref().map(|name| named(source, key, name)).transpose();
    let (split, group) = (given("split_column", &spec.split_column)?, given("group", &spec.group)?);
    let found = match spec.task {
        Task::Tag => tagged(source, spec, [split, group])?,
        _ => find_whole(source, sample, spec, [split, group])?,
    };
    let both = group.filter(|group| found.labels.contains(group) || split == Some(*group));
    if let Some(both) = both {
        let other = if split == group { "split_column=" } else { "label" };
        let why = format!("the column {} is given as group and as {other}", name(source, both));
        return Err(DataError::within(&source.path, why));
    }
    Ok(Found { split, group, ..found })
}

/// For tasks on whole texts. The columns `aside` are known to be no labels.
fn find_whole(
    source: &Source,
    sample: &[Column],
    spec: &RunSpec,
    aside: [Option<usize>; 2],
) -> Result<Found, DataError> {
    if !needs_labels(spec) {
        let name = |i: usize| source.names.get(i).map_or("", String::as_str);
        let is_label = |i: usize| LABEL_NAMES.iter().any(|l| l.eq_ignore_ascii_case(name(i)));
        let is_other =
            |i: &usize| !aside.contains(&Some(*i)) && !is_label(*i) && !name(*i).is_empty();
        let mut others = (0..source.names.len()).filter(is_other);
        let text = match (&spec.text, others.next(), others.next()) {
            (None, Some(only), None) => only,
            (given, ..) => find_text(source, given.as_deref(), sample)?,
        };
        return Ok(Found { text, ..Found::default() });
    }
    let (given_text, pair) = given_texts(source, spec.text.as_deref())?;
    let given_labels = match &spec.label {
        Some(label) => several(source, "label", label, |i| {
            ![given_text, pair].contains(&Some(i)) && !aside.contains(&Some(i))
        })?,
        None => Vec::new(),
    };
    refuse_several(source, spec, &given_labels)?;
    let given_label = given_labels.first().copied();
    let free = |i: &usize| {
        let taken = [given_text, pair].contains(&Some(*i)) || aside.contains(&Some(*i));
        !taken && !given_labels.contains(i)
    };
    let by_content = content(source, sample);
    let text = given_text
        .or_else(|| guess(source, TEXT_NAMES, free))
        .or_else(|| guess_part(source, TEXT_NAMES, sample, free))
        .or_else(|| by_content.text.filter(free));
    let usual = given_text.is_none().then(|| usual_pair(source, text)).flatten();
    let (text, pair) = usual.map_or((text, pair), |(a, b)| (Some(a), Some(b)));
    let is_free = |i: &usize| free(i) && ![text, pair].contains(&Some(*i));
    let label = given_label
        .or_else(|| {
            if spec.task == Task::Regress { guess(source, SCORE_NAMES, is_free) } else { None }
        })
        .or_else(|| guess(source, LABEL_NAMES, is_free))
        .or_else(|| by_content.label.filter(is_free));
    // An index without a name is neither.
    let is_named = |i: &usize| source.names.get(*i).is_some_and(|name| !name.is_empty());
    let mut left = (0..source.names.len())
        .filter(|i| Some(*i) != pair && (!aside.contains(&Some(*i)) || given_text == Some(*i)))
        .filter(is_named);
    let two = (left.next(), left.next(), left.next());
    let other = |known: usize| match two {
        (Some(a), Some(b), None) if a == known => Some(b),
        (Some(a), Some(b), None) if b == known => Some(a),
        _ => None,
    };
    let found = |text: usize, labels: Vec<usize>| Found { text, pair, labels, ..Found::default() };
    if let (Task::Multilabel, None) = (spec.task, given_label) {
        let text = text.ok_or_else(|| not_found(source, "texts", "text"))?;
        let hot: Vec<usize> = hot_columns(sample, None).into_iter().filter(is_free).collect();
        return match (label, hot.len()) {
            (Some(label), _) if !hot.contains(&label) => Ok(found(text, vec![label])),
            (_, 2..) => Ok(found(text, hot)),
            _ => Err(not_found(source, "labels", "label")),
        };
    }
    if let Some(label) = given_labels.iter().find(|label| [text, pair].contains(&Some(**label))) {
        let why = format!("the column {} is given as text and as label", name(source, *label));
        return Err(DataError::within(&source.path, why));
    }
    match (text.or_else(|| other(label?)), label.or_else(|| other(text?))) {
        (Some(text), Some(_)) if given_labels.len() > 1 => Ok(found(text, given_labels)),
        (Some(text), Some(label)) => Ok(found(text, vec![label])),
        (None, _) => Err(not_found(source, "texts", "text")),
        (text, None) => Err(many_labels(source, sample, text)
            .unwrap_or_else(|| not_found(source, "labels", "label"))),
    }
}

/// Names that a column of numbers to predict goes by, likeliest first.
const SCORE_NAMES: &[&str] =
    &["score", "similarity", "similarity_score", "rating", "stars", "grade", "target", "value"];

/// Several columns of labels are another task's.
fn refuse_several(source: &Source, spec: &RunSpec, labels: &[usize]) -> Result<(), DataError> {
    let ([_, second, ..], Task::Classify | Task::Lm) = (labels, spec.task) else { return Ok(()) };
    Err(DataError::within(
        &source.path,
        format!(
            "label= names several columns, {} among them, and task={} learns one; say task=multilabel for labels \
             of 0 and 1, task=regress for numbers",
            name(source, *second),
            spec.task
        ),
    ))
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

/// The two columns of a pair by their usual names, unless another column is known to hold the texts.
fn usual_pair(source: &Source, text: Option<usize>) -> Option<(usize, usize)> {
    let at = |wanted: &str| source.names.iter().position(|n| n.eq_ignore_ascii_case(wanted));
    let both = PAIRS.iter().find_map(|(a, b)| Some((at(a)?, at(b)?)));
    both.filter(|(a, b)| text.is_none_or(|text| text == *a || text == *b))
}

/// The sentence for columns of 0 and 1, one for each label, if there are no other labels.
fn many_labels(source: &Source, sample: &[Column], text: Option<usize>) -> Option<DataError> {
    let hot = hot_columns(sample, text);
    (hot.len() > 1).then(|| {
        let names = first_few(&hot, |i| name(source, *i));
        let plain = |i: &usize| printable(source.names.get(*i).map_or("", String::as_str), 40).into_owned();
        let first = hot.first().map(plain).unwrap_or_default();
        let all = hot.iter().map(plain).collect::<Vec<_>>().join(",");
        DataError::file(
            &source.path,
            format!(
                "has a column of 0 and 1 for each label ({names}): say task=multilabel label={} to learn \
                 all, or label={first} to learn that label alone",
                printable(&all, 200)
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

/// A language model learns from texts alone; labels only count if the split is to keep their shares.
fn needs_labels(spec: &RunSpec) -> bool {
    spec.task.needs_labels() || spec.stratify
}

/// The same columns in a second file, by name.
pub(super) fn find_same(
    source: &Source,
    first: &[String],
    found: &Found,
) -> Result<Found, DataError> {
    let same =
        |index: usize, key: &str| named(source, key, first.get(index).map_or("", String::as_str));
    let labels =
        found.labels.iter().map(|label| same(*label, "label")).collect::<Result<_, _>>()?;
    let pair = found.pair.map(|pair| same(pair, "text")).transpose()?;
    Ok(Found { text: same(found.text, "text")?, pair, labels, ..Found::default() })
}

/// The columns of the texts alone, for files that need no labels: one, or the two of a pair.
pub(super) fn find_texts(
    source: &Source,
    given: Option<&str>,
    are_pairs: bool,
    sample: &[Column],
) -> Result<Found, DataError> {
    let (text, pair) = match (given_texts(source, given)?, are_pairs) {
        ((Some(text), pair), _) => (text, pair),
        (_, false) => (find_text(source, None, sample)?, None),
        (_, true) => match (usual_pair(source, None), source.names.len()) {
            (Some((a, b)), _) => (a, Some(b)),
            (None, 2) => (0, Some(1)),
            _ => return Err(not_found(source, "two texts of a pair", "text")),
        },
    };
    Ok(Found { text, pair, ..Found::default() })
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

//! Whether the first line of a delimited file names its columns or is a row like the others.

use std::borrow::Cow;
use std::collections::HashSet;

use super::delimited::Field;
use super::error::{DataError, quoted};
use super::names::{LABEL_NAMES, OTHER_NAMES, TEXT_NAMES};
use crate::spec::Header;

/// What the first line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Heading {
    Names,
    Row,
}

type Row<'a> = Vec<Cow<'a, str>>;

/// Decides, or asks where the first line may be a row: its words are values of the columns below.
///
/// # Errors
/// The question, with the words to type.
pub(super) fn decide(
    first: &[Field<'_>],
    rows: &[Row<'_>],
    wanted: Header,
    below_a_title: bool,
    path: &str,
) -> Result<Heading, DataError> {
    match wanted {
        Header::Yes => return Ok(Heading::Names),
        Header::No => return Ok(Heading::Row),
        Header::Auto => {}
    }
    let name = |c: usize| first.get(c).map_or("", |f| f.text.trim());
    // A header with a usual name that comes again is that of a second file behind the first.
    let usual = |f: &Field<'_>| {
        let known = |names: &[&str]| names.iter().any(|n| n.eq_ignore_ascii_case(f.text.trim()));
        known(TEXT_NAMES) || known(LABEL_NAMES)
    };
    let again = |row: &&Row<'_>| {
        row.len() == first.len() && row.iter().zip(first).all(|(value, f)| *value == f.text)
    };
    let others: Vec<Row<'_>>;
    let rows = if first.len() > 1 && first.iter().any(usual) && rows.iter().any(|r| again(&r)) {
        others = rows.iter().filter(|row| !again(row)).cloned().collect();
        others.as_slice()
    } else {
        rows
    };
    let signs: Vec<Sign> = (0..first.len()).map(|c| sign(name(c), rows, c)).collect();
    let found = |is: fn(&Sign) -> bool| signs.iter().position(is);
    if found(|s| *s == Sign::Name).is_some() {
        return Ok(Heading::Names);
    }
    let told = if let Some(c) = found(|s| *s == Sign::Value) {
        format!("holds {}, which is a value of column {}", quoted(name(c)), c + 1)
    } else if let Some(c) = found(|s| *s == Sign::Text) {
        format!("reads like a text: {}", quoted(name(c)))
    } else if below_a_title {
        return Err(DataError::within(
            path,
            "no header is found below the lines at its top; delete these lines, or say header=yes or header=no",
        ));
    } else {
        return Ok(Heading::Names);
    };
    Err(DataError::within(
        path,
        format!(
            "is there a header? The first line {told}; give header=no{} if it is a row, header=yes if it \
             names the columns",
            columns(rows, first.len())
        ),
    ))
}

/// What the first cell of a column looks like, beside those below it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sign {
    /// It names the column.
    Name,
    /// It is one of the column's values, or a number among numbers.
    Value,
    /// It reads like a text.
    Text,
    /// Nothing to go by.
    Nothing,
}

fn sign(name: &str, rows: &[Row<'_>], column: usize) -> Sign {
    let values: Vec<&str> = values(rows, column).filter(|value| !value.is_empty()).collect();
    if values.is_empty() {
        return Sign::Nothing;
    }
    if name.is_empty() {
        // pandas' index, R's row names.
        return if values.len() == rows.len() { Sign::Name } else { Sign::Nothing };
    }
    let different: HashSet<&str> = values.iter().copied().collect();
    let is_value = different.contains(name);
    let known = |names: &[&str]| names.iter().any(|known| known.eq_ignore_ascii_case(name));
    if !is_value && (known(TEXT_NAMES) || known(LABEL_NAMES) || known(OTHER_NAMES)) {
        return Sign::Name;
    }
    let share =
        |is: fn(&str) -> bool| values.iter().filter(|v| is(v)).count() * 20 >= values.len() * 19;
    if share(is_figure) {
        return if is_figure(name) { Sign::Value } else { Sign::Name };
    }
    let words = |text: &str| text.split_whitespace().count();
    let longest = values.iter().map(|v| v.len()).max().unwrap_or_default();
    if values.len() >= 4 && different.len() * 2 <= values.len() {
        // A label; a name that is none of them, and much longer, is a question asked of people.
        return match is_value {
            true => Sign::Value,
            false if words(name) >= 3 && name.len() >= 2 * longest => Sign::Name,
            false => Sign::Nothing,
        };
    }
    let mean = values.iter().map(|v| words(v)).sum::<usize>() / values.len();
    if words(name) >= 4 && mean >= 2 { Sign::Text } else { Sign::Nothing }
}

/// A number, a date, a time: digits and what stands between them.
fn is_figure(text: &str) -> bool {
    let text = text.trim();
    text.parse::<f64>().is_ok()
        || (text.bytes().any(|b| b.is_ascii_digit())
            && text.bytes().all(|b| b.is_ascii_digit() || b"-+:/.,T Z%".contains(&b)))
}

fn values<'a>(rows: &'a [Row<'_>], column: usize) -> impl Iterator<Item = &'a str> {
    rows.iter().map(move |row| row.get(column).map_or("", |value| value.trim()))
}

/// Which column holds the texts and which the labels, where that can be told: ` text=2 label=1`.
fn columns(rows: &[Row<'_>], width: usize) -> String {
    let Guess { text, label } = guess(rows, width);
    let part =
        |key: &str, c: Option<usize>| c.map_or(String::new(), |c| format!(" {key}={}", c + 1));
    format!("{}{}", part("text", text), part("label", label))
}

/// Columns by what they hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Guess {
    pub text: Option<usize>,
    pub label: Option<usize>,
}

/// The longest column is that of the texts; the labels are a few values that come again and again, of
/// several such columns the one with the fewest. Columns of one value tell nothing.
pub(super) fn guess<T: AsRef<str>>(rows: &[Vec<T>], width: usize) -> Guess {
    let value =
        |row: &Vec<T>, c: usize| row.get(c).map_or(String::new(), |v| v.as_ref().trim().to_owned());
    let different = |c: usize| rows.iter().map(|row| value(row, c)).collect::<HashSet<_>>().len();
    let length = |c: usize| rows.iter().map(|row| value(row, c).len()).sum::<usize>();
    let text =
        (0..width).rev().max_by_key(|c| length(*c)).filter(|c| different(*c) * 2 > rows.len());
    let label = (0..width)
        .filter(|c| Some(*c) != text)
        .map(|c| (different(c), c))
        .filter(|(n, _)| *n >= 2 && n * 2 <= rows.len())
        .min();
    Guess { text, label: label.map(|(_, c)| c) }
}

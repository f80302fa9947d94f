//! What the first records tell: titles above the header, and the delimiter.

use crate::dataset::delimited::{Delimited, Dialect};
use crate::dataset::options::Options;
use crate::spec::{Escape, Quote};

/// Lines above a header that are looked at, and passed over if they are no rows.
const TITLE_LINES: usize = 10;
/// Records that tell the delimiter.
const FIRST: usize = 50;

/// A record near the start of a file.
pub(super) struct First {
    pub at: usize,
    pub line: u64,
    fields: usize,
    /// Fields that hold something.
    filled: usize,
    pub start: String,
}

pub(super) fn first_records(text: &str, dialect: Dialect) -> Vec<First> {
    let mut reader = Delimited::new(text, dialect);
    let (mut fields, mut found) = (Vec::new(), Vec::new());
    while found.len() < FIRST {
        let (line, at) = (reader.next_line(), reader.position());
        if !matches!(reader.next(&mut fields), Ok(true)) {
            break;
        }
        found.push(First {
            at,
            line,
            fields: fields.len(),
            filled: fields.iter().filter(|f| !f.text.trim().is_empty()).count(),
            start: fields.first().map(|f| f.text.trim().to_owned()).unwrap_or_default(),
        });
    }
    found
}

/// The most frequent number, and how many have it; of equal ones the larger.
fn most(numbers: impl Iterator<Item = usize>) -> (usize, usize) {
    let mut counts: Vec<(usize, usize)> = Vec::new();
    for n in numbers {
        match counts.iter_mut().find(|(_, value)| *value == n) {
            Some((count, _)) => *count += 1,
            None => counts.push((1, n)),
        }
    }
    counts.into_iter().max().map_or((0, 0), |(count, value)| (value, count))
}

/// Records above the header that are no rows: a title, a note, an empty line of delimiters.
pub(super) fn title_lines(first: &[First]) -> usize {
    let (width, _) = most(first.iter().map(|r| r.fields));
    if width < 2 || first.len() < 3 {
        return 0;
    }
    let short = first.iter().take_while(|r| r.fields == 1).count();
    if short > 0 {
        let next_fits = first.get(short).is_some_and(|r| r.fields == width);
        return if short <= TITLE_LINES && next_fits { short } else { 0 };
    }
    // Spreadsheets fill a title's line up with delimiters.
    let (filled, _) = most(first.iter().map(|r| r.filled));
    let padded = first.iter().take_while(|r| r.fields == width && r.filled <= 1).count();
    let is_title = first.first().is_some_and(|r| r.filled == 1 && !r.start.is_empty());
    if filled >= 2 && is_title && padded <= TITLE_LINES && padded < first.len() {
        padded
    } else {
        0
    }
}

/// The delimiter of a text: the one that divides its first records alike; what the extension says if
/// there are several. If none does, the one that the first line has most of.
pub(super) fn delimiter(text: &str, extension: &str) -> u8 {
    const ALL: [u8; 4] = [b',', b';', b'\t', b'|'];
    let expected = match extension {
        "tsv" | "tab" => b'\t',
        "csv" => b',',
        _ => 0,
    };
    let mut order: Vec<u8> = ALL.to_vec();
    order.sort_by_key(|d| (*d != expected, expected == 0 && *d != b'\t'));
    let alike = |dialect: Dialect| {
        let first = first_records(text, dialect);
        let (width, same) = most(first.iter().map(|r| r.fields));
        let good = width >= 2 && same * 5 >= first.len() * 4;
        (good, good && first.first().is_some_and(|r| r.fields == width))
    };
    let quoted = |d: u8| alike(Dialect::quoted(d));
    let plain = |d: u8| alike(Dialect::plain(d));
    let mut found = order.iter().copied();
    // At best the first record is divided like the others; below a title it is not.
    let best = found.clone().find(|d| quoted(*d).1).or_else(|| found.clone().find(|d| plain(*d).1));
    let best = best.or_else(|| found.clone().find(|d| quoted(*d).0));
    best.or_else(|| found.find(|d| plain(*d).0)).unwrap_or_else(|| {
        let line = text.trim_start().lines().next().unwrap_or_default();
        by_count(line, if expected == 0 { b',' } else { expected })
    })
}

/// The delimiter that a header has most of, quoted names left out; the expected one if it has any.
fn by_count(header: &str, expected: u8) -> u8 {
    let mut counts = [(b',', 0_u32), (b'\t', 0), (b';', 0), (b'|', 0)];
    let mut in_quotes = false;
    for byte in header.bytes() {
        in_quotes ^= byte == b'"';
        if let Some((_, n)) = counts.iter_mut().find(|(d, _)| *d == byte && !in_quotes) {
            *n += 1;
        }
    }
    if counts.iter().any(|(d, n)| *d == expected && *n > 0) {
        return expected;
    }
    let most = counts.iter().rev().max_by_key(|(_, n)| *n);
    most.filter(|(_, n)| *n > 0).map_or(expected, |(d, _)| *d)
}

/// Quotes that do not pair would join the first lines of a file into one record.
pub(super) fn best_of_first(text: &str, delimiter: u8, options: &Options) -> Dialect {
    let quoted = first_dialect(delimiter, options);
    if options.quote != Quote::Auto {
        return quoted;
    }
    let alike = |dialect| {
        let first = first_records(text, dialect);
        most(first.iter().map(|r| r.fields)).1
    };
    let plain = Dialect::plain(delimiter);
    if alike(plain) > alike(quoted) { plain } else { quoted }
}

pub(super) fn first_dialect(delimiter: u8, options: &Options) -> Dialect {
    Dialect {
        quotes: options.quote != Quote::None,
        backslash: options.escape == Escape::Backslash,
        ..Dialect::quoted(delimiter)
    }
}

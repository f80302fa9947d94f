//! What quotes and backslashes mean in a file.

use memchr::memmem;

use super::Shape;
use super::first::first_dialect;
use crate::dataset::delimited::{Delimited, Dialect};
use crate::dataset::error::counted;
use crate::dataset::options::Options;
use crate::spec::{Escape, Quote};

/// What a whole file looks like in a dialect.
#[derive(Debug, Default)]
struct Survey {
    /// Rows with text behind a closing quote.
    tails: Vec<u64>,
    /// Rows that hold a line break in quotes.
    spans: u64,
    /// A row with too many or too few fields.
    uneven: bool,
    unclosed: bool,
    /// Fields that start and end with a quote, which is a letter in this dialect.
    wrapped: u64,
    /// Fields that only start with one.
    stray: u64,
    /// Fields with spaces before an opening quote.
    spaced: u64,
}

impl Survey {
    /// Looks at every record, or up to the first that does not fit where `hurry` says so.
    fn of(text: &str, at: usize, dialect: Dialect, shape: Shape, hurry: bool) -> Self {
        let mut reader = Delimited::starting(text, dialect, at, 1);
        let (mut fields, mut found) = (Vec::new(), Self::default());
        for row in 0_u64.. {
            match reader.next(&mut fields) {
                Ok(true) => {}
                Ok(false) => break,
                Err(_) => {
                    found.unclosed = true;
                    break;
                }
            }
            found.uneven |= !shape.fits(&fields);
            if reader.odd.tail {
                found.tails.push(row);
            }
            found.spans += u64::from(reader.odd.spans);
            for field in &fields {
                let text = field.text.as_bytes();
                if text.first() == Some(&b'"') && !field.quoted {
                    let ends = text.len() > 1 && text.last() == Some(&b'"');
                    *(if ends { &mut found.wrapped } else { &mut found.stray }) += 1;
                }
                found.spaced +=
                    u64::from(text.starts_with(b" ") && text.trim_ascii_start().starts_with(b"\""));
            }
            if hurry && (found.uneven || !found.tails.is_empty()) {
                break;
            }
        }
        found
    }

    fn is_clean(&self) -> bool {
        self.tails.is_empty() && !self.unclosed && !self.uneven
    }
}

/// How quotes are to be read. Quoting is a property of a file: the first of the usual ways in which
/// every record has as many fields as the header, and every quote closes where a field ends.
///
/// Where lines are whole records by themselves and quotes would join them, quotes are letters, as in
/// the files of GLUE.
pub(super) fn quoting(
    text: &str,
    at: usize,
    delimiter: u8,
    shape: Shape,
    options: &Options,
    notes: &mut Vec<String>,
) -> Dialect {
    let first = first_dialect(delimiter, options);
    let bytes = text.as_bytes().get(at..).unwrap_or_default();
    let has = |what: &[u8]| memmem::find(bytes, what).is_some();
    let escapes = options.escape == Escape::Auto && (has(b"\\\"") || has(&[b'\\', delimiter]));
    if options.quote == Quote::None
        || options.escape == Escape::Backslash
        || !(escapes || has(b"\""))
    {
        return first;
    }
    let survey = |dialect, hurry| Survey::of(text, at, dialect, shape, hurry);
    let usual = survey(first, false);
    let plain = Dialect::plain(delimiter);
    let is_auto = options.quote == Quote::Auto;
    if usual.is_clean() && usual.spaced == 0 {
        // One column has no delimiters that could tell a joined row.
        let joined = is_auto && usual.spans > 0 && shape.width > 1 && !survey(plain, true).uneven;
        return if joined { letters(plain, notes) } else { first };
    }
    let backslash = Dialect { backslash: true, ..first };
    if escapes && !usual.is_clean() && survey(backslash, true).is_clean() {
        notes.push("Quotes in texts are escaped by backslashes (escape=backslash).".into());
        return backslash;
    }
    let spaces = Dialect { spaces: true, ..first };
    if usual.spaced > 0 && survey(spaces, true).is_clean() {
        return spaces;
    }
    if usual.is_clean() || !is_auto {
        return first;
    }
    let as_letters = survey(plain, false);
    let loose = Dialect { loose: true, ..first };
    let is_loose = as_letters.wrapped > as_letters.stray && {
        let loose = survey(loose, true);
        // Over line breaks it would join rows as soon as one quote is missing.
        !loose.unclosed && !loose.uneven && loose.tails.is_empty() && loose.spans == 0
    };
    if is_loose {
        notes.push(
            "Quotes inside of quoted texts are not doubled; they were taken as letters.".into(),
        );
        return loose;
    }
    if !as_letters.uneven && (shape.width > 1 || usual.unclosed || !usual.tails.is_empty()) {
        return letters(plain, notes);
    }
    if !usual.tails.is_empty() {
        let rows = counted(usual.tails.len(), "row");
        let first = usual.tails.iter().find(|row| **row > 0).copied().unwrap_or(1);
        notes.push(format!(
            "{rows} with text behind a closing quote, the first is row {first}; quote=none takes quotes as \
             letters, escape=backslash obeys backslashes."
        ));
    }
    first
}

fn letters(plain: Dialect, notes: &mut Vec<String>) -> Dialect {
    notes.push(
        "Quotes do not pair at the ends of fields; they were taken as letters (quote=none).".into(),
    );
    plain
}

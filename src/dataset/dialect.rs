//! How a delimited file is written: its delimiter, quotes and backslashes, the lines above its header.
//! What a spec leaves open is found from the whole file, never from a part that happens to fit.

mod first;
mod quoting;

use std::borrow::Cow;

use super::delimited::{Delimited, Dialect, Field};
use super::error::{DataError, quoted};
use super::header::{self, Heading};
use super::options::Options;
use crate::spec::{Delimiter, Quote};
use first::{best_of_first, delimiter, first_dialect, first_records, title_lines};
use quoting::quoting;

/// What is known of a delimited file before its columns are read.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Layout {
    pub dialect: Dialect,
    /// The first byte of the header, or of the first row where there is none.
    pub at: usize,
    /// Its line, from 1.
    pub line: u64,
    pub header: bool,
    /// As in the header, or `1`, `2`, `3` without one. Empty columns without a name at the end are left out.
    pub names: Vec<String>,
    /// Fields of the header.
    pub width: usize,
    pub notes: Vec<String>,
}

impl Layout {
    /// Columns of these names with tabs between them, and nothing else.
    pub fn bare(names: &[&str]) -> Self {
        Self {
            dialect: Dialect::plain(b'\t'),
            at: 0,
            line: 1,
            header: false,
            names: names.iter().map(|name| (*name).to_owned()).collect(),
            width: names.len(),
            notes: Vec::new(),
        }
    }
}

/// Finds the layout of a file; `text` is not blank.
///
/// # Errors
/// A first line that may be a header and may be a row: the sentence says what to type.
pub(super) fn find(
    text: &str,
    extension: &str,
    options: &Options,
    path: &str,
) -> Result<Layout, DataError> {
    let first_line = text.trim_start().lines().next().unwrap_or_default();
    if first_line.contains('\0') {
        return Err(DataError::file(path, "is not a text file: its first line holds a NUL byte"));
    }
    let (told, mut at, mut line) = separator_line(text);
    let delimiter = match options.delimiter {
        Delimiter::Auto => told.unwrap_or_else(|| delimiter(&text[at..], extension)),
        given => given.byte().unwrap_or(b','),
    };
    let mut notes = Vec::new();
    let first = first_records(&text[at..], best_of_first(&text[at..], delimiter, options));
    let titles = title_lines(&first);
    if let Some(record) = first.get(titles).filter(|_| titles > 0) {
        let above = first.first().map_or("", |r| r.start.as_str());
        let lines = if titles == 1 { "1 line" } else { "Lines" };
        notes.push(format!("{lines} above the header passed over: {}.", quoted(above)));
        line += record.line - 1;
        at += record.at;
    }
    let mut fields = Vec::new();
    let dialect = first_dialect(delimiter, options);
    let mut reader = Delimited::starting(text, dialect, at, line);
    // A header whose quotes do not close may still be one whose quotes are letters.
    let is_read = reader.next(&mut fields).is_ok();
    if !is_read && options.quote != Quote::Auto {
        return Err(DataError::within(path, "the header opens a quote that is never closed"));
    }
    if !is_read {
        reader = Delimited::starting(text, Dialect::plain(delimiter), at, line);
        let _ = reader.next(&mut fields);
    }
    let (width, named) = widths(&fields);
    let dialect = quoting(text, at, delimiter, Shape { width, named }, options, &mut notes);
    let mut reader = Delimited::starting(text, dialect, at, line);
    if reader.next(&mut fields).is_err() {
        return Err(DataError::within(path, "the header opens a quote that is never closed"));
    }
    let (width, _) = widths(&fields);
    let sample = sample(&mut reader);
    let heading = header::decide(&fields, &sample, options.header, titles > 0, path)?;
    let mut names: Vec<String> = match heading {
        Heading::Names => fields.iter().map(|f| f.text.trim().to_owned()).collect(),
        Heading::Row => (1..=width).map(|n| n.to_string()).collect(),
    };
    if heading == Heading::Names {
        let is_empty =
            |c: usize| sample.iter().all(|r| r.get(c).is_none_or(|v| v.trim().is_empty()));
        while names.len() > 1
            && names.last().is_some_and(String::is_empty)
            && is_empty(names.len() - 1)
        {
            names.pop();
        }
    }
    Ok(Layout { dialect, at, line, header: heading == Heading::Names, names, width, notes })
}

/// Fields of a first record, and how many of them there are up to the last with a name.
fn widths(fields: &[Field<'_>]) -> (usize, usize) {
    let named = fields.iter().rposition(|f| !f.text.trim().is_empty()).map_or(0, |last| last + 1);
    (fields.len(), named)
}

/// How many fields a record should have.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    /// As the first record.
    pub width: usize,
    /// Of these, up to the last with a name.
    pub named: usize,
}

impl Shape {
    /// Spreadsheets leave empty fields out at the end of a row, and add some.
    pub fn fits(self, fields: &[Field<'_>]) -> bool {
        let empty = |f: &Field<'_>| f.text.is_empty() && !f.quoted;
        match fields.len() {
            n if n == self.width => true,
            n if n < self.width => n >= self.named,
            _ => fields.get(self.width..).is_some_and(|more| more.iter().all(empty)),
        }
    }
}

/// Excel's `sep=;` above the header: the delimiter, and where the file goes on.
fn separator_line(text: &str) -> (Option<u8>, usize, u64) {
    let end = text.find(['\n', '\r']).unwrap_or(text.len());
    let line = text.get(..end).unwrap_or_default().trim().trim_matches('"');
    let told = line.get(..4).filter(|word| word.eq_ignore_ascii_case("sep=")).and_then(|_| {
        let mut rest = line.get(4..)?.bytes();
        let byte = rest.next().or(Some(b'\t'))?;
        (rest.next().is_none() && byte.is_ascii() && !byte.is_ascii_alphanumeric()).then_some(byte)
    });
    if told.is_none() {
        return (None, 0, 1);
    }
    let rest = text.get(end..).unwrap_or_default();
    let end = end + if rest.starts_with("\r\n") { 2 } else { rest.len().min(1) };
    (told, end, 2)
}

/// Up to so many rows are looked at where names and types of columns are in question.
const SAMPLE: usize = 1000;

fn sample<'a>(reader: &mut Delimited<'a>) -> Vec<Vec<Cow<'a, str>>> {
    let (mut fields, mut rows) = (Vec::new(), Vec::new());
    while rows.len() < SAMPLE && matches!(reader.next(&mut fields), Ok(true)) {
        rows.push(fields.drain(..).map(|f| f.text).collect());
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(text: &str, extension: &str) -> Layout {
        find(text, extension, &Options::default(), "f").unwrap()
    }

    #[test]
    fn the_delimiter_follows_the_extension_and_then_the_header() {
        for (header, extension, want) in [
            ("text,label", "csv", b','),
            ("text;label", "csv", b';'),
            ("text\tlabel, or so", "tsv", b'\t'),
            ("text\tlabel", "txt", b'\t'),
            ("text|label", "", b'|'),
            ("\"a,b,c\";label", "csv", b';'),
            ("text", "csv", b','),
            ("text", "tsv", b'\t'),
            ("a\tb\nx, y and z\t1\nx, y\t2\n", "txt", b'\t'),
            ("text;label\na, b;x\nc, d;y\n", "csv", b';'),
            ("text,label\na; b,x\nc; d,y\n", "csv", b','),
        ] {
            assert_eq!(delimiter(header, extension), want, "{header}");
        }
    }

    #[test]
    fn lines_above_the_header_are_passed_over() {
        let rows = "text,label\nhello there,a\ngood bye,b\nand so on,a\n";
        for above in ["", "Export of 2026\n\n", "Made by me\nin May\n", "Export of 2026,\n,\n"] {
            let text = format!("{above}{rows}");
            let got = layout(&text, "csv");
            assert_eq!((&*got.names.concat(), got.header), ("textlabel", true), "{above:?}");
            assert_eq!(&text[got.at..], rows, "{above:?}");
            assert_eq!(got.line as usize, above.matches('\n').count() + 1, "{above:?}");
        }
        let got = layout("\"sep=|\"\r\na|b\r\nx, y|z\r\n", "csv");
        assert_eq!((got.dialect.delimiter, got.names.len(), got.line), (b'|', 2, 2));
    }

    #[test]
    fn quotes_are_what_fits_the_whole_file() {
        let quoted = Dialect::quoted(b',');
        let (tabs, plain) = (Dialect::quoted(b'\t'), Dialect::plain(b'\t'));
        let backslash = Dialect { backslash: true, ..quoted };
        for (rows, extension, want) in [
            ("\"a\nb\",x\nc,y\n", "csv", quoted),
            ("\"a \"\"b\"\"\",x\nc,y\n", "csv", quoted),
            ("5\" disk,x\nc,y\n", "csv", quoted),
            ("\"a\tx\nb\"\ty\n", "tsv", plain),
            ("\"a\tx\nb\ty\n", "tsv", plain),
            ("\"a\" said b\tx\nb\ty\n", "tsv", plain),
            ("\"a\tb\"\tx\nb\ty\n", "tsv", tabs),
            ("\"a\nb\"\tx\nb\ty\n", "tsv", tabs),
            ("\"she said \\\"a, b\\\" there\",x\nb,y\n", "csv", backslash),
            ("\"path C:\\dir\\\",x\nb,y\n", "csv", quoted),
            ("a\\, b,x\nc,y\n", "csv", backslash),
            (
                "\"he said \"a\" to b\",x\n\"c, d\",y\n\"e\",z\n",
                "csv",
                Dialect { loose: true, ..quoted },
            ),
            ("a, \"x, y\"\nb, \"z\"\n", "csv", Dialect { spaces: true, ..quoted }),
        ] {
            let delimiter = char::from(want.delimiter);
            let got = layout(&format!("text{delimiter}label\n{rows}"), extension);
            assert_eq!(got.dialect, want, "{rows:?}");
        }
    }
}

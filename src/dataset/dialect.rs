//! How a delimited file is written: its delimiter, quotes and backslashes, the lines above its header.
//! What a spec leaves open is found from the whole file, never from a part that happens to fit.

use std::borrow::Cow;

use memchr::memmem;

use super::delimited::{Delimited, Dialect, Field};
use super::error::{DataError, counted, quoted};
use super::header::{self, Heading};
use super::reading::Options;
use crate::spec::{Delimiter, Escape, Quote};

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

/// Lines above a header that are looked at, and passed over if they are no rows.
const TITLE_LINES: usize = 10;
/// Records that tell the delimiter.
const FIRST: usize = 50;

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

/// A record near the start of a file.
struct First {
    at: usize,
    line: u64,
    fields: usize,
    /// Fields that hold something.
    filled: usize,
    start: String,
}

fn first_records(text: &str, dialect: Dialect) -> Vec<First> {
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
fn title_lines(first: &[First]) -> usize {
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
fn delimiter(text: &str, extension: &str) -> u8 {
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
fn best_of_first(text: &str, delimiter: u8, options: &Options) -> Dialect {
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

fn first_dialect(delimiter: u8, options: &Options) -> Dialect {
    Dialect {
        quotes: options.quote != Quote::None,
        backslash: options.escape == Escape::Backslash,
        ..Dialect::quoted(delimiter)
    }
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
fn quoting(
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

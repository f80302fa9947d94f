use std::borrow::Cow;

use memchr::{memchr, memchr2, memchr3};

/// How a file of records is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Dialect {
    /// Stands between two fields; an ASCII character.
    pub delimiter: u8,
    /// Whether a quote at the start of a field opens a quoted one; else quotes are letters.
    pub quotes: bool,
    /// Whether a backslash takes the meaning of a quote, a delimiter, a line end or a backslash behind it.
    pub backslash: bool,
    /// Whether a quote closes a field only where the field ends, so that quotes inside need not be doubled.
    pub loose: bool,
    /// Whether spaces between a delimiter and an opening quote are passed over.
    pub spaces: bool,
}

impl Dialect {
    /// RFC 4180: quotes, doubled inside of quotes.
    pub const fn quoted(delimiter: u8) -> Self {
        Self { delimiter, quotes: true, backslash: false, loose: false, spaces: false }
    }

    /// Quotes are letters like all others.
    pub const fn plain(delimiter: u8) -> Self {
        Self { quotes: false, ..Self::quoted(delimiter) }
    }
}

/// Splits CSV and TSV text into records. By the rules of Python's csv module and of pandas, a quote
/// opens a quoted field only at its start and is an ordinary character elsewhere; `""` inside quotes
/// is one quote; what follows a closing quote belongs to the field; CR, LF and CR LF end a record
/// outside quotes and are kept as they are inside. Lines of nothing but spaces and tabs are passed over.
/// What else a [`Dialect`] says overrides these.
pub(super) struct Delimited<'a> {
    text: &'a str,
    dialect: Dialect,
    at: usize,
    line: u64,
    /// What the last record had that may be a sign of another dialect.
    pub odd: Odd,
}

/// Signs that a record is not written as its dialect says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Odd {
    /// Text stands behind a closing quote.
    pub tail: bool,
    /// A quoted field holds a line break.
    pub spans: bool,
}

/// One field of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Field<'a> {
    pub text: Cow<'a, str>,
    /// `""` is an empty text; nothing at all is a missing one.
    pub quoted: bool,
}

/// A quote that is never closed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unclosed {
    /// The line of the opening quote, from 1.
    pub line: u64,
}

impl<'a> Delimited<'a> {
    pub fn new(text: &'a str, dialect: Dialect) -> Self {
        Self { text, dialect, at: 0, line: 1, odd: Odd::default() }
    }

    /// Starts at a byte of the text, which is the start of this line.
    pub fn starting(text: &'a str, dialect: Dialect, at: usize, line: u64) -> Self {
        Self { at, line, ..Self::new(text, dialect) }
    }

    /// Passes over blank lines and tells the line at which the next record starts, from 1.
    pub fn next_line(&mut self) -> u64 {
        self.skip_blank_lines();
        self.line
    }

    /// The byte at which the next record starts.
    pub fn position(&mut self) -> usize {
        self.skip_blank_lines();
        self.at
    }

    /// Reads the next record into `fields`; false at the end.
    pub fn next(&mut self, fields: &mut Vec<Field<'a>>) -> Result<bool, Unclosed> {
        self.skip_blank_lines();
        fields.clear();
        self.odd = Odd::default();
        if self.at >= self.text.len() {
            return Ok(false);
        }
        loop {
            fields.push(self.field()?);
            match self.byte(self.at) {
                Some(b) if b == self.dialect.delimiter => self.at += 1,
                _ => {
                    self.line_end();
                    return Ok(true);
                }
            }
        }
    }

    /// Reads one field and stops on the delimiter, the line end or the end of the text.
    fn field(&mut self) -> Result<Field<'a>, Unclosed> {
        if self.dialect.spaces {
            self.skip_to_quote();
        }
        if !self.dialect.quotes || self.byte(self.at) != Some(b'"') {
            let text =
                if self.dialect.backslash { self.escaped() } else { Cow::Borrowed(self.plain()) };
            return Ok(Field { text, quoted: false });
        }
        let (opened, start) = (self.line, self.at + 1);
        let (mut text, mut piece) = (Cow::Borrowed(""), start);
        let mut at = start;
        loop {
            at = self.quote_or_backslash(at).ok_or(Unclosed { line: opened })?;
            let next = self.byte(at + 1);
            if self.byte(at) == Some(b'\\') {
                // In quotes only a quote and a backslash need one.
                if matches!(next, Some(b'"' | b'\\')) {
                    add(&mut text, &self.text[piece..at]);
                    piece = at + 1;
                    at += 1;
                }
                at += 1;
            } else if next == Some(b'"') && !(self.dialect.loose && self.ends_field(at + 2)) {
                add(&mut text, &self.text[piece..=at]);
                piece = at + 2;
                at += 2;
            } else if self.dialect.loose && !self.ends_field(at + 1) {
                at += 1;
            } else {
                break;
            }
        }
        add(&mut text, &self.text[piece..at]);
        let breaks = line_breaks(&self.text[start..at]);
        self.line += breaks;
        self.odd.spans |= breaks > 0;
        self.at = at + 1;
        let tail = self.plain();
        let is_space = self.dialect.spaces && tail.trim().is_empty();
        if !(tail.is_empty() || is_space) {
            self.odd.tail = true;
            text.to_mut().push_str(tail);
        }
        Ok(Field { text, quoted: true })
    }

    /// The next quote inside quotes, or the next backslash where it has a meaning.
    fn quote_or_backslash(&self, at: usize) -> Option<usize> {
        let rest = self.text.as_bytes().get(at..)?;
        let found =
            if self.dialect.backslash { memchr2(b'"', b'\\', rest) } else { memchr(b'"', rest) };
        found.map(|length| at + length)
    }

    fn ends_field(&self, at: usize) -> bool {
        match self.byte(at) {
            None | Some(b'\n' | b'\r') => true,
            Some(b) => b == self.dialect.delimiter,
        }
    }

    /// Spaces before an opening quote; elsewhere they belong to the field.
    fn skip_to_quote(&mut self) {
        let rest = self.rest(self.at).as_bytes();
        let spaces = rest.iter().take_while(|b| **b == b' ').count();
        if rest.get(spaces) == Some(&b'"') {
            self.at += spaces;
        }
    }

    /// Up to the delimiter or line end.
    fn plain(&mut self) -> &'a str {
        let rest = self.rest(self.at);
        let length =
            memchr3(self.dialect.delimiter, b'\n', b'\r', rest.as_bytes()).unwrap_or(rest.len());
        self.at += length;
        &rest[..length]
    }

    /// As [`Self::plain`], where a backslash takes the meaning of the character behind it.
    fn escaped(&mut self) -> Cow<'a, str> {
        let mut text = Cow::Borrowed(self.plain());
        // An odd number of backslashes: the last one escapes what stopped the field.
        while text.bytes().rev().take_while(|b| *b == b'\\').count() % 2 == 1
            && self.at < self.text.len()
        {
            let text = text.to_mut();
            text.pop();
            let stop = self.byte(self.at);
            if stop == Some(b'\n') || (stop == Some(b'\r') && self.byte(self.at + 1) != Some(b'\n'))
            {
                self.line += 1;
            }
            // Any of the three stops is one byte long.
            text.push_str(&self.text[self.at..=self.at]);
            self.at += 1;
            let more = self.plain();
            text.push_str(more);
        }
        if text.contains("\\\"") || text.contains("\\\\") {
            text = Cow::Owned(text.replace("\\\"", "\"").replace("\\\\", "\\"));
        }
        text
    }

    fn line_end(&mut self) {
        match (self.byte(self.at), self.byte(self.at + 1)) {
            (Some(b'\r'), Some(b'\n')) => self.at += 2,
            (Some(_), _) => self.at += 1,
            (None, _) => return,
        }
        self.line += 1;
    }

    fn skip_blank_lines(&mut self) {
        loop {
            let rest = self.rest(self.at);
            let is_space = |b: &u8| matches!(b, b' ' | b'\t') && *b != self.dialect.delimiter;
            let spaces = rest.as_bytes().iter().take_while(|b| is_space(b)).count();
            match rest.as_bytes().get(spaces) {
                Some(b'\n' | b'\r') => {
                    self.at += spaces;
                    self.line_end();
                }
                None => {
                    self.at = self.text.len();
                    return;
                }
                Some(_) => return,
            }
        }
    }

    fn byte(&self, at: usize) -> Option<u8> {
        self.text.as_bytes().get(at).copied()
    }

    /// `at` never lies inside a character: it stops only on and behind ASCII bytes.
    fn rest(&self, at: usize) -> &'a str {
        self.text.get(at..).unwrap_or_default()
    }
}

/// Appends a piece of the text, and borrows it while it is the only one.
fn add<'a>(text: &mut Cow<'a, str>, piece: &'a str) {
    if text.is_empty() {
        *text = Cow::Borrowed(piece);
    } else {
        text.to_mut().push_str(piece);
    }
}

fn line_breaks(text: &str) -> u64 {
    let count = |what: &str| text.matches(what).count() as u64;
    count("\n") + count("\r") - count("\r\n")
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn records(text: &str, delimiter: u8) -> Result<Vec<Vec<String>>, Unclosed> {
        let mut reader = Delimited::new(text, Dialect::quoted(delimiter));
        let (mut fields, mut all) = (Vec::new(), Vec::new());
        while reader.next(&mut fields)? {
            all.push(fields.iter().map(|f| f.text.to_string()).collect());
        }
        Ok(all)
    }

    #[test]
    fn records_are_those_of_pandas() {
        // (text, records) as pandas 2 reads them with keep_default_na=False, header=None.
        for (text, want) in [
            ("a,b\nc,d\n", &[&["a", "b"], &["c", "d"]][..]),
            ("a,b\r\nc,d", &[&["a", "b"], &["c", "d"]]),
            ("a,b\rc,d\r", &[&["a", "b"], &["c", "d"]]),
            ("\n\na,b\n  \t\n\r\nc,d\n\n", &[&["a", "b"], &["c", "d"]]),
            ("\"x\r\ny\n\nz\",b\n", &[&["x\r\ny\n\nz", "b"]]),
            ("\"say \"\"hi\"\"\",b\n", &[&["say \"hi\"", "b"]]),
            ("\"\"\"\"\"\",b\n", &[&["\"\"", "b"]]),
            ("5\" disk,b\nsay \"x,y\n", &[&["5\" disk", "b"], &["say \"x", "y"]]),
            ("\"ab\"cd\"e,b\n", &[&["abcd\"e", "b"]]),
            (" \"a\" , b \n", &[&[" \"a\" ", " b "]]),
            ("\"a,b\",\"c\"\n", &[&["a,b", "c"]]),
            (",\n\"\",\"\"\n", &[&["", ""], &["", ""]]),
            ("日本,ü\n", &[&["日本", "ü"]]),
        ] {
            let got = records(text, b',').unwrap();
            assert_eq!(got, want.iter().map(|r| r.to_vec()).collect::<Vec<_>>(), "{text:?}");
        }
    }

    #[test]
    fn an_empty_field_is_missing_only_without_quotes() {
        let mut fields = Vec::new();
        Delimited::new("\"\",", Dialect::quoted(b',')).next(&mut fields).unwrap();
        assert_eq!(fields.iter().map(|f| f.quoted).collect::<Vec<_>>(), [true, false]);
    }

    #[test]
    fn a_quote_that_is_never_closed_is_named_by_its_line() {
        assert_eq!(records("a,b\n\"x\ny\",1\n\"z,2\n", b','), Err(Unclosed { line: 4 }));
    }

    #[test]
    fn tabs_are_data_in_a_csv_and_delimiters_in_a_tsv() {
        assert_eq!(records("a\t,b\n", b',').unwrap(), [["a\t", "b"]]);
        assert_eq!(records("a, b\tc\n\t\n", b'\t').unwrap(), [["a, b", "c"], ["", ""]]);
    }

    fn first(text: &str, dialect: Dialect) -> Vec<String> {
        let mut fields = Vec::new();
        Delimited::new(text, dialect).next(&mut fields).unwrap();
        fields.into_iter().map(|f| f.text.into_owned()).collect()
    }

    #[test]
    fn dialects_differ_in_quotes_and_backslashes() {
        let quoted = Dialect::quoted(b',');
        let backslash = Dialect { backslash: true, ..quoted };
        let loose = Dialect { loose: true, ..quoted };
        let spaces = Dialect { spaces: true, ..quoted };
        for (text, dialect, want) in [
            ("\"a\" b\",c\n", Dialect::plain(b','), &["\"a\" b\"", "c"][..]),
            ("\"say \\\"hi, you\\\" now\",c\n", backslash, &["say \"hi, you\" now", "c"]),
            ("\"C:\\\\\",\"a\\nb\"\n", backslash, &["C:\\", "a\\nb"]),
            ("a\\, b\\\nc,d\\\\\n", backslash, &["a, b\nc", "d\\"]),
            ("\"say \"hi\" now\",c\n", loose, &["say \"hi\" now", "c"]),
            ("\"say \"hi\"\",\"\"\"\"\n", loose, &["say \"hi\"", "\""]),
            ("a, \"b, c\" ,  d\n", spaces, &["a", "b, c", "  d"]),
        ] {
            assert_eq!(first(text, dialect), want, "{text:?}");
        }
    }

    proptest! {
        /// Whatever stands in quotes comes back to the byte, and no text makes the reader stumble.
        #[test]
        fn quoted_fields_come_back_as_they_were(rows in vec([any::<String>(), ".*", "[a,\"\r\n ]*"], 1..5)) {
            let quote = |field: &String| format!("\"{}\"", field.replace('"', "\"\""));
            let line = |row: &[String; 3]| row.each_ref().map(quote).join(",");
            let text = rows.iter().map(line).collect::<Vec<_>>().join("\r\n");
            prop_assert_eq!(records(&text, b',').map_err(|e| e.line), Ok(rows.iter().map(|r| r.to_vec()).collect()));
            for row in rows.iter().flatten() {
                let _ = records(row, b',');
            }
        }
    }
}

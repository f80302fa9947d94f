use std::borrow::Cow;

/// Splits CSV and TSV text into records by the rules of Python's csv module and of pandas: a quote
/// opens a quoted field only at its start and is an ordinary character elsewhere; `""` inside quotes
/// is one quote; what follows a closing quote belongs to the field; CR, LF and CR LF end a record
/// outside quotes and are kept as they are inside. Lines of nothing but spaces and tabs are passed over.
pub(super) struct Delimited<'a> {
    text: &'a str,
    delimiter: u8,
    at: usize,
    line: u64,
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
    pub fn new(text: &'a str, delimiter: u8) -> Self {
        Self { text, delimiter, at: 0, line: 1 }
    }

    /// Passes over blank lines and tells the line at which the next record starts, from 1.
    pub fn next_line(&mut self) -> u64 {
        self.skip_blank_lines();
        self.line
    }

    /// Reads the next record into `fields`; false at the end.
    pub fn next(&mut self, fields: &mut Vec<Field<'a>>) -> Result<bool, Unclosed> {
        self.skip_blank_lines();
        fields.clear();
        if self.at >= self.text.len() {
            return Ok(false);
        }
        loop {
            fields.push(self.field()?);
            match self.byte(self.at) {
                Some(b) if b == self.delimiter => self.at += 1,
                _ => {
                    self.line_end();
                    return Ok(true);
                }
            }
        }
    }

    /// Reads one field and stops on the delimiter, the line end or the end of the text.
    fn field(&mut self) -> Result<Field<'a>, Unclosed> {
        if self.byte(self.at) != Some(b'"') {
            return Ok(Field { text: Cow::Borrowed(self.plain()), quoted: false });
        }
        let mut text = Cow::Borrowed(self.in_quotes()?);
        while self.byte(self.at) == Some(b'"') {
            // The quote before this one did not close the field: it was doubled.
            text.to_mut().push('"');
            let more = self.in_quotes()?;
            text.to_mut().push_str(more);
        }
        let tail = self.plain();
        if !tail.is_empty() {
            text.to_mut().push_str(tail);
        }
        Ok(Field { text, quoted: true })
    }

    /// From an opening quote to the next quote, which is passed over.
    fn in_quotes(&mut self) -> Result<&'a str, Unclosed> {
        let start = self.at + 1;
        let length = self.rest(start).find('"').ok_or(Unclosed { line: self.line })?;
        let inside = &self.rest(start)[..length];
        self.at = start + length + 1;
        self.line += line_breaks(inside);
        Ok(inside)
    }

    /// Up to the delimiter or line end.
    fn plain(&mut self) -> &'a str {
        let rest = self.rest(self.at);
        let length = rest
            .bytes()
            .position(|b| b == self.delimiter || b == b'\n' || b == b'\r')
            .unwrap_or(rest.len());
        self.at += length;
        &rest[..length]
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
            let is_space = |b: &u8| matches!(b, b' ' | b'\t') && *b != self.delimiter;
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

fn line_breaks(text: &str) -> u64 {
    let count = |what: &str| text.matches(what).count() as u64;
    count("\n") + count("\r") - count("\r\n")
}

/// The delimiter of a file: what its extension says, unless the header has none of it. Of the others,
/// the one that the header has most of; a comma if it has none.
pub(super) fn delimiter(header: &str, extension: &str) -> u8 {
    let expected = match extension {
        "tsv" | "tab" => b'\t',
        _ => b',',
    };
    // A column name may itself be quoted and hold commas.
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

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn records(text: &str, delimiter: u8) -> Result<Vec<Vec<String>>, Unclosed> {
        let mut reader = Delimited::new(text, delimiter);
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
        Delimited::new("\"\",", b',').next(&mut fields).unwrap();
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
        ] {
            assert_eq!(delimiter(header, extension), want, "{header}");
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

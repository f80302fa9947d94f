//! The rows of a delimited file, read in pieces.

use super::delimited::{Delimited, Field};
use super::dialect::{Layout, Shape};
use super::error::{DataError, counted, shown};
use super::sink::Sink;

/// At least so many bytes of a text are read before they are given back.
pub(super) const AT_LEAST: usize = 16 << 20;

/// How far a delimited file is read.
struct Progress {
    /// The byte at which the next record starts, and its line, from 1.
    at: usize,
    line: u64,
    /// A header is record 0.
    row: u64,
    /// Rows with values in columns without a name.
    beyond: Vec<u64>,
    /// Lines that are the header again, or the rule below that of a Markdown table.
    passed: Vec<u64>,
}

/// Reads `limit` rows, and gives each `piece` bytes of the text back once they are read, so that a large text and
/// its rows are never in memory together.
pub(super) fn read(
    text: &mut String,
    layout: &Layout,
    sink: &mut Sink,
    (limit, piece): (usize, usize),
    path: &str,
    notes: &mut Vec<String>,
) -> Result<(), DataError> {
    let mut progress = Progress {
        at: layout.at,
        line: layout.line,
        row: u64::from(!layout.header),
        beyond: Vec::new(),
        passed: Vec::new(),
    };
    while read_piece(text, layout, sink, (limit, piece), path, &mut progress)? {
        text.drain(..progress.at);
        text.shrink_to_fit();
        progress.at = 0;
    }
    if let Some(line) = progress.passed.first() {
        let lines = counted(progress.passed.len(), "line");
        let path = shown(path);
        notes.push(format!(
            "{path}: {lines} passed over that repeat the header or underline it, the first is line {line}."
        ));
    }
    if let Some(row) = progress.beyond.first() {
        let rows = counted(progress.beyond.len(), "row");
        let path = shown(path);
        notes.push(format!(
            "{path}: {rows} with values in columns without a name, the first is row {row}."
        ));
    }
    Ok(())
}

/// Reads rows until there are `limit`, or `piece` bytes are behind the last; false if there are no more.
fn read_piece(
    text: &str,
    layout: &Layout,
    sink: &mut Sink,
    (limit, piece): (usize, usize),
    path: &str,
    progress: &mut Progress,
) -> Result<bool, DataError> {
    let mut reader = Delimited::starting(text, layout.dialect, progress.at, progress.line);
    let mut fields: Vec<Field<'_>> = Vec::new();
    let named = layout.names.iter().rposition(|name| !name.is_empty()).map_or(0, |last| last + 1);
    let shape = Shape { width: layout.width, named };
    let mut row = progress.row;
    while row as usize <= limit {
        let line = reader.next_line();
        let at = reader.position();
        if at > piece {
            (progress.at, progress.line, progress.row) = (at, line, row);
            return Ok(true);
        }
        match reader.next(&mut fields) {
            Ok(true) if row == 0 => {
                row += 1;
                continue;
            }
            Ok(true) if layout.header && is_header_again(&fields, layout) => {
                progress.passed.push(line);
                continue;
            }
            Ok(true) => {}
            Ok(false) => break,
            Err(open) => {
                let why = format!(
                    "opens a quote on line {} that is never closed; if quotes are letters in this file, say quote=none",
                    open.line
                );
                return Err(DataError::row(path, row, why));
            }
        }
        if !shape.fits(&fields) {
            let (has, header) = (counted(fields.len(), "field"), layout.width);
            let why = format!("(line {line}) has {has} and the header has {header}");
            return Err(DataError::row(path, row, why));
        }
        if reader.odd.tail && reader.odd.spans {
            let why = format!(
                "opens a quote on line {line} that ends within a field some lines below; mend it, or say quote=none \
                 if quotes are letters in this file"
            );
            return Err(DataError::row(path, row, why));
        }
        let unnamed = fields.get(layout.names.len()..).unwrap_or_default();
        if unnamed.iter().any(|field| !field.text.trim().is_empty()) {
            progress.beyond.push(row);
        }
        sink.fill(|index| {
            let field = fields.get_mut(index).filter(|f| {
                let is_null = layout.dialect.backslash && f.text == "\\N";
                f.quoted || !(f.text.is_empty() || is_null)
            });
            Ok(field.map(|field| std::mem::take(&mut field.text)))
        })?;
        row += 1;
    }
    Ok(false)
}

/// Files that were put together have their headers within; Markdown rules a line below it.
fn is_header_again(fields: &[Field<'_>], layout: &Layout) -> bool {
    let is_rule = |text: &str| text.contains("--") && text.bytes().all(|b| b"-: ".contains(&b));
    let first = fields.iter().find(|field| !field.text.trim().is_empty());
    if layout.dialect.delimiter == b'|' && first.is_some_and(|field| is_rule(&field.text)) {
        return fields.iter().all(|f| f.text.trim().is_empty() || is_rule(&f.text));
    }
    let mut pairs = fields.iter().zip(&layout.names);
    layout.names.len() > 1
        && fields.len() == layout.names.len()
        && pairs.all(|(field, name)| field.text.trim() == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::dialect;
    use crate::dataset::options::Options;

    #[test]
    fn a_text_that_is_given_back_in_pieces_has_the_same_rows() {
        let whole =
            "\ntitle\ntext,label,\n\"a\nb\",x,\n  \nc,y,9\r\n\"d \"\"e\"\"\",x\n\u{e9}\u{e9},y,8";
        let mut layout = dialect::find(whole, "csv", &Options::default(), "f").unwrap();
        layout.names.pop();
        let rows = |piece: usize| {
            let (mut text, mut sink, mut notes) = (whole.to_owned(), Sink::new(&[0], &[1]), vec![]);
            let all = read(&mut text, &layout, &mut sink, (usize::MAX, piece), "f", &mut notes);
            all.unwrap();
            let (texts, words) = sink.finish();
            let words: Vec<_> = words[0].iter().map(|w| w.map(str::to_owned)).collect();
            (texts, words, notes, text.len())
        };
        let want = rows(usize::MAX);
        let texts: Vec<&str> = want.0[0].iter().flatten().map(String::as_str).collect();
        assert_eq!(texts, ["a\nb", "c", "d \"e\"", "\u{e9}\u{e9}"]);
        assert!(
            want.2[0].contains("2 rows with values") && want.2[0].contains("row 2"),
            "{:?}",
            want.2
        );
        for piece in 0..whole.len() {
            let got = rows(piece);
            assert_eq!((&got.0, &got.1, &got.2), (&want.0, &want.1, &want.2), "{piece}");
        }
        assert!(rows(0).3 < 10, "what is read is given back");
        // A fault is told by the row and line of the whole file.
        let (mut text, mut sink) = ("text,label\na,x\nb,y,z\n".to_owned(), Sink::new(&[0], &[1]));
        let layout = dialect::find(&text, "csv", &Options::default(), "f").unwrap();
        let why = read(&mut text, &layout, &mut sink, (usize::MAX, 0), "f", &mut Vec::new());
        let why = why.unwrap_err().to_string();
        assert!(why.contains("row 2") && why.contains("line 3"), "{why}");
    }

    #[test]
    fn a_header_that_comes_again_is_no_row() {
        let read_all = |text: &str| {
            let layout = dialect::find(text, "csv", &Options::default(), "f").unwrap();
            let mut sink = Sink::new(&[layout.names.len() - 2], &[layout.names.len() - 1]);
            let (mut text, mut notes) = (text.to_owned(), Vec::new());
            read(&mut text, &layout, &mut sink, (usize::MAX, 9), "f", &mut notes).unwrap();
            (sink.rows(), notes.concat())
        };
        let one = "text,label\nfine and good,x\nbad and worse,y\nso and so,x\n";
        let (rows, note) = read_all(&one.repeat(3));
        assert_eq!(
            (rows, note.contains("2 lines") && note.contains("line 5")),
            (9, true),
            "{note}"
        );
        let table = "text | label\n:--- | ---\nfine and good | x\nbad and -- worse | y\n-- | x\n";
        let (rows, note) = read_all(table);
        assert_eq!((rows, note.contains("line 2")), (3, true), "{note}");
        assert_eq!(read_all(one), (3, String::new()));
    }
}

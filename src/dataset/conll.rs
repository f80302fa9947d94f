//! Files with one word a line and its tag behind it, sentences apart by blank lines: CoNLL 2003 and its kin.
//!
//! Columns end with tabs if the first line with a word has one, else with white space. Words are those of the first
//! column, tags those of the last. `-DOCSTART-` lines part documents and are no sentences; lines that begin
//! with `#` and have another number of columns are comments.

use std::borrow::Cow;

use super::error::{DataError, counted};
use super::sink::Sink;

/// Extensions that say what a file is.
const ENDS: [&str; 6] = ["conll", "conll2003", "iob", "iob2", "bio", "bioes"];
const DOCUMENT: &str = "-DOCSTART-";
/// The lines that are looked at to tell such a file.
const SAMPLE: usize = 2000;

/// How many columns a file has, if it is one of these: by its extension, or, where tags are `wanted`,
/// because blank lines part lines of the same number of columns, two or more.
pub(super) fn width(text: &str, extension: &str, wanted: bool) -> Option<usize> {
    let mut words = text.lines().filter(|line| !is_blank(line) && !line.starts_with(DOCUMENT));
    // Comments stand before a word; a word may be a hash, too.
    let first = words.clone().find(|line| !line.starts_with('#')).or_else(|| words.next())?;
    let columns = fields(first, first.contains('\t')).count();
    let is_named = ENDS.contains(&extension);
    if columns < 2 || !(wanted || is_named) || (extension == "csv" && !is_named) {
        return None;
    }
    let is_tabbed = first.contains('\t');
    let lines = || text.lines().take(SAMPLE).skip_while(|line| is_blank(line));
    let has_gap = lines().any(is_blank);
    let fits = |line: &str| {
        is_blank(line)
            || line.starts_with(DOCUMENT)
            || line.starts_with('#')
            || fields(line, is_tabbed).count() == columns
    };
    (is_named || (has_gap && lines().all(fits))).then_some(columns)
}

/// The names of that many columns: `token`, numbers, `tag`.
pub(super) fn names(width: usize) -> Vec<String> {
    let name = |column| match column {
        1 => "token".to_owned(),
        last if last == width => "tag".to_owned(),
        between => between.to_string(),
    };
    (1..=width).map(name).collect()
}

/// Reads the sentences, each column as a JSON list.
///
/// # Errors
/// A line of another number of columns.
pub(super) fn read(
    text: &str,
    width: usize,
    sink: &mut Sink,
    limit: usize,
    path: &str,
) -> Result<(), DataError> {
    let mut columns: Vec<Vec<&str>> = vec![Vec::new(); width];
    let mut is_tabbed = None;
    let mut rows = 0;
    let mut end = |columns: &mut Vec<Vec<&str>>, rows: &mut usize| {
        if columns.first().is_none_or(Vec::is_empty) {
            return Ok(());
        }
        *rows += 1;
        let list = |index: usize| {
            let words = columns.get(index).map(|column| serde_json::json!(column).to_string());
            Ok(words.map(Cow::<str>::Owned))
        };
        sink.fill(list)?;
        columns.iter_mut().for_each(Vec::clear);
        Ok(())
    };
    for (line, number) in text.lines().zip(1..) {
        if rows >= limit {
            return Ok(());
        }
        if is_blank(line) || line.starts_with(DOCUMENT) {
            end(&mut columns, &mut rows)?;
            continue;
        }
        let is_tabbed = *is_tabbed.get_or_insert_with(|| line.contains('\t'));
        let found: Vec<&str> = fields(line, is_tabbed).collect();
        if found.len() != width && line.starts_with('#') {
            continue;
        }
        if found.len() != width {
            let (has, first) = (counted(found.len(), "column"), width);
            let why = format!("(line {number}) has {has} and the first has {first}");
            return Err(DataError::row(path, rows as u64 + 1, why));
        }
        for (column, field) in columns.iter_mut().zip(found) {
            column.push(field);
        }
    }
    if rows < limit { end(&mut columns, &mut rows) } else { Ok(()) }
}

fn is_blank(line: &str) -> bool {
    line.trim().is_empty()
}

fn fields(line: &str, is_tabbed: bool) -> impl Iterator<Item = &str> {
    let (tabbed, spaced) = if is_tabbed {
        (Some(line.trim_end_matches(['\r', '\n', '\t']).split('\t')), None)
    } else {
        (None, Some(line.split_ascii_whitespace()))
    };
    tabbed.into_iter().flatten().chain(spaced.into_iter().flatten())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &str) -> Result<Vec<String>, String> {
        let width = width(text, "conll", true).unwrap();
        let mut sink = Sink::new(&[0, width - 1], &[]);
        read(text, width, &mut sink, usize::MAX, "d.conll").map_err(|e| e.to_string())?;
        let (mut columns, _) = sink.finish();
        let tags = columns.pop().unwrap().into_iter().flatten();
        let words = columns.pop().unwrap().into_iter().flatten();
        Ok(words.zip(tags).map(|(words, tags)| words + &tags).collect())
    }

    #[test]
    fn sentences_end_at_blank_lines_and_documents_are_none() {
        let text = "-DOCSTART- -X- -X- O\n\n# a comment\nEU NNP B-NP B-ORG\n# N N O\n\n \n. . O O";
        assert_eq!(rows(text).unwrap(), [r##"["EU","#"]["B-ORG","O"]"##, r#"["."]["O"]"#]);
        assert_eq!(
            rows("New York\tB-LOC\r\nx\tO\r\n").unwrap(),
            [r#"["New York","x"]["B-LOC","O"]"#]
        );
        let odd = rows("a\tO\n\nb\tX\tO\n").unwrap_err();
        assert_eq!(odd, "d.conll: row 2 (line 3) has 3 columns and the first has 2.");
    }

    #[test]
    fn other_files_are_not_taken_for_it() {
        assert_eq!(width("text\tlabel\na b\tx\n", "tsv", true), None);
        assert_eq!(width("EU B-ORG\n\nx O\n", "txt", true), Some(2));
        assert_eq!(width("EU B-ORG\n\nx O\n", "txt", false), None);
        assert_eq!(names(4), ["token", "2", "3", "tag"]);
    }
}

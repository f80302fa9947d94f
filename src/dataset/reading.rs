//! How a file was read.

use serde::Serialize;

use super::delimited::Dialect;
use super::dialect::Layout;
use crate::spec::printable;

/// How `data=` was read, and which of its columns: what was found and what was told alike.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Reading {
    /// `CSV`, `TSV`, `JSON Lines`, `JSON` or `Parquet`.
    pub format: String,
    /// `gzip`, `zstd`, `bzip2` or `xz`, if the file was compressed.
    pub packed: Option<String>,
    /// Files that make up `data=`; more than 1 for a folder or a pattern.
    pub shards: u64,
    /// `UTF-8`, `windows-1252`...; `None` for Parquet.
    pub encoding: Option<String>,
    /// False where the bytes fit other encodings as well.
    pub encoding_sure: bool,
    /// Of a delimited file.
    pub delimiter: Option<char>,
    /// `double`, `none`, or `loose`: not doubled inside of quotes.
    pub quote: Option<String>,
    /// `none` or `backslash`.
    pub escape: Option<String>,
    /// Whether the first line names the columns.
    pub header: Option<bool>,
    /// The column with the texts.
    pub text_column: String,
    /// The column with the second text of each pair, if rows are pairs.
    pub pair_column: Option<String>,
    /// The column with the labels, or the columns with commas between; `None` if nothing asks for labels.
    pub label_column: Option<String>,
    /// Other columns that hold texts; the model does not see them.
    pub left_aside: Vec<String>,
}

impl Reading {
    pub(super) fn delimited(&mut self, layout: &Layout) {
        let Dialect { delimiter, quotes, backslash, loose, .. } = layout.dialect;
        let format = if delimiter == b'\t' { "TSV" } else { "CSV" };
        format.clone_into(&mut self.format);
        self.delimiter = Some(char::from(delimiter));
        let quote = match (quotes, loose) {
            (false, _) => "none",
            (true, true) => "loose",
            (true, false) => "double",
        };
        self.quote = Some(quote.to_owned());
        self.escape = Some(if backslash { "backslash" } else { "none" }.to_owned());
        self.header = Some(layout.header);
    }

    /// One sentence for people: `CSV with header, comma, UTF-8: text v2, label v1`.
    pub fn sentence(&self) -> String {
        let mut how = vec![match (&self.packed, self.shards) {
            (Some(packed), _) => format!("{} in {packed}", self.format),
            (None, 0 | 1) => self.format.clone(),
            (None, shards) => format!("{shards} files of {}", self.format),
        }];
        match self.delimiter {
            Some(',' | '\t') | None => {}
            Some(';') => how.push("semicolons".into()),
            Some(other) => how.push(format!("fields end with {other}")),
        }
        match self.quote.as_deref() {
            Some("none") => how.push("quotes are letters".into()),
            Some("loose") => how.push("quotes inside texts are not doubled".into()),
            _ => {}
        }
        if self.escape.as_deref() == Some("backslash") {
            how.push("backslashes escape".into());
        }
        if self.header == Some(false) {
            how.push("no header".into());
        }
        match &self.encoding {
            Some(encoding) if self.encoding_sure => how.push(encoding.clone()),
            Some(encoding) => how.push(format!("most likely {encoding}")),
            None => {}
        }
        let column = |name: &str| format!("`{}`", printable(name, 60));
        let label = self.label_column.as_ref();
        let label =
            label.map_or("no labels".to_owned(), |label| format!("label {}", column(label)));
        let text = match &self.pair_column {
            Some(pair) => format!("texts {} and {}", column(&self.text_column), column(pair)),
            None => format!("text {}", column(&self.text_column)),
        };
        let mut sentence = format!("{}: {text}, {label}", how.join(", "));
        if !self.left_aside.is_empty() {
            let names: Vec<String> = self.left_aside.iter().take(5).map(|n| column(n)).collect();
            sentence = format!("{sentence}; left aside: {}", names.join(", "));
        }
        sentence + "."
    }
}

use std::fs;
use std::io::{self, Read};
use std::path::Path;

use super::delimited::{Delimited, Field, delimiter};
use super::error::{DataError, counted, first_few, quoted, shown};
use super::{json_lines, parquet};
use crate::spec::keys::nearest;
use crate::spec::locate::data_path;
use crate::spec::printable;

/// One column as text; `None` where the file has no value.
pub(super) type Column = Vec<Option<String>>;

/// A data file whose column names are known and whose rows are not read yet.
pub(super) struct Source {
    /// As written in the spec; errors name it.
    pub path: String,
    /// In the order of the file.
    pub names: Vec<String>,
    body: Body,
}

enum Body {
    Delimited { text: String, delimiter: u8 },
    JsonLines(String),
    Parquet(fs::File),
}

impl Source {
    /// Opens `name` (relative to `root`) and reads its column names.
    ///
    /// The extension decides the format: csv, tsv, tab, jsonl, ndjson, json, parquet, pq. With any
    /// other, the first bytes do.
    pub fn open(root: &Path, name: &str) -> Result<Self, DataError> {
        let path = data_path(root, name);
        let mut file = open_file(&path, name)?;
        let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
        let mut head = [0; 4];
        let head_length = read_up_to(&mut file, &mut head).map_err(|e| DataError::io(name, e))?;
        let head = &head[..head_length];
        refuse_what_is_no_data(name, head)?;
        if head == b"PAR1" || matches!(extension.as_str(), "parquet" | "pq") {
            let names = parquet::names(&file, name)?;
            check_names(name, &names)?;
            return Ok(Self { path: name.to_owned(), names, body: Body::Parquet(file) });
        }
        let text = read_text(name, head, file)?;
        let first = text.trim_start().as_bytes().first().copied();
        let is_json = match extension.as_str() {
            "jsonl" | "ndjson" | "json" => true,
            "csv" | "tsv" | "tab" => false,
            _ => first == Some(b'{'),
        };
        let (names, body) = match first {
            None => return Err(DataError::file(name, "is empty")),
            Some(b'[') if is_json => return Err(DataError::file(name, IS_ARRAY)),
            Some(_) if is_json => (json_lines::names(&text, name)?, Body::JsonLines(text)),
            Some(_) => {
                let (names, delimiter) = header(&text, &extension, name)?;
                (names, Body::Delimited { text, delimiter })
            }
        };
        check_names(name, &names)?;
        Ok(Self { path: name.to_owned(), names, body })
    }

    /// Reads the columns with these positions in `names`; all come back equally long, and not empty.
    pub fn read(self, wanted: &[usize]) -> Result<Vec<Column>, DataError> {
        let columns = match &self.body {
            Body::Delimited { text, delimiter } => self.read_delimited(text, *delimiter, wanted)?,
            Body::JsonLines(text) => json_lines::read(text, &self.names, wanted, &self.path)?,
            Body::Parquet(file) => parquet::read(file, &self.names, wanted, &self.path)?,
        };
        if columns.iter().any(Vec::is_empty) {
            return Err(DataError::file(&self.path, "has columns but no rows"));
        }
        Ok(columns)
    }

    fn read_delimited(
        &self,
        text: &str,
        delimiter: u8,
        wanted: &[usize],
    ) -> Result<Vec<Column>, DataError> {
        let mut reader = Delimited::new(text, delimiter);
        let mut fields: Vec<Field<'_>> = Vec::new();
        let mut columns = vec![Column::new(); wanted.len()];
        for row in 0_u64.. {
            let line = reader.next_line();
            match reader.next(&mut fields) {
                Ok(true) if row == 0 => continue,
                Ok(true) => {}
                Ok(false) => break,
                Err(open) => {
                    let why = format!("opens a quote on line {} that is never closed", open.line);
                    return Err(DataError::row(&self.path, row, why));
                }
            }
            if fields.len() != self.names.len() {
                let (has, header) = (counted(fields.len(), "field"), self.names.len());
                let why = format!("(line {line}) has {has} and the header has {header}");
                return Err(DataError::row(&self.path, row, why));
            }
            for (column, index) in columns.iter_mut().zip(wanted) {
                let Some(field) = fields.get_mut(*index) else { continue };
                let missing = field.text.is_empty() && !field.quoted;
                column.push((!missing).then(|| std::mem::take(&mut field.text).into_owned()));
            }
        }
        Ok(columns)
    }
}

const IS_ARRAY: &str =
    "is one JSON array, and JSON Lines has one object per line: `jq -c '.[]' FILE` makes them";

fn header(text: &str, extension: &str, path: &str) -> Result<(Vec<String>, u8), DataError> {
    let first_line = text.trim_start().lines().next().unwrap_or_default();
    if first_line.contains('\0') {
        return Err(DataError::file(path, "is not a text file: its first line holds a NUL byte"));
    }
    let delimiter = delimiter(first_line, extension);
    let mut fields = Vec::new();
    Delimited::new(text, delimiter)
        .next(&mut fields)
        .map_err(|_| DataError::within(path, "the header opens a quote that is never closed"))?;
    Ok((fields.iter().map(|f| f.text.trim().to_owned()).collect(), delimiter))
}

fn check_names(path: &str, names: &[String]) -> Result<(), DataError> {
    let twice = names.iter().enumerate().find(|(i, n)| !n.is_empty() && names[..*i].contains(n));
    match twice {
        Some((_, name)) => {
            Err(DataError::file(path, format!("has two columns named {}", quoted(name))))
        }
        None => Ok(()),
    }
}

fn open_file(path: &Path, name: &str) -> Result<fs::File, DataError> {
    let found = fs::metadata(path);
    match found {
        Ok(meta) if meta.is_dir() => {
            let files = files_in(path);
            let hint = if files.is_empty() {
                String::new()
            } else {
                format!(" ({})", first_few(&files, |f| quoted(f)))
            };
            Err(DataError::file(name, format!("is a folder; name a file in it{hint}")))
        }
        Ok(_) => fs::File::open(path).map_err(|e| DataError::io(name, e)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            let wanted = path.file_name().unwrap_or_default().to_string_lossy();
            let files = path.parent().map(files_in).unwrap_or_default();
            let nearest = nearest(&wanted, files.iter().map(String::as_str));
            Err(DataError::NotFound {
                path: shown(name),
                nearest: nearest.map(|n| printable(&n, 80).into_owned()),
            })
        }
        Err(e) => Err(DataError::io(name, e)),
    }
}

/// The names of the files in a folder, sorted.
fn files_in(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut names: Vec<String> = entries
        .flatten()
        .filter(|e| e.path().is_file())
        .map(|e| e.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

fn read_up_to(file: &mut fs::File, buffer: &mut [u8]) -> io::Result<usize> {
    let mut length = 0;
    while length < buffer.len() {
        match file.read(&mut buffer[length..])? {
            0 => break,
            n => length += n,
        }
    }
    Ok(length)
}

/// Names the formats that people most often mistake for data files.
fn refuse_what_is_no_data(path: &str, head: &[u8]) -> Result<(), DataError> {
    let why = match head {
        [] => "is empty",
        [0x1f, 0x8b, ..] => "is compressed with gzip; unpack it first",
        [0x28, 0xb5, 0x2f, 0xfd] => "is compressed with zstd; unpack it first",
        [b'P', b'K', 3, 4] => "is a zip archive or an Excel sheet; unpack it or save it as CSV",
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => "is in UTF-16; save it as UTF-8",
        _ => return Ok(()),
    };
    Err(DataError::file(path, why))
}

/// The rest of the file behind `head`, as text without a byte order mark.
fn read_text(path: &str, head: &[u8], mut file: fs::File) -> Result<String, DataError> {
    let size = file.metadata().map_or(0, |m| m.len() as usize);
    let mut bytes = Vec::with_capacity(size);
    bytes.extend_from_slice(head);
    file.read_to_end(&mut bytes).map_err(|e| DataError::io(path, e))?;
    let mut text = String::from_utf8(bytes).map_err(|e| {
        let at = e.utf8_error().valid_up_to();
        let before = e.as_bytes().get(..at).unwrap_or_default();
        let line = before.split(|b| *b == b'\n').count();
        let why = format!("is not UTF-8 at byte {at} (line {line}); save it as UTF-8");
        DataError::file(path, why)
    })?;
    if text.starts_with('\u{feff}') {
        text.drain(..'\u{feff}'.len_utf8());
    }
    Ok(text)
}

use std::collections::HashSet;
use std::fs;
use std::io::{self, Read, Seek, SeekFrom};

use super::conll;
use super::dialect::{self, Layout};
use super::encoding::decode;
use super::error::{DataError, quoted, shown};
use super::fasttext;
use super::json;
use super::options::Options;
use super::packed::{Packing, refuse_what_is_no_data, unpack};
use super::parquet::Table;
use super::pieces;
use super::place::{Shard, extension};
use super::reading::Reading;
use super::sink::{Column, Sink, Words};

/// The files of one part of a data set, whose column names are known and whose rows are not read yet.
pub(super) struct Source {
    /// As written in the spec; errors name it.
    pub path: String,
    /// In the order of the file.
    pub names: Vec<String>,
    /// How the first file is written; its columns are not chosen yet.
    pub reading: Reading,
    /// What was found that a person should know.
    pub notes: Vec<String>,
    first: FileSource,
    others: Vec<Shard>,
    options: Options,
}

/// Columns that were read, all equally long.
pub(super) struct Columns {
    /// Of each column of texts.
    pub texts: Vec<Column>,
    pub words: Vec<Words>,
    pub notes: Vec<String>,
}

impl Source {
    /// Opens the files of a part; `path` is what the spec calls them.
    pub fn open(shards: &[Shard], path: &str, options: &Options) -> Result<Self, DataError> {
        let Some((first, others)) = shards.split_first() else {
            return Err(DataError::file(path, "is a folder without data files"));
        };
        let mut first = FileSource::open(first, options)?;
        let mut reading = std::mem::take(&mut first.reading);
        reading.shards = shards.len() as u64;
        Ok(Self {
            path: path.to_owned(),
            names: first.names.clone(),
            reading,
            notes: std::mem::take(&mut first.notes),
            first,
            others: others.to_vec(),
            options: options.clone(),
        })
    }

    /// The keys for delimited files that this one has no use for.
    ///
    /// # Errors
    /// There are some.
    pub fn refuse_idle_options(&self) -> Result<(), DataError> {
        let keys = self.options.of_delimited();
        let Some(key) = keys.first().filter(|_| self.reading.delimiter.is_none()) else {
            return Ok(());
        };
        let why =
            format!("is {}, and {key}= is for CSV and TSV; leave it out", self.reading.format);
        Err(DataError::file(&self.path, why))
    }

    /// The first rows as text, for guesses; columns that cannot be read as text are empty.
    pub fn sample(&mut self) -> Vec<Column> {
        const ROWS: usize = 500;
        self.first.sample(ROWS)
    }

    /// Whether a column of a Parquet file holds lists.
    pub fn holds_lists(&self, column: usize) -> bool {
        matches!(&self.first.body, Body::Parquet(table) if table.holds_lists(column))
    }

    /// By number the classes of a column, as the file's metadata names them.
    pub fn class_names(&self, column: usize) -> Option<&[String]> {
        let FileSource { body: Body::Parquet(table), names, .. } = &self.first else { return None };
        table.class_names().get(names.get(column)?).map(Vec::as_slice)
    }

    /// Reads the columns `texts` and some others; all come back equally long, and not empty.
    pub fn read(self, texts: &[usize], others: &[usize]) -> Result<Columns, DataError> {
        let mut sink = Sink::new(texts, others);
        sink.lists = self.options.lists;
        let mut notes = Vec::new();
        let Self { names, mut first, options, path, .. } = self;
        first.read(&mut sink, ALL, &mut notes)?;
        drop(first);
        for shard in self.others {
            let mut file = FileSource::open(&shard, &options)?;
            let at = |index: &usize| {
                let name = names.get(*index).map_or("", String::as_str);
                file.names.iter().position(|n| n == name).ok_or_else(|| {
                    let why = format!(
                        "has no column {}, which the first file of {} has",
                        quoted(name),
                        shown(&path)
                    );
                    DataError::file(&shard.name, why)
                })
            };
            let texts = texts.iter().map(at).collect::<Result<Vec<_>, _>>()?;
            let others = others.iter().map(at).collect::<Result<Vec<_>, _>>()?;
            sink.move_to(&texts, &others);
            file.read(&mut sink, ALL, &mut notes)?;
        }
        if sink.rows() == 0 {
            return Err(DataError::file(&path, "has columns but no rows"));
        }
        let (texts, words) = sink.finish();
        Ok(Columns { texts, words, notes })
    }
}

struct FileSource {
    path: String,
    names: Vec<String>,
    reading: Reading,
    notes: Vec<String>,
    body: Body,
}

enum Body {
    Delimited(String, Layout),
    Json(String),
    Conll(String, usize),
    Parquet(Box<Table>),
}

impl FileSource {
    /// Opens a file and reads its column names.
    ///
    /// The first bytes tell Parquet and packed files, the extension the others: csv, tsv, tab, jsonl,
    /// ndjson, json. With any other, the first character does.
    fn open(shard: &Shard, options: &Options) -> Result<Self, DataError> {
        let name = shard.name.as_str();
        let mut file = fs::File::open(&shard.path).map_err(|e| DataError::io(name, e))?;
        let extension = extension(&shard.path);
        let mut reading = Reading::default();
        let mut head = head_of(&mut file).map_err(|e| DataError::io(name, e))?;
        let packing = Packing::of(&head);
        let bytes = if let Some(packing) = packing {
            reading.packed = Some(packing.name().to_owned());
            let bytes =
                unpack(file.try_clone().map_err(|e| DataError::io(name, e))?, packing, name)?;
            head = bytes.get(..bytes.len().min(HEAD)).unwrap_or_default().to_vec();
            if Packing::of(&head).is_some() {
                return Err(DataError::file(name, "is packed twice; unpack it"));
            }
            Some(bytes)
        } else {
            None
        };
        refuse_what_is_no_data(name, &extension, &head)?;
        if head.starts_with(b"PAR1") || matches!(extension.as_str(), "parquet" | "pq") {
            if packing.is_some() {
                return Err(DataError::file(name, "is a packed Parquet file; unpack it"));
            }
            return Self::parquet(file, name, reading);
        }
        let bytes = match bytes {
            Some(bytes) => bytes,
            None => whole(&mut file).map_err(|e| DataError::io(name, e))?,
        };
        let decoded = decode(bytes, &options.encoding, name)?;
        reading.encoding = Some(decoded.encoding.to_owned());
        reading.encoding_sure = decoded.sure;
        let text = decoded.text;
        let first = text.trim_start().as_bytes().first().copied();
        let is_json = match extension.as_str() {
            "jsonl" | "ndjson" | "json" => true,
            "csv" | "tsv" | "tab" => false,
            _ => first == Some(b'{') || text.trim_start().starts_with("[{"),
        };
        let mut notes = Vec::new();
        if !decoded.sure {
            notes.push(format!(
                "{} is most likely in {}; check a text with letters outside ASCII, or say encoding=.",
                shown(name),
                decoded.encoding
            ));
        }
        let (names, body) = if first.is_none() {
            return Err(DataError::file(name, "is empty"));
        } else if is_json {
            let rows = json::open(&text, name)?;
            let format = if rows.is_lines { "JSON Lines" } else { "JSON" };
            format.clone_into(&mut reading.format);
            (rows.names(name)?, Body::Json(text))
        } else if let Some(width) = conll::width(&text, &extension, options.tags) {
            if !options.tags {
                return Err(DataError::file(
                    name,
                    "holds a word and its tag a line, as CoNLL files do; say task=tag to learn the tags",
                ));
            }
            "CoNLL".clone_into(&mut reading.format);
            (conll::names(width), Body::Conll(text, width))
        } else if let Some(table) = fasttext::table(&text) {
            "fastText".clone_into(&mut reading.format);
            let layout = Layout::bare(&["label", "text"]);
            (layout.names.clone(), Body::Delimited(table, layout))
        } else {
            let layout = dialect::find(&text, &extension, options, name)?;
            reading.delimited(&layout);
            notes.extend(layout.notes.iter().map(|note| format!("{}: {note}", shown(name))));
            (layout.names.clone(), Body::Delimited(text, layout))
        };
        check_names(name, &names)?;
        Ok(Self { path: name.to_owned(), names, reading, notes, body })
    }

    fn parquet(file: fs::File, name: &str, reading: Reading) -> Result<Self, DataError> {
        let table = Table::open(file, name)?;
        let names = table.names();
        check_names(name, &names)?;
        let reading = Reading { format: "Parquet".to_owned(), encoding_sure: true, ..reading };
        let body = Body::Parquet(Box::new(table));
        Ok(Self { path: name.to_owned(), names, reading, notes: Vec::new(), body })
    }

    fn read(
        &mut self,
        sink: &mut Sink,
        limit: usize,
        notes: &mut Vec<String>,
    ) -> Result<(), DataError> {
        let path = self.path.as_str();
        match &mut self.body {
            Body::Delimited(text, layout) => {
                // A sixth moves each byte less than three times, however large the file is.
                let piece =
                    if limit == ALL { pieces::AT_LEAST.max(text.len() / 6) } else { usize::MAX };
                pieces::read(text, layout, sink, (limit, piece), path, notes)
            }
            Body::Json(text) => json::open(text, path)?.read(&self.names, sink, limit, path),
            Body::Conll(text, width) => conll::read(text, *width, sink, limit, path),
            Body::Parquet(table) => table.read(sink, limit, path),
        }
    }

    fn sample(&mut self, rows: usize) -> Vec<Column> {
        let mut columns = vec![Column::new(); self.names.len()];
        let is_text = |index: &usize| match &self.body {
            Body::Parquet(table) => table.is_text(*index),
            Body::Delimited(..) | Body::Json(_) | Body::Conll(..) => true,
        };
        let wanted: Vec<usize> = (0..columns.len()).filter(is_text).collect();
        let mut sink = Sink::new(&wanted, &[]);
        sink.lists = true;
        // A broken row is named when the file is read.
        let _ = self.read(&mut sink, rows, &mut Vec::new());
        let (texts, _) = sink.finish();
        for (index, column) in wanted.into_iter().zip(texts) {
            if let Some(place) = columns.get_mut(index) {
                *place = column;
            }
        }
        columns
    }
}

/// Bytes at the start of a file that tell what it is.
const HEAD: usize = 512;

fn head_of(file: &mut fs::File) -> io::Result<Vec<u8>> {
    let mut head = Vec::with_capacity(HEAD);
    Read::take(&mut *file, HEAD as u64).read_to_end(&mut head)?;
    file.seek(SeekFrom::Start(0))?;
    Ok(head)
}

fn whole(file: &mut fs::File) -> io::Result<Vec<u8>> {
    let size = file.metadata().map_or(0, |m| m.len() as usize);
    let mut bytes = Vec::with_capacity(size.saturating_add(1));
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Asks for all rows of a file, which is read to its end once.
const ALL: usize = usize::MAX;

fn check_names(path: &str, names: &[String]) -> Result<(), DataError> {
    let mut seen = HashSet::new();
    match names.iter().find(|name| !name.is_empty() && !seen.insert(name.as_str())) {
        Some(name) => Err(DataError::file(path, format!("has two columns named {}", quoted(name)))),
        None => Ok(()),
    }
}

//! Parquet files: the only part of `dataset` that knows polars.
//!
//! [`footer`] reads a file's metadata by itself and bounds it, so that a damaged or lying file cannot
//! make polars recurse without end or ask for gigabytes; a column of a type that is not compiled in
//! does not keep others from being read.

mod classes;
mod footer;
mod thrift;

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Seek, SeekFrom};

use polars::prelude::*;

use self::footer::{ColumnInfo, Footer};
use super::error::{DataError, quoted};
use super::sink::{Sink, Words};
use crate::panics;
use crate::spec::printable;

/// A Parquet file whose metadata is read and sound.
pub(super) struct Table {
    file: File,
    footer: Footer,
}

impl Table {
    /// Reads the metadata.
    pub fn open(mut file: File, path: &str) -> Result<Self, DataError> {
        let footer = Footer::read(&mut file).map_err(|broken| broken_file(path, broken.0))?;
        Ok(Self { file, footer })
    }

    /// The names of its columns, nested ones too.
    pub fn names(&self) -> Vec<String> {
        self.footer.columns.iter().map(|c| c.name.clone()).collect()
    }

    /// Whether a column holds texts.
    pub fn is_text(&self, index: usize) -> bool {
        self.footer.columns.get(index).is_some_and(|c| c.is_text)
    }

    /// Whether a column holds lists.
    pub fn holds_lists(&self, index: usize) -> bool {
        self.footer.columns.get(index).is_some_and(|c| c.unread == Some("lists"))
    }

    /// By column the names of its classes, which the rows hold by number.
    pub fn class_names(&self) -> &HashMap<String, Vec<String>> {
        &self.footer.class_names
    }

    /// Reads columns into a sink as text, or only the first so many rows: numbers and booleans as polars
    /// writes them, lists as JSON where the sink takes lists, null as missing.
    pub fn read(&mut self, sink: &mut Sink, limit: usize, path: &str) -> Result<(), DataError> {
        let wanted = sink.wanted();
        for index in &wanted {
            if let Some(ColumnInfo { name, unread: Some(what), is_list, .. }) =
                self.footer.columns.get(*index)
                && !(sink.lists && *is_list)
            {
                let why = format!("has values that are {what} under {}, not texts", quoted(name));
                return Err(DataError::file(path, why));
            }
        }
        if self.footer.rows == 0 {
            return Ok(());
        }
        let frame = self.frame(&wanted, limit).map_err(|e| broken(path, &e))?;
        let columns: Vec<Column> = frame
            .columns()
            .iter()
            .map(|column| {
                if let DataType::List(_) = column.dtype() {
                    json(column)
                } else {
                    column.cast(&DataType::String)
                }
            })
            .collect::<PolarsResult<_>>()
            .map_err(|e| broken(path, &e))?;
        let (mut texts, mut places) = (Vec::new(), Vec::new());
        let mut left = self.footer.budget();
        for column in &columns {
            let column = column.str().map_err(|e| broken(path, &e))?;
            let bytes: u64 = column.iter().flatten().map(|text| text.len() as u64).sum();
            left = left
                .checked_sub(bytes)
                .ok_or_else(|| broken_file(path, "its texts repeat without end"))?;
            texts.push(column.iter());
            places.push(self.footer.columns.iter().position(|c| c.name == column.name().as_str()));
        }
        let mut row: Vec<Option<&str>> = Vec::with_capacity(texts.len());
        for _ in 0..frame.height() {
            row.clear();
            row.extend(texts.iter_mut().map(|values| values.next().flatten()));
            let at = |index| places.iter().position(|place| *place == Some(index));
            let value = |index| at(index).and_then(|at| row.get(at).copied().flatten());
            sink.fill(|index| Ok(value(index)))?;
        }
        Ok(())
    }

    fn frame(&mut self, wanted: &[usize], limit: usize) -> PolarsResult<DataFrame> {
        self.footer
            .bound(&mut self.file, wanted)
            .map_err(|e| polars_err!(ComputeError: "{}", e.0))?;
        self.file.seek(SeekFrom::Start(0))?;
        let file = self.file.try_clone()?;
        let mut projection = wanted.to_vec();
        projection.sort_unstable();
        projection.dedup();
        caught(|| {
            let mut reader = ParquetReader::new(file);
            // Types by the file's own schema: the Arrow schema beside it may name any, nested at will.
            let mut metadata = FileMetadata::clone(reader.get_metadata()?);
            metadata.key_value_metadata = None;
            reader.set_metadata(metadata.into());
            reader.with_projection(Some(projection)).with_slice(Some((0, limit))).finish()
        })
    }

    /// All columns, each in a form of its own.
    pub fn cells(&mut self, path: &str) -> Result<Vec<(String, Cells)>, DataError> {
        let all: Vec<usize> = (0..self.footer.columns.len()).collect();
        if self.footer.rows == 0 {
            let empty = |c: &ColumnInfo| {
                let cells = if c.is_text {
                    Cells::Words(Words::default())
                } else {
                    Cells::Numbers(Vec::new())
                };
                (c.name.clone(), cells)
            };
            return Ok(self.footer.columns.iter().map(empty).collect());
        }
        if let Some(what) = self.footer.columns.iter().find_map(|c| c.unread) {
            return Err(broken_file(path, &format!("it holds {what}")));
        }
        let frame = self.frame(&all, usize::MAX).map_err(|e| broken(path, &e))?;
        let read = |column: &Column| {
            let cells = if let Ok(texts) = column.str() {
                Cells::Words(Words::of(texts.iter()))
            } else {
                let numbers = column
                    .cast(&DataType::Float64)
                    .and_then(|c| Ok(c.f64()?.iter().map(|x| x.unwrap_or(f64::NAN)).collect()));
                Cells::Numbers(numbers.map_err(|e| broken(path, &e))?)
            };
            Ok((column.name().to_string(), cells))
        };
        frame.columns().iter().map(read).collect()
    }
}

/// The values of a column.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cells {
    /// Missing ones are NaN. Whole numbers are exact up to 2^53.
    Numbers(Vec<f64>),
    Words(Words),
}

/// A column to be written.
#[derive(Debug)]
pub(super) enum Values<'a> {
    Whole(&'a [u64]),
    Real(Vec<f32>),
    Exact(Vec<f64>),
    /// Lists as JSON.
    Lists(Vec<String>),
    Texts(Vec<Option<&'a str>>),
}

/// Writes columns of equal length.
///
/// # Errors
/// Columns that differ in length or have one name twice; a full disk.
pub(super) fn write(
    file: &File,
    rows: usize,
    columns: Vec<(String, Values<'_>)>,
) -> io::Result<()> {
    let column = |(name, values): (String, Values<'_>)| {
        let name = PlSmallStr::from(name);
        match values {
            Values::Whole(values) => Column::new(name, values),
            Values::Real(values) => Column::new(name, values),
            Values::Exact(values) => Column::new(name, values),
            Values::Lists(values) => Column::new(name, values),
            Values::Texts(values) => Column::new(name, values),
        }
    };
    let columns = columns.into_iter().map(column).collect();
    let written = DataFrame::new(rows, columns)
        .and_then(|mut frame| ParquetWriter::new(file).finish(&mut frame));
    written.map(drop).map_err(io::Error::other)
}

/// Lists as JSON lists of texts.
fn json(column: &Column) -> PolarsResult<Column> {
    let texts = column.cast(&DataType::List(Box::new(DataType::String)))?;
    let list = |row: Option<Series>| -> PolarsResult<Option<String>> {
        let Some(row) = row else { return Ok(None) };
        let items: Vec<Option<&str>> = row.str()?.iter().collect();
        Ok(Some(serde_json::json!(items).to_string()))
    };
    let lists = texts.list()?;
    let rows = (0..lists.len()).map(|row| list(lists.get_as_series(row)));
    let rows = rows.collect::<PolarsResult<Vec<_>>>()?;
    Ok(Column::new(column.name().clone(), rows))
}

/// polars answers some damaged pages with a panic instead of an error.
fn caught<T>(read: impl FnOnce() -> PolarsResult<T>) -> PolarsResult<T> {
    panics::caught(read).unwrap_or_else(|_| Err(polars_err!(ComputeError: "its pages are damaged")))
}

fn broken(path: &str, error: &PolarsError) -> DataError {
    let text = error.to_string();
    let first = text.lines().next().unwrap_or_default();
    broken_file(path, &printable(first, 120))
}

fn broken_file(path: &str, why: &str) -> DataError {
    DataError::file(path, format!("is not a whole Parquet file ({why})"))
}

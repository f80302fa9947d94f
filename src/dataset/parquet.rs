use std::fs::File;
use std::io::{Seek, SeekFrom};

use polars::prelude::*;

use super::error::{DataError, quoted};
use super::source::Column as Texts;
use crate::panics;
use crate::spec::printable;

/// The column names of a Parquet file.
pub(super) fn names(file: &File, path: &str) -> Result<Vec<String>, DataError> {
    let file = rewound(file, path)?;
    let schema = caught(|| ParquetReader::new(file).schema()).map_err(|e| broken(path, &e))?;
    Ok(schema.iter().map(|(name, _)| name.to_string()).collect())
}

/// Some columns as text; numbers and booleans as polars writes them, null as missing.
pub(super) fn read(
    file: &File,
    names: &[String],
    wanted: &[usize],
    path: &str,
) -> Result<Vec<Texts>, DataError> {
    let names: Vec<String> = wanted.iter().filter_map(|i| names.get(*i)).cloned().collect();
    let frame = frame(rewound(file, path)?, Some(names.clone())).map_err(|e| broken(path, &e))?;
    names.iter().map(|name| column(&frame, name, path)).collect()
}

/// Reads a Parquet file, all of it or only some columns.
pub(super) fn frame(file: File, columns: Option<Vec<String>>) -> PolarsResult<DataFrame> {
    caught(|| ParquetReader::new(file).with_columns(columns).finish())
}

/// polars answers some damaged pages with a panic instead of an error.
fn caught<T>(read: impl FnOnce() -> PolarsResult<T>) -> PolarsResult<T> {
    panics::caught(read).unwrap_or_else(|_| Err(polars_err!(ComputeError: "its pages are damaged")))
}

fn column(frame: &DataFrame, name: &str, path: &str) -> Result<Texts, DataError> {
    let column = frame.column(name).map_err(|e| broken(path, &e))?;
    let dtype = column.dtype();
    let is_text = matches!(dtype, DataType::String | DataType::Boolean | DataType::Null)
        || dtype.is_primitive_numeric()
        || dtype.is_categorical()
        || dtype.is_enum();
    if !is_text {
        let why = format!("has values of type {dtype} under {}, not texts", quoted(name));
        return Err(DataError::file(path, why));
    }
    let column = column.cast(&DataType::String).map_err(|e| broken(path, &e))?;
    let texts = column.str().map_err(|e| broken(path, &e))?;
    Ok(texts.iter().map(|text| text.map(str::to_owned)).collect())
}

/// A second handle on the file, at its start.
fn rewound(file: &File, path: &str) -> Result<File, DataError> {
    let mut file = file.try_clone().map_err(|e| DataError::io(path, e))?;
    file.seek(SeekFrom::Start(0)).map_err(|e| DataError::io(path, e))?;
    Ok(file)
}

fn broken(path: &str, error: &PolarsError) -> DataError {
    let text = error.to_string();
    let first = text.lines().next().unwrap_or_default();
    DataError::file(path, format!("is not a whole Parquet file ({})", printable(first, 120)))
}

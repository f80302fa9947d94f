use super::File;
use crate::dataset::error::{DataError, first_few, quoted};
use crate::dataset::sink::Words;
use crate::spec::nearest;

pub(super) fn unknown(path: &str, row: u64, label: &str, known: &[String]) -> DataError {
    let near = nearest(label, known.iter().map(String::as_str));
    let hint = match near.filter(|near| near.chars().count() > 2) {
        Some(near) => format!("did you mean {}?", quoted(&near)),
        None => format!("it has {}", first_few(known, |n| quoted(n))),
    };
    let why = format!("has the label {}, which data= does not have; {hint}", quoted(label));
    DataError::row(path, row, why)
}

/// Values row by row; each different one is understood once.
fn each_row<T: Clone>(
    file: File<'_>,
    columns: &[Words],
    read: impl Fn(Option<&str>, usize) -> Result<T, String>,
    mut take: impl FnMut(T),
) -> Result<(), DataError> {
    let understood: Vec<Vec<Result<T, String>>> = columns
        .iter()
        .zip(0..)
        .map(|(column, at)| column.words.iter().map(|word| read(Some(word), at)).collect())
        .collect();
    let rows = columns.first().map_or(0, |column| column.ids.len());
    for row in 0..rows {
        for (at, (column, values)) in columns.iter().zip(&understood).enumerate() {
            let id = column.ids.get(row).copied().unwrap_or(u32::MAX);
            let value = match values.get(id as usize) {
                Some(value) => value.clone(),
                None => read(None, at),
            };
            take(value.map_err(|why| DataError::row(file.path, row as u64 + 1, why))?);
        }
    }
    Ok(())
}

pub(super) fn numbers(
    all: &mut Vec<f64>,
    file: File<'_>,
    columns: &[Words],
) -> Result<(), DataError> {
    let read = |word: Option<&str>, at: usize| {
        let column = file.column(at);
        let word = word.map(str::trim).filter(|word| !word.is_empty());
        let word = word
            .ok_or_else(|| format!("has no number under {column}; fill it in or delete the row"))?;
        match word.parse::<f64>() {
            Ok(x) if x.is_finite() => Ok(x),
            _ if word.contains(',') && word.replace(',', ".").parse::<f64>().is_ok() => Err(
                format!("has {} under {column}; numbers are written with a point", quoted(word)),
            ),
            _ => Err(format!(
                "has {} under {column}, which is no number; labels that are words ask for task=classify, or \
                 give label=COLUMN for another column",
                quoted(word)
            )),
        }
    };
    each_row(file, columns, read, |x| all.push(x))
}

pub(super) fn refuse_constant(values: &[f64], file: File<'_>) -> Result<(), DataError> {
    let width = file.names.len().max(1);
    for target in 0..file.names.len() {
        let mut column = values.iter().skip(target).step_by(width);
        let Some(first) = column.next() else { continue };
        if column.all(|x| x == first) {
            let why = format!(
                "every row has {first} under {}; there is nothing to learn",
                file.column(target)
            );
            return Err(DataError::within(file.path, why));
        }
    }
    Ok(())
}

pub(super) fn flags(
    all: &mut Vec<bool>,
    file: File<'_>,
    columns: &[Words],
) -> Result<(), DataError> {
    let read = |word: Option<&str>, at: usize| {
        let word = word.map(str::trim).unwrap_or_default();
        match word.to_ascii_lowercase().as_str() {
            "1" | "1.0" | "true" | "yes" => Ok(true),
            "0" | "0.0" | "false" | "no" => Ok(false),
            _ => Err(format!(
                "has {} under {}; with several columns task=multilabel takes 0 or 1 in each",
                if word.is_empty() { "nothing".to_owned() } else { quoted(word) },
                file.column(at)
            )),
        }
    };
    each_row(file, columns, read, |has| all.push(has))
}

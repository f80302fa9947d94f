use std::collections::{BTreeMap, BTreeSet};

use super::File;
use super::read::unknown;
use super::tags::text;
use crate::dataset::error::{DataError, quoted, shown};
use crate::dataset::labels;
use crate::dataset::sink::Words;

/// Sets of labels from one column of lists.
pub(super) fn lists(
    all: &mut Vec<bool>,
    file: File<'_>,
    columns: &[Words],
    known: &mut Vec<String>,
    notes: &mut Vec<String>,
) -> Result<(), DataError> {
    let Some(column) = columns.first() else { return Ok(()) };
    let separator = separator(column);
    let sets: Vec<Vec<String>> =
        column.words.iter().map(|word| list(word, separator, file.classes)).collect();
    let has_empty = column.iter().any(|word| word.is_none_or(|word| word.trim().is_empty()));
    if known.is_empty() {
        let different: BTreeSet<&str> = sets.iter().flatten().map(String::as_str).collect();
        if different.is_empty() {
            let why = format!("no row has a label under {}", file.column(0));
            return Err(DataError::within(file.path, why));
        }
        if !has_empty && sets.iter().all(|set| set.len() == 1) {
            let why = format!(
                "every row has exactly one label under {}: that is task=classify; task=multilabel takes lists of \
                 labels, or a column of 0 and 1 for each (label=toxic,insult)",
                file.column(0)
            );
            return Err(DataError::within(file.path, why));
        }
        if different.len() > labels::MAX_CLASSES {
            let why = format!(
                "{} holds {} different labels; is it the label? Give label=COLUMN if not",
                file.column(0),
                different.len()
            );
            return Err(DataError::within(file.path, why));
        }
        *known = match file.classes {
            Some(names) => {
                names.iter().filter(|n| different.contains(n.as_str())).cloned().collect()
            }
            None => labels::class_names(different.into_iter()),
        };
        if let Some(separator) = separator {
            notes.push(format!(
                "{}: {} holds lists of labels divided by {}.",
                shown(file.path),
                file.column(0),
                quoted(&separator.to_string())
            ));
        }
    }
    let places: BTreeMap<&str, usize> = known.iter().map(String::as_str).zip(0..).collect();
    for (id, row) in column.ids.iter().zip(1_u64..) {
        let start = all.len();
        all.resize(start + known.len(), false);
        for label in sets.get(*id as usize).into_iter().flatten() {
            let place = places.get(label.as_str());
            let place = place.ok_or_else(|| unknown(file.path, row, label, known))?;
            if let Some(flag) = all.get_mut(start + place) {
                *flag = true;
            }
        }
    }
    Ok(())
}

/// What stands between the labels of a list; `None` where lists are JSON, or none has two labels.
fn separator(column: &Words) -> Option<char> {
    let words = || column.words.iter().map(|w| w.trim()).filter(|w| !w.is_empty());
    if words().all(|word| word.starts_with('[')) {
        return None;
    }
    labels::list_separator(words())
        .or_else(|| [';', '|', ','].into_iter().find(|c| words().any(|word| word.contains(*c))))
}

fn list(word: &str, separator: Option<char>, classes: Option<&[String]>) -> Vec<String> {
    let word = word.trim();
    let json: Option<Vec<serde_json::Value>> =
        if word.starts_with('[') { serde_json::from_str(word).ok() } else { None };
    let found: Vec<String> = if let Some(items) = json {
        items.iter().map(text).collect()
    } else {
        // A list as Python prints it.
        let inner = word.strip_prefix('[').and_then(|w| w.strip_suffix(']'));
        let separator = if inner.is_some() { Some(',') } else { separator };
        let parts: Vec<&str> = match separator {
            Some(separator) => inner.unwrap_or(word).split(separator).collect(),
            None => vec![word],
        };
        parts.iter().map(|part| part.trim().trim_matches(['\'', '"']).to_owned()).collect()
    };
    let named = |label: String| match (classes, label.parse::<usize>()) {
        (Some(names), Ok(n)) => names.get(n).cloned().unwrap_or(label),
        _ => label,
    };
    found.into_iter().map(|l| l.trim().to_owned()).filter(|l| !l.is_empty()).map(named).collect()
}

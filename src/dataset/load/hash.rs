use sha2::{Digest, Sha256};

use super::Dataset;
use crate::spec::hex;

/// Identifies what a model learns from and is tested on: the first 16 hex digits of SHA-256 over the
/// class names and, for train, val and test in turn, the label and text of each row in split order, and
/// what else a task learns of it.
///
/// The file's name, format, other columns and row numbers do not count: the same rows in the same
/// order, as CSV or as Parquet, have the same hash.
pub(super) fn content(dataset: &Dataset) -> String {
    let mut sha = Sha256::new();
    // Lengths go first, so that no two different contents feed the same bytes.
    let mut put = |text: &str| {
        sha.update((text.len() as u64).to_le_bytes());
        sha.update(text);
    };
    for name in &dataset.label_names {
        put(name);
    }
    for (name, part) in dataset.parts() {
        put(name);
        for row in part {
            let row = *row as usize;
            let label = dataset.labels.get(row).and_then(|l| dataset.label_names.get(*l as usize));
            put(label.map_or("", String::as_str));
            put(dataset.texts.get(row).map_or("", String::as_str));
            if let Some(pair) = dataset.pairs.get(row) {
                put(pair);
            }
            let (row, names) = (row as u32, dataset.label_names.len());
            for x in dataset.targets.numbers(row, names) {
                put(&x.to_string());
            }
            for (name, _) in dataset
                .label_names
                .iter()
                .zip(dataset.targets.set(row, names))
                .filter(|(_, has)| **has)
            {
                put(name);
            }
            let (words, tags) = dataset.targets.tagged(row);
            for (word, tag) in words.iter().zip(tags) {
                put(word);
                put(dataset.label_names.get(*tag as usize).map_or("", String::as_str));
            }
        }
    }
    hex(sha.finalize().get(..8).unwrap_or_default())
}

mod hash;

use std::collections::HashMap;
use std::path::Path;
use std::sync::OnceLock;

use super::error::{DataError, shown};
use super::reading::Reading;
use super::rows::Rows;
use super::split::{Parts, split};
use super::targets::Targets;
use crate::spec::RunSpec;

/// Rows read, labelled and split: what a run learns from and is tested on.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Dataset {
    /// One text per row, exactly as in the file: the rows of `data=`, then of `val=`, then of `test=`.
    pub texts: Vec<String>,
    /// The second text of each row; empty unless rows are pairs of texts.
    pub pairs: Vec<String>,
    /// The class of each row, an index into `label_names`; all 0 for a task that learns no classes.
    pub labels: Vec<u32>,
    /// What other tasks learn of each row.
    pub targets: Targets,
    /// The classes, labels, tags or targets; classes and labels are sorted: by number if all are whole numbers, else by code point. From all rows of
    /// `data=`, whatever `limit` says, so that runs with different limits have the same classes.
    pub label_names: Vec<String>,
    /// The number of each row in its own file as a person counts: from 1, header and blank lines not
    /// counted.
    pub rows: Vec<u64>,
    /// Indices of the rows to learn from, in split order.
    pub train: Vec<u32>,
    /// Indices of the rows that choose the best epoch.
    pub val: Vec<u32>,
    /// Indices of the rows looked at once, at the end.
    pub test: Vec<u32>,
    /// 16 hex digits over texts, labels and split; the same for the same rows in another format.
    pub hash: String,
    /// How `data=` was read, and which of its columns.
    pub reading: Reading,
    /// Sentences about what is odd and yet allowed.
    pub notes: Vec<String>,
    /// Both texts of each pair, once they are asked for.
    pub joined: OnceLock<Vec<String>>,
}

impl Dataset {
    /// The three parts by name.
    pub fn parts(&self) -> [(&'static str, &[u32]); 3] {
        [("train", &self.train), ("val", &self.val), ("test", &self.test)]
    }

    /// How `data=` (called `path`) was read: one sentence.
    pub fn told(&self, path: &str) -> String {
        format!("{}: {}", shown(path), self.reading.sentence())
    }

    fn shown(&self) -> &[String] {
        if self.pairs.is_empty() {
            return &self.texts;
        }
        let both = || {
            let pairs = self.texts.iter().zip(&self.pairs);
            pairs.map(|(one, two)| format!("{one} || {two}")).collect()
        };
        self.joined.get_or_init(both)
    }

    /// The texts of one part by their row numbers. Within a part each number occurs once, since all its
    /// rows come from one file.
    ///
    /// The two texts of a pair stand there with ` || ` between them.
    pub fn texts_by_row(&self, part: &str) -> HashMap<u64, &str> {
        let parts = self.parts();
        let rows = parts.iter().find(|(name, _)| *name == part).map_or(&[][..], |(_, rows)| rows);
        let text = |row: &u32| {
            let row = *row as usize;
            Some((*self.rows.get(row)?, self.shown().get(row)?.as_str()))
        };
        rows.iter().filter_map(text).collect()
    }
}

/// Reads the data files of a spec (relative to `root`), finds the columns, names the classes and splits
/// the rows. All three parts have rows.
///
/// # Errors
/// Anything that is wrong with the files or the split, as one sentence that names the row where one
/// is to blame.
pub fn load(spec: &RunSpec, root: &Path) -> Result<Dataset, DataError> {
    let mut rows = Rows::read(spec, root)?;
    if let Some(unknown) = spec.class_weights.unknown(&rows.label_names) {
        return Err(DataError::within(&spec.data, format!("class_weights= names {unknown}")));
    }
    let parts = split(&mut rows, spec)?;
    Ok(assemble(rows, parts))
}

pub(super) fn assemble(rows: Rows, parts: Parts) -> Dataset {
    let mut dataset = Dataset {
        texts: rows.texts,
        pairs: rows.pairs,
        targets: rows.targets,
        labels: rows.labels,
        label_names: rows.label_names,
        rows: rows.numbers,
        train: parts.train,
        val: parts.val,
        test: parts.test,
        hash: String::new(),
        reading: rows.reading,
        notes: rows.notes,
        joined: OnceLock::new(),
    };
    dataset.hash = hash::content(&dataset);
    dataset
}

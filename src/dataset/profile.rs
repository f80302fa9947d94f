use std::hash::{BuildHasher, RandomState};
use std::path::Path;

use serde::Serialize;

use super::error::DataError;
use super::load::{Dataset, assemble};
use super::reading::Reading;
use super::rows::Rows;
use super::split::split;
use super::targets::Targets;
use crate::spec::RunSpec;

/// What `tuneboard data FILE` tells of a data set; its JSON form is this struct, field by field.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Profile {
    /// The files as given: `data`, then `val` and `test` if there are any.
    pub files: Vec<String>,
    /// All columns of `data`, in the order of the file.
    pub columns: Vec<String>,
    /// The column with the texts.
    pub text_column: String,
    /// The column with the second text of each pair, if rows are pairs.
    pub pair_column: Option<String>,
    /// The column with the labels, or the columns with commas between; `None` if nothing asks for labels
    /// (`task=lm`).
    pub label_column: Option<String>,
    /// The numbers to learn, one entry per target (`task=regress`).
    pub numbers: Vec<NumberRange>,
    /// How `data` was read, and which of its columns.
    pub reading: Reading,
    /// Rows of all files.
    pub rows: u64,
    /// The classes, in class order.
    pub classes: Vec<ClassRows>,
    /// Rows of each part; `None` if the rows cannot be split as asked, and a note says why.
    pub splits: Option<SplitRows>,
    /// Lengths of the texts in characters (Unicode code points).
    pub characters: Lengths,
    /// Lengths of the texts in words (by white space).
    pub words: Lengths,
    /// Texts of nothing but white space.
    pub empty_texts: u64,
    /// Texts with a line break.
    pub multi_line_texts: u64,
    /// Texts with control characters other than line breaks and tabs.
    pub control_texts: u64,
    /// Texts that occur more than once.
    pub duplicates: Duplicates,
    /// [`Dataset::hash`]; empty without a split.
    pub hash: String,
    /// Sentences about what is odd.
    pub notes: Vec<String>,
}

/// What is known of a target of numbers, in its units.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NumberRange {
    /// Its name.
    pub name: String,
    /// The lowest.
    pub min: f64,
    /// The highest.
    pub max: f64,
    /// The mean.
    pub mean: f64,
}

/// The rows of one class; of one label, or the words of one tag, for tasks that learn these.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClassRows {
    /// Its name.
    pub name: String,
    /// In all files.
    pub rows: u64,
    /// Of all rows, 0 to 1.
    pub share: f64,
    /// In each part; `None` if there is no split.
    pub splits: Option<SplitRows>,
}

/// Rows of each part.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct SplitRows {
    /// To learn from.
    pub train: u64,
    /// To choose the best epoch.
    pub val: u64,
    /// To test.
    pub test: u64,
}

/// How long texts are. Median and 95th percentile are values that occur (nearest rank).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Lengths {
    /// The shortest.
    pub min: u64,
    /// Half are at most so long.
    pub median: u64,
    /// 95 of 100 are at most so long.
    pub p95: u64,
    /// The longest.
    pub max: u64,
}

/// Texts that are equal to the last character.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Duplicates {
    /// Rows whose text occurred in an earlier row.
    pub rows: u64,
    /// Different texts that occur with more than one label.
    pub conflicting: u64,
    /// Val rows whose text is also a train row's.
    pub val_in_train: u64,
    /// Test rows whose text is also a train row's: they flatter the test score.
    pub test_in_train: u64,
    /// Test rows whose text is also a val row's.
    pub test_in_val: u64,
}

impl Lengths {
    /// The summary of some lengths, in any order; all zero without any.
    pub fn of(mut lengths: Vec<u64>) -> Self {
        lengths.sort_unstable();
        let rank = |share: f64| {
            let rank = (share * lengths.len() as f64).ceil() as usize;
            lengths.get(rank.saturating_sub(1)).copied().unwrap_or_default()
        };
        Self { min: rank(0.0), median: rank(0.5), p95: rank(0.95), max: rank(1.0) }
    }
}

/// Reads the files of a spec and tells what is in them. Rows that cannot be split as asked are no error
/// here but a note.
///
/// # Errors
/// As [`super::load`], but for the split.
pub fn profile(spec: &RunSpec, root: &Path) -> Result<Profile, DataError> {
    let mut rows = Rows::read(spec, root)?;
    let files = [Some(&spec.data), spec.val.as_ref(), spec.test.as_ref()];
    let columns = std::mem::take(&mut rows.columns);
    let parts = split(&mut rows, spec).map_err(|e| rows.notes.push(e.to_string())).ok();
    let is_split = parts.is_some();
    let dataset = assemble(rows, parts.unwrap_or_default());
    let lengths = |length: fn(&str) -> usize| {
        Lengths::of(dataset.texts.iter().map(|t| length(t) as u64).collect())
    };
    let count = |is: fn(&str) -> bool| dataset.texts.iter().filter(|t| is(t)).count() as u64;
    let splits = dataset.parts().map(|(_, part)| part.len() as u64);
    Ok(Profile {
        files: files.into_iter().flatten().cloned().collect(),
        columns,
        text_column: dataset.reading.text_column.clone(),
        pair_column: dataset.reading.pair_column.clone(),
        label_column: dataset.reading.label_column.clone(),
        numbers: numbers(&dataset),
        rows: dataset.texts.len() as u64,
        classes: classes(&dataset, is_split),
        splits: is_split.then(|| split_rows(splits)),
        characters: lengths(|t| t.chars().count()),
        words: lengths(|t| t.split_whitespace().count()),
        empty_texts: count(|t| t.trim().is_empty()),
        multi_line_texts: count(|t| t.contains(['\n', '\r'])),
        control_texts: count(|t| t.chars().any(|c| c.is_control() && !"\n\r\t".contains(c))),
        duplicates: duplicates(&dataset),
        hash: if is_split { dataset.hash } else { String::new() },
        reading: dataset.reading,
        notes: dataset.notes,
    })
}

fn split_rows([train, val, test]: [u64; 3]) -> SplitRows {
    SplitRows { train, val, test }
}

fn numbers(dataset: &Dataset) -> Vec<NumberRange> {
    let Targets::Numbers(values) = &dataset.targets else { return Vec::new() };
    let width = dataset.label_names.len().max(1);
    let range = |(target, name): (usize, &String)| {
        let column = || values.iter().skip(target).step_by(width).copied();
        NumberRange {
            name: name.clone(),
            min: column().fold(f64::INFINITY, f64::min),
            max: column().fold(f64::NEG_INFINITY, f64::max),
            mean: column().sum::<f64>() / column().count().max(1) as f64,
        }
    };
    dataset.label_names.iter().enumerate().map(range).collect()
}

fn classes(dataset: &Dataset, is_split: bool) -> Vec<ClassRows> {
    if matches!(dataset.targets, Targets::Numbers(_)) {
        return Vec::new();
    }
    let count = |rows: &mut dyn Iterator<Item = u32>| {
        let names = dataset.label_names.len();
        if !dataset.targets.are_classes() {
            return dataset.targets.counts(rows, names);
        }
        let mut counts = vec![0_u64; names];
        for row in rows {
            let label = dataset.labels.get(row as usize).copied().unwrap_or(u32::MAX);
            if let Some(n) = counts.get_mut(label as usize) {
                *n += 1;
            }
        }
        counts
    };
    let all = count(&mut (0..dataset.texts.len() as u32));
    let parts = dataset.parts().map(|(_, part)| count(&mut part.iter().copied()));
    // Of all rows; of all words for tags.
    let whole = match dataset.targets {
        Targets::Tags { .. } => all.iter().sum::<u64>(),
        _ => dataset.texts.len() as u64,
    };
    let of = |counts: &[u64], class: usize| counts.get(class).copied().unwrap_or_default();
    let describe = |(class, name): (usize, &String)| ClassRows {
        name: name.clone(),
        rows: of(&all, class),
        share: of(&all, class) as f64 / whole.max(1) as f64,
        splits: is_split.then(|| split_rows([0, 1, 2].map(|i: usize| of(&parts[i], class)))),
    };
    dataset.label_names.iter().enumerate().map(describe).collect()
}

/// Texts that are equal stand next to each other by their hashes: that takes 16 bytes a row, where a map of the
/// texts takes up to 80.
fn duplicates(dataset: &Dataset) -> Duplicates {
    // Both texts of a pair.
    let text = |row: u32| {
        let pair = dataset.pairs.get(row as usize).map_or("", String::as_str);
        (dataset.texts.get(row as usize).map_or("", String::as_str), pair)
    };
    let label = |row: u32| dataset.labels.get(row as usize);
    let mut part_of = vec![u8::MAX; dataset.texts.len()];
    for ((_, part), number) in dataset.parts().iter().zip(0_u8..) {
        for row in *part {
            if let Some(place) = part_of.get_mut(*row as usize) {
                *place = number;
            }
        }
    }
    let hasher = RandomState::new();
    let mut rows: Vec<(u64, u32)> =
        (0..dataset.labels.len() as u32).map(|row| (hasher.hash_one(text(row)), row)).collect();
    rows.sort_unstable();
    let mut found = Duplicates::default();
    for same_hash in rows.chunk_by_mut(|a, b| a.0 == b.0).filter(|rows| rows.len() > 1) {
        same_hash.sort_by(|a, b| text(a.1).cmp(&text(b.1)));
        for same in same_hash.chunk_by(|a, b| text(a.1) == text(b.1)) {
            let (_, first) = same[0];
            found.rows += same.len() as u64 - 1;
            found.conflicting += u64::from(same.iter().any(|(_, row)| label(*row) != label(first)));
            let [train, val, test] = [0, 1, 2].map(|part| {
                let is_in = |(_, row): &&(u64, u32)| part_of[*row as usize] == part;
                same.iter().filter(is_in).count() as u64
            });
            found.val_in_train += if train > 0 { val } else { 0 };
            found.test_in_train += if train > 0 { test } else { 0 };
            found.test_in_val += if val > 0 { test } else { 0 };
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_values_that_occur() {
        assert_eq!(Lengths::of(vec![]), Lengths::default());
        assert_eq!(Lengths::of(vec![7]), Lengths { min: 7, median: 7, p95: 7, max: 7 });
        let hundred = Lengths::of((1..=100).rev().collect());
        assert_eq!(hundred, Lengths { min: 1, median: 50, p95: 95, max: 100 });
    }

    #[test]
    fn duplicates_are_counted_within_and_across_parts() {
        let dataset = Dataset {
            texts: ["a", "a", "b", "a", "b", "c", "d"].map(str::to_owned).to_vec(),
            labels: vec![0, 1, 0, 1, 0, 0, 0],
            label_names: vec!["x".into(), "y".into()],
            train: vec![0, 1, 2],
            val: vec![3, 5],
            test: vec![4, 6],
            ..Dataset::default()
        };
        let want = Duplicates {
            rows: 3,
            conflicting: 1,
            val_in_train: 1,
            test_in_train: 1,
            test_in_val: 0,
        };
        assert_eq!(duplicates(&dataset), want);
    }
}

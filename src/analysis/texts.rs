//! The texts behind the numbers: which rows a model got wrong, and how wrong.

use std::cmp::Ordering;
use std::collections::HashMap;

use serde::Serialize;

use crate::dataset::Dataset;
use crate::dataset::predictions::Predictions;

/// One row of a pass with its text. Text and class names are as in the file: make them printable before
/// they reach a terminal.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Judged<'a> {
    /// Its number in the data file, from 1.
    pub row: u64,
    /// Its text; `None` if the file has changed since and has no such row in the split.
    pub text: Option<&'a str>,
    /// The true class.
    pub label: &'a str,
    /// The predicted class.
    pub predicted: &'a str,
    /// Cross-entropy; the highest is the surest mistake.
    pub loss: f32,
    /// The probability given to the predicted class.
    pub confidence: f32,
}

/// Which rows are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// Every row whose prediction is not its label.
    Wrong,
    /// The rows of one cell of the confusion matrix, by class index.
    Cell {
        /// The true class.
        truth: u32,
        /// The predicted class.
        predicted: u32,
    },
}

/// The rows asked for, highest loss first (NaN before all), at most `limit`, with their texts from the
/// part of the data set (`train`, `val` or `test`) that the pass ran over.
pub fn judged<'a>(
    predictions: &'a Predictions,
    dataset: &'a Dataset,
    part: &str,
    which: Which,
    limit: usize,
) -> Vec<Judged<'a>> {
    let mut places: Vec<usize> =
        (0..predictions.rows.len()).filter(|i| is_asked_for(predictions, *i, which)).collect();
    let loss = |i: &usize| predictions.loss.get(*i).copied().unwrap_or(f32::NAN);
    places.sort_by(|a, b| match (loss(a).is_nan(), loss(b).is_nan()) {
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
        _ => loss(b).total_cmp(&loss(a)),
    });
    places.truncate(limit);
    let texts: HashMap<u64, &str> = dataset.texts_by_row(part);
    let class = |of: &[u32], i: usize| of.get(i).copied().unwrap_or_default() as usize;
    let name = |class: usize| predictions.label_names.get(class).map_or("", String::as_str);
    places
        .into_iter()
        .map(|i| {
            let row = predictions.rows.get(i).copied().unwrap_or_default();
            let predicted = class(&predictions.predicted, i);
            let given = predictions.probabilities.get(predicted).and_then(|p| p.get(i));
            Judged {
                row,
                text: texts.get(&row).copied(),
                label: name(class(&predictions.labels, i)),
                predicted: name(predicted),
                loss: loss(&i),
                confidence: given.copied().unwrap_or(f32::NAN),
            }
        })
        .collect()
}

fn is_asked_for(predictions: &Predictions, i: usize, which: Which) -> bool {
    match (predictions.labels.get(i), predictions.predicted.get(i), which) {
        (Some(label), Some(guess), Which::Wrong) => label != guess,
        (Some(label), Some(guess), Which::Cell { truth, predicted }) => {
            (*label, *guess) == (truth, predicted)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_surest_mistake_first_with_the_text_of_their_split() {
        let predictions = Predictions {
            rows: vec![2, 5, 3, 9],
            labels: vec![0, 1, 0, 0],
            predicted: vec![1, 1, 1, 1],
            loss: vec![0.9, 0.1, 2.5, f32::NAN],
            probabilities: vec![vec![0.4, 0.1, 0.08, 0.5], vec![0.6, 0.9, 0.92, 0.5]],
            label_names: vec!["ham".into(), "spam".into()],
        };
        let dataset = Dataset {
            texts: ["train two", "val three", "val two", "val five"].map(str::to_owned).to_vec(),
            rows: vec![2, 3, 2, 5],
            train: vec![0],
            val: vec![1, 2, 3],
            ..Dataset::default()
        };
        let wrong = judged(&predictions, &dataset, "val", Which::Wrong, 9);
        let seen: Vec<_> = wrong.iter().map(|j| (j.row, j.text)).collect();
        assert_eq!(seen, [(9, None), (3, Some("val three")), (2, Some("val two"))]);
        assert_eq!((wrong[1].label, wrong[1].predicted), ("ham", "spam"));
        assert_eq!((wrong[1].loss, wrong[1].confidence), (2.5, 0.92));
        let cell = Which::Cell { truth: 1, predicted: 1 };
        let right = judged(&predictions, &dataset, "val", cell, 9);
        assert_eq!((right.len(), right[0].text), (1, Some("val five")));
        assert_eq!(judged(&predictions, &dataset, "val", Which::Wrong, 1).len(), 1);
    }
}

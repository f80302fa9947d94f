//! The texts behind the numbers: which rows one or several runs got wrong, and how wrong.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::hash::BuildHasher;

use serde::Serialize;

use crate::dataset::Dataset;
use crate::dataset::predictions::Predictions;

/// One row with its text and each run's prediction. Text and class names are as in the file: make
/// them printable before they reach a terminal.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Case<'a> {
    /// Its number in the data file, from 1.
    pub row: u64,
    /// Its text; `None` if the file has changed since and has no such row in the split.
    pub text: Option<&'a str>,
    /// The true class.
    pub label: &'a str,
    /// Characters of the text.
    pub characters: Option<usize>,
    /// Words of the text, parted by white space.
    pub words: Option<usize>,
    /// One per run, in the order in which they were given.
    pub verdicts: Vec<Verdict<'a>>,
}

/// One run's prediction of one row.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Verdict<'a> {
    /// The predicted class.
    pub predicted: &'a str,
    /// The probability given to the predicted class.
    pub probability: f32,
    /// The probability given to the true class.
    pub probability_of_label: f32,
    /// Cross-entropy; the highest is the surest mistake.
    pub loss: f32,
}

/// Which rows are asked for. Without a cell: those whose prediction is not their label.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cell {
    /// Only rows of this class, by index.
    pub truth: Option<u32>,
    /// Only rows predicted as this class by every run that is looked at.
    pub predicted: Option<u32>,
}

/// The rows that all runs of `wrong` got wrong and all of `right` got right, highest loss first (the
/// mean over `wrong`; NaN before all). All runs predicted the same rows with the same classes
/// ([`super::compare::same_rows`]). `dataset` gives the texts of `part` (`train`, `val` or `test`).
///
/// - One run in `wrong`: its mistakes, or a cell of its confusion matrix.
/// - Several: what none of them can learn, often wrong labels.
/// - Some in `right` too: what those do better.
pub fn cases<'a, S: BuildHasher>(
    wrong: &[&'a Predictions],
    right: &[&'a Predictions],
    cell: Cell,
    texts: &HashMap<u64, &'a str, S>,
) -> Vec<Case<'a>> {
    let Some(first) = wrong.first() else { return Vec::new() };
    // Passes over the same rows may have them in another order.
    let places: Vec<HashMap<u64, usize>> =
        wrong.iter().chain(right).map(|p| p.rows.iter().copied().zip(0..).collect()).collect();
    let mut found: Vec<(f32, Case<'a>)> = Vec::new();
    for (i, row) in first.rows.iter().enumerate() {
        let Some(label) = first.labels.get(i).copied() else { continue };
        if cell.truth.is_some_and(|truth| truth != label) {
            continue;
        }
        let runs = || wrong.iter().map(|p| (*p, true)).chain(right.iter().map(|p| (*p, false)));
        let at = |run: usize| places.get(run).and_then(|rows| rows.get(row)).copied();
        let answer = |run: usize, p: &Predictions| p.predicted.get(at(run)?).copied();
        let fits = runs().enumerate().all(|(n, (p, is_wrong))| {
            answer(n, p).is_some_and(|guess| match (is_wrong, cell.predicted) {
                (true, Some(predicted)) => guess == predicted,
                (true, None) => guess != label,
                (false, _) => guess == label,
            })
        });
        if !fits {
            continue;
        }
        let verdicts: Vec<Verdict<'a>> =
            runs().enumerate().filter_map(|(n, (p, _))| verdict(p, at(n)?)).collect();
        let losses = verdicts.iter().take(wrong.len()).map(|v| v.loss);
        let loss = losses.sum::<f32>() / wrong.len() as f32;
        let text = texts.get(row).copied();
        found.push((
            loss,
            Case {
                row: *row,
                text,
                label: name(first, label),
                characters: text.map(|t| t.chars().count()),
                words: text.map(|t| t.split_whitespace().count()),
                verdicts,
            },
        ));
    }
    found.sort_by(|(a, _), (b, _)| match (a.is_nan(), b.is_nan()) {
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
        _ => b.total_cmp(a),
    });
    found.into_iter().map(|(_, case)| case).collect()
}

/// The texts of a part by row number, unless the data have changed since the run saw them: then the
/// numbers may mean other rows. `seen` is the hash that the run reported; empty if it is not known.
pub fn texts<'a>(dataset: &'a Dataset, part: &str, seen: &str) -> HashMap<u64, &'a str> {
    if seen.is_empty() || seen == dataset.hash {
        dataset.texts_by_row(part)
    } else {
        HashMap::new()
    }
}

fn verdict(p: &Predictions, at: usize) -> Option<Verdict<'_>> {
    let (label, predicted) = (*p.labels.get(at)?, *p.predicted.get(at)?);
    let of = |class: u32| p.probabilities.get(class as usize).and_then(|p| p.get(at)).copied();
    Some(Verdict {
        predicted: name(p, predicted),
        probability: of(predicted).unwrap_or(f32::NAN),
        probability_of_label: of(label).unwrap_or(f32::NAN),
        loss: p.loss.get(at).copied().unwrap_or(f32::NAN),
    })
}

fn name(p: &Predictions, class: u32) -> &str {
    p.label_names.get(class as usize).map_or("", String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dataset() -> Dataset {
        Dataset {
            texts: ["train two", "val three", "val two", "val five"].map(str::to_owned).to_vec(),
            rows: vec![2, 3, 2, 5],
            train: vec![0],
            val: vec![1, 2, 3],
            hash: "abc".into(),
            ..Dataset::default()
        }
    }

    /// Rows 2, 5, 3, 9 of classes ham, spam, ham, ham.
    fn pass(predicted: [u32; 4], loss: [f32; 4]) -> Predictions {
        Predictions {
            rows: vec![2, 5, 3, 9],
            labels: vec![0, 1, 0, 0],
            predicted: predicted.to_vec(),
            loss: loss.to_vec(),
            probabilities: vec![vec![0.4, 0.1, 0.08, 0.5], vec![0.6, 0.9, 0.92, 0.5]],
            label_names: vec!["ham".into(), "spam".into()],
        }
    }

    fn rows(cases: &[Case<'_>]) -> Vec<u64> {
        cases.iter().map(|case| case.row).collect()
    }

    #[test]
    fn rows_come_surest_mistake_first_with_the_text_of_their_split() {
        let data = dataset();
        let texts = texts(&data, "val", "abc");
        let run = pass([1, 1, 1, 1], [0.9, 0.1, 2.5, f32::NAN]);
        let wrong = cases(&[&run], &[], Cell::default(), &texts);
        let seen: Vec<_> = wrong.iter().map(|c| (c.row, c.text, c.words)).collect();
        let want =
            [(9, None, None), (3, Some("val three"), Some(2)), (2, Some("val two"), Some(2))];
        assert_eq!(seen, want);
        let verdict = wrong[1].verdicts[0];
        assert_eq!(
            (wrong[1].label, verdict.predicted, wrong[1].characters),
            ("ham", "spam", Some(9))
        );
        assert_eq!(
            (verdict.loss, verdict.probability, verdict.probability_of_label),
            (2.5, 0.92, 0.08)
        );
        let cell = Cell { truth: Some(1), predicted: Some(1) };
        assert_eq!(rows(&cases(&[&run], &[], cell, &texts)), [5], "a right cell has rows too");
        let cell = Cell { truth: Some(1), predicted: None };
        assert_eq!(rows(&cases(&[&run], &[], cell, &texts)), [0; 0]);
    }

    #[test]
    fn several_runs_meet_in_what_all_get_wrong() {
        let a = pass([1, 0, 1, 0], [1.0, 1.0, 3.0, 0.1]);
        let mut b = pass([0, 0, 1, 0], [0.1, 5.0, 1.0, 0.1]);
        let none = HashMap::new();
        let both = cases(&[&a, &b], &[], Cell::default(), &none);
        assert_eq!(rows(&both), [5, 3], "by mean loss");
        assert_eq!(both[0].verdicts.len(), 2);
        let only_a = cases(&[&a], &[&b], Cell::default(), &none);
        assert_eq!(rows(&only_a), [2]);
        assert_eq!(only_a[0].verdicts[1].predicted, "ham");
        // Another order of the rows is the same.
        for list in [&mut b.labels, &mut b.predicted] {
            list.reverse();
        }
        b.rows.reverse();
        b.loss.reverse();
        assert_eq!(rows(&cases(&[&a, &b], &[], Cell::default(), &none)), [5, 3]);
        assert!(cases(&[], &[&a], Cell::default(), &none).is_empty());
    }

    #[test]
    fn texts_of_other_data_are_not_shown() {
        let data = dataset();
        assert_eq!(texts(&data, "val", "abc").len(), 3);
        assert_eq!(texts(&data, "val", "").len(), 3, "a run that told no hash");
        assert!(texts(&data, "val", "xyz").is_empty());
    }
}

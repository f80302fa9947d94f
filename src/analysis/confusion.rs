//! Confusion counts as people read them: shares, figures per class, the most frequent mistakes.
//!
//! Definitions are scikit-learn's (`confusion_matrix`, `precision_recall_fscore_support` with
//! `zero_division=0`): rows are true classes, columns predicted ones, and a share of nothing is 0.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use crate::dataset::predictions::Predictions;
use crate::store::Confusion;

/// What a cell is divided by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Normalise {
    /// Nothing: counts.
    None,
    /// All rows of the true class: the diagonal is the recall.
    #[default]
    Row,
    /// All rows predicted as the class: the diagonal is the precision.
    Column,
    /// All rows.
    All,
}

impl Normalise {
    /// Every way, in the order in which a key steps through them.
    pub const ALL: [Self; 4] = [Self::None, Self::Row, Self::Column, Self::All];
    /// Their words, in the same order.
    pub const WORDS: &'static [&'static str] = &["none", "row", "column", "all"];

    /// The next one, round and round.
    pub fn next(self) -> Self {
        match self {
            Self::None => Self::Row,
            Self::Row => Self::Column,
            Self::Column => Self::All,
            Self::All => Self::None,
        }
    }

    /// What the numbers are, as a heading.
    pub fn heading(self) -> &'static str {
        match self {
            Self::None => "counts",
            Self::Row => "% of true",
            Self::Column => "% of predicted",
            Self::All => "% of all",
        }
    }
}

impl fmt::Display for Normalise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::None => "none",
            Self::Row => "row",
            Self::Column => "column",
            Self::All => "all",
        })
    }
}

impl FromStr for Normalise {
    type Err = String;
    /// Takes scikit-learn's words `true` and `pred` too.
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "none" => Ok(Self::None),
            "row" | "true" => Ok(Self::Row),
            "column" | "pred" => Ok(Self::Column),
            "all" => Ok(Self::All),
            _ => Err(format!("it takes {}", Self::WORDS.join(", "))),
        }
    }
}

/// The figures of one class; 0 where there is nothing to divide by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct ClassFigures {
    /// Rows of the class.
    pub support: u64,
    /// Rows predicted as the class.
    pub predicted: u64,
    /// Right ones among those predicted as the class.
    pub precision: f64,
    /// Right ones among the rows of the class.
    pub recall: f64,
    /// The harmonic mean of the two.
    pub f1: f64,
}

/// Rows of one class taken for another.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Mistake {
    /// The true class, an index.
    pub truth: usize,
    /// The predicted class, an index.
    pub predicted: usize,
    /// How many rows.
    pub count: u64,
    /// Of all rows of the true class.
    pub share: f64,
}

/// A square confusion matrix with its sums.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Matrix {
    counts: Vec<Vec<u64>>,
    rows: Vec<u64>,
    columns: Vec<u64>,
    all: u64,
}

impl Matrix {
    /// The counts of one pass. There are as many classes as labels; what is missing counts as 0.
    pub fn new(confusion: &Confusion) -> Self {
        Self::of(&confusion.counts, confusion.labels.len())
    }

    /// `[true][predicted]` counts, filled up with zeros to a square of at least `classes`.
    pub fn of(counts: &[Vec<u64>], classes: usize) -> Self {
        let widest = counts.iter().map(Vec::len).max().unwrap_or(0);
        let n = classes.max(counts.len()).max(widest);
        let mut square = counts.to_vec();
        square.resize(n, Vec::new());
        for row in &mut square {
            row.resize(n, 0);
        }
        Self::with_sums(square)
    }

    /// The counts of saved predictions.
    pub fn from_predictions(predictions: &Predictions) -> Self {
        let n = predictions.label_names.len();
        let mut counts = vec![vec![0; n]; n];
        for (truth, predicted) in predictions.labels.iter().zip(&predictions.predicted) {
            let cell =
                counts.get_mut(*truth as usize).and_then(|row| row.get_mut(*predicted as usize));
            if let Some(cell) = cell {
                *cell += 1;
            }
        }
        Self::with_sums(counts)
    }

    fn with_sums(counts: Vec<Vec<u64>>) -> Self {
        let rows: Vec<u64> = counts.iter().map(|row| row.iter().sum()).collect();
        let mut columns = vec![0; counts.len()];
        for row in &counts {
            columns.iter_mut().zip(row).for_each(|(sum, count)| *sum += count);
        }
        Self { all: rows.iter().sum(), counts, rows, columns }
    }

    /// Number of classes.
    pub fn len(&self) -> usize {
        self.counts.len()
    }

    /// True without classes.
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// `[true][predicted]`.
    pub fn counts(&self) -> &[Vec<u64>] {
        &self.counts
    }

    /// Rows in all.
    pub fn total(&self) -> u64 {
        self.all
    }

    /// One cell; 0 outside.
    pub fn count(&self, truth: usize, predicted: usize) -> u64 {
        self.counts.get(truth).and_then(|row| row.get(predicted)).copied().unwrap_or(0)
    }

    /// A cell's share of what `by` says, 0 to 1. For [`Normalise::None`] it is the share of the row, so
    /// that counts can be coloured too.
    pub fn share(&self, truth: usize, predicted: usize, by: Normalise) -> f64 {
        let whole = match by {
            Normalise::None | Normalise::Row => self.rows.get(truth).copied(),
            Normalise::Column => self.columns.get(predicted).copied(),
            Normalise::All => Some(self.all),
        };
        ratio(self.count(truth, predicted), whole.unwrap_or(0))
    }

    /// Counts minus another's, `[true][predicted]`; missing classes count as 0.
    pub fn minus(&self, other: &Self) -> Vec<Vec<i64>> {
        let n = self.len().max(other.len());
        let cell = |i, j| self.count(i, j).cast_signed() - other.count(i, j).cast_signed();
        (0..n).map(|i| (0..n).map(|j| cell(i, j)).collect()).collect()
    }

    /// All cells, divided as `by` says; the plain counts for [`Normalise::None`].
    pub fn normalised(&self, by: Normalise) -> Vec<Vec<f64>> {
        let cell = |i, j| match by {
            Normalise::None => self.count(i, j) as f64,
            _ => self.share(i, j, by),
        };
        (0..self.len()).map(|i| (0..self.len()).map(|j| cell(i, j)).collect()).collect()
    }

    /// The share of right predictions; 0 without rows.
    pub fn accuracy(&self) -> f64 {
        ratio((0..self.len()).map(|i| self.count(i, i)).sum(), self.all)
    }

    /// The figures of one class.
    pub fn class(&self, class: usize) -> ClassFigures {
        let hits = self.count(class, class);
        let support = self.rows.get(class).copied().unwrap_or(0);
        let predicted = self.columns.get(class).copied().unwrap_or(0);
        ClassFigures {
            support,
            predicted,
            precision: ratio(hits, predicted),
            recall: ratio(hits, support),
            // 2PR / (P + R) = 2 hits / (support + predicted)
            f1: ratio(2 * hits, support + predicted),
        }
    }

    /// The figures of every class.
    pub fn classes(&self) -> Vec<ClassFigures> {
        (0..self.len()).map(|class| self.class(class)).collect()
    }

    /// The mean of the classes' F1 over the classes that occur, as true or as predicted ones, as
    /// `f1_score(y_true, y_pred, average="macro")` takes them; 0 without rows.
    pub fn macro_f1(&self) -> f64 {
        let occurring = self.classes().into_iter().filter(|c| c.support + c.predicted > 0);
        let (n, sum) = occurring.fold((0_u32, 0.0), |(n, sum), class| (n + 1, sum + class.f1));
        sum / f64::from(n.max(1))
    }

    /// The most frequent mistakes, at most `limit`, most frequent first.
    pub fn mistakes(&self, limit: usize) -> Vec<Mistake> {
        let mut mistakes = Vec::new();
        for (truth, row) in self.counts.iter().enumerate() {
            for (predicted, count) in row.iter().enumerate() {
                if truth != predicted && *count > 0 {
                    let share = self.share(truth, predicted, Normalise::Row);
                    mistakes.push(Mistake { truth, predicted, count: *count, share });
                }
            }
        }
        // The sort is stable: equal counts stay in class order.
        mistakes.sort_by_key(|mistake| std::cmp::Reverse(mistake.count));
        mistakes.truncate(limit);
        mistakes
    }
}

fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::events::Split;

    #[derive(Deserialize)]
    struct File {
        cases: Vec<Case>,
    }
    #[derive(Deserialize)]
    struct Case {
        name: String,
        counts: Vec<Vec<u64>>,
        row: Vec<Vec<f64>>,
        column: Vec<Vec<f64>>,
        all: Vec<Vec<f64>>,
        accuracy: f64,
        per_class: PerClass,
    }
    #[derive(Deserialize)]
    struct PerClass {
        precision: Vec<f64>,
        recall: Vec<f64>,
        f1: Vec<f64>,
        support: Vec<u64>,
    }

    fn close(a: &[f64], b: &[f64]) -> bool {
        a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-12)
    }

    #[test]
    fn figures_are_those_of_scikit_learn() {
        let text = include_str!("../../tests/fixtures/metrics/confusion.json");
        let File { cases } = serde_json::from_str(text).unwrap();
        assert_eq!(cases.len(), 10);
        for case in cases {
            let m = Matrix::of(&case.counts, 0);
            for (by, want) in [
                (Normalise::Row, &case.row),
                (Normalise::Column, &case.column),
                (Normalise::All, &case.all),
            ] {
                assert!(close(&m.normalised(by).concat(), &want.concat()), "{} {by}", case.name);
            }
            let classes = m.classes();
            let of = |f: fn(&ClassFigures) -> f64| classes.iter().map(f).collect::<Vec<_>>();
            assert!(close(&of(|c| c.precision), &case.per_class.precision), "{}", case.name);
            assert!(close(&of(|c| c.recall), &case.per_class.recall), "{}", case.name);
            assert!(close(&of(|c| c.f1), &case.per_class.f1), "{}", case.name);
            assert!(classes.iter().map(|c| c.support).eq(case.per_class.support), "{}", case.name);
            assert!(close(&[m.accuracy()], &[case.accuracy]), "{}", case.name);
        }
    }

    #[test]
    fn macro_f1_leaves_out_classes_that_never_occur() {
        // f1_score([0, 0, 1], [0, 1, 1], average="macro") whether or not a third class was declared.
        let counts = vec![vec![1, 1, 0], vec![0, 1, 0], vec![0, 0, 0]];
        assert!((Matrix::of(&counts, 3).macro_f1() - 2.0 / 3.0).abs() < 1e-12);
        assert_eq!(Matrix::of(&[], 2).macro_f1(), 0.0);
        assert_eq!(Matrix::default().accuracy(), 0.0);
    }

    #[test]
    fn mistakes_come_most_frequent_first_and_without_the_diagonal() {
        let m = Matrix::of(&[vec![5, 2, 3], vec![2, 9, 0], vec![0, 0, 4]], 3);
        let pairs: Vec<_> =
            m.mistakes(9).iter().map(|x| (x.truth, x.predicted, x.count, x.share)).collect();
        assert_eq!(pairs, [(0, 2, 3, 0.3), (0, 1, 2, 0.2), (1, 0, 2, 2.0 / 11.0)]);
        assert_eq!(m.mistakes(1).len(), 1);
    }

    #[test]
    fn short_rows_and_predictions_make_the_same_square() {
        let labels = vec!["a".into(), "b".into(), "c".into()];
        let counts = vec![vec![1, 1], vec![0, 1]];
        let stored = Confusion { split: Split::Val, epoch: 1, labels: labels.clone(), counts };
        let predictions = Predictions {
            labels: vec![0, 0, 1],
            predicted: vec![0, 1, 1],
            label_names: labels,
            ..Predictions::default()
        };
        let m = Matrix::from_predictions(&predictions);
        assert_eq!(m, Matrix::new(&stored));
        assert_eq!((m.len(), m.total(), m.count(7, 7)), (3, 3, 0));
        assert_eq!(m.normalised(Normalise::None)[0], [1.0, 1.0, 0.0]);
    }

    #[test]
    fn ways_to_normalise_read_their_own_words() {
        for (way, word) in Normalise::ALL.into_iter().zip(Normalise::WORDS) {
            assert_eq!((way.to_string().as_str(), word.parse()), (*word, Ok(way)));
        }
        assert_eq!("true".parse(), Ok(Normalise::Row));
        assert_eq!("rows".parse::<Normalise>(), Err("it takes none, row, column, all".into()));
    }
}

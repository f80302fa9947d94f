use serde::Serialize;

use super::{Averages, average_precision, roc_auc};

/// The decisions about one label.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct LabelCounts {
    /// Rows that have the label and were given it.
    pub hits: u64,
    /// Rows that were given the label without having it.
    pub alarms: u64,
    /// Rows that have the label and were not given it.
    pub misses: u64,
}

impl LabelCounts {
    fn add(&mut self, has: bool, given: bool) {
        self.hits += u64::from(has && given);
        self.alarms += u64::from(!has && given);
        self.misses += u64::from(has && !given);
    }

    /// Rows that have the label.
    pub fn support(&self) -> u64 {
        self.hits + self.misses
    }

    /// Precision, recall and F1; 0 where there is nothing to divide by.
    pub fn scores(&self) -> Averages {
        let share = |of: u64| if of == 0 { 0.0 } else { self.hits as f64 / of as f64 };
        let both = 2 * self.hits + self.alarms + self.misses;
        let f1 = if both == 0 { 0.0 } else { 2.0 * self.hits as f64 / both as f64 };
        Averages { precision: share(self.hits + self.alarms), recall: share(self.support()), f1 }
    }
}

/// The mean of precision, recall and F1 with these weights; 0 where all weights are.
pub(super) fn weighted_mean(scores: impl Iterator<Item = (f64, Averages)>) -> Averages {
    let (mut sum, mut weights) = (Averages::default(), 0.0);
    for (weight, one) in scores {
        weights += weight;
        sum.precision += weight * one.precision;
        sum.recall += weight * one.recall;
        sum.f1 += weight * one.f1;
    }
    if weights == 0.0 {
        return Averages::default();
    }
    Averages {
        precision: sum.precision / weights,
        recall: sum.recall / weights,
        f1: sum.f1 / weights,
    }
}

/// Figures of predictions that give each row any number of labels, by scikit-learn's definitions with
/// `zero_division=0`.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Multilabel {
    /// The decisions about each label.
    pub labels: Vec<LabelCounts>,
    /// All decisions taken together.
    pub micro: Averages,
    /// The plain mean over the labels.
    pub macro_: Averages,
    /// The mean over the labels, weighted by their rows.
    pub weighted: Averages,
    /// The mean over the rows of each row's own figures.
    pub samples: Averages,
    /// The share of rows whose labels are all right and complete (`accuracy_score`).
    pub exact_match: f64,
    /// The share of wrong decisions (`hamming_loss`).
    pub hamming_loss: f64,
}

impl Multilabel {
    /// `truth[label][row]` says which labels a row has, `given[label][row]` which it was given. `None`
    /// without labels or rows, or where the two have other shapes.
    pub fn of(truth: &[Vec<bool>], given: &[Vec<bool>]) -> Option<Self> {
        let rows = truth.first()?.len();
        let fits = |side: &[Vec<bool>]| side.iter().all(|column| column.len() == rows);
        if rows == 0 || truth.len() != given.len() || !fits(truth) || !fits(given) {
            return None;
        }
        let mut labels = vec![LabelCounts::default(); truth.len()];
        let mut of_rows = vec![LabelCounts::default(); rows];
        let mut all = LabelCounts::default();
        for (label, (truth, given)) in labels.iter_mut().zip(truth.iter().zip(given)) {
            for (row, (has, given)) in of_rows.iter_mut().zip(truth.iter().zip(given)) {
                label.add(*has, *given);
                row.add(*has, *given);
                all.add(*has, *given);
            }
        }
        let wrong = |counts: &LabelCounts| counts.alarms + counts.misses;
        let exact = of_rows.iter().filter(|row| wrong(row) == 0).count();
        let decisions = (rows * truth.len()) as f64;
        Some(Self {
            micro: all.scores(),
            macro_: weighted_mean(labels.iter().map(|label| (1.0, label.scores()))),
            weighted: weighted_mean(labels.iter().map(|l| (l.support() as f64, l.scores()))),
            samples: weighted_mean(of_rows.iter().map(|row| (1.0, row.scores()))),
            exact_match: exact as f64 / rows as f64,
            hamming_loss: wrong(&all) as f64 / decisions,
            labels,
        })
    }
}

/// Which labels each row is given: those whose probability reaches the label's threshold.
/// `probabilities[label][row]`.
pub fn given<P: Copy + Into<f64>>(probabilities: &[Vec<P>], thresholds: &[f64]) -> Vec<Vec<bool>> {
    let columns = probabilities.iter().zip(thresholds);
    columns.map(|(column, least)| column.iter().map(|p| (*p).into() >= *least).collect()).collect()
}

/// For each label the least probability at which giving it makes its F1 highest: half-way between two that
/// occur, of equal ones the nearest to 0.5. 0.5 for a label that no row has.
pub fn best_thresholds<P: Copy + Into<f64>>(
    truth: &[Vec<bool>],
    probabilities: &[Vec<P>],
) -> Vec<f64> {
    let best = |(has, p): (&Vec<bool>, &Vec<P>)| {
        let mut rows: Vec<(f64, bool)> = p
            .iter()
            .map(|p| (*p).into())
            .zip(has.iter().copied())
            .filter(|(p, _)| !p.is_nan())
            .collect();
        rows.sort_by(|a, b| b.0.total_cmp(&a.0));
        let support = rows.iter().filter(|(_, has)| *has).count() as u64;
        let mut counts = LabelCounts { misses: support, ..LabelCounts::default() };
        let (mut highest, mut threshold) = (0.0, 0.5_f64);
        for (at, (p, has)) in rows.iter().enumerate() {
            counts.hits += u64::from(*has);
            counts.misses -= u64::from(*has);
            counts.alarms += u64::from(!*has);
            let next = rows.get(at + 1).map_or(0.0, |(p, _)| *p);
            if next == *p {
                continue;
            }
            let (f1, middle) = (counts.scores().f1, f64::midpoint(*p, next));
            let is_nearer = f1 == highest && (middle - 0.5).abs() < (threshold - 0.5).abs();
            if f1 > highest || is_nearer {
                (highest, threshold) = (f1, middle);
            }
        }
        if highest > 0.0 { threshold } else { 0.5 }
    };
    truth.iter().zip(probabilities).map(best).collect()
}

/// Area under the ROC curve of each label; `None` for a label that all rows have or none.
pub fn roc_auc_per_label<P: Copy + Into<f64>>(
    truth: &[Vec<bool>],
    probabilities: &[Vec<P>],
) -> Vec<Option<f64>> {
    truth.iter().zip(probabilities).map(|(has, p)| roc_auc(p, has)).collect()
}

/// Average precision of each label; 0 for a label that no row has, as scikit-learn has it.
pub fn average_precision_per_label<P: Copy + Into<f64>>(
    truth: &[Vec<bool>],
    probabilities: &[Vec<P>],
) -> Vec<Option<f64>> {
    truth.iter().zip(probabilities).map(|(has, p)| average_precision(p, has)).collect()
}

/// The plain mean over the labels; `None` if it has no value for one of them.
pub fn mean_over_labels(figures: &[Option<f64>]) -> Option<f64> {
    let sum: f64 = figures.iter().copied().sum::<Option<f64>>()?;
    (!figures.is_empty()).then(|| sum / figures.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_are_where_f1_is_highest() {
        let truth =
            [vec![true, true, false, false], vec![false; 4], vec![true, false, true, false]];
        let probabilities =
            [vec![0.9, 0.3, 0.2, 0.1], vec![0.9, 0.3, 0.2, 0.1], vec![0.6, 0.6, 0.6, 0.2]];
        let thresholds = best_thresholds(&truth, &probabilities);
        assert_eq!(thresholds, [0.25, 0.5, 0.4]);
        let f1 = |thresholds: &[f64]| {
            Multilabel::of(&truth, &given(&probabilities, thresholds)).unwrap().macro_.f1
        };
        assert!(f1(&thresholds) > f1(&[0.5; 3]));
        assert_eq!(best_thresholds(&[vec![true, false]], &[vec![f64::NAN, 0.1]]), [0.5]);
    }
}

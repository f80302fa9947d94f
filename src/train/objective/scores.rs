//! The figures of one pass over a split, by scikit-learn's definitions.

/// What the model said about every row of a split, in the split's order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Scores {
    /// True class of each row.
    pub labels: Vec<u32>,
    /// Most probable class of each row; the lower one of a tie.
    pub predicted: Vec<u32>,
    /// Cross-entropy of each row, neither weighted nor smoothed.
    pub losses: Vec<f32>,
    /// Class probabilities, row by row: `[rows * classes]`.
    pub probabilities: Vec<f32>,
}

impl Scores {
    /// Mean cross-entropy; NaN for no rows.
    pub fn loss(&self) -> f64 {
        let sum: f64 = self.losses.iter().map(|l| f64::from(*l)).sum();
        sum / self.losses.len() as f64
    }

    /// The sum of the mean losses of batches of `size` rows, in the split's order.
    pub fn batch_losses(&self, size: usize) -> f64 {
        let mean =
            |batch: &[f32]| batch.iter().map(|l| f64::from(*l)).sum::<f64>() / batch.len() as f64;
        self.losses.chunks(size.max(1)).map(mean).sum()
    }

    /// The share of rows whose most probable class is the true one; NaN for no rows.
    pub fn accuracy(&self) -> f64 {
        let right = self.labels.iter().zip(&self.predicted).filter(|(l, p)| l == p).count();
        right as f64 / self.labels.len() as f64
    }

    /// `counts[true][predicted]`.
    pub fn confusion(&self, classes: usize) -> Vec<Vec<u64>> {
        let mut counts = vec![vec![0; classes]; classes];
        for (label, predicted) in self.labels.iter().zip(&self.predicted) {
            let cell = counts.get_mut(*label as usize).and_then(|r| r.get_mut(*predicted as usize));
            if let Some(cell) = cell {
                *cell += 1;
            }
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use tuneboard::analysis::metrics::macro_f1;

    use super::*;

    fn scores(labels: &[u32], predicted: &[u32]) -> Scores {
        Scores { labels: labels.to_vec(), predicted: predicted.to_vec(), ..Scores::default() }
    }

    /// sklearn.metrics.f1_score(y, p, average="macro") of scikit-learn 1.9.1 for these rows.
    #[test]
    fn macro_f1_is_scikit_learns() {
        let s = scores(&[0, 0, 1, 1, 2, 2], &[0, 1, 1, 1, 2, 0]);
        let want = (0.5 + 0.8 + 2.0 / 3.0) / 3.0;
        assert!((macro_f1(&s.confusion(3)) - want).abs() < 1e-12);
        assert!((s.accuracy() - 4.0 / 6.0).abs() < 1e-12);
        assert_eq!(s.confusion(3), [[1, 1, 0], [0, 2, 0], [1, 0, 1]]);
    }

    #[test]
    fn a_class_that_never_occurs_does_not_count() {
        let s = scores(&[0, 0, 1], &[0, 0, 1]);
        assert_eq!(macro_f1(&s.confusion(3)), 1.0);
        let never_predicted = scores(&[0, 0, 1], &[0, 0, 0]);
        assert!((macro_f1(&never_predicted.confusion(3)) - 0.4).abs() < 1e-12);
    }
}

use serde::Serialize;

use crate::analysis::confusion::Matrix;

/// How the figures of the classes become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Average {
    /// The plain mean over all classes, also over those that never occur.
    Macro,
    /// The mean weighted by the rows of each class.
    Weighted,
    /// All decisions taken together; with one label a row all three figures are the accuracy.
    Micro,
}

/// Precision, recall and F1 over all classes; 0 where there is nothing to divide by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Averages {
    /// Right ones among those predicted as a class.
    pub precision: f64,
    /// Right ones among the rows of a class.
    pub recall: f64,
    /// The average of the classes' F1, which is not the harmonic mean of the two above.
    pub f1: f64,
}

impl Averages {
    /// `precision_recall_fscore_support(average=..., zero_division=0)`.
    pub fn of(matrix: &Matrix, average: Average) -> Self {
        if average == Average::Micro {
            let accuracy = matrix.accuracy();
            return Self { precision: accuracy, recall: accuracy, f1: accuracy };
        }
        let mut sum = Self::default();
        let mut weights = 0.0;
        for class in matrix.classes() {
            let weight = if average == Average::Macro { 1.0 } else { class.support as f64 };
            weights += weight;
            sum.precision += weight * class.precision;
            sum.recall += weight * class.recall;
            sum.f1 += weight * class.f1;
        }
        if weights == 0.0 {
            return Self::default();
        }
        Self {
            precision: sum.precision / weights,
            recall: sum.recall / weights,
            f1: sum.f1 / weights,
        }
    }
}

/// [`Matrix::macro_f1`] of plain counts, `[true][predicted]`. It is what runs report as `val/f1`, so that a
/// class which a split happens to lack does not lower it.
pub fn macro_f1(counts: &[Vec<u64>]) -> f64 {
    Matrix::of(counts, 0).macro_f1()
}

use crate::analysis::confusion::Matrix;

/// The mean recall of the classes that have rows; `None` without rows.
pub fn balanced_accuracy(matrix: &Matrix) -> Option<f64> {
    let recalls: Vec<f64> =
        matrix.classes().iter().filter(|c| c.support > 0).map(|c| c.recall).collect();
    (!recalls.is_empty()).then(|| recalls.iter().sum::<f64>() / recalls.len() as f64)
}

/// Matthews' correlation coefficient for any number of classes (Gorodkin 2004, `matthews_corrcoef`):
/// -1 to 1, and 0 where all rows have, or are given, one class.
pub fn matthews(matrix: &Matrix) -> f64 {
    let sums = Sums::of(matrix);
    let all = sums.rows * sums.rows;
    let spread = (all - sums.true_squared) * (all - sums.predicted_squared);
    if spread <= 0.0 {
        return 0.0;
    }
    (sums.hits * sums.rows - sums.true_by_predicted) / spread.sqrt()
}

/// Cohen's kappa, unweighted: agreement beyond chance. `None` where chance alone agrees on all rows.
pub fn cohen_kappa(matrix: &Matrix) -> Option<f64> {
    let sums = Sums::of(matrix);
    let possible = sums.rows * sums.rows - sums.true_by_predicted;
    (possible > 0.0).then(|| (sums.hits * sums.rows - sums.true_by_predicted) / possible)
}

/// Sums over the classes. All are whole numbers, exact in `f64` up to 9e15.
struct Sums {
    rows: f64,
    hits: f64,
    true_squared: f64,
    predicted_squared: f64,
    true_by_predicted: f64,
}

impl Sums {
    fn of(matrix: &Matrix) -> Self {
        let mut sums = Self {
            rows: matrix.total() as f64,
            hits: 0.0,
            true_squared: 0.0,
            predicted_squared: 0.0,
            true_by_predicted: 0.0,
        };
        for (class, figures) in matrix.classes().iter().enumerate() {
            let (actual, claimed) = (figures.support as f64, figures.predicted as f64);
            sums.hits += matrix.count(class, class) as f64;
            sums.true_squared += actual * actual;
            sums.predicted_squared += claimed * claimed;
            sums.true_by_predicted += actual * claimed;
        }
        sums
    }
}

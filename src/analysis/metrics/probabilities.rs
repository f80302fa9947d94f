/// Mean negative natural logarithm of the true class's probability, which is kept off 0 and 1 by the
/// float64 epsilon (`log_loss`); `None` without rows or with a label that has no probabilities.
pub fn log_loss<P: Copy + Into<f64>>(labels: &[u32], probabilities: &[Vec<P>]) -> Option<f64> {
    let mut sum = 0.0;
    for (row, label) in labels.iter().enumerate() {
        let p: f64 = (*probabilities.get(*label as usize)?.get(row)?).into();
        sum -= p.clamp(f64::EPSILON, 1.0 - f64::EPSILON).ln();
    }
    mean(sum, labels.len())
}

/// Brier score: the mean over rows of the squared distances of all probabilities from the truth; for
/// two classes half of that, which is the squared distance of the second class's probability
/// (`brier_score_loss`). 0 is perfect. `None` without rows.
pub fn brier<P: Copy + Into<f64>>(labels: &[u32], probabilities: &[Vec<P>]) -> Option<f64> {
    let mut sum = 0.0;
    let two = probabilities.len() == 2;
    for (class, column) in (0..).zip(probabilities).skip(usize::from(two)) {
        for (label, p) in labels.iter().zip(column) {
            let p: f64 = (*p).into();
            let truth = if *label == class { 1.0 } else { 0.0 };
            sum += (p - truth) * (p - truth);
        }
    }
    mean(sum, labels.len())
}

fn mean(sum: f64, rows: usize) -> Option<f64> {
    (rows > 0 && !sum.is_nan()).then(|| sum / rows as f64)
}

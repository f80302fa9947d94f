use serde::Serialize;

/// Figures of predicted numbers. Those that have no value for these rows are `None`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Regression {
    /// Mean squared error; `None` without rows.
    pub mse: Option<f64>,
    /// Its root, in the units of the targets.
    pub rmse: Option<f64>,
    /// Mean absolute error, in the units of the targets.
    pub mae: Option<f64>,
    /// Coefficient of determination; `None` below two rows.
    pub r2: Option<f64>,
    /// Pearson's correlation.
    pub pearson: Option<f64>,
    /// Spearman's rank correlation.
    pub spearman: Option<f64>,
}

impl Regression {
    /// `truth` and `predicted` have one number per row. A number that is none leaves all undefined.
    pub fn of(truth: &[f64], predicted: &[f64]) -> Self {
        if truth.len() != predicted.len() || truth.iter().chain(predicted).any(|x| x.is_nan()) {
            return Self::default();
        }
        let mse = mean(pairs(truth, predicted).map(|(y, p)| (y - p) * (y - p)));
        Self {
            mse,
            rmse: mse.map(f64::sqrt),
            mae: mean(pairs(truth, predicted).map(|(y, p)| (y - p).abs())),
            r2: r2(truth, predicted),
            pearson: pearson(truth, predicted),
            spearman: spearman(truth, predicted),
        }
    }
}

fn pairs<'a>(a: &'a [f64], b: &'a [f64]) -> impl Iterator<Item = (f64, f64)> {
    a.iter().copied().zip(b.iter().copied())
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (mut rows, mut sum) = (0_u32, 0.0);
    for value in values {
        rows += 1;
        sum += value;
    }
    (rows > 0).then(|| sum / f64::from(rows))
}

/// One minus the share of the targets' variance that is left (`r2_score`). Targets that are all alike give
/// 1 if every prediction is right and 0 otherwise, as there; `None` below two rows.
pub fn r2(truth: &[f64], predicted: &[f64]) -> Option<f64> {
    let middle = mean(truth.iter().copied()).filter(|_| truth.len() > 1)?;
    let left: f64 = pairs(truth, predicted).map(|(y, p)| (y - p) * (y - p)).sum();
    let whole: f64 = truth.iter().map(|y| (y - middle) * (y - middle)).sum();
    Some(if whole > 0.0 {
        1.0 - left / whole
    } else if left > 0.0 {
        0.0
    } else {
        1.0
    })
}

/// Pearson's correlation (`scipy.stats.pearsonr`), in two passes, so that a large offset does no harm;
/// `None` below two rows, or where one side is constant.
pub fn pearson(a: &[f64], b: &[f64]) -> Option<f64> {
    if a.len() < 2 || a.len() != b.len() || is_constant(a) || is_constant(b) {
        return None;
    }
    let (middle_a, middle_b) = (mean(a.iter().copied())?, mean(b.iter().copied())?);
    let norm = |x: &[f64], middle: f64| -> f64 {
        x.iter().map(|x| (x - middle) * (x - middle)).sum::<f64>().sqrt()
    };
    let (norm_a, norm_b) = (norm(a, middle_a), norm(b, middle_b));
    let along = |(a, b): (f64, f64)| (a - middle_a) / norm_a * ((b - middle_b) / norm_b);
    let sum: f64 = pairs(a, b).map(along).sum();
    Some(sum.clamp(-1.0, 1.0)).filter(|r| r.is_finite())
}

fn is_constant(values: &[f64]) -> bool {
    values.windows(2).all(|pair| pair[0] == pair[1])
}

/// Spearman's correlation: Pearson's of the ranks (`scipy.stats.spearmanr`); `None` as there.
pub fn spearman(a: &[f64], b: &[f64]) -> Option<f64> {
    pearson(&ranks(a), &ranks(b))
}

/// The rank of each number from 1 up; equal numbers share the mean of their ranks.
fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<(f64, usize)> = values.iter().copied().zip(0..).collect();
    order.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut ranks = vec![0.0; values.len()];
    let mut before = 0_usize;
    for equal in order.chunk_by(|a, b| a.0 == b.0) {
        let rank = before as f64 + f64::midpoint(equal.len() as f64, 1.0);
        for (_, row) in equal {
            if let Some(place) = ranks.get_mut(*row) {
                *place = rank;
            }
        }
        before += equal.len();
    }
    ranks
}

use super::rows::Rows;

/// A linear map from a sparse row to one score per class, and the softmax over the scores.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Linear {
    /// Column by column: `[columns * classes]`, so that a row touches few cache lines.
    pub weight: Vec<f64>,
    /// `[classes]`
    pub bias: Vec<f64>,
}

/// What one score is made of: the weight of each column, then the intercept.
pub type Column = Vec<f64>;

impl Linear {
    /// One score for each of these, whose rows have so many columns.
    pub fn side_by_side(all: &[Column], columns: usize) -> Self {
        let at = |row: usize| all.iter().map(move |column| column.get(row).copied().unwrap_or(0.0));
        Self { weight: (0..columns).flat_map(at).collect(), bias: at(columns).collect() }
    }

    /// How many classes.
    pub fn classes(&self) -> usize {
        self.bias.len()
    }

    /// `bias + row * weight` of each class.
    pub fn scores(&self, columns: &[u32], values: &[f64]) -> Vec<f64> {
        let mut scores = self.bias.clone();
        let classes = scores.len();
        for (column, value) in columns.iter().zip(values) {
            let start = *column as usize * classes;
            let weights = self.weight.get(start..start + classes).unwrap_or_default();
            for (score, weight) in scores.iter_mut().zip(weights) {
                *score += value * weight;
            }
        }
        scores
    }

    /// The natural logarithm of each class's probability, row by row: `[rows * classes]`.
    pub fn log_probabilities(&self, rows: &Rows) -> Vec<f64> {
        let mut all = Vec::with_capacity(rows.len() * self.classes());
        for (columns, values) in rows.iter() {
            let scores = self.scores(columns, values);
            let total = log_sum(&scores);
            all.extend(scores.into_iter().map(|s| s - total));
        }
        all
    }
}

/// `ln(sum(exp(x)))` without overflow.
pub fn log_sum(x: &[f64]) -> f64 {
    let top = x.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    top + x.iter().map(|x| (x - top).exp()).sum::<f64>().ln()
}

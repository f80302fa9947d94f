use std::sync::atomic::{AtomicBool, Ordering};

use super::lbfgs;
use super::linear::{Linear, log_sum};
use super::rows::Rows;

/// L-BFGS stops when the gradient's norm is this. Weights are then within it of the optimum, since the
/// penalty alone makes the objective 1-strongly convex in them.
const TOLERANCE: f64 = 1e-4;
/// More than any real data has needed.
const MOST_ITERATIONS: u32 = 5000;

/// How a fit ended.
pub struct Fit {
    /// The classifier; for two classes it still holds a column of each.
    pub linear: Linear,
    /// L-BFGS iterations.
    pub iterations: u32,
    /// False if they ran out first.
    pub converged: bool,
}

/// Multinomial logistic regression with scikit-learn's defaults, at the optimum:
/// `sum over rows of -ln p(label) + |W|^2 / 2` (C = 1), the intercepts unpenalised. Two classes share
/// one weight vector (the first has score 0); more have one each. scikit-learn stops L-BFGS early (tol
/// 1e-4) and so gives slightly different weights; those of its `tol=1e-9` are these.
///
/// `labels` are the rows' classes and `weights` how much each class's rows count. `None` if `stop` was
/// set on the way.
pub fn fit(
    rows: &Rows,
    labels: &[u32],
    columns: usize,
    weights: &[f64],
    stop: &AtomicBool,
) -> Option<Fit> {
    let outputs = if weights.len() == 2 { 1 } else { weights.len() };
    let objective = Objective { rows, labels, columns, weights };
    let mut linear = Linear { weight: vec![0.0; columns * outputs], bias: vec![0.0; outputs] };
    let start = vec![0.0; (columns + 1) * outputs];
    let minimum = lbfgs::minimize(start, TOLERANCE, MOST_ITERATIONS, |at, gradient| {
        set(&mut linear, at);
        (!stop.load(Ordering::Relaxed)).then(|| objective.look(&linear, gradient))
    })?;
    let (iterations, converged) = (minimum.iterations, minimum.converged);
    set(&mut linear, &minimum.at);
    let linear = if outputs == 1 { both_classes(&linear) } else { linear };
    Some(Fit { linear, iterations, converged })
}

/// Takes over weights and intercepts from one vector.
fn set(linear: &mut Linear, all: &[f64]) {
    let (weight, bias) = all.split_at(linear.weight.len());
    linear.weight.copy_from_slice(weight);
    linear.bias.copy_from_slice(bias);
}

/// One weight vector for the second of two classes -> one for each; the first is all 0.
fn both_classes(one: &Linear) -> Linear {
    let pair = |x: &Vec<f64>| x.iter().flat_map(|x| [0.0, *x]).collect();
    Linear { weight: pair(&one.weight), bias: pair(&one.bias) }
}

struct Objective<'a> {
    rows: &'a Rows,
    labels: &'a [u32],
    columns: usize,
    /// Of each class.
    weights: &'a [f64],
}

impl Objective<'_> {
    /// The value at `linear`, and its gradient.
    fn look(&self, linear: &Linear, gradient: &mut [f64]) -> f64 {
        let outputs = linear.bias.len();
        gradient.fill(0.0);
        for (slot, weight) in gradient.iter_mut().zip(&linear.weight) {
            *slot = *weight;
        }
        let mut value = linear.weight.iter().map(|w| w * w).sum::<f64>() / 2.0;
        for ((columns, values), label) in self.rows.iter().zip(self.labels) {
            let mut scores = linear.scores(columns, values);
            value += self.row(&mut scores, *label);
            // The intercepts stand behind the last column, as the column of a value that is always 1.
            let columns = columns.iter().map(|c| *c as usize).chain([self.columns]);
            for (column, value) in columns.zip(values.iter().chain([&1.0])) {
                let start = column * outputs;
                let slots = gradient.get_mut(start..start + outputs).unwrap_or_default();
                slots.iter_mut().zip(&scores).for_each(|(slot, s)| *slot += value * s);
            }
        }
        value
    }

    /// The loss of one row, and what each of its scores adds to the gradient.
    fn row(&self, scores: &mut [f64], label: u32) -> f64 {
        let weight = self.weights.get(label as usize).copied().unwrap_or(0.0);
        let loss = if let [score] = scores {
            let label = f64::from(label);
            let total = log_sum(&[0.0, *score]);
            let loss = total - label * *score;
            *score = (*score - total).exp() - label;
            loss
        } else {
            let total = log_sum(scores);
            let own = scores.get(label as usize).copied().unwrap_or(0.0);
            for score in &mut *scores {
                *score = (*score - total).exp();
            }
            if let Some(own) = scores.get_mut(label as usize) {
                *own -= 1.0;
            }
            total - own
        };
        for score in scores {
            *score *= weight;
        }
        weight * loss
    }
}

use std::sync::atomic::{AtomicBool, Ordering};

use argmin::core::{CostFunction, Error, Executor, Gradient, State, TerminationReason};
use argmin::solver::linesearch::MoreThuenteLineSearch;
use argmin::solver::quasinewton::LBFGS;

use super::linear::{Linear, log_sum};
use super::rows::Rows;
use crate::error::TrainError;

/// Updates that L-BFGS remembers, as in scikit-learn.
const MEMORY: usize = 10;
/// It stops when the gradient's norm is this. Weights are then within it of the optimum, since the
/// penalty alone makes the objective 1-strongly convex in them.
const TOLERANCE: f64 = 1e-5;
/// More than any real data has needed (SMS: 40, Reuters R8: 120).
const MOST_ITERATIONS: u64 = 5000;

/// How a fit ended.
pub struct Fit {
    /// The classifier; for two classes it still holds a column of each.
    pub linear: Linear,
    /// L-BFGS iterations.
    pub iterations: u64,
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
///
/// # Errors
/// A line search that finds no way down.
pub fn fit(
    rows: &Rows,
    labels: &[u32],
    columns: usize,
    weights: &[f64],
    stop: &AtomicBool,
) -> Result<Option<Fit>, TrainError> {
    let outputs = if weights.len() == 2 { 1 } else { weights.len() };
    let problem = Objective { rows, labels, columns, weights, outputs, stop };
    let solver = LBFGS::new(MoreThuenteLineSearch::new(), MEMORY)
        .with_tolerance_grad(TOLERANCE)
        .and_then(|s| s.with_tolerance_cost(0.0))
        .map_err(|e| TrainError::Failed(e.to_string()))?;
    let start = vec![0.0; (columns + 1) * outputs];
    let ended = Executor::new(problem, solver)
        .configure(|state| state.param(start).max_iters(MOST_ITERATIONS))
        .ctrlc(false)
        .run();
    if stop.load(Ordering::Relaxed) {
        return Ok(None);
    }
    let ended = ended.map_err(|e| {
        TrainError::Failed(format!("The logistic regression found no optimum: {e}."))
    })?;
    let state = ended.state();
    let best = state.get_best_param().cloned().unwrap_or_default();
    let linear = split(best, columns, outputs);
    let converged = state.get_termination_reason() == Some(&TerminationReason::SolverConverged);
    let linear = if outputs == 1 { both_classes(&linear) } else { linear };
    Ok(Some(Fit { linear, iterations: state.get_iter(), converged }))
}

/// Weights and intercepts, which the solver sees as one vector.
fn split(mut all: Vec<f64>, columns: usize, outputs: usize) -> Linear {
    let bias = all.split_off(columns * outputs);
    Linear { weight: all, bias }
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
    /// Scores per row: 1 for two classes.
    outputs: usize,
    stop: &'a AtomicBool,
}

impl Objective<'_> {
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

impl CostFunction for Objective<'_> {
    type Param = Vec<f64>;
    type Output = f64;

    fn cost(&self, parameters: &Vec<f64>) -> Result<f64, Error> {
        if self.stop.load(Ordering::Relaxed) {
            return Err(Error::msg("stopped"));
        }
        let linear = split(parameters.clone(), self.columns, self.outputs);
        let penalty = linear.weight.iter().map(|w| w * w).sum::<f64>() / 2.0;
        let mut loss = 0.0;
        for ((columns, values), label) in self.rows.iter().zip(self.labels) {
            loss += self.row(&mut linear.scores(columns, values), *label);
        }
        Ok(loss + penalty)
    }
}

impl Gradient for Objective<'_> {
    type Param = Vec<f64>;
    type Gradient = Vec<f64>;

    fn gradient(&self, parameters: &Vec<f64>) -> Result<Vec<f64>, Error> {
        let outputs = self.outputs;
        let linear = split(parameters.clone(), self.columns, outputs);
        let mut gradient = linear.weight.clone();
        gradient.resize(parameters.len(), 0.0);
        for ((columns, values), label) in self.rows.iter().zip(self.labels) {
            let mut scores = linear.scores(columns, values);
            self.row(&mut scores, *label);
            // The intercepts stand behind the last column, as the column of a value that is always 1.
            let columns = columns.iter().map(|c| *c as usize).chain([self.columns]);
            for (column, value) in columns.zip(values.iter().chain([&1.0])) {
                let start = column * outputs;
                let slots = gradient.get_mut(start..start + outputs).unwrap_or_default();
                slots.iter_mut().zip(&scores).for_each(|(slot, s)| *slot += value * s);
            }
        }
        Ok(gradient)
    }
}

//! Limited-memory BFGS (Liu & Nocedal 1989; Nocedal & Wright, Numerical Optimization, algorithms 7.4
//! and 7.5).

use std::collections::VecDeque;

/// Updates that are remembered, as in scikit-learn.
const MEMORY: usize = 10;
/// A step must bring this share of what the slope promises (Armijo), and leave at most this share of
/// the slope (Wolfe).
const DECREASE: f64 = 1e-4;
const CURVATURE: f64 = 0.9;
/// Trials of one line search.
const TRIALS: u32 = 40;

/// Where a search ended.
pub struct Minimum {
    /// The best point.
    pub at: Vec<f64>,
    /// How many iterations it took.
    pub iterations: u32,
    /// False if they ran out first, or no step led further down.
    pub converged: bool,
}

/// Minimises a smooth convex function from `start` until the gradient's norm is at most `tolerance`.
/// `f` writes its gradient and gives its value; `None` from it ends the search with `None`.
pub fn minimize(
    start: Vec<f64>,
    tolerance: f64,
    most: u32,
    mut f: impl FnMut(&[f64], &mut [f64]) -> Option<f64>,
) -> Option<Minimum> {
    let mut x = start;
    let mut gradient = vec![0.0; x.len()];
    let mut value = f(&x, &mut gradient)?;
    let mut pairs: VecDeque<Pair> = VecDeque::with_capacity(MEMORY);
    let (mut next, mut next_gradient) = (x.clone(), gradient.clone());
    for iterations in 0..most {
        let norm = dot(&gradient, &gradient).sqrt();
        if norm <= tolerance {
            return Some(Minimum { at: x, iterations, converged: true });
        }
        let direction = direction(&gradient, &pairs);
        let slope = dot(&gradient, &direction);
        // The first direction knows no scale yet.
        let mut step = if pairs.is_empty() { 1.0 / norm.max(1.0) } else { 1.0 };
        let (mut low, mut high) = (0.0, f64::INFINITY);
        let mut found = false;
        for _ in 0..TRIALS {
            for ((next, x), d) in next.iter_mut().zip(&x).zip(&direction) {
                *next = x + step * d;
            }
            let next_value = f(&next, &mut next_gradient)?;
            // A flat stretch at the end of what numbers can tell is down enough.
            let noise = 1e-15 * value.abs();
            let is_down = next_value <= value + DECREASE * step * slope + noise;
            let next_slope = dot(&next_gradient, &direction);
            if !is_down {
                high = step;
            } else if next_slope < CURVATURE * slope {
                low = step;
            } else {
                (found, value) = (true, next_value);
                break;
            }
            step = if high.is_finite() { f64::midpoint(low, high) } else { 2.0 * step };
        }
        if !found {
            return Some(Minimum { at: x, iterations, converged: false });
        }
        let pair = Pair::new(&x, &next, &gradient, &next_gradient);
        std::mem::swap(&mut x, &mut next);
        std::mem::swap(&mut gradient, &mut next_gradient);
        if pair.curvature > 0.0 {
            if pairs.len() == MEMORY {
                pairs.pop_front();
            }
            pairs.push_back(pair);
        }
    }
    Some(Minimum { at: x, iterations: most, converged: false })
}

/// How the gradient changed along one step.
struct Pair {
    step: Vec<f64>,
    change: Vec<f64>,
    /// `step * change`
    curvature: f64,
}

impl Pair {
    fn new(from: &[f64], to: &[f64], gradient: &[f64], next_gradient: &[f64]) -> Self {
        let step: Vec<f64> = to.iter().zip(from).map(|(a, b)| a - b).collect();
        let change: Vec<f64> = next_gradient.iter().zip(gradient).map(|(a, b)| a - b).collect();
        let curvature = dot(&step, &change);
        Self { step, change, curvature }
    }
}

/// Minus the inverse Hessian, as the pairs tell it, times the gradient.
fn direction(gradient: &[f64], pairs: &VecDeque<Pair>) -> Vec<f64> {
    let mut q: Vec<f64> = gradient.iter().map(|g| -g).collect();
    let mut shares = Vec::with_capacity(pairs.len());
    for pair in pairs.iter().rev() {
        let share = dot(&pair.step, &q) / pair.curvature;
        add(&mut q, -share, &pair.change);
        shares.push(share);
    }
    if let Some(last) = pairs.back() {
        let scale = last.curvature / dot(&last.change, &last.change);
        for q in &mut q {
            *q *= scale;
        }
    }
    for (pair, share) in pairs.iter().zip(shares.into_iter().rev()) {
        let correction = share - dot(&pair.change, &q) / pair.curvature;
        add(&mut q, correction, &pair.step);
    }
    q
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn add(to: &mut [f64], times: f64, what: &[f64]) {
    for (to, what) in to.iter_mut().zip(what) {
        *to += times * what;
    }
}

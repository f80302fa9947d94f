use std::sync::atomic::{AtomicBool, Ordering};

use super::rows::Rows;

/// What the squared weights count: scikit-learn's default.
const ALPHA: f64 = 1.0;
/// Conjugate gradients stop when the residual is this share of the right side.
const TOLERANCE: f64 = 1e-12;
/// More than any real data has needed.
const MOST_ITERATIONS: u32 = 5000;

/// Ridge regression: `|X w + b - y|^2 + alpha |w|^2` at its least, the intercept unpenalised, as scikit-learn's
/// `Ridge(alpha=1)`. Weights `[columns]`, then the intercept, and whether it converged. The normal equations are solved by
/// conjugate gradients (Hestenes & Stiefel 1952), which only ever walk the sparse rows. `None` if `stop` was set on the
/// way.
pub fn fit(rows: &Rows, y: &[f64], columns: usize, stop: &AtomicBool) -> Option<(Vec<f64>, bool)> {
    let mut at = vec![0.0; columns + 1];
    let mut residual = vec![0.0; columns + 1];
    for ((places, values), y) in rows.iter().zip(y) {
        add(&mut residual, places, values, *y);
    }
    let mut direction = residual.clone();
    let mut square = dot(&residual, &residual);
    let enough = TOLERANCE * TOLERANCE * square;
    for _ in 0..MOST_ITERATIONS {
        if stop.load(Ordering::Relaxed) {
            return None;
        }
        if square <= enough {
            return Some((at, true));
        }
        let image = normal(rows, &direction, columns);
        let step = square / dot(&direction, &image);
        for ((at, residual), (direction, image)) in
            at.iter_mut().zip(&mut residual).zip(direction.iter().zip(&image))
        {
            *at += step * direction;
            *residual -= step * image;
        }
        let next = dot(&residual, &residual);
        for (direction, residual) in direction.iter_mut().zip(&residual) {
            *direction = residual + next / square * *direction;
        }
        square = next;
    }
    Some((at, false))
}

/// `(X'X + alpha I) v`, where X has a last column of ones and alpha spares it.
fn normal(rows: &Rows, v: &[f64], columns: usize) -> Vec<f64> {
    let mut image: Vec<f64> = v.iter().map(|x| ALPHA * x).collect();
    if let Some(intercept) = image.last_mut() {
        *intercept = 0.0;
    }
    for (places, values) in rows.iter() {
        let of = |(place, value): (&u32, &f64)| value * v.get(*place as usize).unwrap_or(&0.0);
        let score: f64 =
            places.iter().zip(values).map(of).sum::<f64>() + v.get(columns).unwrap_or(&0.0);
        add(&mut image, places, values, score);
    }
    image
}

/// Adds so many times a row, and its one, to a vector.
fn add(to: &mut [f64], places: &[u32], values: &[f64], times: f64) {
    for (place, value) in places.iter().zip(values) {
        if let Some(slot) = to.get_mut(*place as usize) {
            *slot += times * value;
        }
    }
    if let Some(intercept) = to.last_mut() {
        *intercept += times;
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

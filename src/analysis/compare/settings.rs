//! Two settings, each with its runs over several seeds: does one beat the other beyond what seeds and rows do?
//!
//! What a run scores depends on its setting, on its seed, on the rows it was tested on, and on which rows that seed
//! happens to get right. Seeds and rows are both drawn from many, and every run saw the same rows: the model is the one
//! with crossed random effects (Searle, Casella & McCulloch, "Variance components", 1992, chapter 4). The variance of a
//! difference of means is taken as that of the rows, by the paired bootstrap over all runs, plus that of the seeds, by
//! their sample variance, since resampling two or three seeds would make them look alike. What seeds and rows have in
//! common counts twice that way, which errs towards noise, and Student's t has only the degrees of freedom of the
//! seeds: simulated pairs of settings that differ by seed alone come out as noise in 95 of 100 and more.

use std::fmt;

use crate::analysis::metrics::student;
use crate::spec::RunId;

/// Below this a difference counts as more than chance.
pub(super) const LEVEL: f64 = 0.05;

/// Two settings tested on the same rows with several seeds. Differences are `b` minus `a`.
#[derive(Debug, Clone, PartialEq)]
pub struct Contrast {
    /// The runs of the one; the baseline's setting where it is one of the two.
    pub a: Vec<RunId>,
    /// The runs of the other.
    pub b: Vec<RunId>,
    /// Test rows.
    pub n: usize,
    /// Whether each run of `a` is set against the run of `b` with its seed.
    pub by_seed: bool,
    /// Of the share of right predictions.
    pub accuracy: Estimate,
    /// Of the macro F1.
    pub f1: Estimate,
}

/// A difference over seeds and rows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// Between the means over seeds.
    pub diff: f64,
    /// Its 95 % interval for other seeds and other rows of the same kind.
    pub ci95: [f64; 2],
    /// How often chance alone gives a difference as large.
    pub p: f64,
}

impl Contrast {
    /// True if one setting beats the other by more than seeds and rows do by chance (p < 0.05).
    pub fn is_real(&self) -> bool {
        self.accuracy.p < LEVEL
    }
}

/// The badge: `may be noise, p=0.42 over 3+3 seeds, n=487`.
impl fmt::Display for Contrast {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = word(self.is_real());
        let (a, b) = (self.a.len(), self.b.len());
        f.pad(&format!("{word}, {} over {a}+{b} seeds, n={}", said(self.accuracy.p), self.n))
    }
}

/// The verdict. That chance alone could have done it does not say that it did: more seeds may yet tell.
pub(crate) fn word(is_real: bool) -> &'static str {
    if is_real { "real" } else { "may be noise" }
}

/// `p=0.042`.
pub(super) fn said(p: f64) -> String {
    match p {
        p if p < 0.001 => "p<0.001".to_owned(),
        p if p < 0.1 => format!("p={p:.3}"),
        p => format!("p={p:.2}"),
    }
}

/// The runs of one setting: the figure of each run on the rows as they are, and on every resample of them.
#[derive(Debug, Default)]
pub(super) struct Seeds<'a> {
    pub figures: Vec<f64>,
    pub resamples: Vec<&'a [f64]>,
}

/// The difference of two settings' means; `None` unless one of them has two seeds. With `by_seed` their runs stand
/// in the order of the seeds that they share.
pub(super) fn estimate(a: &Seeds<'_>, b: &Seeds<'_>, by_seed: bool) -> Option<Estimate> {
    let (rows, diff) = (between(a, b), mean(&b.figures) - mean(&a.figures));
    let [n, m] = [a, b].map(|seeds| seeds.figures.len() as f64);
    if by_seed {
        let pairs: Vec<f64> = a.figures.iter().zip(&b.figures).map(|(a, b)| b - a).collect();
        return judge(diff, squares(&pairs) / (n - 1.0) / n + rows, n - 1.0);
    }
    // A setting with one seed borrows the variance of the other.
    let df = n + m - 2.0;
    let seeds = (squares(&a.figures) + squares(&b.figures)) / df * (1.0 / n + 1.0 / m);
    judge(diff, seeds + rows, df)
}

/// The variance that other rows give the difference of the means over seeds.
fn between(a: &Seeds<'_>, b: &Seeds<'_>) -> f64 {
    let count = a.resamples.iter().chain(&b.resamples).map(|r| r.len()).min().unwrap_or(0);
    let at = |of: &Seeds<'_>, i: usize| {
        let values = of.resamples.iter().filter_map(|resample| resample.get(i));
        values.sum::<f64>() / of.resamples.len() as f64
    };
    let differences: Vec<f64> = (0..count).map(|i| at(b, i) - at(a, i)).collect();
    squares(&differences) / (count as f64 - 1.0).max(1.0)
}

/// Student's t of a difference whose mean has that variance; `None` where it has no value.
pub(super) fn judge(diff: f64, variance: f64, df: f64) -> Option<Estimate> {
    if df < 1.0 || !diff.is_finite() || !variance.is_finite() {
        return None;
    }
    if variance <= 0.0 {
        let p = if diff == 0.0 { 1.0 } else { 0.0 };
        return Some(Estimate { diff, ci95: [diff; 2], p });
    }
    let error = variance.sqrt();
    let reach = student::quantile(LEVEL, df) * error;
    Some(Estimate { diff, ci95: [diff - reach, diff + reach], p: student::p(diff / error, df) })
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The sum of squared distances from the mean.
pub(super) fn squares(values: &[f64]) -> f64 {
    let mean = mean(values);
    values.iter().map(|x| (x - mean).powi(2)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::bootstrap::Bootstrap;
    use crate::spec::search::Draws;

    const ROWS: usize = 300;

    fn normal(draws: &mut Draws) -> f64 {
        let (u, v) = (draws.unit().max(1e-12), draws.unit());
        (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
    }

    /// Answers of runs that differ by seed alone, to rows most of which are easy: a seed makes its run a little better
    /// or worse, and decides anew on every row. `better` lifts all of them.
    fn answers(rows: &[f64], runs: usize, better: f64, draws: &mut Draws) -> Vec<Vec<u32>> {
        let run = |_| {
            let seed = better + 0.4 * normal(draws);
            let chance = |easy: &f64| 1.0 / (1.0 + (-(easy + seed)).exp());
            rows.iter().map(|easy| u32::from(draws.unit() < chance(easy))).collect()
        };
        (0..runs).map(run).collect()
    }

    fn contrast(a: &[Vec<u32>], b: &[Vec<u32>], by_seed: bool) -> Estimate {
        let all: Vec<&[u32]> = a.iter().chain(b).map(Vec::as_slice).collect();
        let drawn = Bootstrap::of(&vec![1; ROWS], &all, 400, 7);
        let (of_a, of_b) = drawn.accuracy.split_at(a.len());
        let right = |run: &Vec<u32>| f64::from(run.iter().sum::<u32>()) / ROWS as f64;
        let seeds = |runs: &[Vec<u32>], resamples| Seeds {
            figures: runs.iter().map(right).collect(),
            resamples,
        };
        let a = seeds(a, of_a.iter().map(Vec::as_slice).collect());
        let b = seeds(b, of_b.iter().map(Vec::as_slice).collect());
        estimate(&a, &b, by_seed).unwrap()
    }

    #[test]
    fn of_100_pairs_of_settings_that_differ_by_seed_alone_95_are_noise() {
        for (seeds, by_seed) in [(2, false), (3, false), (5, false), (3, true), (5, true)] {
            let mut draws = Draws::new(11, seeds as u64);
            let noise = (0..100).filter(|_| {
                let rows: Vec<f64> = (0..ROWS).map(|_| 2.0 + 1.5 * normal(&mut draws)).collect();
                let a = answers(&rows, seeds, 0.0, &mut draws);
                let b = answers(&rows, seeds, 0.0, &mut draws);
                contrast(&a, &b, by_seed).p >= LEVEL
            });
            let noise = noise.count();
            assert!(noise >= 95, "{seeds} seeds, by seed {by_seed}: {noise} of 100 are noise");
        }
    }

    #[test]
    fn a_better_setting_is_found_and_its_interval_holds_the_truth() {
        let mut draws = Draws::new(12, 0);
        let (mut found, mut held) = (0, 0);
        for _ in 0..100 {
            let rows: Vec<f64> = (0..ROWS).map(|_| 1.0 + 1.5 * normal(&mut draws)).collect();
            let a = answers(&rows, 5, 0.0, &mut draws);
            let b = answers(&rows, 5, 1.5, &mut draws);
            let estimate = contrast(&a, &b, false);
            found += i32::from(estimate.p < LEVEL && estimate.diff > 0.0);
            // By many draws of rows and seeds: 0.668 against 0.858.
            let [low, high] = estimate.ci95;
            held += i32::from(low < 0.19 && 0.19 < high);
        }
        assert!(found >= 90 && held >= 90, "{found} found, {held} hold it");
    }

    #[test]
    fn one_seed_lends_the_variance_of_the_other_setting_and_two_runs_say_nothing_of_seeds() {
        let [x, y, z] = [[0.5, 0.6], [0.7, 0.8], [0.6, 0.7]];
        let seeds = |figures: &[f64], resamples| Seeds { figures: figures.to_vec(), resamples };
        let one = seeds(&[0.9], vec![&x[..]]);
        let two = seeds(&[0.5, 0.6], vec![&y[..], &z[..]]);
        assert!(estimate(&one, &two, false).is_some_and(|e| e.diff < 0.0));
        assert_eq!(estimate(&one, &seeds(&[0.8], vec![&y[..]]), false), None);
        assert_eq!(estimate(&one, &seeds(&[0.8], vec![&y[..]]), true), None);
    }
}

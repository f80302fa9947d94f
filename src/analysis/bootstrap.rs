//! The paired bootstrap (Efron & Tibshirani 1993, chapters 8 and 13): how much the figures of several
//! classifiers, and their differences, would move on other rows of the same kind.

use std::collections::HashMap;

use crate::spec::search::Draws;

/// Resamples of a comparison.
pub const RESAMPLES: usize = 2_000;
/// Its seed: the same runs give the same interval every time.
pub const SEED: u64 = 35;

/// The figures of every classifier on every resample, `[classifier][resample]`. A resample is the same
/// rows for all of them, so that differences are paired.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Bootstrap {
    /// Share of right predictions.
    pub accuracy: Vec<Vec<f64>>,
    /// As [`Matrix::macro_f1`](super::confusion::Matrix::macro_f1): over the classes that occur.
    pub macro_f1: Vec<Vec<f64>>,
}

impl Bootstrap {
    /// Draws as many rows as there are, with replacement, `resamples` times. `truth` and each of
    /// `predicted` are class indices of the same rows in the same order. Which rows are drawn depends on
    /// their number and on `seed` alone: a third classifier changes nothing for the other two.
    pub fn of(truth: &[u32], predicted: &[&[u32]], resamples: usize, seed: u64) -> Self {
        let cells = Cells::of(truth, predicted);
        let empty = || vec![Vec::with_capacity(resamples); predicted.len()];
        let mut all = Self { accuracy: empty(), macro_f1: empty() };
        if truth.is_empty() {
            return all;
        }
        let mut draw = Draws::of(seed);
        let mut counts = vec![0_u32; cells.kinds.len()];
        let mut tally = Tally::new(cells.classes);
        for _ in 0..resamples {
            counts.fill(0);
            for _ in 0..truth.len() {
                let row = draw.below(cells.of_row.len());
                let cell = cells.of_row.get(row).copied().unwrap_or_default() as usize;
                if let Some(count) = counts.get_mut(cell) {
                    *count += 1;
                }
            }
            for (i, (accuracy, f1)) in all.accuracy.iter_mut().zip(&mut all.macro_f1).enumerate() {
                tally.clear();
                for (kind, count) in cells.kinds.iter().zip(&counts).filter(|(_, c)| **c > 0) {
                    let [truth, answers @ ..] = kind.as_slice() else { continue };
                    tally.add(*truth, answers.get(i).copied().unwrap_or_default(), *count);
                }
                accuracy.push(tally.accuracy());
                f1.push(tally.macro_f1());
            }
        }
        all
    }
}

/// The interval that holds the middle 95 % of the differences `b - a` (the percentile method), with
/// `numpy.percentile`'s linear interpolation; `None` without resamples.
pub fn interval95(a: &[f64], b: &[f64]) -> Option<[f64; 2]> {
    let mut differences: Vec<f64> = a.iter().zip(b).map(|(a, b)| b - a).collect();
    differences.sort_by(f64::total_cmp);
    let at = |share: f64| {
        let place = share * (differences.len() as f64 - 1.0);
        let low = *differences.get(place.floor() as usize)?;
        let high = *differences.get(place.ceil() as usize)?;
        Some(low + (high - low) * place.fract())
    };
    Some([at(0.025)?, at(0.975)?])
}

/// Rows with the same truth and the same answers are one kind: a few hundred instead of thousands.
struct Cells {
    /// The kind of each row.
    of_row: Vec<u32>,
    /// The truth, then every classifier's answer.
    kinds: Vec<Vec<u32>>,
    classes: usize,
}

impl Cells {
    fn of(truth: &[u32], predicted: &[&[u32]]) -> Self {
        let mut known: HashMap<Vec<u32>, u32> = HashMap::new();
        let mut cells = Self { of_row: Vec::with_capacity(truth.len()), kinds: vec![], classes: 0 };
        for (row, label) in truth.iter().enumerate() {
            let answers = predicted.iter().map(|p| p.get(row).copied().unwrap_or_default());
            let kind: Vec<u32> = std::iter::once(*label).chain(answers).collect();
            let highest = kind.iter().max().map_or(0, |class| *class as usize + 1);
            cells.classes = cells.classes.max(highest);
            let next = cells.kinds.len() as u32;
            let number = *known.entry(kind).or_insert_with_key(|kind| {
                cells.kinds.push(kind.clone());
                next
            });
            cells.of_row.push(number);
        }
        cells
    }
}

/// What accuracy and F1 are made of.
struct Tally {
    rows: u32,
    right: u32,
    /// Per class: right ones, and rows of the class plus rows predicted as it.
    classes: Vec<(u32, u32)>,
}

impl Tally {
    fn new(classes: usize) -> Self {
        Self { rows: 0, right: 0, classes: vec![(0, 0); classes] }
    }

    fn clear(&mut self) {
        (self.rows, self.right) = (0, 0);
        self.classes.fill((0, 0));
    }

    fn add(&mut self, truth: u32, answer: u32, count: u32) {
        self.rows += count;
        if let Some(class) = self.classes.get_mut(truth as usize) {
            class.1 += count;
            if truth == answer {
                class.0 += count;
                self.right += count;
            }
        }
        if let Some(class) = self.classes.get_mut(answer as usize) {
            class.1 += count;
        }
    }

    fn accuracy(&self) -> f64 {
        f64::from(self.right) / f64::from(self.rows.max(1))
    }

    fn macro_f1(&self) -> f64 {
        let occurring = self.classes.iter().filter(|(_, both)| *both > 0);
        let (n, sum) = occurring.fold((0_u32, 0.0), |(n, sum), (hits, both)| {
            (n + 1, sum + 2.0 * f64::from(*hits) / f64::from(*both))
        });
        sum / f64::from(n.max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::confusion::Matrix;

    /// 487 rows, as many as the SMS set tests on: 60 of class 1; A misses 20 of them, B 8 of those 20
    /// and 3 others, and B calls 5 rows of class 0 a 1.
    fn example() -> (Vec<u32>, Vec<u32>, Vec<u32>) {
        let truth: Vec<u32> = (0..487).map(|i| u32::from(i < 60)).collect();
        let a = (0..487).map(|i| u32::from((20..60).contains(&i))).collect();
        let b = (0..487)
            .map(|i| u32::from(((8..60).contains(&i) && !(30..33).contains(&i)) || i >= 482))
            .collect();
        (truth, a, b)
    }

    #[test]
    fn the_spread_of_the_difference_is_the_closed_form() {
        let (truth, a, b) = example();
        let all = Bootstrap::of(&truth, &[&a, &b], 20_000, SEED);
        let differences: Vec<f64> =
            all.accuracy[0].iter().zip(&all.accuracy[1]).map(|(a, b)| b - a).collect();
        let mean = differences.iter().sum::<f64>() / 20_000.0;
        let sd = (differences.iter().map(|d| (d - mean).powi(2)).sum::<f64>() / 20_000.0).sqrt();
        // B alone is right on 12 rows, A alone on 8: d = 4/487, and the variance of one row's
        // difference is 20/487 - d^2.
        let d: f64 = 4.0 / 487.0;
        let expected = ((20.0 / 487.0 - d * d) / 487.0).sqrt();
        assert!((mean - d).abs() < 4.0 * expected / 20_000_f64.sqrt(), "{mean}");
        assert!((sd / expected - 1.0).abs() < 0.02, "{sd} {expected}");
    }

    /// From numpy 2.x: 40,000 resamples by `default_rng(0).integers(0, 487, 487)`, both figures by hand as
    /// here, `numpy.percentile(b - a, [2.5, 97.5])`. Two such draws agree to about 0.001.
    #[test]
    fn intervals_are_those_of_numpy() {
        let (truth, a, b) = example();
        let all = Bootstrap::of(&truth, &[&a, &b], RESAMPLES, SEED);
        for (figures, want) in [
            (&all.accuracy, [-0.010_266_94, 0.026_694_05]),
            (&all.macro_f1, [-0.016_957_72, 0.084_221_2]),
        ] {
            let got = interval95(&figures[0], &figures[1]).unwrap();
            let off = got.iter().zip(&want).map(|(got, want)| (got - want).abs());
            assert!(off.fold(0.0, f64::max) < 0.003, "{got:?} {want:?}");
        }
    }

    #[test]
    fn one_classifier_does_not_differ_from_itself() {
        let (truth, a, _) = example();
        let all = Bootstrap::of(&truth, &[&a, &a], 50, 1);
        assert_eq!(interval95(&all.accuracy[0], &all.accuracy[1]), Some([0.0, 0.0]));
        assert_eq!(interval95(&all.macro_f1[0], &all.macro_f1[1]), Some([0.0, 0.0]));
    }

    #[test]
    fn a_third_classifier_changes_nothing_for_the_other_two() {
        let (truth, a, b) = example();
        let two = Bootstrap::of(&truth, &[&a, &b], 100, 7);
        let three = Bootstrap::of(&truth, &[&a, &b, &truth], 100, 7);
        assert_eq!(two.accuracy[..], three.accuracy[..2]);
        assert_eq!(two.macro_f1[..], three.macro_f1[..2]);
        assert!(three.accuracy[2].iter().all(|x| *x == 1.0));
        assert_ne!(two, Bootstrap::of(&truth, &[&a, &b], 100, 8));
    }

    #[test]
    fn figures_of_a_resample_are_those_of_its_matrix() {
        let (truth, a, _) = example();
        let mut tally = Tally::new(2);
        let mut counts = vec![vec![0_u64; 2]; 2];
        for (t, p) in truth.iter().zip(&a) {
            tally.add(*t, *p, 3);
            counts[*t as usize][*p as usize] += 3;
        }
        let matrix = Matrix::of(&counts, 2);
        assert!((tally.accuracy() - matrix.accuracy()).abs() < 1e-15);
        assert!((tally.macro_f1() - matrix.macro_f1()).abs() < 1e-15);
    }

    #[test]
    fn percentiles_are_interpolated_and_nothing_has_no_interval() {
        // numpy.percentile(range(11), [2.5, 97.5]) = [0.25, 9.75]
        let b: Vec<f64> = (0..11).map(f64::from).collect();
        let got = interval95(&[0.0; 11], &b).unwrap();
        assert!((got[0] - 0.25).abs() < 1e-12 && (got[1] - 9.75).abs() < 1e-12, "{got:?}");
        assert_eq!(interval95(&[], &[]), None);
        assert!(Bootstrap::of(&[], &[&[]], 5, 1).accuracy[0].is_empty());
    }
}

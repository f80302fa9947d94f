//! What a learning-rate range test says (Smith 2017, arXiv 1506.01186).

use serde::Serialize;

/// A step of the test: its learning rate and its loss.
pub type Point = (f64, f64);

/// What follows from a test, and from which rule.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Suggestion {
    /// Where the smoothed loss falls fastest over the logarithm of the rate.
    pub rate: f64,
    /// Where it is lowest.
    pub lowest: f64,
    /// Bounds for a search: a tenth of `rate`, and `lowest`.
    pub bounds: [f64; 2],
}

impl Suggestion {
    /// The rule, in words.
    pub const RULE: &'static str = "the rate at which the smoothed loss falls fastest, at most a third of that where it is \
                                    lowest; a search looks from a tenth of it up to where the loss is lowest";
}

/// How much of the mean the next loss leaves.
const KEPT: f64 = 0.9;

/// Losses smoothed by an exponential mean without bias, as fastai does.
pub fn smoothed(points: &[Point]) -> Vec<Point> {
    let mut mean = 0.0;
    let steps = (1..).zip(points);
    let smooth = steps.map(|(n, (rate, loss))| {
        mean = KEPT * mean + (1.0 - KEPT) * loss;
        (*rate, mean / (1.0 - KEPT.powi(n)))
    });
    smooth.collect()
}

/// The suggestion of a test; `None` if the loss never fell by a tenth of its first value.
pub fn suggest(points: &[Point]) -> Option<Suggestion> {
    /// Points on each side that a slope is taken over.
    const REACH: usize = 4;
    let smooth = smoothed(points);
    let (_, first) = *smooth.get(REACH)?;
    let (place, (lowest, loss)) =
        smooth.iter().copied().enumerate().min_by(|a, b| a.1.1.total_cmp(&b.1.1))?;
    if loss.is_nan() || loss >= 0.9 * first {
        return None;
    }
    let slope = |at: usize| -> Option<f64> {
        let (a, b) = (smooth.get(at.checked_sub(REACH)?)?, smooth.get(at + REACH)?);
        Some((b.1 - a.1) / (b.0.ln() - a.0.ln()))
    };
    let slopes = (0..place).filter_map(|at| Some((at, slope(at)?)));
    let (steepest, _) = slopes.min_by(|a, b| a.1.total_cmp(&b.1))?;
    let rate = smooth.get(steepest)?.0.min(lowest / 3.0);
    Some(Suggestion { rate, lowest, bounds: [rate / 10.0, lowest] })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A loss that stands, falls fastest at 1e-4, is lowest at about 1e-3 and then blows up.
    fn curve() -> Vec<Point> {
        let rate = |i: i32| 1e-7 * 10_f64.powf(f64::from(i) * 7.0 / 149.0);
        let loss = |rate: f64| {
            let fall = 0.6 / (1.0 + (-(rate / 1e-4).ln() * 1.5).exp());
            0.69 - fall + (rate / 3e-3).powi(2)
        };
        (0..150).map(|i| (rate(i), loss(rate(i)))).collect()
    }

    #[test]
    fn the_suggestion_lies_where_the_loss_falls() {
        let found = suggest(&curve()).unwrap();
        assert!((5e-5..4e-4).contains(&found.rate), "{found:?}");
        assert!((5e-4..3e-3).contains(&found.lowest), "{found:?}");
        assert_eq!(found.bounds, [found.rate / 10.0, found.lowest]);
    }

    #[test]
    fn a_loss_that_does_not_fall_suggests_nothing() {
        let flat: Vec<Point> = curve().iter().map(|(rate, _)| (*rate, 0.69)).collect();
        assert_eq!(suggest(&flat), None);
        assert_eq!(suggest(&curve()[..3]), None);
    }

    #[test]
    fn smoothing_has_no_bias() {
        let ones: Vec<Point> = (1..20).map(|i| (f64::from(i), 1.0)).collect();
        assert!(smoothed(&ones).iter().all(|(_, loss)| (loss - 1.0).abs() < 1e-12));
    }
}

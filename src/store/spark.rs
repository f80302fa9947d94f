//! The sparkline of a run.

use std::collections::BTreeSet;

use super::{Curve, SPARK};

/// At most [`SPARK`] values over equal stretches of steps: the mean train loss of each until there is val loss, then its
/// lowest val loss, since the two side by side would be a saw; where nothing came the value beside it; NaN where nothing
/// is finite.
pub(super) fn of(val: &Curve, learning: &Curve) -> Vec<f32> {
    let steps: BTreeSet<u64> = val.step.iter().chain(&learning.step).copied().collect();
    let cells = SPARK.min(steps.len());
    let last = u128::from(steps.last().copied().unwrap_or(0).max(1));
    let cell = |step: u64| (u128::from(step.saturating_sub(1)) * cells as u128 / last) as usize;
    let mut lowest: Vec<Option<f64>> = vec![None; cells];
    for (step, value) in val.step.iter().zip(&val.value) {
        if let Some(low) = lowest.get_mut(cell(*step)) {
            // The lower one of NaN and a number is the number.
            let value = if value.is_finite() { *value } else { f64::NAN };
            *low = Some(low.unwrap_or(f64::NAN).min(value));
        }
    }
    let mut sums: Vec<Option<(f64, u32)>> = vec![None; cells];
    for (step, value) in learning.step.iter().zip(&learning.value) {
        if let Some(sum) = sums.get_mut(cell(*step)) {
            let (sum, count) = sum.get_or_insert((0.0, 0));
            if value.is_finite() {
                *sum += value;
                *count += 1;
            }
        }
    }
    // Of no finite value the mean is NaN, as it should be.
    let mean = |(sum, count)| sum / f64::from(count);
    let first = lowest.iter().position(Option::is_some).unwrap_or(cells);
    let known = lowest.into_iter().zip(sums).enumerate().map(|(at, (low, sum))| {
        let before = sum.filter(|_| at < first);
        low.or(before.map(mean))
    });
    let known: Vec<Option<f64>> = known.collect();
    let mut beside = known.iter().flatten().next().copied().unwrap_or(f64::NAN);
    let filled = known.into_iter().map(|value| {
        beside = value.unwrap_or(beside);
        beside as f32
    });
    filled.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curve(points: &[(u64, f64)]) -> Curve {
        let (step, value) = points.iter().copied().unzip();
        Curve { step, value, ..Curve::default() }
    }

    #[test]
    fn val_loss_goes_before_train_loss_and_gaps_are_filled() {
        let learning = curve(&[(2, 3.0), (4, 1.0), (6, f64::NAN)]);
        assert_eq!(of(&curve(&[]), &learning)[..2], [3.0, 1.0]);
        assert!(of(&curve(&[]), &learning)[2].is_nan());
        assert_eq!(of(&curve(&[(6, 0.5)]), &learning), [3.0, 1.0, 0.5]);
        assert_eq!(
            of(&curve(&[(2, 0.5)]), &learning),
            [0.5, 0.5, 0.5],
            "no train loss after val loss"
        );
        // Steps that lie close leave stretches empty.
        assert_eq!(of(&curve(&[(1, 0.9), (2, 0.8), (90, 0.1)]), &curve(&[])), [0.8, 0.8, 0.1]);
        let long: Vec<(u64, f64)> = (1..=1000).map(|step| (step, step as f64)).collect();
        assert_eq!(of(&curve(&long), &curve(&[])).len(), SPARK);
        assert!(of(&curve(&[]), &curve(&[])).is_empty());
    }
}

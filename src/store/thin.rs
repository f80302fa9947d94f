//! Which points of a curve are enough to draw it.

use super::points::Points;

/// Which of the values survive thinning, in order; `None` if all do.
pub(super) fn places(values: &[f64], buckets: usize) -> Option<Vec<usize>> {
    if buckets == 0 || values.len() <= 2 * buckets {
        return None;
    }
    let mut kept = Vec::with_capacity(2 * buckets + 2);
    kept.push(0);
    for bucket in 0..buckets {
        let start = bucket * values.len() / buckets;
        let end = (bucket + 1) * values.len() / buckets;
        landmarks(values.get(start..end).unwrap_or_default(), start, &mut kept);
    }
    kept.push(values.len() - 1);
    kept.dedup();
    Some(kept)
}

/// Adds the places of the lowest, the highest and the first non-finite value, in order.
fn landmarks(values: &[f64], start: usize, kept: &mut Vec<usize>) {
    let (mut low, mut high, mut gap) = (None, None, None);
    let (mut lowest, mut highest) = (f64::INFINITY, f64::NEG_INFINITY);
    for (i, value) in values.iter().enumerate() {
        if !value.is_finite() {
            gap = gap.or(Some(i));
            continue;
        }
        if *value < lowest {
            (low, lowest) = (Some(i), *value);
        }
        if *value > highest {
            (high, highest) = (Some(i), *value);
        }
    }
    let mut found = [low, high, gap];
    found.sort_unstable();
    kept.extend(found.into_iter().flatten().map(|i| start + i));
    kept.dedup();
}

/// The points of a full chunk that stand for it when a long curve is drawn.
pub(super) fn outline(points: &Points) -> Points {
    let mut kept = vec![0];
    landmarks(&points.value, 0, &mut kept);
    kept.push(points.len().saturating_sub(1));
    kept.dedup();
    points.pick(&kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thinning_keeps_ends_extremes_and_gaps() {
        let mut values: Vec<f64> = (0..1000).map(|i| f64::from(i % 10)).collect();
        values[333] = -5.0;
        values[777] = 99.0;
        values[500] = f64::NAN;
        let kept = places(&values, 20).unwrap();
        for place in [0, 333, 500, 777, 999] {
            assert!(kept.contains(&place), "{place}");
        }
        assert!(kept.is_sorted_by(|a, b| a < b));
        assert!(kept.len() <= 3 * 20 + 2, "{}", kept.len());
        assert_eq!(places(&values, 500), None);
        assert_eq!(places(&values, 0), None);
    }

    #[test]
    fn a_diverged_stretch_is_one_gap_a_bucket() {
        let kept = places(&[f64::NAN; 1000], 10).unwrap();
        assert_eq!(kept, [0, 100, 200, 300, 400, 500, 600, 700, 800, 900, 999]);
    }
}

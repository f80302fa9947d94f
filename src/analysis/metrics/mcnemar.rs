/// Rows on which exactly one of two classifiers is right.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Discordant {
    /// The first is right, the second wrong.
    pub first_right: u64,
    /// The second is right, the first wrong.
    pub second_right: u64,
}

impl Discordant {
    /// Counts them; the three slices tell of the same rows in the same order.
    pub fn of(labels: &[u32], first: &[u32], second: &[u32]) -> Self {
        let mut counts = Self::default();
        for (label, (a, b)) in labels.iter().zip(first.iter().zip(second)) {
            counts.first_right += u64::from(a == label && b != label);
            counts.second_right += u64::from(a != label && b == label);
        }
        counts
    }

    /// The p-value of McNemar's exact test: how often a fair coin would be at least as one-sided.
    pub fn p(self) -> f64 {
        mcnemar_exact(self.first_right, self.second_right)
    }
}

/// The exact two-sided binomial test on `b + c` discordant pairs with p = 0.5 (`scipy.stats.binomtest`;
/// McNemar 1947): `min(1, 2 P(X <= min(b, c)))`; 1 without pairs. Time grows with the smaller count.
pub fn mcnemar_exact(b: u64, c: u64) -> f64 {
    let (low, all) = (b.min(c), b.saturating_add(c));
    if b == c {
        return 1.0;
    }
    // P(X = low) in logarithms, because 2^-n has no place in a float for n > 1074.
    let mut log = -(all as f64) * std::f64::consts::LN_2;
    for i in 1..=low {
        log += ((all - low + i) as f64 / i as f64).ln();
    }
    // The terms below it by the ratio of neighbours.
    let (mut term, mut sum) = (1.0, 1.0);
    for k in (1..=low).rev() {
        term *= k as f64 / (all - k + 1) as f64;
        sum += term;
        if term < sum * f64::EPSILON / 16.0 {
            break;
        }
    }
    (2.0 * log.exp() * sum).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_pairs_neither_overflow_nor_vanish() {
        // The same sums in exact rational arithmetic.
        let close = |b, c, want: f64| (mcnemar_exact(b, c) / want - 1.0).abs() < 1e-11;
        assert!(close(900, 1100, 8.457089535503927e-06));
        assert!(close(4950, 5050, 0.322174199795312));
        assert!(mcnemar_exact(0, 5000) < 1e-300);
        assert_eq!(mcnemar_exact(u64::MAX, u64::MAX), 1.0);
    }
}

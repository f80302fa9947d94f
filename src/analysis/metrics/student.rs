//! Student's t distribution.

/// The two-sided p-value of `t` with `df` degrees of freedom: `2 * scipy.stats.t.sf(abs(t), df)`. It is the
/// regularised incomplete beta function at `df / (df + t^2)` (Abramowitz & Stegun 26.7.1).
pub fn p(t: f64, df: f64) -> f64 {
    if t.is_infinite() {
        return 0.0;
    }
    beta(df / (df + t * t), df / 2.0, 0.5).clamp(0.0, 1.0)
}

/// The `t` that is exceeded, in either direction, with that probability: `scipy.stats.t.isf(p / 2, df)`.
pub fn quantile(p_of: f64, df: f64) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    while p(high, df) > p_of && high < 1e6 {
        high *= 2.0;
    }
    for _ in 0..80 {
        let middle = f64::midpoint(low, high);
        if p(middle, df) > p_of { low = middle } else { high = middle }
    }
    f64::midpoint(low, high)
}

/// The regularised incomplete beta function I_x(a, b), by its continued fraction (A&S 26.5.8) with Lentz's method.
fn beta(x: f64, a: f64, b: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return x.clamp(0.0, 1.0);
    }
    // It converges fast on this side only.
    if x > (a + 1.0) / (a + b + 2.0) {
        return 1.0 - beta(1.0 - x, b, a);
    }
    let front =
        libm::lgamma(a + b) - libm::lgamma(a) - libm::lgamma(b) + a * x.ln() + b * (1.0 - x).ln();
    let away = |y: f64| if y.abs() < 1e-300 { 1e-300 } else { y };
    let (mut c, mut d) = (1.0, 1.0 / away(1.0 - (a + b) * x / (a + 1.0)));
    let mut sum = d;
    for m in 1..500 {
        let m = f64::from(m);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        for term in [even, odd] {
            d = 1.0 / away(1.0 + term * d);
            c = away(1.0 + term / c);
            sum *= c * d;
        }
        if (c * d - 1.0).abs() < 1e-15 {
            break;
        }
    }
    front.exp() * sum / a
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From `2 * scipy.stats.t.sf(t, df)` and `scipy.stats.t.isf(0.025, df)` of scipy 1.16.
    #[test]
    fn probabilities_and_quantiles_are_those_of_scipy() {
        for (t, df, want) in [
            (0.0, 3.0, 1.0),
            (1.0, 1.0, 0.5),
            (2.0, 4.0, 0.116_116_523_516_815_7),
            (12.706_204_736_432_095, 1.0, 0.05),
            (1.96, 1e6, 0.049_996_067_585_269_85),
            (30.0, 2.5, 0.000_291_064_709_157_395_35),
        ] {
            let got = p(t, df);
            assert!((got - want).abs() < 1e-9, "{t} {df}: {got}");
        }
        for (df, want) in [
            (1.0, 12.706_204_736),
            (2.0, 4.302_652_730),
            (4.0, 2.776_445_105),
            (30.0, 2.042_272_456),
        ] {
            assert!((quantile(0.05, df) - want).abs() < 1e-7, "{df}");
        }
    }
}

//! The standard normal distribution, in logarithms that hold far out in its tails.

use std::f64::consts::{LN_2, PI, SQRT_2};

/// The logarithm of the density.
pub fn log_density(z: f64) -> f64 {
    -0.5 * z * z - 0.5 * (2.0 * PI).ln()
}

/// The logarithm of the probability between two points.
pub fn log_mass(from: f64, to: f64) -> f64 {
    if from > 0.0 {
        // Seen from the other side, where nothing cancels.
        return log_mass(-to, -from);
    }
    if to > 0.0 {
        // On both sides of the middle: what is missing is small.
        let missing = libm::erfc(-from / SQRT_2) / 2.0 + libm::erfc(to / SQRT_2) / 2.0;
        return (-missing).ln_1p();
    }
    let (low, high) = (log_below(from), log_below(to));
    if low == f64::NEG_INFINITY {
        return high;
    }
    high + ln_one_minus_exp(low - high)
}

/// The logarithm of the probability below a point that is not above the middle.
fn log_below(z: f64) -> f64 {
    if z > -20.0 {
        return (libm::erfc(-z / SQRT_2) / 2.0).ln();
    }
    // The asymptotic series (Abramowitz & Stegun 26.2.12); at 20 its fifth term is below 1e-9.
    let inverse = 1.0 / (z * z);
    let (mut term, mut sum) = (1.0, 1.0);
    for k in 1..12 {
        term *= -f64::from(2 * k - 1) * inverse;
        sum += term;
    }
    log_density(z) - (-z).ln() + sum.ln()
}

/// ln(1 - e^x) for x below 0 (Mächler 2012).
fn ln_one_minus_exp(x: f64) -> f64 {
    if x > -LN_2 { (-x.exp_m1()).ln() } else { (-x.exp()).ln_1p() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masses_equal_known_ones() {
        // 68-95-99.7, and two far out: scipy.special.log_ndtr(-10) = -53.23128515051246, (-30) = -454.3212439563431.
        for (from, to, want) in [
            (-1.0, 1.0, 0.682_689_492_137_085_9_f64.ln()),
            (-2.0, 2.0, 0.954_499_736_103_641_6_f64.ln()),
            (f64::NEG_INFINITY, -10.0, -53.231_285_150_512_46),
            (f64::NEG_INFINITY, -30.0, -454.321_243_956_343_1),
            (10.0, f64::INFINITY, -53.231_285_150_512_46),
        ] {
            let got = log_mass(from, to);
            assert!((got - want).abs() < 1e-12 * want.abs().max(1.0), "{from} {to}: {got} {want}");
        }
    }
}

//! The learning rate as a pure function of the step.

use tuneboard::spec::{RunSpec, Schedule};

/// The learning rates of a run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Plan {
    /// After warm-up, before decay.
    pub peak: f64,
    /// Optimiser steps of warm-up.
    pub warmup: u64,
    /// Optimiser steps in all.
    pub total: u64,
    /// How it falls.
    pub shape: Schedule,
}

impl Plan {
    /// The plan of a run with `total` optimiser steps. `warmup` below 1 is a share of them, rounded
    /// up as transformers' `warmup_ratio` is.
    pub fn new(spec: &RunSpec, total: u64) -> Self {
        let warmup = if spec.warmup < 1.0 {
            (spec.warmup * total as f64).ceil() as u64
        } else {
            spec.warmup as u64
        };
        Self { peak: spec.lr, warmup, total, shape: spec.schedule }
    }

    /// The learning rate of step `step`, counted from 0. Formulas: transformers'
    /// `get_{linear,cosine,constant}_schedule_with_warmup`.
    pub fn lr(&self, step: u64) -> f64 {
        if step < self.warmup {
            return self.peak * step as f64 / self.warmup.max(1) as f64;
        }
        let span = self.total.saturating_sub(self.warmup).max(1) as f64;
        let done = ((step - self.warmup) as f64 / span).min(1.0);
        self.peak
            * match self.shape {
                Schedule::Linear => 1.0 - done,
                Schedule::Cosine => 0.5 * (1.0 + (std::f64::consts::PI * done).cos()),
                Schedule::Constant => 1.0,
            }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(shape: Schedule, warmup: u64, total: u64) -> Plan {
        Plan { peak: 2.0, warmup, total, shape }
    }

    #[test]
    fn linear_rises_and_falls() {
        let plan = plan(Schedule::Linear, 4, 20);
        for step in 0..20 {
            let want = if step < 4 { step as f64 / 4.0 } else { (20 - step) as f64 / 16.0 };
            assert!((plan.lr(step) - 2.0 * want).abs() < 1e-15, "{step}");
        }
        assert_eq!(plan.lr(20), 0.0);
        assert_eq!(plan.lr(1000), 0.0);
    }

    #[test]
    fn cosine_is_half_way_in_the_middle() {
        let plan = plan(Schedule::Cosine, 0, 10);
        assert_eq!(plan.lr(0), 2.0);
        assert!((plan.lr(5) - 1.0).abs() < 1e-12);
        assert!(plan.lr(10).abs() < 1e-12);
    }

    #[test]
    fn warm_up_is_a_share_or_a_number() {
        let mut spec = RunSpec { warmup: 0.1, ..RunSpec::default() };
        assert_eq!(Plan::new(&spec, 101).warmup, 11);
        spec.warmup = 7.0;
        assert_eq!(Plan::new(&spec, 101).warmup, 7);
        spec.warmup = 0.0;
        let plan = Plan { shape: Schedule::Constant, ..Plan::new(&spec, 101) };
        assert_eq!(plan.lr(0), spec.lr);
        assert_eq!(plan.lr(100), spec.lr);
    }

    #[test]
    fn a_warm_up_longer_than_the_run_never_divides_by_zero() {
        for shape in [Schedule::Linear, Schedule::Cosine, Schedule::Constant] {
            for (warmup, total) in [(50, 10), (0, 0), (1, 1)] {
                let plan = plan(shape, warmup, total);
                assert!((0..60).all(|s| (0.0..=2.0).contains(&plan.lr(s))));
            }
        }
    }
}

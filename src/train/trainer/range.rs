//! Steps that are no run: the learning-rate range test (Smith 2017, arXiv 1506.01186), the loss over some steps whose
//! rate grows exponentially, and a count of what steps ask of a device.

use super::Trainer;
use super::meter::Measured;
use crate::error::TrainError;
use crate::native::{Asked, Watch};
use crate::objective::Stop;

/// A loss so many times the lowest so far ends the test: the rate is far too high.
const LOST: f64 = 4.0;
/// Steps before that is looked at.
const LEAST: u64 = 10;

/// From which rate to which, in how many steps.
#[derive(Debug, Clone, Copy)]
pub struct Range {
    /// The rate of the first step.
    pub from: f64,
    /// The rate of the last step.
    pub to: f64,
    /// Optimiser steps.
    pub steps: u64,
}

impl Range {
    /// The rate of a step, counted from 0.
    pub fn rate(&self, step: u64) -> f64 {
        let share = step as f64 / (self.steps.max(2) - 1) as f64;
        self.from * (self.to / self.from).powf(share)
    }
}

impl Trainer<'_> {
    /// Takes these steps, whatever the schedule says, and tells rate and loss of each. Ends before if the loss
    /// is no number any more or far above the lowest. Nothing is judged or saved.
    ///
    /// # Errors
    /// Too little memory; what the objective says.
    pub fn walk(
        &mut self,
        range: Range,
        mut tell: impl FnMut(u64, f64, f64),
    ) -> Result<(), TrainError> {
        let mut lowest = f64::INFINITY;
        for step in 0..range.steps {
            let rate = range.rate(step);
            let measured = self.learn_at(step, rate)?;
            let (mut sum, mut targets) = (0.0, 0);
            for pass in &measured.passes {
                sum += pass.loss.f_double_value(&[])?;
                targets += pass.targets;
            }
            let loss = self.objective.step_loss(sum, targets).mean;
            if !loss.is_finite() {
                return Ok(());
            }
            tell(step + 1, rate, loss);
            lowest = lowest.min(loss);
            if step >= LEAST && loss > LOST * lowest.max(1e-3) && loss > 1.0 {
                return Ok(());
            }
        }
        Ok(())
    }

    /// What so many steps ask of the device, after one that makes what lasts; figures are not read.
    ///
    /// # Errors
    /// As [`Self::walk`].
    pub fn watch(&mut self, steps: u64) -> Result<Asked, TrainError> {
        const RATE: f64 = 1e-6;
        self.learn_at(0, RATE)?;
        let watch = Watch::begin(self.place.device)?;
        for step in 1..=steps {
            self.learn_at(step, RATE)?;
        }
        watch.end()
    }

    /// Takes step `step`, counted from 0 over all epochs, at a rate of its own.
    fn learn_at(&mut self, step: u64, rate: f64) -> Result<Measured, TrainError> {
        let never = || false;
        let steps = self.objective.steps().max(1);
        let (epoch, index) = ((step / steps) as u32, step % steps);
        if index == 0 {
            self.objective.begin(epoch, 0, &Stop::new(&never))?;
        }
        self.learn(index, rate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_grow_by_one_factor() {
        let range = Range { from: 1e-6, to: 1e-2, steps: 5 };
        let rates: Vec<f64> = (0..5).map(|step| range.rate(step)).collect();
        for (rate, want) in rates.iter().zip([1e-6, 1e-5, 1e-4, 1e-3, 1e-2]) {
            assert!((rate / want - 1.0).abs() < 1e-9, "{rates:?}");
        }
    }
}

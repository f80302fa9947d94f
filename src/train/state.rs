//! Where a run stands: all that a checkpoint must hold besides tensors.

use serde::{Deserialize, Serialize};

use crate::error::TrainError;

/// The position of a run between two optimiser steps. No state of a random generator is among it:
/// every draw is a function of seed and position (see `rng`).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// [`tuneboard::spec::RunSpec::hash`] of the spec it belongs to.
    pub spec_hash: String,
    /// Content hash of the data it was trained on.
    pub data_hash: String,
    /// 1 for the first attempt.
    pub attempt: u32,
    /// Epochs that are trained, judged and saved.
    pub epoch: u32,
    /// Optimiser steps in the current epoch.
    pub step_in_epoch: u64,
    /// Optimiser steps in all.
    pub step: u64,
    /// How often memory did not suffice: batches go through the network in `2^halvings` parts.
    #[serde(default)]
    pub halvings: u32,
    /// Sums over the current epoch.
    pub tally: Tally,
    /// The smoothed loss.
    pub smooth: Smooth,
    /// The epoch with the lowest val loss.
    pub best: Option<Best>,
}

/// Sums over the batches of one epoch of training.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Tally {
    /// Rows.
    pub rows: u64,
    /// Real tokens, padding not counted.
    pub tokens: u64,
    /// Rows whose most probable class was the true one.
    pub right: u64,
    /// Of the losses, each times its rows.
    #[serde(with = "exact")]
    pub loss: f64,
    /// Of the losses of the steps, whatever their rows.
    #[serde(default, with = "exact")]
    pub step_losses: f64,
    /// Time spent on steps.
    #[serde(with = "exact")]
    pub seconds: f64,
}

/// An exponential moving average, corrected for its start at 0.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Smooth {
    #[serde(with = "exact")]
    sum: f64,
    #[serde(with = "exact")]
    weight: f64,
}

/// The best epoch so far.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Best {
    /// Its number, from 1.
    pub epoch: u32,
    /// Its val loss.
    #[serde(with = "exact")]
    pub loss: f64,
}

impl Smooth {
    /// Takes one value in; older ones fade with a half-life of about 14.
    pub fn push(&mut self, value: f64) {
        const KEEP: f64 = 0.95;
        self.sum = KEEP * self.sum + (1.0 - KEEP) * value;
        self.weight = KEEP * self.weight + (1.0 - KEEP);
    }

    /// The average; NaN before the first value.
    pub fn value(&self) -> f64 {
        self.sum / self.weight
    }
}

impl State {
    /// Refuses a checkpoint that belongs to another experiment than `this`.
    ///
    /// # Errors
    /// What has changed since it was written.
    pub fn must_fit(&self, this: &Self) -> Result<(), TrainError> {
        let changed = |what| {
            Err(TrainError::Input(format!(
                "{what} changed since checkpoints/last was written: queue a new run, or delete \
                 checkpoints to start this one over."
            )))
        };
        if self.spec_hash != this.spec_hash {
            return changed("spec.toml has");
        }
        if self.data_hash != this.data_hash {
            return changed("The data have");
        }
        Ok(())
    }

    /// Notes the val loss of an epoch; true if it is the lowest so far.
    pub fn judge(&mut self, epoch: u32, loss: f64) -> bool {
        let better = self.best.map_or(!loss.is_nan(), |best| loss < best.loss);
        if better {
            self.best = Some(Best { epoch, loss });
        }
        better
    }

    /// True if `patience` epochs in a row brought nothing better; 0 = endless patience.
    pub fn is_stuck(&self, patience: u32) -> bool {
        let best = self.best.map_or(0, |b| b.epoch);
        patience > 0 && self.epoch.saturating_sub(best) >= patience
    }
}

/// Floats as the shortest text that reads back to the same bits: JSON knows no infinity.
mod exact {
    use serde::{Deserialize, Deserializer, Serializer, de};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes fields by reference")]
    pub fn serialize<S: Serializer>(x: &f64, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&format!("{x:?}"))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<f64, D::Error> {
        String::deserialize(d)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn state_reads_back_to_the_bit() {
        let mut state = State { step: u64::MAX, ..State::default() };
        state.best = Some(Best { epoch: 3, loss: f64::INFINITY });
        for i in 0..2000_u32 {
            let x = f64::from(i).sin() / 3.0;
            state.smooth.push(x);
            state.tally.loss += x;
            let json = serde_json::to_string(&state).unwrap();
            assert_eq!(serde_json::from_str::<State>(&json).unwrap(), state);
        }
    }

    #[test]
    fn a_constant_is_its_own_average() {
        let mut smooth = Smooth::default();
        for _ in 0..5 {
            smooth.push(3.0);
            assert!((smooth.value() - 3.0).abs() < 1e-12);
        }
    }

    #[test]
    fn patience_counts_epochs_after_the_best() {
        let mut state = State::default();
        let losses = [0.5, 0.4, 0.41, f64::NAN, 0.42];
        let mut stuck = Vec::new();
        for (i, loss) in losses.into_iter().enumerate() {
            state.epoch = i as u32 + 1;
            state.judge(state.epoch, loss);
            stuck.push(state.is_stuck(2));
        }
        assert_eq!(stuck, [false, false, false, true, true]);
        assert_eq!(state.best.unwrap().epoch, 2);
        assert!(!state.is_stuck(0));
    }
}

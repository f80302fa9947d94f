//! Where a run stands: all that a checkpoint must hold besides tensors.

use serde::{Deserialize, Serialize};
use tuneboard::spec::RunSpec;

use crate::error::TrainError;

/// The position of a run between two optimiser steps. No state of a random generator is among it:
/// every draw is a function of seed and position (see `rng`).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// [`tuneboard::spec::RunSpec::hash`] of the spec it belongs to.
    pub spec_hash: String,
    /// That spec; none in checkpoints from before it was kept.
    #[serde(default)]
    pub spec: Option<RunSpec>,
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
    /// The best evaluation so far.
    pub best: Option<Best>,
    /// Evaluations since then that might have been better; none in checkpoints from before there were
    /// evaluations within an epoch.
    #[serde(default)]
    pub since_best: Option<u32>,
    /// The step of the last evaluation within an epoch.
    #[serde(default)]
    pub evaluated: u64,
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
    /// Time spent on evaluations of the val rows.
    #[serde(default, with = "exact")]
    pub evaluating: f64,
}

/// An exponential moving average, corrected for its start at 0.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Smooth {
    #[serde(with = "exact")]
    sum: f64,
    #[serde(with = "exact")]
    weight: f64,
}

/// The best evaluation so far.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Best {
    /// The number of the epoch that it belongs to, from 1.
    pub epoch: u32,
    /// What was better than ever: the val loss, or another figure that `best` names.
    #[serde(rename = "loss", with = "exact")]
    pub value: f64,
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
    /// Where a run of that spec and those data begins.
    pub fn start(spec: &RunSpec, data_hash: &str) -> Self {
        Self {
            spec_hash: spec.hash(),
            spec: Some(spec.clone()),
            data_hash: data_hash.to_owned(),
            ..Self::default()
        }
    }

    /// Goes on from what a checkpoint holds, unless that belongs to another experiment. Specs are compared, not
    /// their hashes: a tuneboard of another age may have hashed the same spec differently.
    ///
    /// # Errors
    /// What has changed since the checkpoint was written.
    pub fn go_on_from(self, saved: Self) -> Result<Self, TrainError> {
        let changed = |what: &str| {
            Err(TrainError::Input(format!(
                "{what} changed since checkpoints/last was written: queue a new run, or delete \
                 checkpoints to start this one over."
            )))
        };
        if let Some(spec) = &self.spec {
            match &saved.spec {
                Some(had) => {
                    let keys = had.deciding_differences(spec);
                    if !keys.is_empty() {
                        return changed(&format!("spec.toml ({}) has", keys.join(", ")));
                    }
                }
                None if spec.is_known_as(&saved.spec_hash) => {}
                None => return changed("spec.toml has"),
            }
        }
        if saved.data_hash != self.data_hash {
            return changed("The data have");
        }
        Ok(Self { spec_hash: self.spec_hash, spec: self.spec, ..saved })
    }

    /// Takes in the figure of an evaluation in epoch `epoch`, counted from 1; true if none was better
    /// so far.
    pub fn judge(&mut self, epoch: u32, value: f64, higher_is_better: bool) -> bool {
        let better = match self.best {
            None => !value.is_nan(),
            Some(best) if higher_is_better => value > best.value,
            Some(best) => value < best.value,
        };
        let since = self.since_best();
        self.since_best = Some(if better { 0 } else { since + 1 });
        if better {
            self.best = Some(Best { epoch, value });
        }
        better
    }

    /// True if `patience` evaluations in a row brought nothing better; 0 = endless patience.
    pub fn is_stuck(&self, patience: u32) -> bool {
        patience > 0 && self.since_best() >= patience
    }

    /// Evaluations since the best one.
    fn since_best(&self) -> u32 {
        // Once, every epoch had one evaluation.
        let epochs = || self.epoch.saturating_sub(self.best.map_or(0, |best| best.epoch));
        self.since_best.unwrap_or_else(epochs)
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
        state.best = Some(Best { epoch: 3, value: f64::INFINITY });
        for i in 0..2000_u32 {
            let x = f64::from(i).sin() / 3.0;
            state.smooth.push(x);
            state.tally.loss += x;
            let json = serde_json::to_string(&state).unwrap();
            assert_eq!(serde_json::from_str::<State>(&json).unwrap(), state);
        }
    }

    #[test]
    fn a_checkpoint_of_another_age_goes_on_and_one_of_another_experiment_does_not() {
        let spec = RunSpec { model: "gru".into(), data: "d".into(), ..RunSpec::default() };
        let start = || State::start(&spec, "rows");
        let went_on = |saved: State| start().go_on_from(saved).map_err(|e| e.to_string());
        let saved = State { epoch: 2, ..start() };
        assert_eq!(went_on(saved.clone()), Ok(saved.clone()));

        // Before the spec was kept there was only the hash that its age gave it: here, of all keys but the
        // two newest.
        let hash = "c751cb8d579c6931".to_owned();
        let old = State { spec: None, spec_hash: hash, ..saved.clone() };
        assert_eq!(went_on(old.clone()), Ok(saved.clone()));
        let strange = State { spec_hash: "0".repeat(16), ..old };
        assert!(went_on(strange).unwrap_err().starts_with("spec.toml has changed since"));

        let elsewhere = RunSpec { site: "box".into(), threads: 4, ..spec.clone() };
        assert!(went_on(State { spec: Some(elsewhere), ..saved.clone() }).is_ok());
        let other = RunSpec { lr: 1.0, seed: 4, ..spec.clone() };
        let why = went_on(State { spec: Some(other), ..saved.clone() }).unwrap_err();
        assert!(why.starts_with("spec.toml (lr, seed) has changed since"), "{why}");
        let why = went_on(State { data_hash: "others".into(), ..saved }).unwrap_err();
        assert!(why.starts_with("The data have changed since"), "{why}");
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
    fn patience_counts_evaluations_after_the_best() {
        let mut state = State::default();
        let losses = [0.5, 0.4, 0.41, f64::NAN, 0.42];
        let mut stuck = Vec::new();
        for (i, loss) in losses.into_iter().enumerate() {
            state.judge(i as u32 + 1, loss, false);
            state.epoch = i as u32 + 1;
            stuck.push(state.is_stuck(2));
        }
        assert_eq!(stuck, [false, false, false, true, true]);
        assert_eq!(state.best.unwrap().epoch, 2);
        assert!(!state.is_stuck(0));
        // A checkpoint of a tuneboard that evaluated once an epoch.
        let old = State { since_best: None, ..state.clone() };
        assert!(old.is_stuck(3) && !old.is_stuck(4) && state.is_stuck(3) && !state.is_stuck(4));
    }

    #[test]
    fn accuracy_is_better_when_it_is_higher() {
        let mut state = State::default();
        let better: Vec<bool> =
            [0.5, 0.4, 0.6, 0.6].iter().map(|acc| state.judge(1, *acc, true)).collect();
        assert_eq!(better, [true, false, true, false]);
    }
}

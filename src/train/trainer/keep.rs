//! When which weights are kept.

use std::time::Instant;

use serde_json::json;
use tuneboard::analysis::metrics::temperature_of;
use tuneboard::dataset::predictions::Pass;
use tuneboard::events::{EventKind, Saved};
use tuneboard::spec::metrics;

use super::Trainer;
use crate::checkpoint::{Best, FITTED};
use crate::error::TrainError;
use crate::model::Memory;
use crate::outcome::Outcome;

/// Within an epoch, training lasts so many times as long as the last checkpoint took before there is another.
const PATIENCE: u32 = 20;

impl Trainer<'_> {
    /// The figure of an evaluation that decides whether it is the best.
    pub(super) fn deciding(&self, outcome: &Outcome) -> f64 {
        outcome.value(self.spec.best.trim_start_matches("val/"))
    }

    /// Keeps the weights for the next checkpoint if the evaluation with this deciding figure is the best so far; true if it
    /// is. `said` has what was said of the val rows.
    pub(super) fn decide(
        &mut self,
        epoch: u32,
        value: f64,
        said: Option<&Pass>,
    ) -> Result<bool, TrainError> {
        let is_best = self.state.judge(epoch, value, metrics::higher_is_better(&self.spec.best));
        if is_best {
            let assets = self.assets.clone().and(self.objective.tuned());
            let temperature = said.and_then(temperature_of);
            let assets = assets.and(temperature.map(|t| (FITTED.to_owned(), json!(t))));
            self.best = Some(Best::new(assets, self.objective.parameters())?);
        }
        Ok(is_best)
    }

    /// True where a checkpoint within an epoch costs little of the time since the last one. A run that is killed before
    /// its next goes on from before its best weights, and comes to them again.
    pub(super) fn may_save(&self) -> bool {
        self.saved.is_none_or(|(at, took)| at.elapsed() >= took * PATIENCE)
    }

    /// Writes the best weights and then the checkpoint to resume from, whose state knows of them.
    pub(super) fn save(&mut self) -> Result<(), TrainError> {
        let began = Instant::now();
        self.save_best()?;
        self.objective.settle()?;
        let mut memory = self.optimizer.state();
        memory.extend(self.objective.memory().map(Memory::state).unwrap_or_default());
        let weights = [self.objective.parameters(), self.objective.carried()];
        self.checkpoints.save_last(&self.assets, weights, &memory, &self.state)?;
        self.saved = Some((Instant::now(), began.elapsed()));
        self.tell_saved(Saved::Last, self.state.epoch, "checkpoints/last")
    }

    /// Writes the best weights, if there are new ones.
    pub(super) fn save_best(&mut self) -> Result<(), TrainError> {
        let (Some(best), Some(at)) = (self.best.take(), self.state.best) else { return Ok(()) };
        self.checkpoints.save_best(&best)?;
        self.tell_saved(Saved::Best, at.epoch, "checkpoints/best")
    }

    fn tell_saved(&mut self, what: Saved, epoch: u32, path: &str) -> Result<(), TrainError> {
        self.journal.write(EventKind::Saved { what, epoch, path: path.to_owned() })
    }
}

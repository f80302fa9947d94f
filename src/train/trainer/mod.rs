//! The training loop, once for all tasks and families: epochs of optimiser steps, evaluation,
//! checkpoints, and the test of the best epoch. What a step learns and how the model is judged is the
//! affair of an [`Objective`].
//!
//! ```text
//! open: data, source, objective, optimiser, the state of checkpoints/last
//! train_epoch: step (learn, halve where memory runs out) -> meter -> metrics
//!   judge_between: evaluate a sample of the val rows, or all -> metrics
//! judge_epoch: evaluate the val rows -> figures, predictions
//! save: checkpoints/best if there are better weights than those, checkpoints/last
//! test_best: evaluate the test rows with the weights of checkpoints/best
//! ```

mod between;
mod keep;
mod meter;
mod open;
mod pass;
mod range;
mod step;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tuneboard::events::{Ending, Number, Split};
use tuneboard::spec::schedule::Stage;
use tuneboard::spec::{Rates, RunSpec, metrics};

use crate::checkpoint::{Assets, Best, Checkpoints, FITTED};
use crate::device::{self, Place};
use crate::error::TrainError;
use crate::journal::Journal;
use crate::objective::Objective;
use crate::optim::Optimizer;
use crate::outcome::End;
use crate::state::State;
use meter::Meter;
pub use range::Range;

/// A run in memory, ready for its next step.
pub struct Trainer<'a> {
    spec: RunSpec,
    objective: Box<dyn Objective>,
    optimizer: Optimizer,
    rates: Rates,
    /// The stage that the optimiser is made for.
    stage: Stage,
    place: Place,
    state: State,
    meter: Meter,
    journal: &'a mut Journal,
    /// The folder of the run.
    folder: PathBuf,
    checkpoints: Checkpoints,
    /// The best weights, until they are written.
    best: Option<Best>,
    /// When the last checkpoint was written, and how long that took.
    saved: Option<(Instant, Duration)>,
    assets: Assets,
    stop: &'a AtomicBool,
}

/// Whether to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flow {
    /// What was asked for is complete.
    Finished,
    /// A stop was asked for first.
    Stopped,
    /// Nothing better came for too long.
    Stuck,
}

impl Flow {
    /// Goes on only if nobody asked for a stop.
    fn and_then(self, next: impl FnOnce() -> Result<Self, TrainError>) -> Result<Self, TrainError> {
        if self == Self::Finished { next() } else { Ok(self) }
    }
}

impl Trainer<'_> {
    /// Trains what is left of the run, and tests its best epoch.
    ///
    /// # Errors
    /// A loss that is no number, too little memory, a full disk.
    pub fn run(&mut self) -> Result<End, TrainError> {
        let end = self.train();
        if end.is_err() {
            // What goes wrong may go wrong again: the best weights are worth having as they are.
            let _ = self.save_best();
        }
        end
    }

    fn train(&mut self) -> Result<End, TrainError> {
        while !self.is_trained() {
            let flow = self.train_epoch()?.and_then(|| self.judge_epoch())?;
            self.save()?;
            if flow == Flow::Stopped {
                return Ok((Ending::Stopped, self.best_epoch()));
            }
        }
        let ending = match self.test_best()? {
            Flow::Stopped => Ending::Stopped,
            Flow::Finished | Flow::Stuck => Ending::Done,
        };
        Ok((ending, self.best_epoch()))
    }

    /// True once every epoch is done, or nothing better came for too long.
    fn is_trained(&self) -> bool {
        self.state.epoch >= self.spec.epochs || self.state.is_stuck(self.spec.early_stop)
    }

    /// The epoch with the best evaluation so far.
    fn best_epoch(&self) -> Option<u32> {
        self.state.best.map(|best| best.epoch)
    }

    /// Reports the figures of the epoch that was just trained, and counts it. A stop in the middle of it
    /// leaves the epoch trained but not judged.
    fn judge_epoch(&mut self) -> Result<Flow, TrainError> {
        let epoch = self.state.epoch + 1;
        let Some(outcome) = self.evaluate(Split::Val, None)? else { return Ok(Flow::Stopped) };
        let tally = std::mem::take(&mut self.state.tally);
        let mut train = self.objective.train_values(&tally);
        train.extend(device::peak_memory(self.place.device));
        let share = tally.evaluating / (tally.evaluating + tally.seconds);
        train.insert(metrics::EVAL_SHARE.to_owned(), Number(share));
        let value = self.deciding(&outcome);
        let said = outcome.report(self.journal, &self.folder, (Split::Val, epoch), Some(train))?;
        self.decide(epoch, value, said.as_ref())?;
        self.state.epoch = epoch;
        self.state.step_in_epoch = 0;
        Ok(Flow::Finished)
    }

    /// Reports the figures of the best epoch's weights on the test rows.
    fn test_best(&mut self) -> Result<Flow, TrainError> {
        let mut temperature = None;
        let epoch = match self.state.best {
            Some(best) => {
                self.checkpoints.load_weights("best", self.objective.parameters())?;
                let config = self.checkpoints.config("best");
                self.objective.take_up(&config);
                temperature = config[FITTED].as_f64();
                best.epoch
            }
            None => self.state.epoch,
        };
        let Some(outcome) = self.evaluate(Split::Test, None)? else { return Ok(Flow::Stopped) };
        let outcome = outcome.with_sureness(temperature);
        outcome.report(self.journal, &self.folder, (Split::Test, epoch), None)?;
        Ok(Flow::Finished)
    }

    /// True once someone asked for a stop.
    fn stop_asked(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

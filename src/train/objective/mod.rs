//! What a run learns: one file per task. An [`Objective`] turns targets into losses, figures and
//! predictions. The [`crate::trainer::Trainer`] does the rest and knows no task.
//!
//! - [`classify`]: one class per text.
//! - [`lm`]: the next token, or tokens that were hidden (`task=lm`).
//! - [`regress`], [`multilabel`]: numbers or labels of a text, as [`whole`] learns them.
//! - [`tag`]: a tag for each word.
//!
//! A new task is a variant of `spec::Task`, a file here and an arm in [`open`]. A task with a head on
//! text vectors builds on [`encoded::Encoded`], which has everything but the targets.

mod classify;
mod encoded;
mod judge;
mod lm;
mod loss;
mod multilabel;
mod own_head;
#[cfg(test)]
mod parity;
mod regress;
mod scores;
mod tag;
mod whole;

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;
use tch::Tensor;
use tuneboard::dataset::Dataset;
use tuneboard::events::{Number, Split};
use tuneboard::spec::{RunSpec, Task};

pub use classify::outcome as class_outcome;
pub use judge::{Outputs, flat, log_probabilities, raw, scores};
pub use loss::class_weights;
#[cfg(test)]
pub use loss::judging;
#[cfg(test)]
pub use multilabel::crossed;
pub use multilabel::outcome as set_outcome;
#[cfg(test)]
pub use regress::errors;
pub use regress::{Scale, outcome as number_outcome};
pub use scores::Scores;

use crate::checkpoint::Assets;
use crate::device::Place;
use crate::error::TrainError;
use crate::model::{Family, Inputs, Memory, Mode, Parameter};
use crate::optim::{self, Optimizer};
use crate::outcome::Outcome;
use crate::source::Source;
use crate::state::Tally;

/// What a task learns from a data set: how the rows are cut into optimiser steps, what a step's loss is,
/// and how the model is judged.
pub trait Objective {
    /// All weights of the model, in a fixed order: what `checkpoints/best` holds.
    fn parameters(&self) -> &[Parameter];

    /// What `checkpoints/last` holds beside the weights: the state that batches carry on.
    fn carried(&self) -> &[Parameter] {
        &[]
    }

    /// Where the network leaves what the next batch goes on from, if it does so.
    fn memory(&self) -> Option<&Memory> {
        None
    }

    /// Optimiser steps of an epoch.
    fn steps(&self) -> u64;

    /// Lays out an epoch, counted from 0, of which `step` steps are done already. Gives false if `stop`
    /// asked for a stop first.
    ///
    /// # Errors
    /// What libtorch reports.
    fn begin(&mut self, epoch: u32, step: u64, stop: &Stop) -> Result<bool, TrainError>;

    /// The passes of step `index` of the epoch, with each batch in `2^halvings` parts. The learner is
    /// given each part's share of the step's loss.
    ///
    /// # Errors
    /// What libtorch reports.
    fn step(
        &mut self,
        index: u64,
        halvings: u32,
        learner: &mut Learner,
    ) -> Result<Vec<Pass>, TrainError>;

    /// The loss of a step, given what the losses of its passes add up to and how many targets they had.
    fn step_loss(&self, sum: f64, targets: u64) -> StepLoss {
        StepLoss { mean: sum / targets as f64, sum }
    }

    /// Whether a batch can go through the network in parts.
    fn can_halve(&self) -> bool {
        true
    }

    /// Whether [`Pass::targets`] counts examples; throughput is told in them then.
    fn has_examples(&self) -> bool {
        true
    }

    /// The train figures of an epoch by short name: means over its own passes, and throughput.
    fn train_values(&self, tally: &Tally) -> BTreeMap<String, Number>;

    /// One pass over a split without learning, or over `most` rows of it; `None` if `stop` asked for a
    /// stop first. The rows and targets are the same each time, so that epochs and runs compare.
    ///
    /// # Errors
    /// What libtorch reports.
    fn evaluate(
        &mut self,
        split: Split,
        most: Option<u64>,
        stop: &Stop,
    ) -> Result<Option<Outcome>, TrainError>;

    /// What the last evaluation of the val rows gave besides figures: entries of the config.json of
    /// `checkpoints/best`.
    fn tuned(&self) -> Vec<(String, Value)> {
        Vec::new()
    }

    /// Takes up what [`Self::tuned`] gave, from the config.json of a checkpoint.
    fn take_up(&mut self, config: &Value) {
        let _ = config;
    }

    /// Brings [`Self::carried`] up to date before a checkpoint.
    ///
    /// # Errors
    /// What libtorch reports.
    fn settle(&mut self) -> Result<(), TrainError> {
        Ok(())
    }
}

/// Says whether someone asked for a stop, and is told how far a pass is.
pub struct Stop<'a> {
    asked: &'a dyn Fn() -> bool,
    far: &'a dyn Fn(usize, usize),
}

impl<'a> Stop<'a> {
    /// Asks `asked`, and tells nobody.
    pub fn new(asked: &'a dyn Fn() -> bool) -> Self {
        Self { asked, far: &|_, _| {} }
    }

    /// Tells `far` as well how many of how many rows a pass has looked at.
    pub fn telling(self, far: &'a dyn Fn(usize, usize)) -> Self {
        Self { far, ..self }
    }

    /// True once someone asked for a stop.
    pub fn asked(&self) -> bool {
        (self.asked)()
    }

    /// The same, in a pass that has looked at `done` of `rows` rows.
    pub fn asked_at(&self, done: usize, rows: usize) -> bool {
        (self.far)(done, rows);
        self.asked()
    }
}

/// One pass of a step. Nobody has looked at its numbers yet, because reading them waits for the device.
#[derive(Debug)]
pub struct Pass {
    /// `[]`: what [`Objective::step_loss`] is made from.
    pub loss: Tensor,
    /// int64 `[]`: how many targets were the most probable.
    pub right: Tensor,
    /// How many targets there were: rows, or tokens of a language model.
    pub targets: u64,
    /// Tokens that were read, without padding.
    pub tokens: u64,
}

/// The loss of one optimiser step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StepLoss {
    /// Per target.
    pub mean: f64,
    /// What the step adds to the epoch's sum.
    pub sum: f64,
}

/// Collects the gradients of one optimiser step.
pub struct Learner<'a> {
    optimizer: &'a mut Optimizer,
    /// One per weight that learns, in the optimiser's order.
    gradients: Vec<Tensor>,
    /// How the passes are done.
    pub mode: Mode,
}

impl<'a> Learner<'a> {
    /// For the weights of `optimizer`.
    pub fn new(optimizer: &'a mut Optimizer, mode: Mode) -> Self {
        Self { optimizer, gradients: Vec::new(), mode }
    }

    /// Brings the word embeddings of a batch up to date before it goes through the network; see
    /// [`Optimizer::prepare`].
    ///
    /// # Errors
    /// What libtorch reports.
    pub fn prepare(&mut self, inputs: &mut Inputs) -> Result<(), TrainError> {
        self.optimizer.prepare(inputs)
    }

    /// Adds the gradients of a share of the step's loss.
    ///
    /// # Errors
    /// What libtorch reports.
    pub fn learn(&mut self, loss: &Tensor) -> Result<(), TrainError> {
        optim::accumulate(&mut self.gradients, self.optimizer.gradients(loss)?)
    }

    /// The gradients of all shares together.
    pub fn finish(self) -> Vec<Tensor> {
        self.gradients
    }
}

/// What an objective is made from.
pub struct Setup<'a> {
    /// The folder of the run.
    pub run: &'a Path,
    /// Where the model comes from.
    pub source: &'a Source,
    /// The model's family.
    pub family: Family,
    /// The run's keys.
    pub spec: &'a RunSpec,
    /// Where the tensors lie.
    pub place: &'a Place,
}

/// What [`open`] gives.
pub struct Opened {
    /// Ready for its first epoch.
    pub objective: Box<dyn Objective>,
    /// What checkpoints hold besides weights.
    pub assets: Assets,
    /// Sentences for the user about how the model starts.
    pub notes: Vec<String>,
}

/// Loads the model and makes the objective of the run's task. Whatever is random in a new model comes
/// from libtorch's generators: seed them first.
///
/// # Errors
/// Whatever is wrong with the model's folder, or data that do not fit the model.
pub fn open(setup: &Setup, data: Dataset) -> Result<Opened, TrainError> {
    match setup.spec.task {
        Task::Classify => classify::open(setup, data),
        Task::Lm => lm::open(setup, &data),
        Task::Regress => regress::open(setup, data),
        Task::Multilabel => multilabel::open(setup, data),
        Task::Tag => tag::open(setup, data),
    }
}

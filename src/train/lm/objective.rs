use std::collections::BTreeMap;

use tch::Tensor;
use tuneboard::events::{Number, Split};

use crate::error::TrainError;
use crate::model::{Mode, Parameter};

/// What a family of language models learns from a data set: how the texts are cut into optimiser steps,
/// and how they are judged.
pub trait Objective {
    /// All tensors: those of the model, in a fixed order, then what only `checkpoints/last` holds.
    fn parameters(&self) -> &[Parameter];

    /// How many of the parameters are the model's.
    fn learning(&self) -> usize {
        self.parameters().len()
    }

    /// Optimiser steps of an epoch.
    fn steps(&self) -> u64;

    /// Lays out an epoch, from 0; `step` of its steps are behind.
    ///
    /// # Errors
    /// What libtorch reports.
    fn begin(&mut self, epoch: u32, step: u64) -> Result<(), TrainError>;

    /// The passes of step `index` of the epoch, in `2^halvings` times as many parts as usual. `learn` is
    /// given each part's share of the step's loss.
    ///
    /// # Errors
    /// What libtorch or `learn` reports.
    fn step(
        &mut self,
        index: u64,
        halvings: u32,
        mode: Mode,
        learn: &mut Learn,
    ) -> Result<Sums, TrainError>;

    /// True if a step can be done in more parts than with so many `halvings`.
    fn can_halve(&self, halvings: u32) -> bool;

    /// One pass over a split without learning; `None` if `stop` said so on the way. The same targets
    /// every time, so that epochs and runs compare.
    ///
    /// # Errors
    /// What libtorch reports.
    fn evaluate(&self, split: Split, stop: &dyn Fn() -> bool) -> Result<Option<Sums>, TrainError>;

    /// Brings the parameters up to date before a checkpoint in the middle of an epoch.
    ///
    /// # Errors
    /// What libtorch reports.
    fn settle(&mut self) -> Result<(), TrainError> {
        Ok(())
    }
}

/// Takes a share of a step's loss.
pub type Learn<'a> = dyn FnMut(&Tensor) -> Result<(), TrainError> + 'a;

/// Sums over the targets of a pass.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Sums {
    /// Tokens that were to be predicted.
    pub targets: u64,
    /// Those of them that were the most probable.
    pub right: u64,
    /// Tokens that were read.
    pub tokens: u64,
    /// Cross-entropies of the targets, in nats.
    pub loss: f64,
}

impl Sums {
    /// Adds another pass.
    pub fn add(&mut self, more: Self) {
        self.targets += more.targets;
        self.right += more.right;
        self.tokens += more.tokens;
        self.loss += more.loss;
    }

    /// Mean cross-entropy per target.
    pub fn mean(&self) -> f64 {
        self.loss / self.targets as f64
    }

    /// Mean cross-entropy, the share of targets that were the most probable, and the perplexity
    /// `exp(loss)`.
    pub fn values(&self) -> BTreeMap<String, Number> {
        BTreeMap::from([
            ("loss".to_owned(), Number(self.mean())),
            ("acc".to_owned(), Number(self.right as f64 / self.targets as f64)),
            ("ppl".to_owned(), Number(self.mean().exp())),
        ])
    }
}

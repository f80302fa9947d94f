use std::collections::BTreeMap;

use tuneboard::events::Number;
use tuneboard::spec::metrics;

use crate::outcome::Outcome;
use crate::state::Tally;

/// Sums over the targets of a pass.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Sums {
    /// Tokens that were to be predicted.
    pub targets: u64,
    /// How many of them were the most probable.
    pub right: u64,
    /// Cross-entropies of the targets, in nats.
    pub loss: f64,
}

impl Sums {
    /// The sums over an epoch of training.
    pub fn of(tally: &Tally) -> Self {
        Self { targets: tally.rows, right: tally.right, loss: tally.loss }
    }

    /// Adds another pass.
    pub fn add(&mut self, more: Self) {
        self.targets += more.targets;
        self.right += more.right;
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
            (metrics::LOSS.to_owned(), Number(self.mean())),
            (metrics::ACC.to_owned(), Number(self.right as f64 / self.targets as f64)),
            (metrics::PPL.to_owned(), Number(self.mean().exp())),
        ])
    }

    /// What a pass without learning gives.
    pub fn outcome(&self) -> Outcome {
        Outcome { values: self.values(), confusion: None, predictions: None }
    }

    /// The train figures of an epoch.
    pub fn train_values(tally: &Tally) -> BTreeMap<String, Number> {
        let mut values = Self::of(tally).values();
        let rate = Number(tally.tokens as f64 / tally.seconds);
        values.insert(metrics::TOKENS_PER_S.to_owned(), rate);
        values
    }
}

//! LoRA: beside a weight W that stays as it is, a product of two narrow matrices learns (Hu et al. 2021).

use std::cell::Cell;
use std::rc::Rc;

use tch::Tensor;
use tuneboard::model_config::adapter::AdapterConfig;
use tuneboard::spec::{RunSpec, Targets};

use super::dropout::dropout;
use crate::error::TrainError;

/// What is put beside which weights.
#[derive(Debug, Clone, PartialEq)]
pub struct Lora {
    /// Rows of A, columns of B.
    pub rank: i64,
    /// What is learnt counts `alpha / rank` times, or `alpha / sqrt(rank)` if it is stabilised.
    pub alpha: f64,
    /// Whether `alpha` is divided by the root of the rank (Kalajdzievski 2023).
    pub is_stabilised: bool,
    /// Dropout of what A reads.
    pub dropout: f64,
    /// Which layers.
    pub targets: Targets,
}

impl From<AdapterConfig> for Lora {
    fn from(config: AdapterConfig) -> Self {
        let AdapterConfig { rank, alpha, is_stabilised, dropout, targets, .. } = config;
        Self { rank, alpha, is_stabilised, dropout, targets }
    }
}

impl Lora {
    /// As the keys of a run say.
    pub fn of(spec: &RunSpec) -> Self {
        Self {
            rank: i64::from(spec.lora_rank),
            alpha: spec.lora_alpha,
            is_stabilised: false,
            dropout: spec.lora_dropout,
            targets: spec.lora_targets.clone(),
        }
    }

    /// How often what is learnt counts.
    pub fn scale(&self) -> f64 {
        let rank = self.rank as f64;
        self.alpha / if self.is_stabilised { rank.sqrt() } else { rank }
    }
}

/// Whether a pass learns, for all layers of a network: these are not told.
#[derive(Debug, Clone, Default)]
pub struct Learning(Rc<Cell<bool>>);

impl Learning {
    /// A pass begins.
    pub fn set(&self, learns: bool) {
        self.0.set(learns);
    }
}

/// What is learnt beside one layer: W x becomes W x + scale B A x. Reference: peft `lora.Linear`.
pub struct Delta {
    /// Of some of the layer's outputs each.
    pub parts: Vec<Part>,
    /// Counts so often.
    pub scale: f64,
    /// Of what A reads, where a pass learns.
    pub dropout: f64,
    /// Whether it does.
    pub learning: Learning,
}

/// Two narrow matrices, 32-bit.
pub struct Part {
    /// The first output that they change.
    pub first: i64,
    /// How many.
    pub rows: i64,
    /// `[rank, inputs]`.
    pub a: Tensor,
    /// `[rows, rank]`.
    pub b: Tensor,
}

impl Delta {
    /// Adds to `y` `[.., outputs]`, what the layer gives for `x` `[.., inputs]`; `y` begins with the output
    /// `first`.
    ///
    /// # Errors
    /// What libtorch reports.
    pub fn add(&self, mut y: Tensor, x: &Tensor, first: i64) -> Result<Tensor, TrainError> {
        let outputs = y.size().last().copied().unwrap_or(0);
        for part in &self.parts {
            let at = part.first - first;
            if at < 0 || at + part.rows > outputs {
                continue;
            }
            let change = self.of(part, x)?;
            if part.rows == outputs {
                y = y.f_add(&change)?;
            } else {
                let _ = y.f_narrow(-1, at, part.rows)?.f_add_(&change)?;
            }
        }
        Ok(y)
    }

    fn of(&self, part: &Part, x: &Tensor) -> Result<Tensor, TrainError> {
        let kind = x.f_kind()?;
        let p = if self.learning.0.get() { self.dropout } else { 0.0 };
        let x = dropout(x.shallow_clone(), p)?;
        let narrow = x.f_linear(&part.a.f_to_kind(kind)?, None::<&Tensor>)?;
        let narrow = narrow.f_mul_scalar(self.scale)?;
        Ok(narrow.f_linear(&part.b.f_to_kind(kind)?, None::<&Tensor>)?)
    }
}

/// `y` with what is learnt beside the layer that gave it, if anything is.
///
/// # Errors
/// See [`Delta::add`].
pub fn add(delta: Option<&Delta>, y: Tensor, x: &Tensor, first: i64) -> Result<Tensor, TrainError> {
    match delta {
        Some(delta) => delta.add(y, x, first),
        None => Ok(y),
    }
}

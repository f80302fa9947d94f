//! The loss of a choice among classes or tokens. The keys of the loss are read here and nowhere else.

use tch::{Device, Kind, Reduction, Tensor};
use tuneboard::dataset::Dataset;
use tuneboard::spec::{Loss as LossKey, RunSpec};

use crate::error::TrainError;

/// Cross-entropy with the run's `label_smoothing` and `class_weights`, or the focal loss with the weights.
#[derive(Debug)]
pub struct Loss {
    smoothing: f64,
    /// The exponent of the focal loss, if it is asked for.
    focal: Option<f64>,
    /// Weight of each class, `[classes]`; empty = all 1.
    weights: Vec<f32>,
    /// The same for libtorch.
    on_device: Option<Tensor>,
}

impl Loss {
    /// For the classes of a data set.
    ///
    /// # Errors
    /// What libtorch reports.
    pub fn of_classes(spec: &RunSpec, data: &Dataset, device: Device) -> Result<Self, TrainError> {
        Self::weighted(spec, class_weights(spec, data).unwrap_or_default(), device)
    }

    /// For the tags of a data set.
    ///
    /// # Errors
    /// What libtorch reports.
    pub fn of_tags(spec: &RunSpec, data: &Dataset, device: Device) -> Result<Self, TrainError> {
        let counts = data.targets.counts(data.train.iter().copied(), data.label_names.len());
        let words = counts.iter().sum();
        let weights = spec.class_weights.of_classes(&data.label_names, &counts, words);
        Self::weighted(spec, weights.unwrap_or_default(), device)
    }

    pub(super) fn weighted(
        spec: &RunSpec,
        weights: Vec<f32>,
        device: Device,
    ) -> Result<Self, TrainError> {
        let on_device = if weights.is_empty() {
            None
        } else {
            Some(Tensor::f_from_slice(&weights)?.f_to_device(device)?)
        };
        let focal = (spec.loss == LossKey::Focal).then_some(spec.focal_gamma);
        Ok(Self { smoothing: spec.label_smoothing, focal, weights, on_device })
    }

    /// For the tokens of a vocabulary, which all count alike.
    pub fn of_tokens(spec: &RunSpec) -> Self {
        let smoothing = spec.label_smoothing;
        Self { smoothing, focal: None, weights: Vec::new(), on_device: None }
    }

    /// The loss to learn from, `[]`, of `logits` `[targets, classes]` whose true classes are `targets`
    /// `[targets]`, int64. The weights of the targets scale a sum; a mean is divided by them.
    ///
    /// # Errors
    /// What libtorch reports.
    pub fn learning(
        &self,
        logits: &Tensor,
        targets: &Tensor,
        reduction: Reduction,
    ) -> Result<Tensor, TrainError> {
        let of_kind = |weights: &Tensor| Ok::<_, TrainError>(weights.f_to_kind(logits.f_kind()?)?);
        let weights = self.on_device.as_ref().map(of_kind).transpose()?;
        let weights = weights.as_ref();
        if let Some(gamma) = self.focal {
            let each = focal(logits, targets, weights, gamma)?;
            return Ok(match reduction {
                Reduction::Mean => each.f_mean(None::<Kind>)?,
                Reduction::Sum => each.f_sum(None::<Kind>)?,
                _ => each,
            });
        }
        Ok(logits.f_cross_entropy_loss(targets, weights, reduction, IGNORED, self.smoothing)?)
    }

    /// What a target of this class counts where a sum is made a mean: its weight; 1 under the focal loss.
    pub fn share(&self, class: u32) -> f64 {
        if self.weights.is_empty() || self.focal.is_some() {
            return 1.0;
        }
        self.weights.get(class as usize).copied().map_or(0.0, f64::from)
    }
}

/// The loss that a model is judged by, `[]`: cross-entropy without smoothing or weights.
///
/// # Errors
/// What libtorch reports.
pub fn judging(
    logits: &Tensor,
    targets: &Tensor,
    reduction: Reduction,
) -> Result<Tensor, TrainError> {
    Ok(logits.f_cross_entropy_loss(targets, None::<&Tensor>, reduction, IGNORED, 0.0)?)
}

/// How many targets have the highest of the logits, int64 `[]`.
///
/// # Errors
/// What libtorch reports.
pub fn right(logits: &Tensor, targets: &Tensor) -> Result<Tensor, TrainError> {
    Ok(logits.f_argmax(-1, false)?.f_eq_tensor(targets)?.f_sum(Kind::Int64)?)
}

/// A class that libtorch would pass over; no target has it.
const IGNORED: i64 = -100;

/// The focal loss (Lin et al. 2017) of each target, `[targets]`: `w[y] (1 - p[y])^gamma (-log p[y])`, of logits
/// `[targets, classes]` and their true classes.
///
/// # Errors
/// What libtorch reports.
pub fn focal(
    logits: &Tensor,
    targets: &Tensor,
    weights: Option<&Tensor>,
    gamma: f64,
) -> Result<Tensor, TrainError> {
    let all = logits.f_log_softmax(-1, None::<Kind>)?;
    let own = all.f_gather(-1, &targets.f_unsqueeze(-1)?, false)?.f_squeeze_dim(-1)?;
    // 1 - p, exact where p is nearly 1. Below an exponent of 1 the slope at 0 is infinite.
    let rest = own.f_expm1()?.f_neg()?;
    let rest = if gamma < 1.0 { rest.f_clamp_min(1e-12)? } else { rest };
    let loss = rest.f_pow_tensor_scalar(gamma)?.f_mul(&own)?.f_neg()?;
    match weights {
        Some(weights) => Ok(loss.f_mul(&weights.f_index_select(0, targets)?)?),
        None => Ok(loss),
    }
}

/// The weight of each class over the train rows. `None` where all classes count alike.
pub fn class_weights(spec: &RunSpec, data: &Dataset) -> Option<Vec<f32>> {
    let mut counts = vec![0_u64; data.label_names.len()];
    for row in &data.train {
        let label = data.labels.get(*row as usize).copied().unwrap_or(0);
        if let Some(count) = counts.get_mut(label as usize) {
            *count += 1;
        }
    }
    spec.class_weights.of_classes(&data.label_names, &counts, data.train.len() as u64)
}

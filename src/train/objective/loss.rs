//! The loss of a choice among classes or tokens. The keys of the loss are read here and nowhere else.

use tch::{Device, Kind, Reduction, Tensor};
use tuneboard::dataset::Dataset;
use tuneboard::spec::{ClassWeights, RunSpec};

use crate::error::TrainError;

/// Cross-entropy with the run's `label_smoothing` and `class_weights`.
#[derive(Debug)]
pub struct Loss {
    smoothing: f64,
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
        let weights = class_weights(spec, data).unwrap_or_default();
        let on_device = if weights.is_empty() {
            None
        } else {
            Some(Tensor::f_from_slice(&weights)?.f_to_device(device)?)
        };
        Ok(Self { smoothing: spec.label_smoothing, weights, on_device })
    }

    /// For the tokens of a vocabulary, which all count alike.
    pub fn of_tokens(spec: &RunSpec) -> Self {
        Self { smoothing: spec.label_smoothing, weights: Vec::new(), on_device: None }
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
        let weights = self.on_device.as_ref();
        Ok(logits.f_cross_entropy_loss(targets, weights, reduction, IGNORED, self.smoothing)?)
    }

    /// What a target of this class counts in a mean.
    pub fn weight(&self, class: u32) -> f64 {
        if self.weights.is_empty() {
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

/// `rows / (classes * rows of the class)` over the train rows, as scikit-learn's `balanced`; 0 for a
/// class without any row. `None` where all classes count alike.
pub fn class_weights(spec: &RunSpec, data: &Dataset) -> Option<Vec<f32>> {
    if spec.class_weights == ClassWeights::None {
        return None;
    }
    let mut counts = vec![0_u32; data.label_names.len()];
    for row in &data.train {
        let label = data.labels.get(*row as usize).copied().unwrap_or(0);
        if let Some(count) = counts.get_mut(label as usize) {
            *count += 1;
        }
    }
    let rows = data.train.len() as f64;
    let weight = |n: &u32| {
        if *n == 0 { 0.0 } else { (rows / (counts.len() as f64 * f64::from(*n))) as f32 }
    };
    Some(counts.iter().map(weight).collect())
}

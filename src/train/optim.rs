//! The optimisers, by PyTorch's formulas. Written out here because libtorch's own keep their state
//! where it cannot be saved.

use std::collections::BTreeMap;

use tch::{Kind, Tensor};
use tuneboard::spec::{Optimizer as Rule, RunSpec, Unfreeze};

use crate::error::TrainError;
use crate::model::Parameter;

/// Numbers that one key of the spec does not give.
const BETA1: f64 = 0.9;
const BETA2: f64 = 0.999;
const EPS: f64 = 1e-8;

/// The weights that learn, with what the optimiser remembers of each.
pub struct Optimizer {
    rule: Rule,
    slots: Vec<Slot>,
    /// Steps taken; Adam's bias correction depends on it.
    steps: u64,
}

struct Slot {
    name: String,
    weight: Tensor,
    /// Mean and mean square of the gradients (Adam).
    moments: Option<(Tensor, Tensor)>,
    /// Times the learning rate.
    factor: f64,
    decay: f64,
}

impl Optimizer {
    /// For the parameters that `spec` lets learn.
    ///
    /// # Errors
    /// What libtorch reports, such as too little memory.
    pub fn new(spec: &RunSpec, parameters: &[Parameter]) -> Result<Self, TrainError> {
        let mut slots = Vec::with_capacity(parameters.len());
        for parameter in parameters {
            let learns = spec.unfreeze == Unfreeze::All || parameter.is_head;
            // Without a gradient the trunk keeps no graph, which halves time and memory.
            let weight = parameter.tensor.f_set_requires_grad(learns)?;
            if !learns {
                continue;
            }
            let moments = match spec.optimizer {
                Rule::AdamW | Rule::Adam => {
                    Some((weight.f_zeros_like()?.f_detach()?, weight.f_zeros_like()?.f_detach()?))
                }
                Rule::Sgd => None,
            };
            let decays = parameter.decays() && spec.optimizer != Rule::Adam;
            slots.push(Slot {
                name: parameter.name.clone(),
                weight,
                moments,
                factor: spec.layer_decay.powi(parameter.depth as i32),
                decay: if decays { spec.weight_decay } else { 0.0 },
            });
        }
        Ok(Self { rule: spec.optimizer, slots, steps: 0 })
    }

    /// d loss / d weight for every weight that learns, in the order of `step`.
    ///
    /// # Errors
    /// What libtorch reports.
    pub fn gradients(&self, loss: &Tensor) -> Result<Vec<Tensor>, TrainError> {
        let weights: Vec<&Tensor> = self.slots.iter().map(|s| &s.weight).collect();
        Ok(Tensor::f_run_backward(&[loss], &weights, false, false)?)
    }

    /// One step along `gradients`.
    ///
    /// # Errors
    /// What libtorch reports.
    pub fn step(&mut self, gradients: &[Tensor], lr: f64) -> Result<(), TrainError> {
        self.steps += 1;
        let _guard = tch::no_grad_guard();
        for (slot, gradient) in self.slots.iter_mut().zip(gradients) {
            // A weight that the loss does not depend on has none.
            if gradient.defined() {
                slot.step(self.rule, gradient, lr, self.steps)?;
            }
        }
        Ok(())
    }

    /// What must be kept to go on later: tensors by name.
    pub fn state(&self) -> Vec<(String, Tensor)> {
        let mut state = Vec::with_capacity(2 * self.slots.len());
        for slot in &self.slots {
            if let Some((mean, square)) = &slot.moments {
                state.push((format!("exp_avg.{}", slot.name), mean.shallow_clone()));
                state.push((format!("exp_avg_sq.{}", slot.name), square.shallow_clone()));
            }
        }
        state
    }

    /// Takes up what [`Self::state`] gave after `steps` steps.
    ///
    /// # Errors
    /// A tensor that is missing or has another shape.
    pub fn restore(
        &mut self,
        state: &BTreeMap<String, Tensor>,
        steps: u64,
    ) -> Result<(), TrainError> {
        for slot in &mut self.slots {
            let Some((mean, square)) = &mut slot.moments else { continue };
            for (word, tensor) in [("exp_avg", mean), ("exp_avg_sq", square)] {
                let name = format!("{word}.{}", slot.name);
                let saved = state.get(&name).filter(|s| s.size() == tensor.size());
                let saved = saved.ok_or_else(|| {
                    TrainError::Input(format!(
                        "The checkpoint's optimizer.safetensors has no `{name}` of this model's \
                         shape."
                    ))
                })?;
                tensor.f_copy_(saved)?;
            }
        }
        self.steps = steps;
        Ok(())
    }
}

/// Elements that are updated at a time: few enough for a core's cache to hold weight, gradient and
/// both moments between the operations of a step.
const PIECE: i64 = 1 << 17;

impl Slot {
    fn step(&mut self, rule: Rule, gradient: &Tensor, lr: f64, t: u64) -> Result<(), TrainError> {
        let size = self.weight.numel() as i64;
        if size <= PIECE || !gradient.is_contiguous() {
            return self.update(rule, &self.weight, gradient, self.moments.as_ref(), lr, t);
        }
        let mut start = 0;
        while start < size {
            let length = PIECE.min(size - start);
            let piece = |x: &Tensor| x.f_view([-1])?.f_narrow(0, start, length);
            let moments = match &self.moments {
                Some((mean, square)) => Some((piece(mean)?, piece(square)?)),
                None => None,
            };
            let (weight, gradient) = (piece(&self.weight)?, piece(gradient)?);
            self.update(rule, &weight, &gradient, moments.as_ref(), lr, t)?;
            start += length;
        }
        Ok(())
    }

    /// The formulas; all tensors have one shape.
    fn update(
        &self,
        rule: Rule,
        weight: &Tensor,
        gradient: &Tensor,
        moments: Option<&(Tensor, Tensor)>,
        lr: f64,
        t: u64,
    ) -> Result<(), TrainError> {
        let lr = lr * self.factor;
        // A shallow clone is the same tensor; libtorch's in-place functions ask for `mut`.
        let mut weight = weight.shallow_clone();
        if self.decay != 0.0 {
            // Decoupled (AdamW). For SGD without momentum PyTorch's L2 term is the same thing.
            let _ = weight.f_mul_scalar_(1.0 - lr * self.decay)?;
        }
        match (rule, moments) {
            (Rule::Sgd, _) | (_, None) => {
                let _ = weight.f_sub_(&gradient.f_mul_scalar(lr)?)?;
            }
            (Rule::AdamW | Rule::Adam, Some((mean, square))) => {
                let (mut mean, mut square) = (mean.shallow_clone(), square.shallow_clone());
                let _ = mean.f_lerp_(gradient, 1.0 - BETA1)?;
                let _ = square.f_lerp_(&gradient.f_mul(gradient)?, 1.0 - BETA2)?;
                let t = t as f64;
                let (correction1, correction2) = (1.0 - BETA1.powf(t), 1.0 - BETA2.powf(t));
                let mut divisor = square.f_sqrt()?.f_mul_scalar_(1.0 / correction2.sqrt())?;
                let divisor = divisor.f_add_scalar_(EPS)?;
                let mut step = mean.f_div(&divisor)?;
                let _ = weight.f_sub_(&step.f_mul_scalar_(lr / correction1)?)?;
            }
        }
        Ok(())
    }
}

/// Adds the gradients of another batch.
///
/// # Errors
/// What libtorch reports.
pub fn accumulate(sum: &mut Vec<Tensor>, more: Vec<Tensor>) -> Result<(), TrainError> {
    if sum.is_empty() {
        *sum = more;
        return Ok(());
    }
    for (sum, more) in sum.iter_mut().zip(more) {
        if more.defined() {
            let _ = sum.f_add_(&more)?;
        }
    }
    Ok(())
}

/// Scales all gradients so that their joint norm is at most `most`, as PyTorch's
/// `clip_grad_norm_`. Gives the norm before.
///
/// # Errors
/// What libtorch reports.
pub fn clip(gradients: &mut [Tensor], most: f64) -> Result<f64, TrainError> {
    let norms = gradients
        .iter()
        .filter(|g| g.defined())
        .map(Tensor::f_norm)
        .collect::<Result<Vec<_>, _>>()?;
    if norms.is_empty() {
        return Ok(0.0);
    }
    let norm = Tensor::f_stack(&norms, 0)?.f_norm()?.f_to_kind(Kind::Double)?.f_double_value(&[])?;
    let factor = most / (norm + 1e-6);
    if factor < 1.0 {
        for gradient in gradients.iter_mut().filter(|g| g.defined()) {
            let _ = gradient.f_mul_scalar_(factor)?;
        }
    }
    Ok(norm)
}

//! The optimisers, by PyTorch's formulas. Written out here because libtorch's own keep their state
//! where it cannot be saved.

mod clip;
mod rows;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use tch::{Device, Kind, Tensor};
use tuneboard::spec::schedule::layer_factor;
use tuneboard::spec::{Optimizer as Rule, RunSpec};

use crate::error::TrainError;
use crate::model::{Inputs, Leaf, Parameter};
use crate::native::{self, AdamStep, ManyAdam};
use crate::optim::rows::Rows;

pub use self::clip::{Scale, clip};

/// The weights that learn, with what the optimiser remembers of each.
pub struct Optimizer {
    rule: Rule,
    numbers: Numbers,
    slots: Vec<Slot>,
    /// Steps taken; Adam's bias correction depends on it.
    steps: u64,
    /// Whether Adam takes all weights in one launch: on a GPU a launch costs more than most weights.
    at_once: bool,
}

/// The keys of the same names.
#[derive(Clone, Copy)]
struct Numbers {
    beta1: f64,
    beta2: f64,
    eps: f64,
    momentum: f64,
}

struct Slot {
    name: String,
    weight: Tensor,
    /// Where its gradient comes from.
    leaf: Leaf,
    /// Numbers that are kept equal to the weight's.
    copy: Option<Tensor>,
    /// Mean and mean square of the gradients (Adam).
    moments: Option<(Tensor, Tensor)>,
    /// How far its rows have come, once it had a gradient of some rows alone.
    rows: Option<Rows>,
    /// The steps so far, older ones fading (SGD with momentum).
    velocity: Option<Tensor>,
    /// Times the learning rate.
    factor: f64,
    decay: f64,
}

impl Optimizer {
    /// For the parameters of the top `groups` groups (see [`Parameter::group`]); the others are
    /// frozen.
    ///
    /// # Errors
    /// What libtorch reports, such as too little memory.
    pub fn new(spec: &RunSpec, parameters: &[Parameter], groups: u32) -> Result<Self, TrainError> {
        let mut slots = Vec::with_capacity(parameters.len());
        for parameter in parameters {
            let learns = parameter.learns && parameter.group() < groups;
            // Without gradients the encoder keeps no graph, which halves time and memory.
            parameter.leaf.learn(learns)?;
            if !learns {
                continue;
            }
            let weight = parameter.tensor.f_detach()?;
            let moments = match spec.optimizer {
                Rule::AdamW | Rule::Adam => {
                    Some((weight.f_zeros_like()?.f_detach()?, weight.f_zeros_like()?.f_detach()?))
                }
                Rule::Sgd => None,
            };
            let velocity = if spec.optimizer == Rule::Sgd && spec.momentum > 0.0 {
                Some(weight.f_zeros_like()?.f_detach()?)
            } else {
                None
            };
            let decays = (spec.decay_all || parameter.decays()) && spec.optimizer != Rule::Adam;
            slots.push(Slot {
                name: parameter.name.clone(),
                copy: parameter.copy()?,
                leaf: parameter.leaf.clone(),
                weight,
                moments,
                rows: None,
                velocity,
                factor: layer_factor(spec.layer_decay, parameter.group()),
                decay: if decays { spec.weight_decay } else { 0.0 },
            });
        }
        let RunSpec { beta1, beta2, eps, momentum, .. } = *spec;
        let numbers = Numbers { beta1, beta2, eps, momentum };
        let on_gpu = |slot: &Slot| matches!(slot.weight.device(), Device::Cuda(_));
        let at_once = spec.optimizer != Rule::Sgd && slots.iter().all(on_gpu);
        Ok(Self { rule: spec.optimizer, numbers, slots, steps: 0, at_once })
    }

    /// d loss / d weight for every weight that learns, in the order of `step`.
    ///
    /// # Errors
    /// What libtorch reports.
    pub fn gradients(&self, loss: &Tensor) -> Result<Vec<Tensor>, TrainError> {
        // Parameters that are stacked in one leaf follow each other.
        let mut leaves: Vec<&Tensor> = Vec::with_capacity(self.slots.len());
        let mut places = Vec::with_capacity(self.slots.len());
        for slot in &self.slots {
            let leaf = slot.leaf.whole();
            if leaves.last().is_none_or(|last| last.data_ptr() != leaf.data_ptr()) {
                leaves.push(leaf);
            }
            places.push(leaves.len() - 1);
        }
        let gradients = Tensor::f_run_backward(&[loss], &leaves, false, false)?;
        let parts = self.slots.iter().zip(places);
        parts.map(|(slot, place)| level(slot.leaf.part(&gradients[place])?)).collect()
    }

    /// To be called before a batch goes through the network in training: allows gradients of the words
    /// of the batch alone, and moves these words to where they belong. Until [`Self::settle`], other
    /// words may lag behind.
    ///
    /// # Errors
    /// What libtorch reports.
    pub fn prepare(&mut self, inputs: &mut Inputs) -> Result<(), TrainError> {
        inputs.by_row = self.rule != Rule::Sgd && inputs.ids.device() == Device::Cpu;
        let mut lagging = self.slots.iter_mut().filter_map(Slot::lagging);
        lagging.try_for_each(|(table, rows)| {
            rows.catch_up(table, Vec::try_from(inputs.ids.f_view([-1])?)?)
        })
    }

    /// Moves all weights to where the steps so far take them.
    ///
    /// # Errors
    /// What libtorch reports.
    pub fn settle(&mut self) -> Result<(), TrainError> {
        self.slots.iter_mut().try_for_each(Slot::settle)
    }

    /// One step along `gradients`, times `scale`.
    ///
    /// # Errors
    /// What libtorch reports.
    pub fn step(
        &mut self,
        gradients: &[Tensor],
        scale: impl Into<Scale>,
        lr: f64,
    ) -> Result<(), TrainError> {
        self.steps += 1;
        let scale = scale.into();
        let _guard = tch::no_grad_guard();
        if self.at_once {
            return self.step_at_once(gradients, &scale, lr);
        }
        let Numbers { beta1, beta2, eps, .. } = self.numbers;
        let t = self.steps as f64;
        let corrections = [1.0 - beta1.powf(t), 1.0 - beta2.powf(t)];
        // Only for the CPU: to read the scale of a GPU is to wait for it.
        let step = || {
            Ok::<_, TrainError>(AdamStep::new([beta1, beta2], corrections, eps, scale.number()?))
        };
        // A weight that the loss does not depend on has none.
        let pairs = || gradients.iter().enumerate().filter(|(_, gradient)| gradient.defined());
        for (index, gradient) in pairs() {
            let Some(slot) = self.slots.get_mut(index) else { continue };
            if gradient.is_sparse() {
                slot.step_rows(gradient, lr, step()?)?;
            } else {
                slot.settle()?;
            }
        }
        let whole: Vec<_> = pairs().filter(|(_, gradient)| !gradient.is_sparse()).collect();
        if let Some(slots) = self.native_slots(&whole, lr) {
            return native::adam(&slots, &step()?);
        }
        for (index, gradient) in whole {
            let Some(slot) = self.slots.get_mut(index) else { continue };
            let gradient = scale.times(&gradient.f_to_kind(Kind::Float)?)?;
            slot.step(self.rule, self.numbers, &gradient, lr, self.steps)?;
            if let Some(copy) = &mut slot.copy {
                copy.f_copy_(&slot.weight)?;
            }
        }
        Ok(())
    }

    fn step_at_once(&self, gradients: &[Tensor], scale: &Scale, lr: f64) -> Result<(), TrainError> {
        let mut many = ManyAdam::default();
        let pairs = self.slots.iter().zip(gradients).filter(|(_, gradient)| gradient.defined());
        for (slot, gradient) in pairs {
            let Some((mean, square)) = &slot.moments else { continue };
            let moved = [&slot.weight, mean, square];
            many.push(moved, gradient, slot.copy.as_ref(), lr * slot.factor, slot.decay);
        }
        let Numbers { beta1, beta2, eps, .. } = self.numbers;
        let factor = scale.tensor(many.device())?;
        many.step([beta1, beta2], eps, self.steps, factor.as_ref())
    }

    /// The step as one job for the CPU's kernel, if it is one for it.
    fn native_slots<'a>(
        &'a self,
        gradients: &[(usize, &'a Tensor)],
        lr: f64,
    ) -> Option<Vec<native::AdamSlot<'a>>> {
        let slots = gradients.iter().map(|(index, gradient)| {
            let slot = self.slots.get(*index)?;
            let (mean, square) = slot.moments.as_ref()?;
            let moved = [&slot.weight, mean, square];
            let lr = lr * slot.factor;
            native::AdamSlot::new(moved, gradient, slot.copy.as_ref(), lr, slot.decay)
        });
        slots.collect()
    }

    /// What must be kept to go on later: tensors by name.
    pub fn state(&self) -> Vec<(String, Tensor)> {
        let mut state = Vec::with_capacity(2 * self.slots.len());
        for slot in &self.slots {
            if let Some((mean, square)) = &slot.moments {
                state.push((format!("exp_avg.{}", slot.name), mean.shallow_clone()));
                state.push((format!("exp_avg_sq.{}", slot.name), square.shallow_clone()));
            }
            if let Some(velocity) = &slot.velocity {
                state.push((format!("momentum_buffer.{}", slot.name), velocity.shallow_clone()));
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
            let mut tensors = Vec::new();
            if let Some((mean, square)) = &mut slot.moments {
                tensors.extend([("exp_avg", mean), ("exp_avg_sq", square)]);
            }
            tensors.extend(slot.velocity.as_mut().map(|v| ("momentum_buffer", v)));
            for (word, tensor) in tensors {
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
    fn step(
        &mut self,
        rule: Rule,
        numbers: Numbers,
        gradient: &Tensor,
        lr: f64,
        t: u64,
    ) -> Result<(), TrainError> {
        let lr = lr * self.factor;
        if let Some(velocity) = &self.velocity {
            return self.sgd(velocity, gradient, lr, numbers.momentum);
        }
        let size = self.weight.numel() as i64;
        if size <= PIECE || !gradient.is_contiguous() {
            let moments = self.moments.as_ref();
            return self.update(rule, numbers, &self.weight, gradient, moments, lr, t);
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
            self.update(rule, numbers, &weight, &gradient, moments.as_ref(), lr, t)?;
            start += length;
        }
        Ok(())
    }

    /// SGD with momentum: the decay is part of the gradient, as PyTorch has it.
    fn sgd(
        &self,
        velocity: &Tensor,
        gradient: &Tensor,
        lr: f64,
        momentum: f64,
    ) -> Result<(), TrainError> {
        let gradient = gradient.f_add(&self.weight.f_mul_scalar(self.decay)?)?;
        let mut velocity = velocity.shallow_clone();
        let _ = velocity.f_mul_scalar_(momentum)?.f_add_(&gradient)?;
        let _ = self.weight.shallow_clone().f_sub_(&velocity.f_mul_scalar(lr)?)?;
        Ok(())
    }

    /// The formulas; all tensors have one shape.
    #[expect(clippy::too_many_arguments, reason = "they are the formula's own symbols")]
    fn update(
        &self,
        rule: Rule,
        numbers: Numbers,
        weight: &Tensor,
        gradient: &Tensor,
        moments: Option<&(Tensor, Tensor)>,
        lr: f64,
        t: u64,
    ) -> Result<(), TrainError> {
        let Numbers { beta1, beta2, eps, .. } = numbers;
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
                let _ = mean.f_lerp_(gradient, 1.0 - beta1)?;
                let _ = square.f_lerp_(&gradient.f_mul(gradient)?, 1.0 - beta2)?;
                let t = t as f64;
                let (correction1, correction2) = (1.0 - beta1.powf(t), 1.0 - beta2.powf(t));
                let mut divisor = square.f_sqrt()?.f_mul_scalar_(1.0 / correction2.sqrt())?;
                let divisor = divisor.f_add_scalar_(eps)?;
                let mut step = mean.f_div(&divisor)?;
                let _ = weight.f_sub_(&step.f_mul_scalar_(lr / correction1)?)?;
            }
        }
        Ok(())
    }
}

/// A gradient of rows with each row once, in ascending order; others as they are.
fn level(gradient: Tensor) -> Result<Tensor, TrainError> {
    let by_row = gradient.defined() && gradient.is_sparse();
    Ok(if by_row { gradient.f_coalesce()? } else { gradient })
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
            // 16 bits do not hold a sum.
            let mut total = sum.f_to_kind(Kind::Float)?;
            let _ = total.f_add_(&more)?;
            *sum = level(total)?;
        }
    }
    Ok(())
}

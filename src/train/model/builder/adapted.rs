//! A builder's part in adapters: what stays as it is, what learns beside it, and what becomes of both.

use std::collections::BTreeSet;
use std::rc::Rc;

use serde_json::Value;
use tch::{Kind, Tensor};

use super::Builder;
use crate::error::TrainError;
use crate::model::adapter::{Adapter, PREFIX};
use crate::model::lora::{Delta, Part};
use crate::model::parameters::{Fresh, Parameter};

/// What becomes of an adapter while a model is made.
#[derive(Default)]
pub struct Adapted {
    adapter: Option<Rc<Adapter>>,
    /// The layers that peft adapts of the family.
    usual: &'static [&'static str],
    /// Linear layers that could be adapted, and those that are.
    seen: BTreeSet<String>,
    modules: BTreeSet<String>,
    /// Modules that are kept whole, besides those that peft keeps by itself.
    saved: BTreeSet<String>,
    frozen: Vec<(String, u64)>,
}

/// What a [`Builder`] made.
pub struct Built {
    /// What may learn, in a fixed order.
    pub parameters: Vec<Parameter>,
    /// What stays as it is beside an adapter: names and how many numbers each has.
    pub frozen: Vec<(String, u64)>,
    /// `adapter_config.json`, if there is an adapter.
    pub adapter: Option<Value>,
}

impl Adapted {
    /// A weight learns nothing.
    pub fn freeze(&mut self, name: &str, shape: &[i64]) {
        self.frozen.push((name.to_owned(), shape.iter().product::<i64>() as u64));
    }

    /// The module of a weight is kept whole beside the adapter.
    pub fn keep_whole(&mut self, weight: &str) {
        if let Some((module, _)) = weight.rsplit_once('.') {
            self.saved.insert(module.to_owned());
        }
    }

    /// The adapter that is added to the weights as they are read, if there is one.
    pub fn merging(&self) -> Option<&Rc<Adapter>> {
        self.adapter.as_ref().filter(|adapter| adapter.is_merged)
    }
}

impl Builder<'_> {
    /// With an adapter; `usual` are the layers that peft adapts of the family.
    pub fn with(mut self, adapter: Option<&Rc<Adapter>>, usual: &'static [&'static str]) -> Self {
        self.adapted.adapter = adapter.cloned();
        self.adapted.usual = usual;
        self
    }

    /// The adapter beside whose base nothing but a head learns, if there is one.
    pub(super) fn beside(&self) -> Option<&Rc<Adapter>> {
        self.adapted.adapter.as_ref().filter(|adapter| !adapter.is_merged)
    }

    /// What was made.
    ///
    /// # Errors
    /// Layers that were to be adapted and are not there.
    pub fn finish(self) -> Result<Built, TrainError> {
        let Adapted { adapter, usual, seen, modules, saved, frozen } = self.adapted;
        let Some(adapter) = adapter else {
            return Ok(Built { parameters: self.parameters, frozen, adapter: None });
        };
        adapter.must_be_used()?;
        let mut config = None;
        if !adapter.is_merged {
            if modules.is_empty() {
                let last = |name: &String| name.rsplit('.').next().unwrap_or(name).to_owned();
                let names: BTreeSet<String> = seen.iter().map(last).collect();
                let names: Vec<String> = names.into_iter().collect();
                return Err(TrainError::Input(format!(
                    "lora_targets={} names no linear layer of {}; there are {}.",
                    adapter.lora.targets,
                    adapter.base.display(),
                    names.join(", ")
                )));
            }
            config = Some(adapter.config(&modules, &saved, usual));
        }
        Ok(Built { parameters: self.parameters, frozen, adapter: config })
    }

    /// What learns beside a linear layer, the outputs of which are those of `layers` (names and numbers), if
    /// any of these is adapted.
    ///
    /// # Errors
    /// An adapter of another shape.
    pub fn delta(
        &mut self,
        layers: &[(String, i64)],
        inputs: i64,
        depth: u32,
    ) -> Result<Option<Delta>, TrainError> {
        let Some(adapter) = self.beside().cloned() else { return Ok(None) };
        let (rank, mut first, mut parts) = (adapter.lora.rank, 0, Vec::new());
        for (name, rows) in layers {
            let module = format!("{}{name}", self.prefix);
            let is_target = adapter.lora.targets.mean(&module, self.adapted.usual);
            self.adapted.seen.insert(module.clone());
            if is_target {
                let spread = Fresh::Uniform(1.0 / (inputs as f64).sqrt());
                let a = self.narrow(&adapter, name, "lora_A", [rank, inputs], spread, depth)?;
                let b =
                    self.narrow(&adapter, name, "lora_B", [*rows, rank], Fresh::Zeros, depth)?;
                parts.push(Part { first, rows: *rows, a, b });
                self.adapted.modules.insert(module);
            }
            first += rows;
        }
        let (scale, dropout) = (adapter.lora.scale(), adapter.lora.dropout);
        let learning = self.learning.clone();
        Ok((!parts.is_empty()).then_some(Delta { parts, scale, dropout, learning }))
    }

    /// As peft starts them: A as PyTorch starts a linear layer, B with 0.
    fn narrow(
        &mut self,
        adapter: &Adapter,
        name: &str,
        part: &str,
        shape: [i64; 2],
        fresh: Fresh,
        depth: u32,
    ) -> Result<Tensor, TrainError> {
        let tensor = match adapter.narrow(self.prefix, name, part, shape)? {
            Some(tensor) => tensor.f_to_device(self.device)?,
            None if adapter.is_given() => {
                return Err(TrainError::Input(format!(
                    "The adapter has no `{name}.{part}.weight`."
                )));
            }
            None => self.fresh(&shape, fresh)?,
        };
        let name = format!("{PREFIX}{}{name}.{part}.weight", self.prefix);
        self.keep(name, tensor, depth, false)
    }

    /// A weight of the checkpoint that stays as it is.
    pub(super) fn frozen(
        &mut self,
        name: &str,
        shape: &[i64],
        fresh: Fresh,
        kind: Option<Kind>,
    ) -> Result<Tensor, TrainError> {
        self.adapted.freeze(&format!("{}{name}", self.prefix), shape);
        match self.files {
            Some(files) => files.frozen(name, shape, kind, self.device),
            None => self.fresh(shape, fresh),
        }
    }

    /// A weight with what an adapter learnt beside it.
    pub(super) fn merged(
        &self,
        adapter: &Adapter,
        module: &str,
        weight: Tensor,
    ) -> Result<Tensor, TrainError> {
        let any = [-1, -1];
        let Some(a) = adapter.narrow(self.prefix, module, "lora_A", any)? else {
            return Ok(weight);
        };
        let Some(b) = adapter.narrow(self.prefix, module, "lora_B", any)? else {
            return Err(TrainError::Input(format!("The adapter has no `{module}.lora_B.weight`.")));
        };
        let unfit =
            || TrainError::Input(format!("The adapter of `{module}` does not fit its layer."));
        if a.size().first() != b.size().last() {
            return Err(unfit());
        }
        let change = b.f_matmul(&a)?.f_mul_scalar(adapter.lora.scale())?;
        // What stores the transpose of a linear layer (Conv1D) has the other order of axes.
        let is_transposed = self.adapted.usual == ["c_attn"];
        let change = if is_transposed { change.f_transpose(0, 1)? } else { change };
        if change.size() != weight.size() {
            return Err(unfit());
        }
        Ok(weight.f_add(&change.f_to_device(self.device)?)?)
    }
}

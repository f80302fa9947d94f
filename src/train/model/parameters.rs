use tch::{Device, Kind, Tensor};

use super::WeightFiles;
use crate::error::TrainError;

/// One tensor that learns.
pub struct Parameter {
    /// As in the saved file: `bert.encoder.layer.0.attention.self.query.weight`.
    pub name: String,
    /// A leaf of the graph, 32-bit.
    pub tensor: Tensor,
    /// Layers between it and the head: 0 for head, pooler and topmost layer.
    pub depth: u32,
    /// Part of the classification head, hence never frozen.
    pub is_head: bool,
}

impl Parameter {
    /// Biases and the weights of normalisations are not decayed (as in BERT's own training code);
    /// they are the ones with a single axis.
    pub fn decays(&self) -> bool {
        self.tensor.dim() > 1
    }

    /// Groups between it and the output: 0 for the head, 1 for the topmost layer and what lies
    /// between it and the head, and so on. Groups are frozen, thawed and slowed down together.
    pub fn group(&self) -> u32 {
        if self.is_head { 0 } else { self.depth + 1 }
    }
}

/// How a weight starts when no checkpoint gives it.
#[derive(Debug, Clone, Copy)]
pub enum Fresh {
    /// Normal around 0 with the config's `initializer_range`.
    Normal,
    /// The same, but for the row of the padding token, which is 0.
    Words {
        /// The row.
        padding: i64,
    },
    /// All 0.
    Zeros,
    /// All 1.
    Ones,
}

/// Makes the parameters of a model one by one, from a checkpoint or fresh, and keeps the list.
pub struct Builder<'a> {
    /// Where the weights come from; `None` = all fresh.
    pub files: Option<&'a WeightFiles>,
    /// Before the names of the trunk's weights in the files that are written: `bert.`.
    pub prefix: &'static str,
    /// Standard deviation of fresh weights.
    pub std: f64,
    /// Where the weights lie.
    pub device: Device,
    /// All made so far.
    pub parameters: Vec<Parameter>,
}

impl Builder<'_> {
    /// The trunk's weight `name` (without prefix); saved with it.
    ///
    /// # Errors
    /// The checkpoint lacks it or has it in another shape.
    pub fn trunk(
        &mut self,
        name: &str,
        shape: &[i64],
        fresh: Fresh,
        depth: u32,
    ) -> Result<Tensor, TrainError> {
        let tensor = match self.files {
            Some(files) => files.get(name, shape, self.device)?,
            None => self.fresh(shape, fresh)?,
        };
        self.keep(format!("{}{name}", self.prefix), tensor, depth, false)
    }

    /// A weight of the head, from the checkpoint if `given`.
    ///
    /// # Errors
    /// The checkpoint has it in another shape.
    pub fn head(
        &mut self,
        name: &str,
        shape: &[i64],
        fresh: Fresh,
        given: bool,
    ) -> Result<Tensor, TrainError> {
        let tensor = match self.files {
            Some(files) if given => files.get(name, shape, self.device)?,
            _ => self.fresh(shape, fresh)?,
        };
        self.keep(name.to_owned(), tensor, 0, true)
    }

    fn fresh(&self, shape: &[i64], fresh: Fresh) -> Result<Tensor, TrainError> {
        // Drawn on the CPU, so that a seed means the same weights on every device.
        let options = (Kind::Float, Device::Cpu);
        let tensor = match fresh {
            Fresh::Normal => Tensor::f_zeros(shape, options)?.f_normal_(0.0, self.std)?,
            Fresh::Words { padding } => {
                let words = self.fresh(shape, Fresh::Normal)?;
                let _ = words.f_select(0, padding)?.f_zero_()?;
                words
            }
            Fresh::Zeros => Tensor::f_zeros(shape, options)?,
            Fresh::Ones => Tensor::f_ones(shape, options)?,
        };
        Ok(tensor.f_to_device(self.device)?)
    }

    fn keep(
        &mut self,
        name: String,
        tensor: Tensor,
        depth: u32,
        is_head: bool,
    ) -> Result<Tensor, TrainError> {
        let tensor = tensor.f_set_requires_grad(true)?;
        let shared = tensor.shallow_clone();
        self.parameters.push(Parameter { name, tensor, depth, is_head });
        Ok(shared)
    }
}

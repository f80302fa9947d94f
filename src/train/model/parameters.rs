use tch::{Device, Kind, Tensor};

use super::WeightFiles;
use crate::error::TrainError;

/// One tensor that learns.
pub struct Parameter {
    /// As in the saved file: `bert.encoder.layer.0.attention.self.query.weight`.
    pub name: String,
    /// 32-bit: what is saved, and what the optimiser moves.
    pub tensor: Tensor,
    /// How it takes part in the graph.
    pub leaf: Leaf,
    /// Layers between it and the head: 0 for head, pooler and topmost layer.
    pub depth: u32,
    /// Part of the classification head, hence never frozen.
    pub is_head: bool,
    /// False for what is counted along the way, such as running means: no optimiser touches it.
    pub learns: bool,
}

/// The leaf of the graph that a parameter learns through: the parameter itself, a 16-bit copy of it
/// that matrix products take, or a tensor in which it is stacked with others.
pub struct Leaf {
    tensor: Tensor,
    /// Its rows in `tensor`; `None` = all.
    rows: Option<(i64, i64)>,
}

impl Clone for Leaf {
    /// The same leaf.
    fn clone(&self) -> Self {
        Self { tensor: self.tensor.shallow_clone(), rows: self.rows }
    }
}

impl Leaf {
    /// Whether gradients are wanted.
    ///
    /// # Errors
    /// What libtorch reports.
    pub fn learn(&self, learns: bool) -> Result<(), TrainError> {
        let _ = self.tensor.f_set_requires_grad(learns)?;
        Ok(())
    }

    /// True if matrix products take it.
    pub fn is_product(&self) -> bool {
        self.rows.is_some() && self.tensor.dim() > 1
    }

    /// What gradients are taken with respect to.
    pub fn whole(&self) -> &Tensor {
        &self.tensor
    }

    /// The parameter's part of the leaf, or of its gradient.
    ///
    /// # Errors
    /// What libtorch reports.
    pub fn part(&self, whole: &Tensor) -> Result<Tensor, TrainError> {
        Ok(match self.rows {
            Some((first, count)) if whole.defined() => whole.f_narrow(0, first, count)?,
            _ => whole.shallow_clone(),
        })
    }
}

impl Parameter {
    /// Numbers that are counted along the way and kept with the head.
    pub fn buffer(name: String, tensor: Tensor) -> Self {
        let leaf = Leaf { tensor: tensor.shallow_clone(), rows: None };
        Self { name, tensor, leaf, depth: 0, is_head: true, learns: false }
    }

    /// Where the leaf's numbers are not those of `tensor`: its part of the leaf.
    ///
    /// # Errors
    /// What libtorch reports.
    pub fn copy(&self) -> Result<Option<Tensor>, TrainError> {
        if self.leaf.tensor.f_kind()? == self.tensor.f_kind()? {
            return Ok(None);
        }
        Ok(Some(self.leaf.part(&self.leaf.tensor.f_detach()?)?))
    }

    /// Takes up numbers from elsewhere.
    ///
    /// # Errors
    /// Another shape.
    pub fn set(&self, from: &Tensor) -> Result<(), TrainError> {
        let _guard = tch::no_grad_guard();
        self.tensor.shallow_clone().f_copy_(from)?;
        if let Some(mut copy) = self.copy()? {
            copy.f_copy_(&self.tensor)?;
        }
        Ok(())
    }

    /// Biases and the weights of normalisations are not decayed (as in BERT's own training code);
    /// they are the ones with a single axis. transformers' Trainer goes by names and so leaves out a
    /// table of biases as well (MPNet).
    pub fn decays(&self) -> bool {
        self.tensor.dim() > 1 && !self.name.contains("bias")
    }

    /// Groups between it and the output: 0 for the head, 1 for the topmost layer and what lies
    /// between it and the head, and so on. Groups are frozen, unfrozen and slowed down together.
    pub fn group(&self) -> u32 {
        if self.is_head { 0 } else { self.depth + 1 }
    }
}

/// How a weight starts when no checkpoint gives it.
#[derive(Debug, Clone, Copy)]
pub enum Fresh {
    /// Normal around 0 with the config's `initializer_range`.
    Normal,
    /// The same, narrower by a factor.
    NormalTimes(f64),
    /// Uniform from minus this to this.
    Uniform(f64),
    /// As `Normal`, but for the row of the padding token, which is 0.
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
    /// Before the names of the encoder's weights in the files that are written: `bert.`.
    pub prefix: &'static str,
    /// Standard deviation of fresh weights.
    pub std: f64,
    /// Where the weights lie.
    pub device: Device,
    /// Number format of the leaves that only matrix products take.
    pub kind: Kind,
    /// All made so far.
    pub parameters: Vec<Parameter>,
}

impl Builder<'_> {
    /// The encoder's weight `name` (without prefix); saved with it.
    ///
    /// # Errors
    /// The checkpoint lacks it or has it in another shape.
    pub fn encoder(
        &mut self,
        name: &str,
        shape: &[i64],
        fresh: Fresh,
        depth: u32,
    ) -> Result<Tensor, TrainError> {
        let tensor = self.read(name, shape, fresh)?;
        self.keep(format!("{}{name}", self.prefix), tensor, depth, false)
    }

    /// As `encoder`, for weights of one shape that are used as one, each below the other; those with two
    /// axes, which only matrix products take, in the number format of products.
    ///
    /// # Errors
    /// As `encoder`.
    pub fn stacked(
        &mut self,
        names: &[String],
        shape: &[i64],
        fresh: Fresh,
        depth: u32,
    ) -> Result<Tensor, TrainError> {
        let (rows, rest) = shape.split_first().map_or((1, shape), |(rows, rest)| (*rows, rest));
        let names: Vec<_> = names.iter().map(|name| (name.clone(), rows)).collect();
        self.stacked_rows(&names, rest, fresh, depth)
    }

    /// As `stacked`, for weights of as many rows as stand beside their names; `rest` are the other axes.
    ///
    /// # Errors
    /// As `encoder`.
    pub fn stacked_rows(
        &mut self,
        names: &[(String, i64)],
        rest: &[i64],
        fresh: Fresh,
        depth: u32,
    ) -> Result<Tensor, TrainError> {
        let shape = |rows: i64| [&[rows], rest].concat();
        let parts = names.iter().map(|(name, rows)| self.read(name, &shape(*rows), fresh));
        let master = match &parts.collect::<Result<Vec<_>, _>>()?[..] {
            [one] => one.shallow_clone(),
            parts => Tensor::f_cat(parts, 0)?,
        };
        let leaf =
            if rest.is_empty() { master.f_detach()? } else { master.f_to_kind(self.kind)? };
        let leaf = leaf.f_set_requires_grad(true)?;
        let mut first = 0;
        for (name, rows) in names {
            self.parameters.push(Parameter {
                name: format!("{}{name}", self.prefix),
                tensor: master.f_detach()?.f_narrow(0, first, *rows)?,
                leaf: Leaf { tensor: leaf.shallow_clone(), rows: Some((first, *rows)) },
                depth,
                is_head: false,
                learns: true,
            });
            first += rows;
        }
        Ok(leaf)
    }

    fn read(&self, name: &str, shape: &[i64], fresh: Fresh) -> Result<Tensor, TrainError> {
        match self.files {
            Some(files) => files.get(name, shape, self.device),
            None => self.fresh(shape, fresh),
        }
    }

    fn given_or_fresh(
        &self,
        name: &str,
        shape: &[i64],
        fresh: Fresh,
        given: bool,
    ) -> Result<Tensor, TrainError> {
        match self.files {
            Some(files) if given => files.get(name, shape, self.device),
            _ => self.fresh(shape, fresh),
        }
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
        let tensor = self.given_or_fresh(name, shape, fresh, given)?;
        self.keep(name.to_owned(), tensor, 0, true)
    }

    /// A figure of the head that is counted along the way, such as a running mean.
    ///
    /// # Errors
    /// As `head`.
    pub fn buffer(
        &mut self,
        name: &str,
        shape: &[i64],
        fresh: Fresh,
        given: bool,
    ) -> Result<Tensor, TrainError> {
        let tensor = self.given_or_fresh(name, shape, fresh, given)?;
        let shared = tensor.shallow_clone();
        self.parameters.push(Parameter::buffer(name.to_owned(), tensor));
        Ok(shared)
    }

    /// A weight drawn anew.
    ///
    /// # Errors
    /// What libtorch reports.
    pub fn fresh(&self, shape: &[i64], fresh: Fresh) -> Result<Tensor, TrainError> {
        // Drawn on the CPU, so that a seed means the same weights on every device.
        let options = (Kind::Float, Device::Cpu);
        let tensor = match fresh {
            Fresh::Normal => Tensor::f_zeros(shape, options)?.f_normal_(0.0, self.std)?,
            Fresh::NormalTimes(factor) => {
                Tensor::f_zeros(shape, options)?.f_normal_(0.0, factor * self.std)?
            }
            Fresh::Uniform(bound) => Tensor::f_zeros(shape, options)?.f_uniform_(-bound, bound)?,
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

    /// Adds a weight to the list; its name is that of the files that are written.
    ///
    /// # Errors
    /// What libtorch reports.
    pub fn keep(
        &mut self,
        name: String,
        tensor: Tensor,
        depth: u32,
        is_head: bool,
    ) -> Result<Tensor, TrainError> {
        let tensor = tensor.f_set_requires_grad(true)?;
        let shared = tensor.shallow_clone();
        let leaf = Leaf { tensor: tensor.shallow_clone(), rows: None };
        self.parameters.push(Parameter { name, tensor, leaf, depth, is_head, learns: true });
        Ok(shared)
    }
}

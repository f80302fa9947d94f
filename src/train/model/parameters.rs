use tch::Tensor;

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
    /// It.
    pub tensor: Tensor,
    /// Its rows in `tensor`; `None` = all.
    pub rows: Option<(i64, i64)>,
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

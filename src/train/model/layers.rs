use tch::{Kind, Tensor};

use super::parameters::{Builder, Fresh};
use crate::error::TrainError;

/// How a pass through the model is done.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mode {
    /// Number format of the matrix products: `Float` or `BFloat16`.
    pub kind: Kind,
    /// Dropout of everything but attention weights; 0 outside training.
    pub dropout: f64,
    /// Dropout of attention weights.
    pub attention_dropout: f64,
    /// Dropout before the head.
    pub head_dropout: f64,
}

impl Mode {
    /// A pass that changes nothing at random.
    pub fn inference(kind: Kind) -> Self {
        Self { kind, dropout: 0.0, attention_dropout: 0.0, head_dropout: 0.0 }
    }
}

/// Zeroes each element with probability `p` and scales the rest by `1 / (1 - p)`.
///
/// # Errors
/// What libtorch reports.
pub fn dropout(x: Tensor, p: f64) -> Result<Tensor, TrainError> {
    if p == 0.0 { Ok(x) } else { Ok(x.f_dropout(p, true)?) }
}

/// y = x Wᵀ + b, with W `[outputs, inputs]`.
pub struct Linear {
    weight: Tensor,
    bias: Tensor,
}

impl Linear {
    /// The trunk's layer of that name.
    ///
    /// # Errors
    /// See [`Builder::trunk`].
    pub fn trunk(
        builder: &mut Builder,
        name: &str,
        [outputs, inputs]: [i64; 2],
        depth: u32,
    ) -> Result<Self, TrainError> {
        let shape = [outputs, inputs];
        let weight = builder.trunk(&format!("{name}.weight"), &shape, Fresh::Normal, depth)?;
        let bias = builder.trunk(&format!("{name}.bias"), &[outputs], Fresh::Zeros, depth)?;
        Ok(Self { weight, bias })
    }

    /// The classification head.
    ///
    /// # Errors
    /// See [`Builder::head`].
    pub fn head(
        builder: &mut Builder,
        [outputs, inputs]: [i64; 2],
        given: bool,
    ) -> Result<Self, TrainError> {
        let shape = [outputs, inputs];
        let weight = builder.head("classifier.weight", &shape, Fresh::Normal, given)?;
        let bias = builder.head("classifier.bias", &[outputs], Fresh::Zeros, given)?;
        Ok(Self { weight, bias })
    }

    /// `[.., inputs]` -> `[.., outputs]`, in the kind of `x`. The master weights stay 32-bit: the
    /// cast is part of the graph, so their gradients are 32-bit as well.
    ///
    /// # Errors
    /// What libtorch reports.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor, TrainError> {
        let kind = x.f_kind()?;
        let (weight, bias) = (self.weight.f_to_kind(kind)?, self.bias.f_to_kind(kind)?);
        Ok(x.f_linear(&weight, Some(&bias))?)
    }
}

/// Layer normalisation over the last axis (Ba, Kiros & Hinton 2016).
pub struct LayerNorm {
    weight: Tensor,
    bias: Tensor,
    eps: f64,
    width: i64,
}

impl LayerNorm {
    /// The trunk's layer of that name.
    ///
    /// # Errors
    /// See [`Builder::trunk`].
    pub fn trunk(
        builder: &mut Builder,
        name: &str,
        width: i64,
        eps: f64,
        depth: u32,
    ) -> Result<Self, TrainError> {
        let weight = builder.trunk(&format!("{name}.weight"), &[width], Fresh::Ones, depth)?;
        let bias = builder.trunk(&format!("{name}.bias"), &[width], Fresh::Zeros, depth)?;
        Ok(Self { weight, bias, eps, width })
    }

    /// Same shape and kind out as in; mean and variance are 32-bit in any case.
    ///
    /// # Errors
    /// What libtorch reports.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor, TrainError> {
        let kind = x.f_kind()?;
        // The CPU kernel takes 16-bit rows with 32-bit weights, the CUDA kernel does not.
        let (weight, bias) = if x.device().is_cuda() {
            (self.weight.f_to_kind(kind)?, self.bias.f_to_kind(kind)?)
        } else {
            (self.weight.shallow_clone(), self.bias.shallow_clone())
        };
        Ok(x.f_layer_norm([self.width], Some(&weight), Some(&bias), self.eps, true)?)
    }
}

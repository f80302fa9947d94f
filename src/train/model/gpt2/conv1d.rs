use tch::Tensor;
use tuneboard::model_config::Activation;

use crate::error::TrainError;
use crate::model::builder::Builder;
use crate::model::layers::activated;
use crate::model::lora::{self, Delta};
use crate::model::parameters::Fresh;
use crate::native;

/// y = x W + b, with W `[inputs, outputs]`: the transpose of what a linear layer stores. Reference:
/// transformers `Conv1D`, which is no convolution.
pub struct Conv1d {
    weight: Tensor,
    pub bias: Tensor,
    delta: Option<Delta>,
}

impl Conv1d {
    /// The encoder's layer of that name.
    ///
    /// # Errors
    /// See [`Builder::encoder`].
    pub fn new(
        builder: &mut Builder,
        name: &str,
        shape: [i64; 2],
        depth: u32,
    ) -> Result<Self, TrainError> {
        Self::fresh(builder, name, shape, Fresh::Normal, depth)
    }

    /// A layer whose result is added to the residual stream: each of the `layers` has two, so that
    /// fresh weights are smaller by the square root of their number (Radford et al. 2019, 2.3).
    ///
    /// # Errors
    /// See [`Builder::encoder`].
    pub fn residual(
        builder: &mut Builder,
        name: &str,
        shape: [i64; 2],
        layers: i64,
        depth: u32,
    ) -> Result<Self, TrainError> {
        let factor = 1.0 / (2.0 * layers as f64).sqrt();
        Self::fresh(builder, name, shape, Fresh::NormalTimes(factor), depth)
    }

    fn fresh(
        builder: &mut Builder,
        name: &str,
        [inputs, outputs]: [i64; 2],
        fresh: Fresh,
        depth: u32,
    ) -> Result<Self, TrainError> {
        let weight =
            builder.stacked(&[format!("{name}.weight")], &[inputs, outputs], fresh, depth)?;
        let bias = builder.encoder(&format!("{name}.bias"), &[outputs], Fresh::Zeros, depth)?;
        let delta = builder.delta(&[(name.to_owned(), outputs)], inputs, depth)?;
        Ok(Self { weight, bias, delta })
    }

    /// `[.., inputs]` -> `[.., outputs]`, in the kind of `x`.
    ///
    /// # Errors
    /// What libtorch reports.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor, TrainError> {
        let kind = x.f_kind()?;
        let bias = self.bias.f_to_kind(kind)?;
        if native::multiplies(x, &self.weight) {
            return Ok(self.product(x)?.f_add(&bias)?);
        }
        let weight = self.weight.f_to_kind(kind)?;
        let y = x.f_linear(&weight.f_transpose(0, 1)?, Some(&bias))?;
        lora::add(self.delta.as_ref(), y, x, 0)
    }

    /// `forward` and an activation.
    ///
    /// # Errors
    /// What libtorch reports.
    pub fn activated(&self, x: &Tensor, activation: Activation) -> Result<Tensor, TrainError> {
        activated(x, &self.bias, activation, || self.product(x), || self.forward(x))
    }

    /// As `forward`, without the bias: for those who add it on the way.
    ///
    /// # Errors
    /// What libtorch reports.
    pub fn product(&self, x: &Tensor) -> Result<Tensor, TrainError> {
        let product = if native::multiplies(x, &self.weight) {
            native::product(x, &self.weight, false)?
        } else {
            let weight = self.weight.f_to_kind(x.f_kind()?)?;
            x.f_linear(&weight.f_transpose(0, 1)?, None::<&Tensor>)?
        };
        lora::add(self.delta.as_ref(), product, x, 0)
    }
}

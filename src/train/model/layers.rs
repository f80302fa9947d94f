use tch::{Kind, Tensor};
use tuneboard::model_config::Activation;

use super::builder::Builder;
pub use super::dropout::dropout;
use super::lora::{self, Delta};
use super::parameters::Fresh;
use crate::error::TrainError;
use crate::native;

/// An activation, element by element.
///
/// # Errors
/// What libtorch reports.
pub fn activate(activation: Activation, x: &Tensor) -> Result<Tensor, TrainError> {
    Ok(match activation {
        Activation::Gelu => x.f_gelu("none")?,
        Activation::GeluNew => x.f_gelu("tanh")?,
        Activation::Relu => x.f_relu()?,
        Activation::Tanh => x.f_tanh()?,
        Activation::Silu => x.f_silu()?,
        Activation::QuickGelu => x.f_mul(&x.f_mul_scalar(1.702)?.f_sigmoid()?)?,
    })
}

/// y = x Wᵀ + b, with W `[outputs, inputs]`.
pub struct Linear {
    weight: Tensor,
    /// 32-bit.
    pub bias: Tensor,
    delta: Option<Delta>,
}

impl Linear {
    /// The encoder's layer of that name.
    ///
    /// # Errors
    /// See [`Builder::encoder`].
    pub fn encoder(
        builder: &mut Builder,
        name: &str,
        shape: [i64; 2],
        depth: u32,
    ) -> Result<Self, TrainError> {
        Self::stacked(builder, &[name], shape, depth)
    }

    /// Layers of the encoder that take the same input, as one whose outputs are those of all, side by
    /// side. Each is of `[outputs, inputs]`.
    ///
    /// # Errors
    /// See [`Builder::encoder`].
    pub fn stacked(
        builder: &mut Builder,
        names: &[&str],
        [outputs, inputs]: [i64; 2],
        depth: u32,
    ) -> Result<Self, TrainError> {
        let all = |part| names.iter().map(|name| format!("{name}.{part}")).collect::<Vec<_>>();
        let shape = [outputs, inputs];
        let weight = builder.stacked(&all("weight"), &shape, Fresh::Normal, depth)?;
        let bias = builder.stacked(&all("bias"), &[outputs], Fresh::Zeros, depth)?;
        let layers: Vec<_> = names.iter().map(|name| ((*name).to_owned(), outputs)).collect();
        let delta = builder.delta(&layers, inputs, depth)?;
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
        lora::add(self.delta.as_ref(), x.f_linear(&weight, Some(&bias))?, x, 0)
    }

    /// As `forward`, without the bias: for those who add it on the way.
    ///
    /// # Errors
    /// What libtorch reports.
    pub fn product(&self, x: &Tensor) -> Result<Tensor, TrainError> {
        let product = if native::multiplies(x, &self.weight) {
            native::product(x, &self.weight, true)?
        } else {
            x.f_linear(&self.weight.f_to_kind(x.f_kind()?)?, None::<&Tensor>)?
        };
        lora::add(self.delta.as_ref(), product, x, 0)
    }

    /// The outputs from `first` on, so many, as a layer of their own: `[.., inputs]` -> `[.., count]`.
    ///
    /// # Errors
    /// What libtorch reports.
    pub fn part(&self, x: &Tensor, first: i64, count: i64) -> Result<Tensor, TrainError> {
        let kind = x.f_kind()?;
        let weight = self.weight.f_narrow(0, first, count)?.f_to_kind(kind)?;
        let bias = self.bias.f_narrow(0, first, count)?.f_to_kind(kind)?;
        lora::add(self.delta.as_ref(), x.f_linear(&weight, Some(&bias))?, x, first)
    }

    /// `forward` and an activation.
    ///
    /// # Errors
    /// What libtorch reports.
    pub fn activated(&self, x: &Tensor, activation: Activation) -> Result<Tensor, TrainError> {
        activated(x, &self.bias, activation, || self.product(x), || self.forward(x))
    }
}

/// y = x Wᵀ + b, or without b, where several layers that take the same input may be one.
pub struct Projection {
    weight: Tensor,
    bias: Option<Tensor>,
    delta: Option<Delta>,
}

impl Projection {
    /// The encoder's layers of these names and outputs, as one whose outputs are those of all, side by
    /// side.
    ///
    /// # Errors
    /// See [`Builder::encoder`].
    pub fn stacked(
        builder: &mut Builder,
        layers: &[(String, i64)],
        inputs: i64,
        has_bias: bool,
        depth: u32,
    ) -> Result<Self, TrainError> {
        let all = |part: &str| -> Vec<(String, i64)> {
            layers.iter().map(|(name, outputs)| (format!("{name}.{part}"), *outputs)).collect()
        };
        let weight = builder.stacked_rows(&all("weight"), &[inputs], Fresh::Normal, depth)?;
        let bias = if has_bias {
            Some(builder.stacked_rows(&all("bias"), &[], Fresh::Zeros, depth)?)
        } else {
            None
        };
        let delta = builder.delta(layers, inputs, depth)?;
        Ok(Self { weight, bias, delta })
    }

    /// `[.., inputs]` -> `[.., outputs]`, in the kind of `x`.
    ///
    /// # Errors
    /// What libtorch reports.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor, TrainError> {
        let kind = x.f_kind()?;
        let bias = self.bias.as_ref().map(|bias| bias.f_to_kind(kind)).transpose()?;
        let y = match bias {
            bias if !native::multiplies(x, &self.weight) => {
                x.f_linear(&self.weight.f_to_kind(kind)?, bias.as_ref())?
            }
            Some(bias) => native::product(x, &self.weight, true)?.f_add(&bias)?,
            None => native::product(x, &self.weight, true)?,
        };
        lora::add(self.delta.as_ref(), y, x, 0)
    }
}

/// An activation of what a layer gives for `x`: `product` without its bias, `forward` with it.
///
/// # Errors
/// Those of the two, what libtorch reports.
pub fn activated(
    x: &Tensor,
    bias: &Tensor,
    activation: Activation,
    product: impl FnOnce() -> Result<Tensor, TrainError>,
    forward: impl FnOnce() -> Result<Tensor, TrainError>,
) -> Result<Tensor, TrainError> {
    match activation.by_tanh() {
        Some(by_tanh) if native::takes(x, bias.numel() as i64) => {
            native::bias_gelu(&product()?, bias, by_tanh)
        }
        _ => activate(activation, &forward()?),
    }
}

/// The last layer: y = x Wᵀ + b, 32-bit, or without b.
pub struct Head {
    weight: Tensor,
    bias: Option<Tensor>,
}

impl Head {
    /// The head's layer of that name, from the checkpoint if `given`; with a bias where it is said how
    /// that starts.
    ///
    /// # Errors
    /// See [`Builder::head`].
    pub fn new(
        builder: &mut Builder,
        name: &str,
        [outputs, inputs]: [i64; 2],
        (weight, bias): (Fresh, Option<Fresh>),
        given: bool,
    ) -> Result<Self, TrainError> {
        let shape = [outputs, inputs];
        let weight = builder.head(&format!("{name}.weight"), &shape, weight, given)?;
        let bias = bias
            .map(|fresh| builder.head(&format!("{name}.bias"), &[outputs], fresh, given))
            .transpose()?;
        Ok(Self { weight, bias })
    }

    /// `[batch, inputs]` -> `[batch, outputs]`.
    ///
    /// # Errors
    /// What libtorch reports.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor, TrainError> {
        Ok(x.f_linear(&self.weight, self.bias.as_ref())?)
    }
}

/// Layer normalisation over the last axis (Ba, Kiros & Hinton 2016).
pub struct LayerNorm {
    weight: Tensor,
    bias: Option<Tensor>,
    eps: f64,
    width: i64,
}

impl LayerNorm {
    /// The encoder's layer of that name.
    ///
    /// # Errors
    /// See [`Builder::encoder`].
    pub fn encoder(
        builder: &mut Builder,
        name: &str,
        width: i64,
        eps: f64,
        depth: u32,
    ) -> Result<Self, TrainError> {
        let weight = builder.encoder(&format!("{name}.weight"), &[width], Fresh::Ones, depth)?;
        let bias = Some(builder.encoder(&format!("{name}.bias"), &[width], Fresh::Zeros, depth)?);
        Ok(Self { weight, bias, eps, width })
    }

    /// As `encoder`, without a bias.
    ///
    /// # Errors
    /// See [`Builder::encoder`].
    pub fn without_bias(
        builder: &mut Builder,
        name: &str,
        width: i64,
        eps: f64,
        depth: u32,
    ) -> Result<Self, TrainError> {
        let weight = builder.encoder(&format!("{name}.weight"), &[width], Fresh::Ones, depth)?;
        Ok(Self { weight, bias: None, eps, width })
    }

    /// A head's layer of that name, from the checkpoint if `given`.
    ///
    /// # Errors
    /// See [`Builder::head`].
    pub fn head(
        builder: &mut Builder,
        name: &str,
        width: i64,
        eps: f64,
        given: bool,
    ) -> Result<Self, TrainError> {
        Self::of_head(builder, name, (width, eps), true, given)
    }

    /// As `head`, with or without a bias.
    ///
    /// # Errors
    /// See [`Builder::head`].
    pub fn of_head(
        builder: &mut Builder,
        name: &str,
        (width, eps): (i64, f64),
        has_bias: bool,
        given: bool,
    ) -> Result<Self, TrainError> {
        let weight = builder.head(&format!("{name}.weight"), &[width], Fresh::Ones, given)?;
        let bias = if has_bias {
            Some(builder.head(&format!("{name}.bias"), &[width], Fresh::Zeros, given)?)
        } else {
            None
        };
        Ok(Self { weight, bias, eps, width })
    }

    /// Same shape and kind out as in; mean and variance are 32-bit in any case.
    ///
    /// # Errors
    /// What libtorch reports.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor, TrainError> {
        let kind = x.f_kind()?;
        // The CPU kernel takes 16-bit rows with 32-bit weights, the CUDA kernel does not.
        let kind = if x.device().is_cuda() { kind } else { Kind::Float };
        let weight = self.weight.f_to_kind(kind)?;
        let bias = self.bias.as_ref().map(|bias| bias.f_to_kind(kind)).transpose()?;
        Ok(x.f_layer_norm([self.width], Some(&weight), bias.as_ref(), self.eps, true)?)
    }

    /// What closes a block of a transformer that is normalised after it:
    /// LayerNorm(dropout(linear(x)) + residual).
    ///
    /// # Errors
    /// What libtorch reports.
    pub fn close(
        &self,
        linear: &Linear,
        x: &Tensor,
        residual: &Tensor,
        p: f64,
    ) -> Result<Tensor, TrainError> {
        if let Some(bias) = self.bias.as_ref().filter(|_| native::takes(residual, self.width)) {
            let pair = [&linear.product(x)?, residual];
            return native::add_norm(pair, &linear.bias, [&self.weight, bias], p, self.eps);
        }
        self.forward(&dropout(linear.forward(x)?, p)?.f_add(residual)?)
    }
}

use tch::{Kind, Tensor};
use tuneboard::model_config::rotary::NormKind;

use crate::error::TrainError;
use crate::model::builder::Builder;
use crate::model::layers::LayerNorm;
use crate::model::parameters::Fresh;

/// What normalises the residual stream, and queries and keys.
pub enum Norm {
    /// By mean and variance.
    Layer(LayerNorm),
    /// By the mean square.
    Rms {
        /// `[width]`, 32-bit.
        weight: Tensor,
        /// Added to the weight.
        more: f64,
        /// Added to the mean square.
        eps: f64,
    },
}

impl Norm {
    /// The encoder's layer of that name.
    ///
    /// # Errors
    /// See [`Builder::encoder`].
    pub fn new(
        builder: &mut Builder,
        name: &str,
        kind: NormKind,
        width: i64,
        eps: f64,
        depth: u32,
    ) -> Result<Self, TrainError> {
        let mut weight = |fresh| builder.encoder(&format!("{name}.weight"), &[width], fresh, depth);
        Ok(match kind {
            NormKind::Rms => Self::Rms { weight: weight(Fresh::Ones)?, more: 0.0, eps },
            NormKind::RmsFromZero => Self::Rms { weight: weight(Fresh::Zeros)?, more: 1.0, eps },
            NormKind::Layer { has_bias: true } => {
                Self::Layer(LayerNorm::encoder(builder, name, width, eps, depth)?)
            }
            NormKind::Layer { has_bias: false } => {
                Self::Layer(LayerNorm::without_bias(builder, name, width, eps, depth)?)
            }
        })
    }

    /// Over the last axis; same shape and kind out as in.
    ///
    /// # Errors
    /// What libtorch reports.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor, TrainError> {
        match self {
            Self::Layer(norm) => norm.forward(x),
            Self::Rms { weight, more, eps } => {
                let wide = x.f_to_kind(Kind::Float)?;
                let square = wide.f_square()?.f_mean_dim(&[-1i64][..], true, None)?;
                let scaled = wide.f_mul(&square.f_add_scalar(*eps)?.f_rsqrt()?)?;
                let weight = weight.f_add_scalar(*more)?;
                Ok(scaled.f_mul(&weight)?.f_to_kind(x.f_kind()?)?)
            }
        }
    }
}

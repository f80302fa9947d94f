use tch::{Device, Kind, Tensor};

use crate::error::TrainError;
use crate::native;

/// What all gradients of a step are multiplied by.
pub enum Scale {
    Number(f64),
    /// A number on a GPU: to read it would be to wait for it.
    There(Tensor),
}

impl From<f64> for Scale {
    fn from(number: f64) -> Self {
        Self::Number(number)
    }
}

impl Scale {
    /// The number, read from wherever it is.
    ///
    /// # Errors
    /// What libtorch reports.
    pub fn number(&self) -> Result<f64, TrainError> {
        match self {
            Self::Number(number) => Ok(*number),
            Self::There(tensor) => Ok(tensor.f_double_value(&[])?),
        }
    }

    /// The number as a tensor there; `None` if it is 1.
    ///
    /// # Errors
    /// What libtorch reports.
    pub fn tensor(&self, device: Device) -> Result<Option<Tensor>, TrainError> {
        match self {
            Self::Number(number) if *number == 1.0 => Ok(None),
            Self::Number(number) => Ok(Some(Tensor::f_full([], *number, (Kind::Float, device))?)),
            Self::There(tensor) => Ok(Some(tensor.shallow_clone())),
        }
    }

    /// A gradient, scaled.
    ///
    /// # Errors
    /// What libtorch reports.
    pub fn times(&self, gradient: &Tensor) -> Result<Tensor, TrainError> {
        Ok(match self {
            Self::Number(number) => gradient.f_mul_scalar(*number)?,
            Self::There(tensor) => gradient.f_mul(tensor)?,
        })
    }
}

/// What all gradients must be multiplied by so that their joint norm is at most `most`, as PyTorch's
/// `clip_grad_norm_` has it.
///
/// # Errors
/// What libtorch reports.
pub fn clip(gradients: &[Tensor], most: f64) -> Result<Scale, TrainError> {
    let defined = gradients.iter().filter(|g| g.defined());
    let defined =
        defined.map(|g| if g.is_sparse() { g.f_internal_values() } else { Ok(g.shallow_clone()) });
    let defined = defined.collect::<Result<Vec<_>, _>>()?;
    if defined.is_empty() {
        return Ok(Scale::Number(1.0));
    }
    if let Some(squares) = native::squares(&defined)? {
        return Ok(Scale::Number((most / (squares.sqrt() + 1e-6)).min(1.0)));
    }
    let norm = native::norm(&defined)?.f_add_scalar(1e-6)?;
    Ok(Scale::There(norm.f_reciprocal()?.f_mul_scalar(most)?.f_clamp_max(1.0)?))
}

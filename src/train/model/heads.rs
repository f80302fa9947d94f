use tch::{Kind, Tensor};
use tuneboard::spec::Pool;

use super::bert::{Bert, Inputs};
use super::layers::{Linear, Mode, dropout};
use crate::error::TrainError;

/// Encoder, pooling, dropout, linear.
pub struct Classifier {
    /// The trunk.
    pub bert: Bert,
    /// Text vector -> one number per class.
    pub head: Linear,
    /// How token vectors become a text vector.
    pub pool: Pool,
}

impl Classifier {
    /// Class scores `[batch, classes]`, 32-bit.
    ///
    /// # Errors
    /// What libtorch reports.
    pub fn forward(&self, inputs: &Inputs, mode: &Mode) -> Result<Tensor, TrainError> {
        let hidden = self.bert.forward(inputs, mode)?;
        self.logits(&hidden, inputs, mode)
    }

    /// As `forward`, from the token vectors of the last layer.
    ///
    /// # Errors
    /// What libtorch reports.
    pub fn logits(
        &self,
        hidden: &Tensor,
        inputs: &Inputs,
        mode: &Mode,
    ) -> Result<Tensor, TrainError> {
        let text = match self.pool {
            Pool::Cls => match self.bert.pooled(hidden)? {
                Some(pooled) => pooled,
                None => hidden.f_select(1, 0)?,
            },
            Pool::Mean => mean(&hidden.f_to_kind(Kind::Float)?, inputs.mask.as_ref())?,
            Pool::Max => max(&hidden.f_to_kind(Kind::Float)?, inputs.mask.as_ref())?,
        };
        // The head is tiny: 32-bit costs nothing and keeps near-ties apart.
        let text = dropout(text.f_to_kind(Kind::Float)?, mode.head_dropout)?;
        self.head.forward(&text)
    }
}

/// The mean over real tokens: `[batch, length, hidden]` -> `[batch, hidden]`.
///
/// # Errors
/// What libtorch reports.
pub fn mean(hidden: &Tensor, mask: Option<&Tensor>) -> Result<Tensor, TrainError> {
    let Some(mask) = mask else {
        return Ok(hidden.f_mean_dim(&[1i64][..], false, None)?);
    };
    let mask = mask.f_to_kind(Kind::Float)?.f_unsqueeze(-1)?;
    let sum = hidden.f_mul(&mask)?.f_sum_dim_intlist(&[1i64][..], false, None)?;
    let count = mask.f_sum_dim_intlist(&[1i64][..], false, None)?.f_clamp_min(1.0)?;
    Ok(sum.f_div(&count)?)
}

fn max(hidden: &Tensor, mask: Option<&Tensor>) -> Result<Tensor, TrainError> {
    let hidden = match mask {
        None => hidden.shallow_clone(),
        Some(mask) => hidden.f_masked_fill(&mask.f_eq(0)?.f_unsqueeze(-1)?, -1e30)?,
    };
    Ok(hidden.f_amax(&[1i64][..], false)?)
}

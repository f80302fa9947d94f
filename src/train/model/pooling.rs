//! Token vectors -> one text vector.

use tch::{Kind, Tensor};
use tuneboard::spec::Pool;

use crate::error::TrainError;

/// The text vectors `[batch, width]` of token vectors `[batch, length, hidden]`. `mask` as in
/// [`super::Inputs`]. The pools that need more than token vectors are their families' own.
///
/// # Errors
/// What libtorch reports.
pub fn pool(pool: Pool, hidden: &Tensor, mask: Option<&Tensor>) -> Result<Tensor, TrainError> {
    let hidden = hidden.f_to_kind(Kind::Float)?;
    match pool {
        Pool::Max => max(&hidden, mask),
        Pool::Mean | Pool::Auto | Pool::Cls | Pool::Last | Pool::Flatten | Pool::Concat => {
            mean(&hidden, mask)
        }
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

/// The vector `[batch, hidden]` of the last token that is not the padding id, or of the first if all are. Reference:
/// transformers `GPT2ForSequenceClassification`.
///
/// # Errors
/// What libtorch reports.
pub fn last(hidden: &Tensor, ids: &Tensor, padding: i64) -> Result<Tensor, TrainError> {
    let (batch, length, width) = hidden.size3()?;
    let places = Tensor::f_arange(length, (Kind::Int64, ids.device()))?;
    let real = ids.f_ne(padding)?.f_to_kind(Kind::Int64)?;
    let last = places.f_mul(&real)?.f_argmax(1, false)?;
    let at = last.f_view([batch, 1, 1])?.f_expand([batch, 1, width], false)?;
    Ok(hidden.f_gather(1, &at, false)?.f_squeeze_dim(1)?)
}

fn max(hidden: &Tensor, mask: Option<&Tensor>) -> Result<Tensor, TrainError> {
    let hidden = match mask {
        None => hidden.shallow_clone(),
        Some(mask) => hidden.f_masked_fill(&mask.f_eq(0)?.f_unsqueeze(-1)?, -1e30)?,
    };
    Ok(hidden.f_amax(&[1i64][..], false)?)
}

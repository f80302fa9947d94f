//! Scaled dot-product attention, for all transformers.

use tch::{Kind, Tensor};

use super::layers::dropout;
use crate::error::TrainError;

/// Up to this length libtorch's fused kernel gains nothing on a CPU (docs/benchmarks.md); beyond it,
/// it saves the memory of the scores. With dropout it takes the plain steps itself.
const SHORT: i64 = 128;

/// softmax(scale Q Kᵀ + bias) V (Vaswani et al. 2017, section 3.2.1) for query, key and value of
/// `[batch, heads, length, size]` -> the same shape. `bias` broadcasts to
/// `[batch, heads, length, length]`; `p` is the dropout of the weights.
///
/// # Errors
/// What libtorch reports.
pub fn attend(
    [query, key, value]: [&Tensor; 3],
    bias: Option<&Tensor>,
    scale: f64,
    p: f64,
) -> Result<Tensor, TrainError> {
    let (_, _, length, _) = query.size4()?;
    if query.device().is_cuda() || (p == 0.0 && length > SHORT) {
        return Ok(Tensor::f_scaled_dot_product_attention(
            query, key, value, bias, p, false, scale, false,
        )?);
    }
    let scores = query.f_mul_scalar(scale)?.f_matmul(&key.f_transpose(2, 3)?)?;
    let scores = match bias {
        Some(bias) => scores.f_add(bias)?,
        None => scores,
    };
    let weights = dropout(scores.f_softmax(-1, None)?, p)?;
    Ok(weights.f_matmul(value)?)
}

/// What hides a key from a query, added to its score. Finite, so that a row in which all are hidden
/// gets equal weights and no NaN; small enough to swallow any score in all kinds.
pub const HIDDEN: f64 = -1e30;

/// The bias that hides padding: `[batch, length]` of 1 and 0 -> `[batch, 1, 1, length]`.
///
/// # Errors
/// What libtorch reports.
pub fn padding_bias(mask: &Tensor, kind: Kind) -> Result<Tensor, TrainError> {
    let padded = mask.f_eq(0)?.f_unsqueeze(1)?.f_unsqueeze(1)?;
    Ok(padded.f_to_kind(kind)?.f_mul_scalar(HIDDEN)?)
}

//! Scaled dot-product attention, for all transformers.

use tch::{Kind, Tensor};

use super::layers::{Linear, dropout};
use crate::error::TrainError;
use crate::native;

/// Up to this length libtorch's fused kernel gains nothing on a CPU (docs/benchmarks.md); beyond it,
/// it saves the memory of the scores. With dropout it takes the plain steps itself.
const SHORT: i64 = 128;

/// Multi-head self-attention, without the output projection: `[batch, length, hidden]` -> the same
/// shape. `stacked` gives queries, keys and values side by side; `bias` is [`padding_bias`], `p` the
/// dropout of the attention weights.
///
/// # Errors
/// What libtorch reports.
pub fn self_attend(
    stacked: &Linear,
    x: &Tensor,
    bias: Option<&Tensor>,
    heads: i64,
    p: f64,
) -> Result<Tensor, TrainError> {
    let (batch, length, width) = x.size3()?;
    let size = width / heads;
    if suits(x, size, p) {
        let key_bias = bias.map(|b| b.f_view([batch, length])?.f_to_kind(Kind::Float));
        let key_bias = key_bias.transpose()?;
        let qkv = stacked.product(x)?;
        return native::self_attention(&qkv, &stacked.bias, key_bias.as_ref(), heads, false, p);
    }
    let qkv = stacked.forward(x)?.f_view([batch, length, 3, heads, size])?;
    let part = |index| qkv.f_select(2, index)?.f_transpose(1, 2);
    let (query, key, value) = (part(0)?, part(1)?, part(2)?);
    let mixed = attend([&query, &key, &value], bias, 1.0 / (size as f64).sqrt(), p)?;
    Ok(mixed.f_transpose(1, 2)?.f_reshape([batch, length, width])?)
}

/// True if [`native::self_attention`] is the best way for `x` `[batch, length, hidden]` with heads of
/// `size`.
pub fn suits(x: &Tensor, size: i64, p: f64) -> bool {
    native::takes(x, size) && (p > 0.0 || x.size().get(1).is_some_and(|length| *length <= SHORT))
}

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
    let bias = bias.map(|bias| bias.f_to_kind(query.f_kind()?)).transpose()?;
    if query.device().is_cuda() || (p == 0.0 && length > SHORT) {
        return Ok(Tensor::f_scaled_dot_product_attention(
            query, key, value, bias, p, false, scale, false,
        )?);
    }
    let scores = query.f_mul_scalar(scale)?.f_matmul(&key.f_transpose(2, 3)?)?;
    let scores = match bias {
        Some(bias) => scores.f_add(&bias)?,
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

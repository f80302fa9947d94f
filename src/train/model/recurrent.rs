use tch::{Kind, Tensor};

use crate::error::TrainError;

/// Turns each row's real part around and leaves the padding behind it in place, so that a pass from
/// left to right reads a text from its own end. Twice is once. `x` is `[batch, length, width]`,
/// `mask` `[batch, length]` with 1 for real places, none of them behind a 0; `None` = all real.
///
/// # Errors
/// What libtorch reports.
pub fn reverse(x: &Tensor, mask: Option<&Tensor>) -> Result<Tensor, TrainError> {
    let Some(mask) = mask else { return Ok(x.f_flip([1])?) };
    let (batch, length, width) = x.size3()?;
    let places = Tensor::f_arange(length, (Kind::Int64, x.device()))?.f_unsqueeze(0)?;
    let lengths = mask.f_to_kind(Kind::Int64)?.f_sum_dim_intlist(&[1i64][..], true, None)?;
    let turned = lengths.f_sub_scalar(1)?.f_sub(&places)?;
    let index = turned.f_where_self(&places.f_lt_tensor(&lengths)?, &places)?;
    Ok(x.f_gather(1, &index.f_unsqueeze(-1)?.f_expand([batch, length, width], false)?, false)?)
}

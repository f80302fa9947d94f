//! Attention of batches without padding: libtorch's kernel for texts of various lengths (Dao et al. 2022), or padded
//! again where that kernel is not to be had.

use std::sync::OnceLock;

use tch::{Device, Kind, Tensor};

use super::attention::{HIDDEN, attend as padded_attend};
use super::unpadded::Unpadded;
use crate::error::TrainError;
use crate::native::{self, Flash};

/// What attention of an unpadded batch is asked for.
pub struct How<'a> {
    /// Added to the scores where the batch has to be padded again, `[batch or 1, 1, length or 1, length]`.
    pub bias: Option<&'a Tensor>,
    pub scale: f64,
    /// Whether later tokens are hidden.
    pub is_causal: bool,
    /// How far a token sees; `None` = everything.
    pub reach: Option<i64>,
    /// The dropout of the weights.
    pub p: f64,
}

/// softmax(scale Q Kᵀ) V within each text: query, key and value `[1, tokens, heads, size]` ->
/// `[1, tokens, heads * size]`.
///
/// # Errors
/// What libtorch reports.
pub fn attend(texts: &Unpadded, parts: [&Tensor; 3], how: &How) -> Result<Tensor, TrainError> {
    let [query, ..] = parts;
    if suits(query) {
        return by_flash(texts, parts, how);
    }
    by_padding(texts, parts, how)
}

fn by_padding(texts: &Unpadded, parts: [&Tensor; 3], how: &How) -> Result<Tensor, TrainError> {
    let padded = parts
        .map(|part| -> Result<Tensor, TrainError> { Ok(texts.put_back(part)?.f_transpose(1, 2)?) });
    let [query, key, value] = padded;
    let mixed = padded_attend([&query?, &key?, &value?], how.bias, how.scale, how.p)?;
    texts.take(&mixed.f_transpose(1, 2)?.f_flatten(2, 3)?)
}

fn by_flash(texts: &Unpadded, parts: [&Tensor; 3], how: &How) -> Result<Tensor, TrainError> {
    let flash = Flash {
        longest: texts.longest,
        scale: how.scale,
        p: how.p,
        is_causal: how.is_causal,
        reach: how.reach.unwrap_or(-1),
    };
    let squeezed = parts.map(|part| part.f_squeeze_dim(0));
    let [query, key, value] = squeezed;
    let mixed = native::flash([&query?, &key?, &value?], &texts.cu_seqlens, &flash)?;
    Ok(mixed.f_flatten(1, 2)?.f_unsqueeze(0)?)
}

/// Whether the kernel for sequences of various lengths takes such queries.
fn suits(query: &Tensor) -> bool {
    let size = query.size().last().copied().unwrap_or(0);
    matches!(query.device(), Device::Cuda(_))
        && query.kind() == Kind::BFloat16
        && size % 8 == 0
        && size <= 256
        && flash_is_right(query.device())
}

/// Whether the kernel is there and gives what padded attention gives, output and gradients; asked once.
fn flash_is_right(device: Device) -> bool {
    static IS_RIGHT: OnceLock<bool> = OnceLock::new();
    // Whoever asks first may be judging, without gradients.
    *IS_RIGHT
        .get_or_init(|| tch::with_grad(|| are_near(device, by_flash, by_padding)).unwrap_or(false))
}

/// How attention of an unpadded batch is computed.
type Attend = fn(&Unpadded, [&Tensor; 3], &How) -> Result<Tensor, TrainError>;

/// Whether two ways agree on two short texts, in 16 bits, in their outputs and gradients.
fn are_near(device: Device, one: Attend, other: Attend) -> Result<bool, TrainError> {
    let texts = Unpadded::of(&[1, 1, 1, 1, 1, 1, 1, 0, 0, 0], 5, device)?;
    let numbers: Vec<f32> = (0..3 * 7 * 2 * 16).map(|i| (i as f32 * 0.7).sin()).collect();
    let qkv = Tensor::f_from_slice(&numbers)?.f_view([3, 1, 7, 2, 16])?;
    let qkv = qkv.f_to_device(device)?.f_to_kind(Kind::BFloat16)?.f_set_requires_grad(true)?;
    let hidden =
        Tensor::f_from_slice(&[0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, HIDDEN, HIDDEN, HIDDEN])?;
    let bias = hidden.f_view([2, 1, 1, 5])?.f_to_device(device)?;
    let how = How { bias: Some(&bias), scale: 0.25, is_causal: false, reach: None, p: 0.0 };
    let [query, key, value] = [0, 1, 2].map(|index| qkv.f_select(0, index));
    let (query, key, value) = (query?, key?, value?);
    let said = |attend: Attend| -> Result<[Tensor; 2], TrainError> {
        let output = attend(&texts, [&query, &key, &value], &how)?.f_to_kind(Kind::Float)?;
        let loss = output.f_sin()?.f_sum(Kind::Float)?;
        let gradient = Tensor::f_run_backward(&[loss], &[&qkv], true, false)?.remove(0);
        Ok([output, gradient.f_to_kind(Kind::Float)?])
    };
    let mut are_near = true;
    for (one, other) in said(one)?.iter().zip(&said(other)?) {
        let apart = one.f_sub(other)?.f_abs()?.f_max()?.f_double_value(&[])?;
        // Of NaN this is not true.
        are_near &= apart < 0.05;
    }
    Ok(are_near)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Asked of a machine without a GPU, it says no and nothing breaks.
    #[test]
    fn without_a_gpu_the_kernel_is_not_asked_twice() {
        assert!(are_near(Device::Cpu, by_flash, by_padding).is_err());
        assert!(!suits(&Tensor::zeros([1, 3, 2, 16], (Kind::BFloat16, Device::Cpu))));
    }

    /// The judge of the kernel believes what is right, also where nobody learns, and nothing else.
    #[test]
    fn a_kernel_that_is_off_or_says_nan_is_not_trusted() {
        let twice: Attend =
            |texts, parts, how| Ok(by_padding(texts, parts, how)?.f_mul_scalar(1.2)?);
        let nan: Attend =
            |texts, parts, how| Ok(by_padding(texts, parts, how)?.f_mul_scalar(f64::NAN)?);
        let _guard = tch::no_grad_guard();
        let judged =
            |one: Attend| tch::with_grad(|| are_near(Device::Cpu, one, by_padding)).unwrap();
        assert!(judged(by_padding));
        assert!(!judged(twice) && !judged(nan));
    }
}

//! The trainer's own CPU kernels (src/train/native, C++), as functions on tensors.
//!
//! libtorch has them too, but draws dropout on one core, reads and writes memory between each two
//! steps, and sums bias gradients apart; what that costs is in docs/benchmarks.md. All have
//! gradients. Random masks come from libtorch's CPU generator: one number a mask, so that
//! `rng::seed_torch` decides about them.

use std::ffi::{CStr, c_char, c_void};
use std::marker::PhantomData;

use tch::{Device, Kind, TchError, Tensor};
use torch_sys::C_tensor;

use crate::error::TrainError;

/// Rows of a multiple of this many numbers can be taken.
const WIDTH: i64 = 16;

/// True if the kernels take `x` with rows that consist of parts of `width`.
pub fn takes(x: &Tensor, width: i64) -> bool {
    x.device() == Device::Cpu
        && matches!(x.kind(), Kind::Float | Kind::BFloat16)
        && x.is_contiguous()
        && x.numel() > 0
        && width % WIDTH == 0
}

/// Multi-head self-attention (Vaswani et al. 2017, section 3.2.2) of `qkv`
/// `[batch, length, 3 * heads * size]` -> `[batch, length, heads * size]`; queries, keys and values lie
/// side by side, scores are divided by the root of `size`. `bias` `[3 * heads * size]` is added to
/// `qkv`, `key_bias` `[batch, length]` to the scores of each key; both are 32-bit. `causal` hides what
/// comes later, `p` is the dropout of the weights.
///
/// # Errors
/// Shapes that do not fit.
pub fn self_attention(
    qkv: &Tensor,
    bias: &Tensor,
    key_bias: Option<&Tensor>,
    heads: i64,
    causal: bool,
    p: f64,
) -> Result<Tensor, TrainError> {
    let key_bias = key_bias.map_or(std::ptr::null(), Tensor::as_ptr);
    // SAFETY: all pointers are tensors that live until the call returns.
    made(|out| unsafe {
        tuneboard_self_attention(out, qkv.as_ptr(), bias.as_ptr(), key_bias, heads, causal, p)
    })
}

/// gelu(x + bias) by the error function; `bias` is 32-bit.
///
/// # Errors
/// Shapes that do not fit.
pub fn bias_gelu(x: &Tensor, bias: &Tensor) -> Result<Tensor, TrainError> {
    // SAFETY: as above.
    made(|out| unsafe { tuneboard_bias_gelu(out, x.as_ptr(), bias.as_ptr()) })
}

/// `x` with each element zeroed with probability `p` and the rest scaled by `1 / (1 - p)`.
///
/// # Errors
/// A tensor that is not contiguous, or holds no floats.
pub fn dropout(x: &Tensor, p: f64) -> Result<Tensor, TrainError> {
    // SAFETY: as above.
    made(|out| unsafe { tuneboard_dropout(out, x.as_ptr(), p) })
}

/// LayerNorm(dropout(x + bias) + residual) * weight + shift over the last axis; `bias`, `weight` and
/// `shift` are 32-bit.
///
/// # Errors
/// Shapes that do not fit.
pub fn add_norm(
    [x, residual]: [&Tensor; 2],
    bias: &Tensor,
    [weight, shift]: [&Tensor; 2],
    p: f64,
    eps: f64,
) -> Result<Tensor, TrainError> {
    // SAFETY: as above.
    made(|out| unsafe {
        tuneboard_add_norm(
            out,
            x.as_ptr(),
            bias.as_ptr(),
            residual.as_ptr(),
            weight.as_ptr(),
            shift.as_ptr(),
            p,
            eps,
        )
    })
}

/// One weight of an AdamW step.
#[repr(C)]
pub struct AdamSlot<'a> {
    weight: *mut c_void,
    mean: *mut c_void,
    square: *mut c_void,
    gradient: *const c_void,
    copy: *mut c_void,
    size: i64,
    lr: f64,
    decay: f64,
    half_gradient: bool,
    tensors: PhantomData<&'a Tensor>,
}

impl<'a> AdamSlot<'a> {
    /// Weight, mean and mean square of the gradients, all 32-bit, and the gradient of the weight;
    /// `copy` is a 16-bit copy of the weight. `None` if the kernel cannot take them.
    pub fn new(
        moved: [&'a Tensor; 3],
        gradient: &'a Tensor,
        copy: Option<&'a Tensor>,
        lr: f64,
        decay: f64,
    ) -> Option<Self> {
        let size = gradient.numel();
        let of_kind = |tensor: &Tensor, kind| takes(tensor, 0) && tensor.kind() == kind;
        let all_fit = moved.iter().all(|t| of_kind(t, Kind::Float) && t.numel() == size)
            && takes(gradient, 0)
            && copy.is_none_or(|c| of_kind(c, Kind::BFloat16) && c.numel() == size);
        let [weight, mean, square] = moved.map(Tensor::data_ptr);
        all_fit.then(|| Self {
            weight,
            mean,
            square,
            gradient: gradient.data_ptr(),
            copy: copy.map_or(std::ptr::null_mut(), Tensor::data_ptr),
            size: size as i64,
            lr,
            decay,
            half_gradient: gradient.kind() == Kind::BFloat16,
            tensors: PhantomData,
        })
    }
}

/// The numbers of an AdamW step.
#[repr(C)]
pub struct AdamStep {
    betas: [f64; 2],
    eps: f64,
    corrections: [f64; 2],
    scale: f64,
}

impl AdamStep {
    /// `corrections` are `1 - beta^t`; gradients are taken times `scale`.
    pub fn new(betas: [f64; 2], corrections: [f64; 2], eps: f64, scale: f64) -> Self {
        Self { betas, eps, corrections, scale }
    }
}

/// AdamW (Loshchilov & Hutter 2019), as torch.optim.AdamW does it, in one pass over memory.
///
/// # Errors
/// What libtorch reports.
pub fn adam(slots: &[AdamSlot], step: &AdamStep) -> Result<(), TrainError> {
    // SAFETY: `AdamSlot::new` has seen to it that each pointer leads to `size` numbers of its kind,
    // and the tensors are borrowed for as long as the slots exist.
    check(unsafe { tuneboard_adam(slots.as_ptr(), slots.len() as i64, step) })
}

/// The sum of squares of all elements of some gradients; `None` if the kernel cannot take them.
///
/// # Errors
/// What libtorch reports.
pub fn squares(gradients: &[&Tensor]) -> Result<Option<f64>, TrainError> {
    let slots = gradients.iter().map(|gradient| {
        takes(gradient, 0).then(|| AdamSlot {
            weight: std::ptr::null_mut(),
            mean: std::ptr::null_mut(),
            square: std::ptr::null_mut(),
            gradient: gradient.data_ptr(),
            copy: std::ptr::null_mut(),
            size: gradient.numel() as i64,
            lr: 0.0,
            decay: 0.0,
            half_gradient: gradient.kind() == Kind::BFloat16,
            tensors: PhantomData,
        })
    });
    let Some(slots) = slots.collect::<Option<Vec<_>>>() else { return Ok(None) };
    let mut sum = 0.0;
    // SAFETY: as above; of a slot only the gradient is read.
    check(unsafe { tuneboard_squares(slots.as_ptr(), slots.len() as i64, &mut sum) })?;
    Ok(Some(sum))
}

fn made(call: impl FnOnce(&mut *mut C_tensor) -> *mut c_char) -> Result<Tensor, TrainError> {
    let mut out = std::ptr::null_mut();
    check(call(&mut out))?;
    // SAFETY: without a message the call made a tensor, which is ours now.
    Ok(unsafe { Tensor::from_ptr(out) })
}

fn check(message: *mut c_char) -> Result<(), TrainError> {
    if message.is_null() {
        return Ok(());
    }
    // SAFETY: a message is a C string that is ours until it is given back, once.
    let text = unsafe {
        let text = CStr::from_ptr(message).to_string_lossy().into_owned();
        tuneboard_free_message(message);
        text
    };
    Err(TchError::Torch(text).into())
}

#[cfg(test)]
mod tests;

unsafe extern "C" {
    fn tuneboard_free_message(message: *mut c_char);
    fn tuneboard_self_attention(
        out: &mut *mut C_tensor,
        qkv: *const C_tensor,
        bias: *const C_tensor,
        key_bias: *const C_tensor,
        heads: i64,
        causal: bool,
        p: f64,
    ) -> *mut c_char;
    fn tuneboard_bias_gelu(
        out: &mut *mut C_tensor,
        x: *const C_tensor,
        bias: *const C_tensor,
    ) -> *mut c_char;
    fn tuneboard_dropout(out: &mut *mut C_tensor, x: *const C_tensor, p: f64) -> *mut c_char;
    fn tuneboard_add_norm(
        out: &mut *mut C_tensor,
        x: *const C_tensor,
        bias: *const C_tensor,
        residual: *const C_tensor,
        weight: *const C_tensor,
        shift: *const C_tensor,
        p: f64,
        eps: f64,
    ) -> *mut c_char;
    fn tuneboard_squares(slots: *const AdamSlot, count: i64, sum: &mut f64) -> *mut c_char;
    fn tuneboard_adam(slots: *const AdamSlot, count: i64, step: &AdamStep) -> *mut c_char;
}

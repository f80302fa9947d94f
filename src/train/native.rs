//! The trainer's own CPU kernels (src/train/native, C++), as functions on tensors.
//!
//! libtorch has them too, but draws dropout on one core, reads and writes memory between each two
//! steps, and sums bias gradients apart; what that costs is in docs/benchmarks.md. All have
//! gradients. Random masks come from libtorch's CPU generator: one number a mask, so that
//! `rng::seed_torch` decides about them.

mod many;
mod watch;

use std::ffi::{CStr, c_char, c_void};
use std::marker::PhantomData;

use tch::{Device, Kind, TchError, Tensor};
use torch_sys::C_tensor;

pub use self::many::{Flash, ManyAdam, flash, norm, send};
pub use self::watch::{Asked, Watch};
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

/// The most bytes of a GPU that libtorch's allocator has held at once, if it tells.
pub fn gpu_peak(index: usize) -> Option<u64> {
    // SAFETY: a number goes in and one comes out.
    let bytes = unsafe { tuneboard_gpu_peak(index as i64) };
    u64::try_from(bytes).ok().filter(|bytes| *bytes > 0)
}

/// True if [`product`] takes `x` and a weight, and is faster than libtorch's own on this processor.
pub fn multiplies(x: &Tensor, weight: &Tensor) -> bool {
    let fits = |tensor: &Tensor| tensor.kind() == Kind::BFloat16 && takes(tensor, 0);
    let fits_weight = weight.kind() == weights(Kind::BFloat16, Device::Cpu) && takes(weight, 0);
    // SAFETY: asks about the processor; touches no memory of ours.
    let has_products = || unsafe { tuneboard_has_products() };
    fits(x)
        && (fits_weight || fits(weight))
        && weight.size().iter().all(|side| side % 32 == 0)
        && has_products()
}

/// The number format of weights that learn and that only matrix products take, if these are in `kind`: where [`product`]
/// multiplies in 32 bits, a copy in 16 would be widened again in each pass.
pub fn weights(kind: Kind, device: Device) -> Kind {
    // SAFETY: as above.
    let widens = || unsafe { tuneboard_widens() };
    if device == Device::Cpu && kind == Kind::BFloat16 && widens() { Kind::Float } else { kind }
}

/// `x` `[.., inputs]` -> `[.., outputs]`: x Wᵀ for W `[outputs, inputs]` if `across`, or else x W for W
/// `[inputs, outputs]`. Both are 16-bit, sums 32-bit; by AMX, or else in 32 bits, where W may have 32.
///
/// # Errors
/// Shapes that do not fit; see [`multiplies`].
pub fn product(x: &Tensor, weight: &Tensor, across: bool) -> Result<Tensor, TrainError> {
    // SAFETY: as above.
    made(|out| unsafe { tuneboard_product(out, x.as_ptr(), weight.as_ptr(), across) })
}

/// gelu(x + bias) by the error function, or by its approximation with tanh; `bias` is 32-bit.
///
/// # Errors
/// Shapes that do not fit.
pub fn bias_gelu(x: &Tensor, bias: &Tensor, by_tanh: bool) -> Result<Tensor, TrainError> {
    // SAFETY: as above.
    made(|out| unsafe { tuneboard_bias_gelu(out, x.as_ptr(), bias.as_ptr(), by_tanh) })
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
        let idle = Self::idle(moved, copy, decay)?;
        let fits = takes(gradient, 0) && gradient.numel() as i64 == idle.size;
        fits.then(|| idle.along(gradient, lr))
    }

    /// As `new`, without a gradient.
    fn idle(moved: [&'a Tensor; 3], copy: Option<&'a Tensor>, decay: f64) -> Option<Self> {
        let [weight, mean, square] = moved;
        let size = weight.numel();
        let fits = |t: &Tensor, kind| takes(t, 0) && t.kind() == kind && t.numel() == size;
        let all_fit = moved.iter().all(|t| fits(t, Kind::Float))
            && copy.is_none_or(|c| fits(c, Kind::BFloat16));
        all_fit.then(|| Self {
            weight: weight.data_ptr(),
            mean: mean.data_ptr(),
            square: square.data_ptr(),
            copy: copy.map_or(std::ptr::null_mut(), Tensor::data_ptr),
            decay,
            ..Self::empty(size)
        })
    }

    fn empty(size: usize) -> Self {
        Self {
            weight: std::ptr::null_mut(),
            mean: std::ptr::null_mut(),
            square: std::ptr::null_mut(),
            gradient: std::ptr::null(),
            copy: std::ptr::null_mut(),
            size: size as i64,
            lr: 0.0,
            decay: 0.0,
            half_gradient: false,
            tensors: PhantomData,
        }
    }

    fn along(self, gradient: &'a Tensor, lr: f64) -> Self {
        let half_gradient = gradient.kind() == Kind::BFloat16;
        Self { gradient: gradient.data_ptr(), half_gradient, lr, ..self }
    }
}

/// The numbers of an AdamW step.
#[derive(Clone, Copy)]
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

/// A table `[rows, width]` with mean and mean square of its gradients, all 32-bit, of which AdamW moves
/// some rows at a time.
pub struct AdamTable<'a> {
    slot: AdamSlot<'a>,
    rows: i64,
    width: i64,
}

/// A step of a table's rows that had no gradients in it.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct IdleStep {
    /// The learning rate.
    pub lr: f64,
    /// All else.
    pub step: AdamStep,
}

impl<'a> AdamTable<'a> {
    /// `None` if the kernel cannot take them.
    pub fn new(moved: [&'a Tensor; 3], decay: f64) -> Option<Self> {
        let &[rows, width] = moved.first()?.size().as_slice() else { return None };
        Some(Self { slot: AdamSlot::idle(moved, None, decay)?, rows, width })
    }

    /// One step of the rows `rows`, in ascending order, whose gradients are `gradient`
    /// `[rows.len(), width]`, 32-bit.
    ///
    /// # Errors
    /// Rows that are not there or come twice, another shape.
    pub fn step(
        self,
        rows: &[i64],
        gradient: &'a Tensor,
        lr: f64,
        step: &AdamStep,
    ) -> Result<(), TrainError> {
        let fits = takes(gradient, 0) && gradient.numel() as i64 == rows.len() as i64 * self.width;
        self.must_have(rows, fits && gradient.kind() == Kind::Float)?;
        let slot = self.slot.along(gradient, lr);
        let count = rows.len() as i64;
        // SAFETY: as for `adam`; rows and gradients have been counted.
        check(unsafe { tuneboard_adam_rows(&slot, self.width, rows.as_ptr(), count, step) })
    }

    /// The steps from `done[i]` on for the row `rows[i]`, without gradients, one after the other. Rows are
    /// in ascending order.
    ///
    /// # Errors
    /// Rows that are not there or come twice.
    pub fn idle(self, rows: &[i64], done: &[i64], steps: &[IdleStep]) -> Result<(), TrainError> {
        let all = steps.len() as i64;
        let fits = rows.len() == done.len() && done.iter().all(|done| (0..=all).contains(done));
        self.must_have(rows, fits)?;
        let (count, width) = (rows.len() as i64, self.width);
        let (rows, done, steps) = (rows.as_ptr(), done.as_ptr(), steps.as_ptr());
        // SAFETY: as for `adam`; rows and steps have been counted.
        check(unsafe { tuneboard_adam_idle(&self.slot, width, rows, done, count, steps, all) })
    }

    fn must_have(&self, rows: &[i64], fits: bool) -> Result<(), TrainError> {
        // Threads share the rows: none may come twice.
        let ascend = rows.is_sorted_by(|row, next| row < next);
        if fits && ascend && rows.iter().all(|row| (0..self.rows).contains(row)) {
            return Ok(());
        }
        Err(TrainError::Failed("Rows and gradients of a table do not fit it.".into()))
    }
}

/// The sum of squares of all elements of some gradients; `None` if the kernel cannot take them.
///
/// # Errors
/// What libtorch reports.
pub fn squares(gradients: &[Tensor]) -> Result<Option<f64>, TrainError> {
    let slots = gradients.iter().map(|gradient| {
        takes(gradient, 0).then(|| AdamSlot::empty(gradient.numel()).along(gradient, 0.0))
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
    taken(message).map_or(Ok(()), |text| Err(TchError::Torch(text).into()))
}

/// A text of C++, given back to it; `None` for none.
fn taken(message: *mut c_char) -> Option<String> {
    if message.is_null() {
        return None;
    }
    // SAFETY: a message is a C string that is ours until it is given back, once.
    unsafe {
        let text = CStr::from_ptr(message).to_string_lossy().into_owned();
        tuneboard_free_message(message);
        Some(text)
    }
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
    fn tuneboard_gpu_peak(index: i64) -> i64;
    fn tuneboard_has_products() -> bool;
    fn tuneboard_widens() -> bool;
    fn tuneboard_product(
        out: &mut *mut C_tensor,
        x: *const C_tensor,
        weight: *const C_tensor,
        across: bool,
    ) -> *mut c_char;
    fn tuneboard_bias_gelu(
        out: &mut *mut C_tensor,
        x: *const C_tensor,
        bias: *const C_tensor,
        by_tanh: bool,
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
    fn tuneboard_adam_rows(
        table: &AdamSlot,
        width: i64,
        rows: *const i64,
        count: i64,
        step: &AdamStep,
    ) -> *mut c_char;
    fn tuneboard_adam_idle(
        table: &AdamSlot,
        width: i64,
        rows: *const i64,
        done: *const i64,
        count: i64,
        steps: *const IdleStep,
        all: i64,
    ) -> *mut c_char;
}

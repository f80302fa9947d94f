//! What GPUs want and `tch` has no words for: one launch for many tensors, attention of texts of various lengths,
//! copies that nobody waits for.

use std::ffi::c_char;

use tch::{Device, Tensor};
use torch_sys::C_tensor;

use super::{check, made};
use crate::error::TrainError;

/// The norm of all elements of all tensors together, 32-bit, on their device: nothing waits for it.
///
/// # Errors
/// No tensors, or what libtorch reports.
pub fn norm(tensors: &[Tensor]) -> Result<Tensor, TrainError> {
    let pointers: Vec<*const C_tensor> = tensors.iter().map(Tensor::as_ptr).collect();
    // SAFETY: all pointers are tensors that live until the call returns.
    made(|out| unsafe { tuneboard_many_norm(out, pointers.as_ptr(), pointers.len() as i64) })
}

/// An AdamW step of many weights that lie on one device.
#[derive(Default)]
pub struct ManyAdam {
    weights: Vec<*const C_tensor>,
    gradients: Vec<*const C_tensor>,
    means: Vec<*const C_tensor>,
    squares: Vec<*const C_tensor>,
    copies: Vec<*const C_tensor>,
    lrs: Vec<f64>,
    decays: Vec<f64>,
    /// Whose pointers these are.
    held: Vec<Tensor>,
}

/// As `ManyAdam` in many.cpp.
#[repr(C)]
struct Job {
    weights: *const *const C_tensor,
    gradients: *const *const C_tensor,
    means: *const *const C_tensor,
    squares: *const *const C_tensor,
    copies: *const *const C_tensor,
    lrs: *const f64,
    decays: *const f64,
    count: i64,
    factor: *const C_tensor,
    betas: [f64; 2],
    eps: f64,
    step: f64,
}

impl ManyAdam {
    /// Weight, mean and mean square of the gradients, all 32-bit and contiguous; its gradient, 16-bit or 32-bit;
    /// `copy` is a 16-bit copy of the weight.
    pub fn push(
        &mut self,
        moved: [&Tensor; 3],
        gradient: &Tensor,
        copy: Option<&Tensor>,
        lr: f64,
        decay: f64,
    ) {
        let mut hold = |tensor: &Tensor| {
            self.held.push(tensor.shallow_clone());
            self.held.last().map_or(std::ptr::null(), Tensor::as_ptr)
        };
        let [weight, mean, square] = moved;
        let pointers = [weight, gradient, mean, square].map(&mut hold);
        let copy = copy.map_or(std::ptr::null(), hold);
        let lists = [&mut self.weights, &mut self.gradients, &mut self.means, &mut self.squares];
        for (list, pointer) in lists.into_iter().zip(pointers) {
            list.push(pointer);
        }
        self.copies.push(copy);
        self.lrs.push(lr);
        self.decays.push(decay);
    }

    /// Where they lie.
    pub fn device(&self) -> Device {
        self.held.first().map_or(Device::Cpu, Tensor::device)
    }

    /// AdamW (Loshchilov & Hutter 2019), as `torch.optim.AdamW(fused=True)` does it, at step `step`, counted from 1.
    /// Gradients are taken times `factor`, a number on their device, and are used up: what they hold then is
    /// undefined.
    ///
    /// # Errors
    /// What libtorch reports.
    pub fn step(
        &self,
        betas: [f64; 2],
        eps: f64,
        step: u64,
        factor: Option<&Tensor>,
    ) -> Result<(), TrainError> {
        let job = Job {
            weights: self.weights.as_ptr(),
            gradients: self.gradients.as_ptr(),
            means: self.means.as_ptr(),
            squares: self.squares.as_ptr(),
            copies: self.copies.as_ptr(),
            lrs: self.lrs.as_ptr(),
            decays: self.decays.as_ptr(),
            count: self.weights.len() as i64,
            factor: factor.map_or(std::ptr::null(), Tensor::as_ptr),
            betas,
            eps,
            step: step as f64,
        };
        // SAFETY: the lists have one length, and `held` keeps their tensors alive.
        check(unsafe { tuneboard_many_adamw(&job) })
    }
}

/// What attention of texts of various lengths is asked for. As `ManyTexts` in many.cpp.
#[repr(C)]
pub struct Flash {
    /// Tokens of the longest text.
    pub longest: i64,
    pub scale: f64,
    /// The dropout of the weights.
    pub p: f64,
    /// Whether later tokens are hidden.
    pub is_causal: bool,
    /// How far a token sees; negative = everything.
    pub reach: i64,
}

/// softmax(scale Q Kᵀ) V within each text (Dao et al. 2022, libtorch's kernel): query, key and value, 16-bit
/// `[tokens, heads, size]` -> the same shape. `cu_seqlens`, int32 `[texts + 1]`, is where each text begins, and the
/// end. Has gradients. For GPUs alone.
///
/// # Errors
/// What libtorch reports; a device that has no such kernel.
pub fn flash(
    [query, key, value]: [&Tensor; 3],
    cu_seqlens: &Tensor,
    how: &Flash,
) -> Result<Tensor, TrainError> {
    let [query, key, value, cu_seqlens] = [query, key, value, cu_seqlens].map(Tensor::as_ptr);
    // SAFETY: all pointers are tensors that live until the call returns.
    made(|out| unsafe { tuneboard_flash(out, query, key, value, cu_seqlens, how) })
}

/// A tensor of the CPU on `device`. A copy to a GPU starts from pinned memory and is not waited for: what is asked of
/// the GPU next comes after it all the same.
///
/// # Errors
/// What libtorch reports.
pub fn send(tensor: &Tensor, device: Device) -> Result<Tensor, TrainError> {
    if !matches!(device, Device::Cuda(_)) {
        return Ok(tensor.f_to_device(device)?);
    }
    let pinned = tensor.f_pin_memory(device)?;
    Ok(pinned.f_to_device_(device, pinned.f_kind()?, true, false)?)
}

unsafe extern "C" {
    fn tuneboard_flash(
        out: &mut *mut C_tensor,
        query: *const C_tensor,
        key: *const C_tensor,
        value: *const C_tensor,
        cu_seqlens: *const C_tensor,
        how: &Flash,
    ) -> *mut c_char;
    fn tuneboard_many_norm(
        out: &mut *mut C_tensor,
        tensors: *const *const C_tensor,
        count: i64,
    ) -> *mut c_char;
    fn tuneboard_many_adamw(job: &Job) -> *mut c_char;
}

//! What libtorch is asked for, and what waits for a GPU, by libtorch's own profiler.

use std::ffi::c_char;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use tch::Device;

use super::{check, taken};
use crate::error::TrainError;

/// What was asked for between two moments.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Asked {
    /// Operations of libtorch, those within others included.
    pub operations: u64,
    /// Kernels that ran on the GPU, without copies.
    pub launches: u64,
    /// How often the processor waited for what the GPU had to say. On a CPU, how often it would have.
    pub waits: u64,
    /// What waited, with how often each.
    pub waiting: String,
}

/// As `Asked` in watch.cpp.
#[repr(C)]
#[derive(Default)]
struct Counts {
    operations: i64,
    launches: i64,
    waits: i64,
}

/// libtorch has one profiler.
static ONE: Mutex<()> = Mutex::new(());

/// Counts from when it is made.
pub struct Watch {
    only: MutexGuard<'static, ()>,
}

impl Watch {
    /// Waits for others that watch.
    ///
    /// # Errors
    /// What libtorch reports.
    pub fn begin(device: Device) -> Result<Self, TrainError> {
        let only = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: a flag goes in; the message is taken up by `check`.
        check(unsafe { tuneboard_watch(device.is_cuda()) })?;
        Ok(Self { only })
    }

    /// What was asked for since then by this thread.
    ///
    /// # Errors
    /// What libtorch reports.
    pub fn end(self) -> Result<Asked, TrainError> {
        let (mut counts, mut names) = (Counts::default(), std::ptr::null_mut());
        // SAFETY: both places are ours; the text is taken up once, if there is one.
        check(unsafe { tuneboard_watched(&mut counts, &mut names) })?;
        drop(self.only);
        let number = |count: i64| u64::try_from(count).unwrap_or(0);
        Ok(Asked {
            operations: number(counts.operations),
            launches: number(counts.launches),
            waits: number(counts.waits),
            waiting: taken(names).unwrap_or_default(),
        })
    }
}

unsafe extern "C" {
    fn tuneboard_watch(on_gpu: bool) -> *mut c_char;
    fn tuneboard_watched(counts: &mut Counts, names: &mut *mut c_char) -> *mut c_char;
}

#[cfg(test)]
mod tests {
    use tch::{Kind, Tensor};

    use super::*;

    #[test]
    fn what_would_wait_is_counted_backward_included() {
        let x = Tensor::ones([3, 3], (Kind::Float, Device::Cpu)).set_requires_grad(true);
        let watch = Watch::begin(Device::Cpu).unwrap();
        let y = x.matmul(&x).sum(Kind::Float);
        y.backward();
        let asked = watch.end().unwrap();
        assert!(asked.operations > 5, "{asked:?}");
        assert_eq!((asked.launches, asked.waits), (0, 0), "{asked:?}");
        let watch = Watch::begin(Device::Cpu).unwrap();
        let _ = y.double_value(&[]) + x.nonzero().size()[0] as f64;
        let asked = watch.end().unwrap();
        assert_eq!(asked.waits, 2);
        assert_eq!(asked.waiting, "aten::_local_scalar_dense 1, aten::nonzero 1");
    }
}

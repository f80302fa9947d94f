//! `tuneboard-train probe`: what libtorch finds on this machine, for `tuneboard doctor`.

use serde_json::json;
use tch::{Cuda, Device};

use crate::device;
use crate::progress::out;

/// Prints one JSON object.
pub fn probe() {
    let opened = device::open_cuda();
    let cuda = Cuda::is_available();
    let error = match &opened {
        Err(why) => Some(why.clone()),
        Ok(()) if cuda => None,
        Ok(()) => Some("libtorch sees no GPU".to_owned()),
    };
    let best = if cuda { Device::Cuda(0) } else { Device::Cpu };
    let facts = json!({
        "libtorch": env!("TUNEBOARD_LIBTORCH_VERSION"),
        "cuda": cuda,
        "cuda_error": error,
        "devices": if cuda { Cuda::device_count() } else { 0 },
        "threads": device::threads(0),
        "bf16": device::bf16_is_fast(best),
    });
    out(&facts.to_string());
}

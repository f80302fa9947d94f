use tch::Tensor;

use crate::error::TrainError;
use crate::native;

/// Zeroes each element with probability `p` and scales the rest by `1 / (1 - p)`.
///
/// # Errors
/// What libtorch reports.
pub fn dropout(x: Tensor, p: f64) -> Result<Tensor, TrainError> {
    match p {
        0.0 => Ok(x),
        _ if native::takes(&x, 0) => native::dropout(&x, p),
        _ => Ok(x.f_dropout(p, true)?),
    }
}

use serde::{Deserialize, Serialize};

use super::Split;

/// How far a pass over a split is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Pass {
    /// Which rows.
    pub split: Split,
    /// From 0 to 1.
    pub share: f64,
}

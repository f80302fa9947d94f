//! Questions over runs: what a confusion matrix says, which texts are behind it, what several seeds say
//! together, the figures of a classifier, and whether two runs differ by more than chance.
//!
//! Everything here is pure but the functions named `read`: it takes what the store or a file of
//! predictions gave, and the command line and the dashboard ask the same code.

pub mod bootstrap;
pub mod compare;
pub mod confusion;
pub mod ensemble;
pub mod errors;
pub mod export;
pub mod forecast;
pub mod groups;
mod importance;
pub mod lr_range;
pub mod metrics;
pub mod mistakes;
pub mod sizes;
pub mod spans;
pub mod sweeps;
pub mod thresholds;
pub mod together;

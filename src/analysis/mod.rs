//! Questions over runs: what a confusion matrix says, which texts are behind it, what several seeds say
//! together, and the figures of a classifier.
//!
//! Everything here is pure: it takes what the store or a file of predictions gave, and reads nothing
//! itself.

pub mod confusion;
pub mod groups;
pub mod metrics;
pub mod texts;

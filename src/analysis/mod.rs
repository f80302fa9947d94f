//! Questions over runs: what a confusion matrix says, which texts are behind it, and what several seeds
//! say together.
//!
//! Everything here is pure: it takes what the store or a file of predictions gave, and reads nothing
//! itself.

pub mod confusion;
pub mod groups;
pub mod texts;

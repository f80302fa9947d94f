//! Ways to search: what the next trial of a sweep is, and which trials are stopped before their end.
//!
//! Both are pure functions of the history and a seed, so that a sweep can be replayed.

mod draws;
pub mod ladder;
mod normal;
pub mod prune;
pub mod tpe;

pub use draws::Draws;

//! Answers as files: frames of runs, curves, confusion counts and predictions, and the formats they are
//! written in.

mod format;
mod frames;

pub use format::{Format, save, write};
pub use frames::{cases, confusions, curves, predictions, runs};

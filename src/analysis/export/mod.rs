//! Answers as files: frames of runs, curves, confusion counts and predictions, the formats they are written in,
//! and pictures.

mod format;
mod frames;
mod picture;

pub use format::{Format, keep, save, without_formulas, write};
pub use frames::{cases, confusions, curves, mistakes, pass, predictions, runs};
pub use picture::{
    MOST_RUNS, Picture, Plotted, confusion as confusion_picture, curves as curves_picture, png,
    range as range_picture,
};

//! Runs and sites in words, glyphs and colours.

pub mod site;
pub mod state;

//! Small things that draw themselves on a canvas and know nothing of screens.

pub mod bar;
pub mod curve;
pub mod dots;
pub mod heat;
pub mod message;
pub mod spark;
pub mod table;
pub mod typed;

//! A small recurrent classifier that starts from nothing: the rung between bags of words and
//! pretrained networks. `model=gru` makes its own folder out of the train rows ([`make`]); from there
//! on it is a family like any other.

mod classifier;
mod folder;

pub use classifier::load;
pub use folder::make;

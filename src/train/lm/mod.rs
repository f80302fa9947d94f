//! `task=lm`: an AWD-LSTM learns to predict the next word of the train texts, the first two stages of
//! ULMFiT (Howard & Ruder 2018). From random weights it is pretraining; from given ones, fine-tuning
//! on the texts at hand. What it writes is a model folder again, on which a classifier can start.
//!
//! All texts are one stream, as fastai has it (see [`crate::fastai::Stream`]): its rows are read side
//! by side, and the network's state is carried from window to window.

mod run;
mod start;

pub use run::run;

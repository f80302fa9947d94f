//! `task=lm`: a language model learns from texts alone, and is a model folder again, on which a classifier
//! can start.
//!
//! - AWD-LSTM ([`stream`]): the next word, the first two stages of ULMFiT (Howard & Ruder 2018). From
//!   random weights it is pretraining; from given ones, fine-tuning on the texts at hand.
//! - GPT-2 ([`subwords`]): the next token of each text (Radford et al. 2019).
//! - BERT ([`subwords`]): tokens that were hidden from it (Devlin et al. 2019), see [`mask`].
//!
//! [`run`] knows none of them: it asks an [`objective::Objective`].

mod mask;
mod objective;
mod pieces;
mod run;
mod start;
mod stream;
mod subwords;

pub use run::run;

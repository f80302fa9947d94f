//! ELMo (Peters et al. 2018): words as characters, a convolution over them, a two-layer bidirectional
//! LSTM language model, and a learnt mix of its layers. Reference: AllenNLP 2.10 `Elmo`.
//!
//! ```text
//! characters [batch, words, 50] -> TokenEncoder -> BiLm -> layers, each [batch, words, 2 * projection]
//!   -> mean over the words of a text, layer by layer -> scalar mix -> dropout -> linear
//! ```
//! The mean comes before the mix. Both are linear, so the result is the same, and the text vectors do
//! not depend on anything that learns while the language model is frozen. That holds with `layer_norm` as
//! well, which shifts and scales a layer as a whole.

mod bilm;
mod characters;
mod classifier;
#[cfg(test)]
mod parity;
mod source;
mod token_encoder;

pub use characters::Characters;
pub use classifier::load;

//! fastai's way from texts to ids (fastai 2.8, `fastai.text`): eight text rules, a split on spaces, a
//! vocabulary counted from the texts, one stream of ids for language models and fastai's padding
//! for its classifier.
//!
//! fastai itself splits with spaCy by default. spaCy is not ported: words are split on spaces after
//! the rules have set their marks, which is fastai's `BaseTokenizer`.

mod pad;
mod rules;
mod scratch;
mod stream;
mod vocab;
mod words;

pub use pad::padding_before;
pub use rules::tokens;
pub use scratch::scratch;
pub use stream::Stream;
pub use vocab::{PAD, UNK, Vocab};
pub use words::Words;

/// A file of `ulmfit` in the folder of reference values.
#[cfg(test)]
pub fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(crate::parity::root().join("ulmfit").join(name)).unwrap()
}

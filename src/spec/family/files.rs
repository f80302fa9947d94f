//! The files of tokenizers.

use super::TokenizerKind;

/// The files of a tokenizer: tokenizer.json, or what one is made of, and what belongs to both.
pub const TOKENIZER_FILES: [&str; 11] = [
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "spiece.model",
    "spm.model",
    "sentencepiece.bpe.model",
    "tokenizer.model",
];

/// The sets of files that a tokenizer of subwords can be read from.
const SUBWORDS: [&[&str]; 7] = [
    &["tokenizer.json"],
    &["vocab.txt"],
    &["vocab.json", "merges.txt"],
    &["spiece.model"],
    &["spm.model"],
    &["sentencepiece.bpe.model"],
    &["tokenizer.model"],
];

/// What peft keeps an adapter in: what it is, and its weights.
pub const ADAPTER_FILES: [&str; 2] = ["adapter_config.json", "adapter_model.safetensors"];

/// How a sentence encoder pools, beside its model.
pub const POOLING_FILE: &str = "1_Pooling/config.json";

impl TokenizerKind {
    /// The file that a folder lacks, which `has` some files; `None` if it lacks none.
    pub fn lacks(self, has: impl Fn(&str) -> bool) -> Option<&'static str> {
        match self {
            Self::Characters => None,
            Self::Words => (!has("vocab.json")).then_some("vocab.json"),
            Self::Subwords => {
                let whole = |files: &&[&str]| files.iter().all(|file| has(file));
                (!SUBWORDS.iter().any(whole)).then_some("tokenizer.json")
            }
        }
    }
}

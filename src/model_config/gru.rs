use serde::Deserialize;
use serde_json::Value;

use crate::model_config::fields::{are_shares, in_bounds};

/// The `config.json` of a recurrent classifier of ours.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct GruConfig {
    /// Words.
    pub vocab_size: i64,
    /// Width of word vectors.
    pub embedding_size: i64,
    /// Width of each direction.
    pub hidden_size: i64,
    /// Of word vectors, and before the head.
    pub dropout: f64,
    /// Standard deviation of random weights.
    pub initializer_range: f64,
    /// The id that fills short rows of a batch.
    pub pad_token_id: i64,
}

impl GruConfig {
    /// Takes its fields from a `config.json`.
    ///
    /// # Errors
    /// As a fragment: a field that is missing or of another type, sizes that make no network.
    pub fn of(json: &Value) -> Result<Self, String> {
        let config = Self::deserialize(json).map_err(|e| e.to_string())?;
        in_bounds(&[
            ("vocab_size", config.vocab_size, 1 << 24),
            ("embedding_size", config.embedding_size, 1 << 14),
            ("hidden_size", config.hidden_size, 1 << 14),
        ])?;
        are_shares(&[("dropout", config.dropout)])?;
        if !(0..config.vocab_size).contains(&config.pad_token_id) {
            return Err("pad_token_id is no word of the vocabulary".into());
        }
        Ok(config)
    }
}

use serde::Deserialize;
use serde_json::Value;

use crate::model::config::{Activation, are_shares, in_bounds};
use crate::model::layers::Dropouts;

/// The `config.json` of a BERT checkpoint; fields and defaults as transformers' `BertConfig`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default)]
pub struct BertConfig {
    /// Word pieces.
    pub vocab_size: i64,
    /// Width of the residual stream.
    pub hidden_size: i64,
    /// Transformer layers.
    pub num_hidden_layers: i64,
    /// Heads per layer; they divide `hidden_size`.
    pub num_attention_heads: i64,
    /// Width inside the feed-forward block.
    pub intermediate_size: i64,
    /// The feed-forward block's non-linearity.
    pub hidden_act: Activation,
    /// The longest text, in tokens.
    pub max_position_embeddings: i64,
    /// Segment embeddings.
    pub type_vocab_size: i64,
    /// Added to the variance in LayerNorm.
    pub layer_norm_eps: f64,
    /// Dropout of everything but attention weights.
    pub hidden_dropout_prob: f64,
    /// Dropout of attention weights.
    pub attention_probs_dropout_prob: f64,
    /// Dropout before the head; `hidden_dropout_prob` if absent.
    pub classifier_dropout: Option<f64>,
    /// Standard deviation of random weights.
    pub initializer_range: f64,
    /// The id that fills short rows of a batch.
    pub pad_token_id: Option<i64>,
}

impl Default for BertConfig {
    fn default() -> Self {
        Self {
            vocab_size: 30522,
            hidden_size: 768,
            num_hidden_layers: 12,
            num_attention_heads: 12,
            intermediate_size: 3072,
            hidden_act: Activation::Gelu,
            max_position_embeddings: 512,
            type_vocab_size: 2,
            layer_norm_eps: 1e-12,
            hidden_dropout_prob: 0.1,
            attention_probs_dropout_prob: 0.1,
            classifier_dropout: None,
            initializer_range: 0.02,
            pad_token_id: Some(0),
        }
    }
}

impl BertConfig {
    /// Takes its fields from a `config.json`.
    ///
    /// # Errors
    /// As a fragment: a field of another type, sizes that make no model.
    pub fn of(json: &Value) -> Result<Self, String> {
        let position = json.get("position_embedding_type").and_then(Value::as_str);
        if position.is_some_and(|p| p != "absolute") {
            return Err(format!(
                "position_embedding_type `{}` is not supported, only `absolute`",
                position.unwrap_or_default()
            ));
        }
        let config = Self::deserialize(json).map_err(|e| e.to_string())?;
        config.check()?;
        Ok(config)
    }

    /// As the config says.
    pub fn dropouts(&self) -> Dropouts {
        Dropouts {
            embeddings: self.hidden_dropout_prob,
            attention: self.attention_probs_dropout_prob,
            residual: self.hidden_dropout_prob,
            head: self.classifier_dropout.unwrap_or(self.hidden_dropout_prob),
        }
    }

    /// The id that fills short rows of a batch.
    pub fn padding(&self) -> i64 {
        self.pad_token_id.unwrap_or(0)
    }

    fn check(&self) -> Result<(), String> {
        in_bounds(&[
            ("vocab_size", self.vocab_size, 1 << 24),
            ("hidden_size", self.hidden_size, 1 << 16),
            ("num_hidden_layers", self.num_hidden_layers, 1 << 10),
            ("num_attention_heads", self.num_attention_heads, 1 << 10),
            ("intermediate_size", self.intermediate_size, 1 << 18),
            ("max_position_embeddings", self.max_position_embeddings, 1 << 20),
            ("type_vocab_size", self.type_vocab_size, 1 << 10),
        ])?;
        if self.hidden_size % self.num_attention_heads != 0 {
            return Err(format!(
                "hidden_size {} cannot be shared among {} attention heads",
                self.hidden_size, self.num_attention_heads
            ));
        }
        if !(0..self.vocab_size).contains(&self.padding()) {
            return Err(format!(
                "pad_token_id {} is outside the vocabulary of {}",
                self.padding(),
                self.vocab_size
            ));
        }
        are_shares(&[
            ("hidden_dropout_prob", self.hidden_dropout_prob),
            ("attention_probs_dropout_prob", self.attention_probs_dropout_prob),
            ("classifier_dropout", self.classifier_dropout.unwrap_or(0.0)),
        ])
    }
}

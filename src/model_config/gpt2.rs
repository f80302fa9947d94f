use serde::Deserialize;
use serde_json::Value;

use crate::model_config::fields::{Activation, Dropouts, are_shares, in_bounds};

/// The `config.json` of a GPT-2 checkpoint; fields and defaults as transformers' `GPT2Config`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default)]
pub struct Gpt2Config {
    /// Byte pairs.
    pub vocab_size: i64,
    /// The longest text, in tokens.
    pub n_positions: i64,
    /// Width of the residual stream.
    pub n_embd: i64,
    /// Transformer layers.
    pub n_layer: i64,
    /// Heads per layer; they divide `n_embd`.
    pub n_head: i64,
    /// Width inside the feed-forward block; four times `n_embd` if absent.
    pub n_inner: Option<i64>,
    /// The feed-forward block's non-linearity.
    pub activation_function: Activation,
    /// Dropout of what a block adds to the residual stream.
    pub resid_pdrop: f64,
    /// Dropout of the embeddings.
    pub embd_pdrop: f64,
    /// Dropout of attention weights.
    pub attn_pdrop: f64,
    /// Added to the variance in LayerNorm.
    pub layer_norm_epsilon: f64,
    /// Standard deviation of random weights.
    pub initializer_range: f64,
    /// Divide attention scores by the square root of the head's width.
    pub scale_attn_weights: bool,
    /// Divide them by the layer's number (from 1) as well.
    pub scale_attn_by_inverse_layer_idx: bool,
    /// The id that fills short rows of a batch, if there is one.
    pub pad_token_id: Option<i64>,
    /// The id that ends a text; it fills short rows where there is no other.
    pub eos_token_id: Option<i64>,
}

impl Default for Gpt2Config {
    fn default() -> Self {
        Self {
            vocab_size: 50257,
            n_positions: 1024,
            n_embd: 768,
            n_layer: 12,
            n_head: 12,
            n_inner: None,
            activation_function: Activation::GeluNew,
            resid_pdrop: 0.1,
            embd_pdrop: 0.1,
            attn_pdrop: 0.1,
            layer_norm_epsilon: 1e-5,
            initializer_range: 0.02,
            scale_attn_weights: true,
            scale_attn_by_inverse_layer_idx: false,
            pad_token_id: None,
            eos_token_id: None,
        }
    }
}

impl Gpt2Config {
    /// Takes its fields from a `config.json`.
    ///
    /// # Errors
    /// As a fragment: a field of another type, sizes that make no model.
    pub fn of(json: &Value) -> Result<Self, String> {
        let config = Self::deserialize(json).map_err(|e| e.to_string())?;
        config.check()?;
        Ok(config)
    }

    /// Width inside the feed-forward block.
    pub fn inner(&self) -> i64 {
        self.n_inner.unwrap_or(4 * self.n_embd)
    }

    /// The id that fills short rows of a batch.
    pub fn padding(&self) -> i64 {
        self.pad_token_id.or(self.eos_token_id).unwrap_or(self.vocab_size - 1)
    }

    /// What attention scores of layer `index`, from 0, are multiplied with.
    pub fn scale(&self, index: i64) -> f64 {
        let size = (self.n_embd / self.n_head) as f64;
        let scale = if self.scale_attn_weights { 1.0 / size.sqrt() } else { 1.0 };
        if self.scale_attn_by_inverse_layer_idx { scale / (index + 1) as f64 } else { scale }
    }

    /// As the config says; there is none before the head.
    pub fn dropouts(&self) -> Dropouts {
        Dropouts {
            embeddings: self.embd_pdrop,
            attention: self.attn_pdrop,
            residual: self.resid_pdrop,
            head: 0.0,
        }
    }

    fn check(&self) -> Result<(), String> {
        in_bounds(&[
            ("vocab_size", self.vocab_size, 1 << 24),
            ("n_positions", self.n_positions, 1 << 20),
            ("n_embd", self.n_embd, 1 << 16),
            ("n_layer", self.n_layer, 1 << 10),
            ("n_head", self.n_head, 1 << 10),
            ("n_inner", self.inner(), 1 << 18),
        ])?;
        if self.n_embd % self.n_head != 0 {
            return Err(format!(
                "n_embd {} cannot be shared among {} attention heads",
                self.n_embd, self.n_head
            ));
        }
        if !(0..self.vocab_size).contains(&self.padding()) {
            return Err(format!(
                "the padding id {} is outside the vocabulary of {}",
                self.padding(),
                self.vocab_size
            ));
        }
        are_shares(&[
            ("resid_pdrop", self.resid_pdrop),
            ("embd_pdrop", self.embd_pdrop),
            ("attn_pdrop", self.attn_pdrop),
        ])
    }
}

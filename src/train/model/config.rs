use std::fs;
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use crate::error::TrainError;

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
    /// How the head of a checkpoint that tuneboard wrote pools; absent in others, which means `cls`.
    pub tuneboard_pool: Option<tuneboard::spec::Pool>,
    /// Class names of the checkpoint's head, if it has one.
    pub id2label: Option<std::collections::BTreeMap<String, String>>,
}

/// Names as transformers' `ACT2FN`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// x Φ(x).
    #[serde(alias = "gelu_python")]
    Gelu,
    /// The tanh approximation of GELU.
    #[serde(alias = "gelu_pytorch_tanh", alias = "gelu_fast")]
    GeluNew,
    /// max(x, 0).
    Relu,
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
            tuneboard_pool: None,
            id2label: None,
        }
    }
}

impl BertConfig {
    /// Reads `config.json`, also as it stands, for copying.
    ///
    /// # Errors
    /// A missing or malformed file, an architecture that is not BERT, sizes that make no model.
    pub fn read(folder: &Path) -> Result<(Self, Value), TrainError> {
        let path = folder.join("config.json");
        let bad = |why: String| TrainError::Input(format!("{}: {why}.", path.display()));
        let text = fs::read_to_string(&path).map_err(TrainError::read(&path))?;
        let json: Value =
            serde_json::from_str(&text).map_err(|e| bad(format!("it is not valid JSON: {e}")))?;
        let kind = json.get("model_type").and_then(Value::as_str);
        if kind != Some("bert") {
            let kind = kind.map_or("no model_type".to_owned(), |k| format!("model_type `{k}`"));
            return Err(bad(format!("it has {kind}; this version trains `bert` models")));
        }
        let position = json.get("position_embedding_type").and_then(Value::as_str);
        if position.is_some_and(|p| p != "absolute") {
            return Err(bad(format!(
                "position_embedding_type `{}` is not supported, only `absolute`",
                position.unwrap_or_default()
            )));
        }
        let config: Self = serde_json::from_value(json.clone()).map_err(|e| bad(e.to_string()))?;
        config.check().map_err(bad)?;
        Ok((config, json))
    }

    /// The id that fills short rows of a batch.
    pub fn padding(&self) -> i64 {
        self.pad_token_id.unwrap_or(0)
    }

    fn check(&self) -> Result<(), String> {
        // Bounds far above any real model, so that a lying file cannot ask for endless memory.
        for (name, value, most) in [
            ("vocab_size", self.vocab_size, 1 << 24),
            ("hidden_size", self.hidden_size, 1 << 16),
            ("num_hidden_layers", self.num_hidden_layers, 1 << 10),
            ("num_attention_heads", self.num_attention_heads, 1 << 10),
            ("intermediate_size", self.intermediate_size, 1 << 18),
            ("max_position_embeddings", self.max_position_embeddings, 1 << 20),
            ("type_vocab_size", self.type_vocab_size, 1 << 10),
        ] {
            if !(1..=most).contains(&value) {
                return Err(format!("{name} is {value}; it must be from 1 to {most}"));
            }
        }
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
        let shares = [
            ("hidden_dropout_prob", self.hidden_dropout_prob),
            ("attention_probs_dropout_prob", self.attention_probs_dropout_prob),
            ("classifier_dropout", self.classifier_dropout.unwrap_or(0.0)),
        ];
        for (name, value) in shares {
            if !(0.0..1.0).contains(&value) {
                return Err(format!("{name} is {value}; it must be from 0 to below 1"));
            }
        }
        Ok(())
    }
}

use serde::Deserialize;
use serde_json::Value;

use crate::model_config::fields::{are_shares, in_bounds};

/// The `config.json` of an AWD-LSTM; names and defaults as fastai's `awd_lstm_lm_config`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default)]
pub struct AwdLstmConfig {
    /// Words.
    pub vocab_sz: i64,
    /// Width of embeddings and of the last layer.
    pub emb_sz: i64,
    /// Width of the other layers.
    pub n_hid: i64,
    /// LSTM layers.
    pub n_layers: i64,
    /// The id that fills.
    pub pad_token: i64,
    /// Language model: dropout of the last layer's outputs.
    pub output_p: f64,
    /// Language model: dropout between layers.
    pub hidden_p: f64,
    /// Language model: dropout of word vectors.
    pub input_p: f64,
    /// Language model: dropout of whole words.
    pub embed_p: f64,
    /// Language model: dropout of recurrent weights.
    pub weight_p: f64,
    /// Language model: weight of activation regularisation in the loss (AR).
    pub alpha: f64,
    /// Language model: weight of its temporal form (TAR).
    pub beta: f64,
    /// Tokens of a window; gradients end at its start.
    pub bptt: i64,
    /// The classifier pools over the last that many tokens.
    pub max_len: i64,
    /// Widths of the classifier's hidden layers.
    pub lin_ftrs: Vec<i64>,
}

impl Default for AwdLstmConfig {
    fn default() -> Self {
        Self {
            vocab_sz: 60_000,
            emb_sz: 400,
            n_hid: 1152,
            n_layers: 3,
            pad_token: 1,
            output_p: 0.1,
            hidden_p: 0.15,
            input_p: 0.25,
            embed_p: 0.02,
            weight_p: 0.2,
            alpha: 2.0,
            beta: 1.0,
            bptt: 72,
            max_len: 72 * 20,
            lin_ftrs: vec![50],
        }
    }
}

/// Where an AWD-LSTM drops what; fastai's names.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Dropouts {
    /// The last layer's outputs.
    pub output_p: f64,
    /// Between layers.
    pub hidden_p: f64,
    /// Word vectors.
    pub input_p: f64,
    /// Whole words.
    pub embed_p: f64,
    /// Recurrent weights.
    pub weight_p: f64,
}

impl Dropouts {
    /// All the same.
    fn all(p: f64) -> Self {
        Self { output_p: p, hidden_p: p, input_p: p, embed_p: p, weight_p: p }
    }
}

impl AwdLstmConfig {
    /// Takes it out of `config.json`.
    ///
    /// # Errors
    /// Values that make no model, as a fragment.
    pub fn of(json: &Value) -> Result<Self, String> {
        if json.get("bidir").and_then(Value::as_bool) == Some(true) {
            return Err("bidirectional AWD-LSTMs are not supported".into());
        }
        let config: Self = serde_json::from_value(json.clone()).map_err(|e| e.to_string())?;
        in_bounds(&[
            ("vocab_sz", config.vocab_sz, 1 << 24),
            ("emb_sz", config.emb_sz, 1 << 16),
            ("n_hid", config.n_hid, 1 << 16),
            ("n_layers", config.n_layers, 1 << 8),
            ("bptt", config.bptt, 1 << 16),
            ("max_len", config.max_len, 1 << 30),
            ("the number of lin_ftrs", config.lin_ftrs.len() as i64 + 1, 1 << 6),
        ])?;
        for width in &config.lin_ftrs {
            in_bounds(&[("a width in lin_ftrs", *width, 1 << 16)])?;
        }
        are_shares(&[
            ("output_p", config.output_p),
            ("hidden_p", config.hidden_p),
            ("input_p", config.input_p),
            ("embed_p", config.embed_p),
            ("weight_p", config.weight_p),
        ])?;
        let weights = [("alpha", config.alpha), ("beta", config.beta)];
        if let Some((name, value)) = weights.iter().find(|(_, x)| !(0.0..1e6).contains(x)) {
            return Err(format!("{name} is {value}; it must be from 0 to a million"));
        }
        if !(0..config.vocab_sz).contains(&config.pad_token) {
            return Err(format!(
                "pad_token {} is outside the vocabulary of {}",
                config.pad_token, config.vocab_sz
            ));
        }
        Ok(config)
    }

    /// The language model's dropouts: `all` if it is given.
    pub fn language_model(&self, all: Option<f64>) -> Dropouts {
        let Self { output_p, hidden_p, input_p, embed_p, weight_p, .. } = *self;
        all.map_or(Dropouts { output_p, hidden_p, input_p, embed_p, weight_p }, Dropouts::all)
    }

    /// The classifier's dropouts: `all` if it is given, or else fastai's `awd_lstm_clas_config`.
    /// Those of `config.json` are the language model's, from which a classifier usually starts.
    pub fn classifier(all: Option<f64>) -> Dropouts {
        let usual =
            Dropouts { output_p: 0.4, hidden_p: 0.3, input_p: 0.4, embed_p: 0.05, weight_p: 0.5 };
        all.map_or(usual, Dropouts::all)
    }
}

mod families;
mod positions;
mod rope;

use crate::spec::family::whole;
use crate::spec::{Family, Pool};
use serde_json::Value;

use crate::model_config::fields::{Activation, Dropouts, Fields, are_shares, in_bounds};
use families::Usual;
pub use rope::{Rope, Scaling};

/// The `config.json` of a network with rotary positions; fields and defaults as transformers has them,
/// under the names of its versions 4 and 5.
#[derive(Debug, Clone, PartialEq)]
pub struct RotaryConfig {
    /// Tokens.
    pub vocabulary: i64,
    /// Width of the residual stream.
    pub hidden: i64,
    /// Heads of queries.
    pub heads: i64,
    /// Heads of keys and values; they divide `heads`.
    pub kv_heads: i64,
    /// Width of a head.
    pub size: i64,
    /// Width inside the feed-forward block.
    pub wide: i64,
    /// The feed-forward block's non-linearity.
    pub activation: Activation,
    /// The longest text, in tokens.
    pub positions: i64,
    /// The rotary positions that blocks use.
    pub ropes: Vec<Rope>,
    /// The blocks, from below.
    pub blocks: Vec<BlockKind>,
    /// True if a token sees none that come later.
    pub is_causal: bool,
    /// What normalises.
    pub norm: NormKind,
    /// Added to the variance or the mean square there.
    pub eps: f64,
    /// What attention scores are multiplied with.
    pub scale: f64,
    /// What word embeddings are multiplied with (Gemma).
    pub words_scale: Option<f64>,
    /// Which layers have biases.
    pub biases: Biases,
    /// Queries and keys are normalised before they are turned.
    pub normalises_qk: bool,
    /// Attention and feed-forward block read the same input, and both are added to it (GPT-NeoX).
    pub is_parallel: bool,
    /// As the config says.
    pub dropouts: Dropouts,
    /// Dropout inside the feed-forward block.
    pub inner_dropout: f64,
    /// Standard deviation of random weights.
    pub std: f64,
    /// The id that fills short rows of a batch.
    pub padding: i64,
    /// The row of the word embeddings that learns nothing from being looked up.
    pub idle_row: Option<i64>,
    /// ModernBERT's head.
    pub head: Option<HeadConfig>,
}

/// One block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockKind {
    /// Its rotary positions, as an index.
    pub rope: usize,
    /// How far a token sees to each side it sees at all; `None` = everything.
    pub reach: Option<i64>,
}

/// What normalises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NormKind {
    /// LayerNorm, with or without biases.
    Layer {
        /// With.
        has_bias: bool,
    },
    /// RMSNorm (Zhang & Sennrich 2019).
    Rms,
    /// RMSNorm whose weights are stored less 1.
    RmsFromZero,
}

impl NormKind {
    /// Whether it has a bias.
    pub fn has_bias(self) -> bool {
        self == Self::Layer { has_bias: true }
    }
}

/// Which layers have biases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Biases {
    /// Queries, keys, values.
    pub qkv: bool,
    /// The attention's output projection.
    pub mix: bool,
    /// The feed-forward block.
    pub wide: bool,
}

/// ModernBERT's head: dense, activation, normalisation, dropout, linear.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HeadConfig {
    /// Of the dense layer.
    pub has_bias: bool,
    /// Behind it.
    pub activation: Activation,
    /// How token vectors become a text vector.
    pub pool: Pool,
}

impl RotaryConfig {
    /// Takes the fields of `family` from a `config.json`.
    ///
    /// # Errors
    /// As a fragment: a field of another type, sizes that make no model, what is not supported.
    pub fn of(family: Family, json: &Value) -> Result<Self, String> {
        let fields = Fields(json);
        let usual = Usual::of(family);
        let layers = fields.whole(&["num_hidden_layers"], usual.layers)?;
        let positions = fields.whole(&["max_position_embeddings"], usual.positions)?;
        let hidden = fields.whole(&["hidden_size"], usual.hidden)?;
        let heads = fields.whole(&["num_attention_heads"], usual.heads)?;
        in_bounds(&[
            ("num_hidden_layers", layers, 1 << 10),
            ("max_position_embeddings", positions, 1 << 20),
            ("hidden_size", hidden, 1 << 16),
            ("num_attention_heads", heads, 1 << 10),
        ])?;
        let idle = json.get("pad_token_id").and_then(whole);
        let activations = ["hidden_act", "hidden_activation"];
        let silu_or_gelu = match family {
            Family::GptNeoX | Family::ModernBert => Activation::Gelu,
            Family::Gemma3 => Activation::GeluNew,
            _ => Activation::Silu,
        };
        let attention_dropout = fields.number(&["attention_dropout"], 0.0)?;
        let size = hidden / heads;
        let mut config = Self {
            vocabulary: fields.whole(&["vocab_size"], usual.vocabulary)?,
            hidden,
            heads,
            kv_heads: heads,
            size,
            wide: fields.whole(&["intermediate_size"], usual.wide)?,
            activation: fields.activation(&activations, silu_or_gelu)?,
            positions,
            ropes: Vec::new(),
            blocks: vec![BlockKind { rope: 0, reach: None }; layers as usize],
            is_causal: family != Family::ModernBert,
            norm: NormKind::Rms,
            eps: fields.number(&["rms_norm_eps", "layer_norm_eps", "norm_eps"], usual.eps)?,
            scale: 1.0 / (size as f64).sqrt(),
            words_scale: None,
            biases: Biases { qkv: false, mix: false, wide: false },
            normalises_qk: false,
            is_parallel: false,
            dropouts: Dropouts { attention: attention_dropout, ..Dropouts::default() },
            inner_dropout: 0.0,
            std: fields.number(&["initializer_range"], 0.02)?,
            padding: i64::from(family.padding(json)),
            idle_row: idle,
            head: None,
        };
        match family {
            Family::ModernBert => config.modern_bert(fields, usual.base)?,
            Family::GptNeoX => config.neox(fields, usual.base)?,
            Family::Gemma3 => config.gemma(fields, usual.base)?,
            _ => config.llama(family, fields, usual.base)?,
        }
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<(), String> {
        in_bounds(&[
            ("vocab_size", self.vocabulary, 1 << 24),
            ("num_key_value_heads", self.kv_heads, 1 << 10),
            ("the width of a head", self.size, 1 << 12),
            ("intermediate_size", self.wide, 1 << 18),
        ])?;
        let whole_heads = self.head.is_none() && self.heads * self.size != self.hidden;
        if whole_heads && self.hidden % self.heads != 0 && self.kv_heads == self.heads {
            return Err(format!(
                "hidden_size {} cannot be shared among {} attention heads",
                self.hidden, self.heads
            ));
        }
        if self.heads % self.kv_heads != 0 {
            return Err(format!(
                "{} heads of queries cannot be shared among {} heads of keys",
                self.heads, self.kv_heads
            ));
        }
        let rows = [Some(self.padding), self.idle_row];
        if let Some(row) =
            rows.into_iter().flatten().find(|row| !(0..self.vocabulary).contains(row))
        {
            return Err(format!(
                "pad_token_id {row} is outside the vocabulary of {}",
                self.vocabulary
            ));
        }
        are_shares(&[
            ("the dropout of the embeddings", self.dropouts.embeddings),
            ("the dropout of attention", self.dropouts.attention),
            ("the dropout of hidden states", self.dropouts.residual),
            ("the dropout of the feed-forward block", self.inner_dropout),
            ("the dropout of the head", self.dropouts.head),
        ])
    }
}

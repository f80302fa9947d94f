use std::path::Path;

use tuneboard::spec::Family;

use crate::error::TrainError;
use crate::model::config::bad;

/// What the weights of a family are called. Names of layers lack the `.weight` and `.bias` at their end.
#[derive(Debug)]
pub struct Layout {
    /// Before the names of the network's weights in the files that are written.
    pub prefix: &'static str,
    /// The word embeddings.
    pub words: &'static str,
    /// The normalisation of the embeddings.
    pub words_norm: Option<&'static str>,
    /// The normalisation behind the last block.
    pub last_norm: &'static str,
    /// Queries, keys and values, by block.
    pub qkv: Packing,
    /// The attention's output projection.
    pub mix: &'static str,
    /// The normalisation before the attention.
    pub attention_norm: &'static str,
    /// The normalisation before the feed-forward block.
    pub wide_norm: &'static str,
    /// The normalisations of what the two halves give, before it is added (Gemma).
    pub out_norms: Option<[&'static str; 2]>,
    /// The feed-forward block's first layer.
    pub widen: Widen,
    /// Its last.
    pub narrow: &'static str,
    /// True if the first block's attention has no normalisation before it (ModernBERT).
    pub starts_bare: bool,
}

/// How queries, keys and values lie in the files.
#[derive(Debug, Clone, Copy)]
pub enum Packing {
    /// Three layers.
    Apart([&'static str; 3]),
    /// One layer: all queries, all keys, all values.
    Thirds(&'static str),
    /// One layer: query, key and value of each head side by side.
    ByHead(&'static str),
}

/// The first layer of the feed-forward block.
#[derive(Debug, Clone, Copy)]
pub enum Widen {
    /// Its outputs go through the activation.
    Plain(&'static str),
    /// Two layers: the first one's outputs go through the activation and are multiplied with the
    /// second's.
    Gated([&'static str; 2]),
    /// The same, as two halves of one layer.
    GatedHalves(&'static str),
}

const LLAMA: Layout = Layout {
    prefix: "model.",
    words: "embed_tokens",
    words_norm: None,
    last_norm: "norm",
    qkv: Packing::Apart(["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"]),
    mix: "self_attn.o_proj",
    attention_norm: "input_layernorm",
    wide_norm: "post_attention_layernorm",
    out_norms: None,
    widen: Widen::Gated(["mlp.gate_proj", "mlp.up_proj"]),
    narrow: "mlp.down_proj",
    starts_bare: false,
};

const GEMMA: Layout = Layout {
    wide_norm: "pre_feedforward_layernorm",
    out_norms: Some(["post_attention_layernorm", "post_feedforward_layernorm"]),
    ..LLAMA
};

const NEOX: Layout = Layout {
    prefix: "gpt_neox.",
    words: "embed_in",
    last_norm: "final_layer_norm",
    qkv: Packing::ByHead("attention.query_key_value"),
    mix: "attention.dense",
    widen: Widen::Plain("mlp.dense_h_to_4h"),
    narrow: "mlp.dense_4h_to_h",
    ..LLAMA
};

const MODERNBERT: Layout = Layout {
    prefix: "model.",
    words: "embeddings.tok_embeddings",
    words_norm: Some("embeddings.norm"),
    last_norm: "final_norm",
    qkv: Packing::Thirds("attn.Wqkv"),
    mix: "attn.Wo",
    attention_norm: "attn_norm",
    wide_norm: "mlp_norm",
    out_norms: None,
    widen: Widen::GatedHalves("mlp.Wi"),
    narrow: "mlp.Wo",
    starts_bare: true,
};

impl Layout {
    /// A tensor that every checkpoint has.
    pub fn anchor(&self) -> String {
        format!("{}.weight", self.words)
    }

    /// The layout of a family with rotary positions.
    ///
    /// # Errors
    /// A family of another kind; `folder` is named.
    pub fn of(family: Family, folder: &Path) -> Result<&'static Self, TrainError> {
        Ok(match family {
            Family::Llama | Family::Qwen2 | Family::Qwen3 => &LLAMA,
            Family::Gemma3 => &GEMMA,
            Family::GptNeoX => &NEOX,
            Family::ModernBert => &MODERNBERT,
            other => return Err(bad(folder, &format!("{other} has no rotary positions"))),
        })
    }
}

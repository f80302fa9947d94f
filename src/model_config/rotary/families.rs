//! What is a family's own in a config.

use crate::spec::{Family, Pool};
use serde_json::Value;

use super::{Biases, HeadConfig, NormKind, RotaryConfig};
use crate::model_config::fields::{Activation, Fields, in_bounds};

/// The sizes that transformers' config of a family starts from.
pub(super) struct Usual {
    pub vocabulary: i64,
    pub hidden: i64,
    pub wide: i64,
    pub layers: i64,
    pub heads: i64,
    pub positions: i64,
    pub eps: f64,
    pub base: f64,
}

impl Usual {
    pub fn of(family: Family) -> Self {
        let llama = Self {
            vocabulary: 32000,
            hidden: 4096,
            wide: 11008,
            layers: 32,
            heads: 32,
            positions: 2048,
            eps: 1e-6,
            base: 1e4,
        };
        match family {
            Family::Qwen2 | Family::Qwen3 => {
                Self { vocabulary: 151_936, wide: 22016, positions: 32768, ..llama }
            }
            Family::Gemma3 => Self {
                vocabulary: 262_208,
                hidden: 2304,
                wide: 9216,
                layers: 26,
                heads: 8,
                positions: 131_072,
                base: 1e6,
                ..llama
            },
            Family::GptNeoX => Self {
                vocabulary: 50432,
                hidden: 6144,
                wide: 24576,
                layers: 44,
                heads: 64,
                eps: 1e-5,
                ..llama
            },
            Family::ModernBert => Self {
                vocabulary: 50368,
                hidden: 768,
                wide: 1152,
                layers: 22,
                heads: 12,
                positions: 8192,
                eps: 1e-5,
                base: 160_000.0,
            },
            _ => llama,
        }
    }
}

impl RotaryConfig {
    pub(super) fn modern_bert(&mut self, fields: Fields, base: f64) -> Result<(), String> {
        let attention = fields.switch("attention_bias", false)?;
        self.biases =
            Biases { qkv: attention, mix: attention, wide: fields.switch("mlp_bias", false)? };
        self.norm = NormKind::Layer { has_bias: fields.switch("norm_bias", false)? };
        self.dropouts.embeddings = fields.number(&["embedding_dropout"], 0.0)?;
        self.dropouts.residual = self.dropouts.attention;
        self.dropouts.head = fields.number(&["classifier_dropout"], 0.0)?;
        self.inner_dropout = fields.number(&["mlp_dropout"], 0.0)?;
        let global = fields.number(&["global_rope_theta"], base)?;
        let local = match fields.0.get("local_rope_theta") {
            Some(Value::Null) => global,
            _ => fields.number(&["local_rope_theta"], 1e4)?,
        };
        self.two_ropes(fields, global, local, self.size)?;
        let every = fields.whole(&["global_attn_every_n_layers"], 3)?;
        let window = fields.whole(&["local_attention"], 128)?;
        in_bounds(&[
            ("global_attn_every_n_layers", every, 1 << 10),
            ("local_attention", window, 1 << 20),
        ])?;
        self.windows(fields, window / 2, |index| index % every == 0)?;
        self.head = Some(HeadConfig {
            has_bias: fields.switch("classifier_bias", false)?,
            activation: fields.activation(&["classifier_activation"], Activation::Gelu)?,
            pool: match fields.word("classifier_pooling")?.unwrap_or("cls") {
                "cls" => Pool::Cls,
                "mean" => Pool::Mean,
                other => {
                    return Err(format!("classifier_pooling is `{other}`; it can be cls or mean"));
                }
            },
        });
        Ok(())
    }

    pub(super) fn neox(&mut self, fields: Fields, base: f64) -> Result<(), String> {
        let attention = fields.switch("attention_bias", true)?;
        self.biases = Biases { qkv: attention, mix: attention, wide: true };
        self.norm = NormKind::Layer { has_bias: true };
        self.is_parallel = fields.switch("use_parallel_residual", true)?;
        let residual = fields.number(&["hidden_dropout"], 0.0)?;
        self.dropouts.embeddings = residual;
        self.dropouts.residual = residual;
        self.dropouts.head = fields.number(&["classifier_dropout"], 0.0)?;
        // No row of its word embeddings is set apart.
        self.idle_row = None;
        let base = fields.number(&["rotary_emb_base"], base)?;
        let share = fields.number(&["rotary_pct"], 0.25)?;
        self.one_rope(fields, base, share)
    }

    pub(super) fn llama(
        &mut self,
        family: Family,
        fields: Fields,
        base: f64,
    ) -> Result<(), String> {
        let attention = fields.switch("attention_bias", family == Family::Qwen2)?;
        self.biases = Biases {
            qkv: attention,
            // Qwen 2 has biases on queries, keys and values alone.
            mix: attention && family != Family::Qwen2,
            wide: fields.switch("mlp_bias", false)?,
        };
        self.normalises_qk = family == Family::Qwen3;
        let size = if family == Family::Qwen3 { 128 } else { self.size };
        self.grouped(fields, size, self.heads)?;
        let base = fields.number(&["rope_theta"], base)?;
        self.one_rope(fields, base, 1.0)?;
        let layers = self.blocks.len() as i64;
        let first = fields.whole(&["max_window_layers"], 28)?;
        let slides = fields.switch("use_sliding_window", false)?;
        match fields.whole(&["sliding_window"], 0)? {
            window if window > 0 && slides => {
                self.windows(fields, window - 1, |index| index < first.min(layers))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn gemma(&mut self, fields: Fields, base: f64) -> Result<(), String> {
        let attention = fields.switch("attention_bias", false)?;
        self.biases = Biases { qkv: attention, mix: attention, wide: false };
        self.norm = NormKind::RmsFromZero;
        self.normalises_qk = true;
        self.words_scale = Some((self.hidden as f64).sqrt());
        for key in ["attn_logit_softcapping", "final_logit_softcapping"] {
            if fields.0.get(key).is_some_and(|value| !value.is_null()) {
                return Err(format!("{key} is not supported"));
            }
        }
        if fields.switch("use_bidirectional_attention", false)? {
            return Err("use_bidirectional_attention is not supported".into());
        }
        self.grouped(fields, 256, 4)?;
        let scalar = fields.number(&["query_pre_attn_scalar"], 256.0)?;
        if scalar <= 0.0 {
            return Err(format!("query_pre_attn_scalar is {scalar}; it must be above 0"));
        }
        self.scale = 1.0 / scalar.sqrt();
        let global = fields.number(&["rope_theta"], base)?;
        let local = fields.number(&["rope_local_base_freq"], 1e4)?;
        self.two_ropes(fields, global, local, self.size)?;
        let window = fields.whole(&["sliding_window"], 4096)?;
        let every = fields.whole(&["sliding_window_pattern", "_sliding_window_pattern"], 6)?;
        in_bounds(&[
            ("sliding_window", window, 1 << 20),
            ("sliding_window_pattern", every, 1 << 10),
        ])?;
        self.windows(fields, window - 1, |index| (index + 1) % every == 0)
    }

    /// Heads of keys and values, and the width of a head, where configs give them.
    fn grouped(&mut self, fields: Fields, size: i64, kv_heads: i64) -> Result<(), String> {
        self.kv_heads = fields.whole(&["num_key_value_heads"], kv_heads)?;
        self.size = fields.whole(&["head_dim"], size)?;
        in_bounds(&[("head_dim", self.size, 1 << 12)])?;
        self.scale = 1.0 / (self.size as f64).sqrt();
        Ok(())
    }
}

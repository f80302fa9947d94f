use serde_json::Value;
use tuneboard::spec::family::whole;
use tuneboard::spec::{Family, Pool};

use super::rope::{Rope, Scaling};
use crate::model::config::{Activation, Fields, are_shares, in_bounds};
use crate::model::layers::Dropouts;

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

/// The sizes that transformers' config of a family starts from.
struct Usual {
    vocabulary: i64,
    hidden: i64,
    wide: i64,
    layers: i64,
    heads: i64,
    positions: i64,
    eps: f64,
    base: f64,
}

impl Usual {
    fn of(family: Family) -> Self {
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

    fn modern_bert(&mut self, fields: Fields, base: f64) -> Result<(), String> {
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

    fn neox(&mut self, fields: Fields, base: f64) -> Result<(), String> {
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

    fn llama(&mut self, family: Family, fields: Fields, base: f64) -> Result<(), String> {
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

    fn gemma(&mut self, fields: Fields, base: f64) -> Result<(), String> {
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

    /// One rotary position for all blocks: `base` and `share` of the head unless `rope_parameters` says
    /// otherwise.
    fn one_rope(&mut self, fields: Fields, base: f64, share: f64) -> Result<(), String> {
        let scaling = named(fields.0, &["rope_parameters", "rope_scaling"]);
        let own = Fields(scaling);
        let base = own.number(&["rope_theta"], base)?;
        let share = own.number(&["partial_rotary_factor"], share)?;
        if !(share > 0.0 && share <= 1.0) {
            return Err(format!("the share of a head that is turned is {share}"));
        }
        let width = (self.size as f64 * share) as i64;
        self.ropes = vec![rope(base, width, Scaling::of(scaling, self.positions)?)?];
        Ok(())
    }

    /// One for blocks that see everything, which may be scaled, and one for those that see a window.
    fn two_ropes(
        &mut self,
        fields: Fields,
        global: f64,
        local: f64,
        width: i64,
    ) -> Result<(), String> {
        let parameters = named(fields.0, &["rope_parameters"]);
        let of = |kind: &str, base: f64, other: &Value| {
            let own = parameters.get(kind).unwrap_or(other);
            rope(
                Fields(own).number(&["rope_theta"], base)?,
                width,
                Scaling::of(own, self.positions)?,
            )
        };
        let scaling = named(fields.0, &["rope_scaling"]);
        self.ropes = vec![
            of("full_attention", global, scaling)?,
            of("sliding_attention", local, &Value::Null)?,
        ];
        Ok(())
    }

    /// Which blocks see a window only: as `layer_types` says, or else all but those of `is_full`.
    fn windows(
        &mut self,
        fields: Fields,
        reach: i64,
        is_full: impl Fn(i64) -> bool,
    ) -> Result<(), String> {
        let types = fields.0.get("layer_types").and_then(Value::as_array);
        if types.is_some_and(|types| types.len() != self.blocks.len()) {
            return Err("layer_types has another length than there are layers".into());
        }
        let local = usize::from(self.ropes.len() > 1);
        for (index, block) in self.blocks.iter_mut().enumerate() {
            let full = match types.and_then(|types| types.get(index)?.as_str()) {
                Some("full_attention") => true,
                Some("sliding_attention") => false,
                Some(other) => return Err(format!("layer_types has `{other}`, which is unknown")),
                None => is_full(index as i64),
            };
            if !full {
                *block = BlockKind { rope: local, reach: Some(reach) };
            }
        }
        Ok(())
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

/// The first of `keys` that is an object; or nothing.
fn named<'a>(json: &'a Value, keys: &[&str]) -> &'a Value {
    const NOTHING: &Value = &Value::Null;
    keys.iter().find_map(|key| json.get(*key).filter(|v| v.is_object())).unwrap_or(NOTHING)
}

fn rope(base: f64, width: i64, scaling: Scaling) -> Result<Rope, String> {
    if !(base > 1.0 && base.is_finite()) {
        return Err(format!("the base of the rotary positions is {base}; it must be above 1"));
    }
    if width < 2 || width % 2 != 0 {
        return Err(format!("{width} numbers of a head cannot be turned in pairs"));
    }
    Ok(Rope { base, width, scaling })
}

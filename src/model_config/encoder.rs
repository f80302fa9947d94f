use crate::spec::Family;
use serde_json::Value;

use crate::model_config::fields::{Activation, Dropouts, Fields, are_shares, in_bounds};

/// The `config.json` of an encoder of BERT's kind; fields and defaults as transformers has them.
#[derive(Debug, Clone, PartialEq)]
pub struct EncoderConfig {
    /// Word pieces.
    pub vocabulary: i64,
    /// Width of the embeddings.
    pub embedding: i64,
    /// Width of the residual stream.
    pub hidden: i64,
    /// Blocks that a text goes through.
    pub layers: i64,
    /// Heads per block; they divide `hidden`.
    pub heads: i64,
    /// Width inside the feed-forward block.
    pub wide: i64,
    /// The feed-forward block's non-linearity.
    pub activation: Activation,
    /// Where a token stands.
    pub places: Places,
    /// Segment embeddings; 0 = the family has none, and segment ids mean nothing.
    pub segments: i64,
    /// Added to the variance in LayerNorm.
    pub eps: f64,
    /// As the config says.
    pub dropouts: Dropouts,
    /// Dropout before the dense layer of a head that has one.
    pub head_before: f64,
    /// The activation of the head's dense layer where the config has a say in it.
    pub head_activation: Option<Activation>,
    /// Standard deviation of random weights.
    pub std: f64,
    /// The id that fills short rows of a batch.
    pub padding: i64,
    /// Blocks that share their weights (ALBERT).
    pub sharing: Option<Sharing>,
    /// What distances between tokens do to attention scores.
    pub distances: Distances,
}

/// Where a token stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Places {
    /// Position embeddings for 0, 1, 2, .. in each row, padding included: so many.
    FromZero(i64),
    /// Position embeddings that count the ids that are no padding, from the padding id on: so many.
    AfterPadding(i64),
    /// No position embeddings; texts of so many tokens at most.
    Nowhere(i64),
}

impl Places {
    /// The rows of their table, some of which no token of a text may have.
    pub fn rows(self) -> i64 {
        match self {
            Self::FromZero(rows) | Self::Nowhere(rows) | Self::AfterPadding(rows) => rows,
        }
    }

    /// The longest text, in tokens, under this padding id.
    pub fn longest(self, padding: i64) -> i64 {
        match self {
            Self::FromZero(rows) | Self::Nowhere(rows) => rows,
            Self::AfterPadding(rows) => rows - padding - 1,
        }
    }
}

/// How blocks share their weights (Lan et al. 2020).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sharing {
    /// Groups of blocks.
    pub groups: i64,
    /// Blocks of a group, one behind the other.
    pub inner: i64,
}

/// What distances between tokens do to attention scores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Distances {
    /// Nothing.
    Ignored,
    /// A bias for each head and bucket of distances: so many buckets (MPNet).
    Biased(i64),
    /// Scores between contents and distances (DeBERTa).
    Disentangled(Disentangled),
}

/// He, Gao & Chen 2021, as in DeBERTa-v3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Disentangled {
    /// Buckets on each side; distances are their own buckets if `has_buckets` is false.
    pub span: i64,
    /// Whether far distances share buckets.
    pub has_buckets: bool,
    /// Distances from here on fall into the last bucket.
    pub farthest: i64,
    /// Scores of a query's content and a distance.
    pub from_content: bool,
    /// Scores of a distance and a key's content.
    pub from_position: bool,
    /// The distances' embeddings are normalised.
    pub is_normalised: bool,
}

impl EncoderConfig {
    /// Takes the fields of `family` from a `config.json`.
    ///
    /// # Errors
    /// As a fragment: a field of another type, sizes that make no model, what is not supported.
    pub fn of(family: Family, json: &Value) -> Result<Self, String> {
        let fields = Fields(json);
        let position = fields.word("position_embedding_type")?.unwrap_or("absolute");
        if position != "absolute" {
            return Err(format!(
                "position_embedding_type `{position}` is not supported, only `absolute`"
            ));
        }
        let mut config = Self::common(family, fields)?;
        match family {
            Family::Bert => config.places = Places::FromZero(config.places.longest(0)),
            Family::Electra => {
                config.embedding = fields.whole(&["embedding_size"], 128)?;
            }
            Family::DistilBert => config.distil(fields)?,
            Family::Albert => config.share(fields)?,
            Family::MpNet => {
                config.segments = 0;
                let buckets = fields.whole(&["relative_attention_num_buckets"], 32)?;
                config.distances = Distances::Biased(buckets);
            }
            Family::DebertaV2 => config.disentangle(fields)?,
            _ => {}
        }
        config.check()?;
        Ok(config)
    }

    /// The fields that go by BERT's names.
    fn common(family: Family, fields: Fields) -> Result<Self, String> {
        let after_padding = family.row().positions.is_some_and(|p| p.after_padding);
        let (rows, eps, segments) = match family {
            Family::Roberta | Family::XlmRoberta | Family::Camembert => (514, 1e-5, 1),
            Family::MpNet => (514, 1e-5, 0),
            _ => (512, 1e-12, 2),
        };
        let rows = fields.whole(&["max_position_embeddings"], rows)?;
        let hidden = fields
            .whole(&["hidden_size", "dim"], if family == Family::Electra { 256 } else { 768 })?;
        let residual = fields.number(&["hidden_dropout_prob", "dropout"], 0.1)?;
        Ok(Self {
            vocabulary: fields.whole(&["vocab_size"], 30522)?,
            embedding: hidden,
            hidden,
            layers: fields.whole(&["num_hidden_layers"], 12)?,
            heads: fields.whole(&["num_attention_heads"], 12)?,
            wide: fields.whole(&["intermediate_size"], 3072)?,
            activation: fields.activation(&["hidden_act", "activation"], Activation::Gelu)?,
            places: if after_padding { Places::AfterPadding(rows) } else { Places::FromZero(rows) },
            segments: fields.whole(&["type_vocab_size"], segments)?,
            eps: fields.number(&["layer_norm_eps"], eps)?,
            dropouts: Dropouts {
                embeddings: residual,
                attention: fields
                    .number(&["attention_probs_dropout_prob", "attention_dropout"], 0.1)?,
                residual,
                head: fields.number(&["classifier_dropout"], residual)?,
            },
            head_before: fields.number(&["classifier_dropout"], residual)?,
            head_activation: None,
            std: fields.number(&["initializer_range"], 0.02)?,
            padding: i64::from(family.padding(fields.0)),
            sharing: None,
            distances: Distances::Ignored,
        })
    }

    /// Sanh et al. 2019.
    fn distil(&mut self, fields: Fields) -> Result<(), String> {
        self.layers = fields.whole(&["n_layers"], 6)?;
        self.heads = fields.whole(&["n_heads"], 12)?;
        self.wide = fields.whole(&["hidden_dim"], 3072)?;
        self.segments = 0;
        self.eps = 1e-12;
        self.head_before = 0.0;
        self.dropouts.head = fields.number(&["seq_classif_dropout"], 0.2)?;
        Ok(())
    }

    /// Lan et al. 2020.
    fn share(&mut self, fields: Fields) -> Result<(), String> {
        self.embedding = fields.whole(&["embedding_size"], 128)?;
        self.hidden = fields.whole(&["hidden_size"], 4096)?;
        self.heads = fields.whole(&["num_attention_heads"], 64)?;
        self.wide = fields.whole(&["intermediate_size"], 16384)?;
        self.activation = fields.activation(&["hidden_act"], Activation::GeluNew)?;
        let residual = fields.number(&["hidden_dropout_prob"], 0.0)?;
        self.dropouts = Dropouts {
            embeddings: residual,
            attention: fields.number(&["attention_probs_dropout_prob"], 0.0)?,
            residual,
            head: fields.number(&["classifier_dropout_prob"], 0.1)?,
        };
        let groups = fields.whole(&["num_hidden_groups"], 1)?;
        let inner = fields.whole(&["inner_group_num"], 1)?;
        in_bounds(&[("num_hidden_groups", groups, 1 << 10), ("inner_group_num", inner, 1 << 10)])?;
        self.sharing = Some(Sharing { groups, inner });
        Ok(())
    }

    /// He, Gao & Chen 2021.
    fn disentangle(&mut self, fields: Fields) -> Result<(), String> {
        for (key, usual, want) in [
            ("relative_attention", false, true),
            ("share_att_key", false, true),
            ("position_biased_input", true, false),
        ] {
            if fields.switch(key, usual)? != want {
                return Err(format!("{key}={} is not supported, only {want} (as in v3)", !want));
            }
        }
        if fields.whole(&["conv_kernel_size"], 0)? > 0 {
            return Err("conv_kernel_size is not supported (the convolution of v2-xlarge)".into());
        }
        if fields.whole(&["embedding_size"], self.hidden)? != self.hidden {
            return Err("an embedding_size other than hidden_size is not supported".into());
        }
        let rows = fields.whole(&["max_position_embeddings"], 512)?;
        self.places = Places::Nowhere(rows);
        self.segments = fields.whole(&["type_vocab_size"], 0)?;
        self.eps = fields.number(&["layer_norm_eps"], 1e-7)?;
        self.head_before = fields.number(&["pooler_dropout"], 0.0)?;
        self.dropouts.head = fields.number(&["cls_dropout"], self.dropouts.residual)?;
        self.head_activation = Some(fields.activation(&["pooler_hidden_act"], Activation::Gelu)?);
        let farthest = match fields.whole(&["max_relative_positions"], -1)? {
            given if given < 1 => rows,
            given => given,
        };
        let buckets = fields.whole(&["position_buckets"], -1)?;
        let kinds = attention_kinds(fields.0)?;
        let span = if buckets > 0 { buckets } else { farthest };
        in_bounds(&[
            ("position_buckets", span, 1 << 16),
            ("max_relative_positions", farthest, 1 << 20),
        ])?;
        self.distances = Distances::Disentangled(Disentangled {
            span,
            has_buckets: buckets > 0,
            farthest,
            from_content: kinds.iter().any(|kind| kind == "c2p"),
            from_position: kinds.iter().any(|kind| kind == "p2c"),
            is_normalised: fields
                .word("norm_rel_ebd")?
                .is_some_and(|norm| norm.split('|').any(|part| part.trim() == "layer_norm")),
        });
        Ok(())
    }

    fn check(&self) -> Result<(), String> {
        let longest = self.places.longest(self.padding);
        in_bounds(&[
            ("vocab_size", self.vocabulary, 1 << 24),
            ("embedding_size", self.embedding, 1 << 16),
            ("hidden_size", self.hidden, 1 << 16),
            ("the number of layers", self.layers, 1 << 10),
            ("the number of attention heads", self.heads, 1 << 10),
            ("intermediate_size", self.wide, 1 << 18),
            ("max_position_embeddings (without what padding takes)", longest, 1 << 20),
            ("type_vocab_size", self.segments.max(1), 1 << 10),
        ])?;
        if self.hidden % self.heads != 0 {
            return Err(format!(
                "hidden_size {} cannot be shared among {} attention heads",
                self.hidden, self.heads
            ));
        }
        if !(0..self.vocabulary).contains(&self.padding) {
            return Err(format!(
                "pad_token_id {} is outside the vocabulary of {}",
                self.padding, self.vocabulary
            ));
        }
        are_shares(&[
            ("the dropout of hidden states", self.dropouts.residual),
            ("the dropout of attention", self.dropouts.attention),
            ("the dropout of the head", self.dropouts.head),
            ("the dropout before the head", self.head_before),
        ])
    }
}

/// `pos_att_type`: a list, or one text with bars between.
fn attention_kinds(json: &Value) -> Result<Vec<String>, String> {
    let kinds: Vec<String> = match json.get("pos_att_type") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::String(text)) => {
            text.split('|').map(|kind| kind.trim().to_lowercase()).collect()
        }
        Some(Value::Array(kinds)) => {
            kinds.iter().filter_map(|kind| kind.as_str().map(str::to_lowercase)).collect()
        }
        Some(other) => return Err(format!("pos_att_type is {other}; it must be a list")),
    };
    match kinds.iter().find(|kind| !["c2p", "p2c", ""].contains(&kind.as_str())) {
        Some(kind) => Err(format!("pos_att_type `{kind}` is not supported, only c2p and p2c")),
        None => Ok(kinds),
    }
}

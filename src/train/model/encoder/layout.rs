use std::path::Path;

use tuneboard::model_config::Activation;
use tuneboard::spec::Family;

use crate::error::TrainError;
use crate::model::config::bad;

/// What the weights of a family are called, and where its dropouts are. Names of layers lack the
/// `.weight` and `.bias` at their end.
#[derive(Debug)]
pub struct Layout {
    /// Before the names of the encoder's weights in the files that are written.
    pub prefix: &'static str,
    /// Before the index of a block.
    pub block: &'static str,
    /// Query, key and value of a block.
    pub qkv: [&'static str; 3],
    /// The attention's output projection, and the normalisation behind it.
    pub mix: [&'static str; 2],
    /// The feed-forward block's first layer.
    pub widen: &'static str,
    /// Its second, and the normalisation behind it.
    pub narrow: [&'static str; 2],
    /// Whether what the attention and the feed-forward block add is dropped out.
    pub drops: [bool; 2],
    /// From the width of the embeddings to that of the blocks.
    pub project: Option<&'static str>,
    /// Dense, then tanh, of the first token's vector: part of the encoder.
    pub pooler: Option<&'static str>,
    /// The classification head.
    pub head: HeadNames,
    /// The layers of the masked language model; `None` if it is not supported.
    pub predictor: Option<PredictorNames>,
}

/// What the layers of a classification head are called.
#[derive(Debug, Clone, Copy)]
pub struct HeadNames {
    /// A dense layer before the last one, and its activation, which no config changes.
    pub dense: Option<(&'static str, Activation)>,
    /// The last layer.
    pub out: &'static str,
}

/// What the layers of a masked language model are called.
#[derive(Debug, Clone, Copy)]
pub struct PredictorNames {
    /// Dense.
    pub dense: &'static str,
    /// Its activation; `None` = that of the blocks.
    pub activation: Option<Activation>,
    /// Normalisation.
    pub norm: &'static str,
    /// The bias of each word's score: the full name.
    pub bias: &'static str,
}

impl PredictorNames {
    /// Of dense, normalisation and bias; `activation` is `None` where it is that of the blocks.
    const fn new([dense, norm, bias]: [&'static str; 3], activation: Option<Activation>) -> Self {
        Self { dense, activation, norm, bias }
    }
}

const BERT: Layout = Layout {
    prefix: "bert.",
    block: "encoder.layer",
    qkv: ["attention.self.query", "attention.self.key", "attention.self.value"],
    mix: ["attention.output.dense", "attention.output.LayerNorm"],
    widen: "intermediate.dense",
    narrow: ["output.dense", "output.LayerNorm"],
    drops: [true, true],
    project: None,
    pooler: Some("pooler.dense"),
    head: HeadNames { dense: None, out: "classifier" },
    predictor: Some(PredictorNames::new(
        [
            "cls.predictions.transform.dense",
            "cls.predictions.transform.LayerNorm",
            "cls.predictions.bias",
        ],
        None,
    )),
};

const ROBERTA: Layout = Layout {
    prefix: "roberta.",
    pooler: None,
    head: HeadNames {
        dense: Some(("classifier.dense", Activation::Tanh)),
        out: "classifier.out_proj",
    },
    predictor: Some(PredictorNames::new(
        ["lm_head.dense", "lm_head.layer_norm", "lm_head.bias"],
        Some(Activation::Gelu),
    )),
    ..BERT
};

const DISTILBERT: Layout = Layout {
    prefix: "distilbert.",
    block: "transformer.layer",
    qkv: ["attention.q_lin", "attention.k_lin", "attention.v_lin"],
    mix: ["attention.out_lin", "sa_layer_norm"],
    widen: "ffn.lin1",
    narrow: ["ffn.lin2", "output_layer_norm"],
    drops: [false, true],
    project: None,
    pooler: None,
    head: HeadNames { dense: Some(("pre_classifier", Activation::Relu)), out: "classifier" },
    predictor: Some(PredictorNames::new(
        ["vocab_transform", "vocab_layer_norm", "vocab_projector.bias"],
        None,
    )),
};

const ELECTRA: Layout = Layout {
    prefix: "electra.",
    project: Some("embeddings_project"),
    head: HeadNames { dense: Some(("classifier.dense", Activation::Gelu)), ..ROBERTA.head },
    predictor: Some(PredictorNames::new(
        [
            "generator_predictions.dense",
            "generator_predictions.LayerNorm",
            "generator_lm_head.bias",
        ],
        Some(Activation::Gelu),
    )),
    ..ROBERTA
};

const ALBERT: Layout = Layout {
    prefix: "albert.",
    block: "encoder.albert_layer_groups",
    qkv: ["attention.query", "attention.key", "attention.value"],
    mix: ["attention.dense", "attention.LayerNorm"],
    widen: "ffn",
    narrow: ["ffn_output", "full_layer_layer_norm"],
    drops: [true, false],
    project: Some("encoder.embedding_hidden_mapping_in"),
    pooler: Some("pooler"),
    predictor: Some(PredictorNames::new(
        ["predictions.dense", "predictions.LayerNorm", "predictions.bias"],
        None,
    )),
    ..BERT
};

const MPNET: Layout = Layout {
    prefix: "mpnet.",
    qkv: ["attention.attn.q", "attention.attn.k", "attention.attn.v"],
    mix: ["attention.attn.o", "attention.LayerNorm"],
    ..ROBERTA
};

const DEBERTA: Layout = Layout {
    prefix: "deberta.",
    qkv: ["attention.self.query_proj", "attention.self.key_proj", "attention.self.value_proj"],
    pooler: None,
    head: HeadNames { dense: Some(("pooler.dense", Activation::Gelu)), out: "classifier" },
    predictor: None,
    ..BERT
};

impl Layout {
    /// The layout of a family of BERT's kind.
    ///
    /// # Errors
    /// A family of another kind; `folder` is named.
    pub fn of(family: Family, folder: &Path) -> Result<&'static Self, TrainError> {
        Ok(match family {
            Family::Bert => &BERT,
            Family::Roberta | Family::XlmRoberta | Family::Camembert => &ROBERTA,
            Family::DistilBert => &DISTILBERT,
            Family::Electra => &ELECTRA,
            Family::Albert => &ALBERT,
            Family::MpNet => &MPNET,
            Family::DebertaV2 => &DEBERTA,
            other => return Err(bad(folder, &format!("{other} is no encoder of BERT's kind"))),
        })
    }
}

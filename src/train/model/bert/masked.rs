use std::path::Path;

use serde_json::Value;
use tch::{Device, Kind, Tensor};

use super::{Bert, BertConfig};
use crate::error::TrainError;
use crate::model::config::{Activation, bad};
use crate::model::layers::{Head, LayerNorm};
use crate::model::parameters::Fresh;
use crate::model::predictor::{LoadedPredictor, TokenPredictor, must_tie};
use crate::model::{Builder, Family, Inputs, Limits, Mode, Padding, Side, Start};

/// Encoder, dense, activation, LayerNorm, and the word embeddings as output layer. Reference:
/// transformers `BertForMaskedLM`.
struct Masked {
    bert: Bert,
    transform: Head,
    activation: Activation,
    norm: LayerNorm,
    /// `[vocabulary]`.
    bias: Tensor,
    kind: Kind,
}

impl TokenPredictor for Masked {
    fn hidden(&self, inputs: &Inputs, mode: Mode) -> Result<Tensor, TrainError> {
        self.bert.forward(inputs, mode)
    }

    fn scores(&self, vectors: &Tensor) -> Result<Tensor, TrainError> {
        let x = self.transform.forward(&vectors.f_to_kind(Kind::Float)?)?;
        let x = self.norm.forward(&self.activation.apply(&x)?)?.f_to_kind(self.kind)?;
        let words = self.bert.words().f_to_kind(self.kind)?;
        let scores = x.f_linear(&words, None::<&Tensor>)?;
        Ok(scores.f_to_kind(Kind::Float)?.f_add(&self.bias)?)
    }
}

/// Reads a BERT checkpoint as a masked language model. A pooler that it has is kept as it is: a classifier
/// on top of what was learnt may want it.
///
/// # Errors
/// Whatever is wrong with the folder.
pub fn load_masked(
    folder: &Path,
    json: Value,
    start: Start,
    dropout: Option<f64>,
    device: Device,
    kind: Kind,
) -> Result<LoadedPredictor, TrainError> {
    let config = BertConfig::of(&json).map_err(|why| bad(folder, &why))?;
    must_tie(folder, &json)?;
    let files = start.files(folder, "embeddings.word_embeddings.weight")?;
    let has = |name: &str| files.as_ref().is_some_and(|files| files.has(name));
    let given = has("cls.predictions.bias") && has("cls.predictions.transform.dense.weight");
    let with_pooler = files.is_none() || has("pooler.dense.weight");
    let dropouts = config.dropouts().or_all(dropout);
    let mut builder = Builder {
        files: files.as_ref(),
        prefix: "bert.",
        std: config.initializer_range,
        device,
        kind,
        parameters: Vec::new(),
    };
    let bert = Bert::new(&mut builder, &config, with_pooler, dropouts)?;
    for parameter in builder.parameters.iter_mut().filter(|p| p.name.starts_with("bert.pooler.")) {
        parameter.learns = false;
    }
    let width = config.hidden_size;
    let fresh = (Fresh::Normal, Some(Fresh::Zeros));
    let transform =
        Head::new(&mut builder, "cls.predictions.transform.dense", [width; 2], fresh, given)?;
    let norm = LayerNorm::head(
        &mut builder,
        "cls.predictions.transform.LayerNorm",
        width,
        config.layer_norm_eps,
        given,
    )?;
    let bias = builder.head("cls.predictions.bias", &[config.vocab_size], Fresh::Zeros, given)?;
    Ok(LoadedPredictor {
        family: Family::Bert,
        architecture: "BertForMaskedLM",
        is_causal: false,
        parameters: builder.parameters,
        network: Box::new(Masked {
            bert,
            transform,
            activation: config.hidden_act,
            norm,
            bias,
            kind,
        }),
        limits: Limits {
            vocabulary: config.vocab_size,
            positions: config.max_position_embeddings,
            segments: config.type_vocab_size,
        },
        padding: Padding { id: config.padding(), side: Side::Right, length: None },
        json,
        head_given: given,
    })
}

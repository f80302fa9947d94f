use std::path::Path;

use serde_json::Value;
use tch::{Device, Kind, Tensor};
use tuneboard::spec::Family;

use super::{Encoder, EncoderConfig, Layout, limits};
use crate::error::TrainError;
use crate::model::config::bad;
use crate::model::head::fresh;
use crate::model::layers::{Head, LayerNorm};
use crate::model::parameters::Fresh;
use crate::model::predictor::{
    LoadedPredictor, Output, TokenPredictor, Transform, must_tie, speaks_not,
};
use crate::model::{Builder, Inputs, Mode, Padding, Side, Start};

/// Encoder, dense, activation, LayerNorm, and the word embeddings as output layer. Reference:
/// transformers `BertForMaskedLM` and its kin.
struct Masked {
    encoder: Encoder,
    output: Output,
}

impl TokenPredictor for Masked {
    fn hidden(&self, inputs: &Inputs, mode: Mode) -> Result<Tensor, TrainError> {
        self.encoder.forward(inputs, mode)
    }

    fn scores(&self, vectors: &Tensor) -> Result<Tensor, TrainError> {
        self.output.scores(self.encoder.words(), vectors)
    }
}

/// Reads the checkpoint of an encoder as a masked language model. A pooler that it has is kept as it is:
/// a classifier on top of what was learnt may want it.
///
/// # Errors
/// Whatever is wrong with the folder.
pub fn load_masked(
    family: Family,
    architecture: &'static str,
    (folder, json): (&Path, Value),
    start: Start,
    dropout: Option<f64>,
    place: (Device, Kind),
) -> Result<LoadedPredictor, TrainError> {
    let layout = Layout::of(family, folder)?;
    let Some(names) = layout.predictor else { return Err(speaks_not(folder, family)) };
    let config = EncoderConfig::of(family, &json).map_err(|why| bad(folder, &why))?;
    must_tie(folder, &json)?;
    let files = start.files(folder, "embeddings.word_embeddings.weight")?;
    let has = |name: &str| files.as_ref().is_some_and(|files| files.has(name));
    let given = has(names.bias) && has(&format!("{}.weight", names.dense));
    let with_pooler =
        layout.pooler.is_some_and(|pooler| files.is_none() || has(&format!("{pooler}.weight")));
    let dropouts = config.dropouts.or_all(dropout);
    let mut builder = Builder::new(files.as_ref(), layout.prefix, config.std, place);
    let encoder = Encoder::new(&mut builder, layout, &config, with_pooler, dropouts)?;
    let pooler = layout.pooler.map(|pooler| format!("{}{pooler}.", layout.prefix));
    for parameter in &mut builder.parameters {
        if pooler.as_ref().is_some_and(|pooler| parameter.name.starts_with(pooler)) {
            parameter.learns = false;
        }
    }
    let shape = [config.embedding, config.hidden];
    let dense = Head::new(&mut builder, names.dense, shape, fresh(true), given)?;
    let norm = LayerNorm::head(&mut builder, names.norm, config.embedding, config.eps, given)?;
    let bias = builder.head(names.bias, &[config.vocabulary], Fresh::Zeros, given)?;
    let activation = names.activation.unwrap_or(config.activation);
    let transform = Some(Transform { dense, activation, norm, bias });
    Ok(LoadedPredictor {
        family,
        architecture,
        is_causal: false,
        parameters: builder.parameters,
        network: Box::new(Masked { encoder, output: Output { transform, kind: place.1 } }),
        limits: limits(&config),
        padding: Padding { id: config.padding, side: Side::Right, length: None },
        json,
        head_given: given,
    })
}

use std::path::Path;

use serde_json::Value;
use tch::{Device, Kind, Tensor};
use tuneboard::spec::Family;
use tuneboard::spec::family::LanguageModel;

use super::{Layout, Rotary, RotaryConfig, limits};
use crate::error::TrainError;
use crate::model::config::bad;
use crate::model::head::fresh;
use crate::model::layers::{Head, LayerNorm};
use crate::model::parameters::Fresh;
use crate::model::predictor::{
    LoadedPredictor, Output, TokenPredictor, Transform, must_tie, speaks_not, unties,
};
use crate::model::{Builder, Inputs, Mode, Padding, Side, Start};

/// The network, and the word embeddings as output layer. Reference: transformers `LlamaForCausalLM` and
/// its kin, `ModernBertForMaskedLM`.
struct Predictor {
    network: Rotary,
    output: Output,
}

impl TokenPredictor for Predictor {
    fn hidden(&self, inputs: &Inputs, mode: Mode) -> Result<Tensor, TrainError> {
        self.network.forward(inputs, mode)
    }

    fn scores(&self, vectors: &Tensor) -> Result<Tensor, TrainError> {
        self.output.scores(&self.network.words, vectors)
    }
}

/// Reads a checkpoint as a language model.
///
/// # Errors
/// Whatever is wrong with the folder.
pub fn load_predictor(
    family: Family,
    (folder, json): (&Path, Value),
    start: Start,
    dropout: Option<f64>,
    place: (Device, Kind),
) -> Result<LoadedPredictor, TrainError> {
    let (architecture, is_causal) = match family.row().language_model {
        LanguageModel::Causal(class) => (class, true),
        LanguageModel::Masked(class) => (class, false),
        LanguageModel::Stream | LanguageModel::No => return Err(speaks_not(folder, family)),
    };
    let layout = Layout::of(family, folder)?;
    let config = RotaryConfig::of(family, &json).map_err(|why| bad(folder, &why))?;
    must_tie(folder, &json)?;
    let files = start.files(folder, &layout.anchor())?;
    let has = |name: &str| files.as_ref().is_some_and(|files| files.has(name));
    if has("lm_head.weight") && json.get("tie_word_embeddings").is_none() && is_causal {
        return Err(unties(folder));
    }
    let mut builder = Builder::new(files.as_ref(), layout.prefix, config.std, place);
    let network = Rotary::new(&mut builder, layout, &config, dropout)?;
    let mut given = true;
    let transform = match config.head {
        None => None,
        Some(head) => {
            given = has("head.dense.weight") && has("decoder.bias");
            let (width, eps) = (config.hidden, config.eps);
            let how = fresh(head.has_bias);
            let dense = Head::new(&mut builder, "head.dense", [width; 2], how, given)?;
            let has_bias = config.norm.has_bias();
            let norm =
                LayerNorm::of_head(&mut builder, "head.norm", (width, eps), has_bias, given)?;
            let rows = [config.vocabulary];
            let bias = builder.head("decoder.bias", &rows, Fresh::Zeros, given)?;
            let activation = head.activation;
            Some(Transform { dense, activation, norm, bias })
        }
    };
    Ok(LoadedPredictor {
        family,
        architecture,
        is_causal,
        parameters: builder.parameters,
        network: Box::new(Predictor { network, output: Output { transform, kind: place.1 } }),
        limits: limits(&config),
        padding: Padding { id: config.padding, side: Side::Right, length: None },
        json,
        head_given: given,
    })
}

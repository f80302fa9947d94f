use std::path::Path;

use serde_json::Value;
use tch::{Device, Kind, Tensor};

use super::{Gpt2, Gpt2Config};
use crate::error::TrainError;
use crate::model::config::bad;
use crate::model::predictor::{LoadedPredictor, Output, TokenPredictor, must_tie};
use crate::model::{Builder, Family, Inputs, Limits, Mode, Padding, Side, Start};

/// Decoder, and the word embeddings as output layer. Reference: transformers `GPT2LMHeadModel`.
struct Causal {
    gpt2: Gpt2,
    output: Output,
}

impl TokenPredictor for Causal {
    fn hidden(&self, inputs: &Inputs, mode: Mode) -> Result<Tensor, TrainError> {
        self.gpt2.forward(inputs, mode)
    }

    fn scores(&self, vectors: &Tensor) -> Result<Tensor, TrainError> {
        self.output.scores(&self.gpt2.words, vectors)
    }
}

/// Reads a GPT-2 checkpoint as a language model.
///
/// # Errors
/// Whatever is wrong with the folder.
pub fn load_causal(
    folder: &Path,
    json: Value,
    start: Start,
    dropout: Option<f64>,
    device: Device,
    kind: Kind,
) -> Result<LoadedPredictor, TrainError> {
    let config = Gpt2Config::of(&json).map_err(|why| bad(folder, &why))?;
    must_tie(folder, &json)?;
    let files = start.files(folder, "wte.weight")?;
    let mut builder =
        Builder::new(files.as_ref(), "transformer.", config.initializer_range, (device, kind));
    let gpt2 = Gpt2::new(&mut builder, &config, config.dropouts().or_all(dropout))?;
    Ok(LoadedPredictor {
        family: Family::Gpt2,
        architecture: "GPT2LMHeadModel",
        is_causal: true,
        parameters: builder.parameters,
        network: Box::new(Causal { gpt2, output: Output { transform: None, kind } }),
        limits: Limits::plain(config.vocab_size, config.n_positions, 1),
        padding: Padding { id: config.padding(), side: Side::Right, length: None },
        json,
        head_given: true,
    })
}

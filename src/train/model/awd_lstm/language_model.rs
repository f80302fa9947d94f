use std::path::Path;

use serde_json::Value;
use tch::{Device, Kind, Tensor};
use tuneboard::model_config::awd_lstm::{AwdLstmConfig, Dropouts};

use super::{AwdLstm, Carried, locked_dropout};
use crate::error::TrainError;
use crate::model::config::{self, bad};
use crate::model::parameters::Fresh;
use crate::model::{Builder, Mode, Parameter, WeightFiles};

/// AWD-LSTM with a decoder that shares the embeddings' weights. Reference: fastai
/// `get_language_model`.
pub struct LanguageModel {
    encoder: AwdLstm,
    /// `[vocabulary]`.
    bias: Tensor,
    output_p: f64,
}

/// One pass of a language model.
pub struct Predicted {
    /// Scores of the next word, `[batch, length, vocabulary]`.
    pub logits: Tensor,
    /// The last layer's outputs, `[batch, length, emb_sz]`.
    pub raw: Tensor,
    /// The same after dropout.
    pub dropped: Tensor,
}

/// A language model that is ready to train.
pub struct LoadedLanguageModel {
    /// The network.
    pub model: LanguageModel,
    /// All its weights, in a fixed order.
    pub parameters: Vec<Parameter>,
    /// Its shape.
    pub config: AwdLstmConfig,
    /// `config.json` as it stands, for the checkpoints' own.
    pub json: Value,
}

impl LoadedLanguageModel {
    /// Reads an AWD-LSTM's folder; weights are drawn anew unless `with_weights`. `dropout` stands for
    /// all of the config's if it is given.
    ///
    /// # Errors
    /// Whatever is wrong with the folder, also a model of another family.
    pub fn read(
        folder: &Path,
        with_weights: bool,
        dropout: Option<f64>,
        device: Device,
    ) -> Result<Self, TrainError> {
        let json = config::read(folder)?;
        let config = AwdLstmConfig::of(&json).map_err(|why| bad(folder, &why))?;
        let files =
            with_weights.then(|| WeightFiles::open(folder, "encoder.weight")).transpose()?;
        let mut builder = Builder::new(files.as_ref(), "0.", 0.0, (device, Kind::Float));
        let dropouts = config.language_model(dropout);
        let model = LanguageModel::new(&mut builder, &config, dropouts)?;
        Ok(Self { model, parameters: builder.parameters, config, json })
    }
}

impl LanguageModel {
    fn new(
        builder: &mut Builder,
        config: &AwdLstmConfig,
        dropouts: Dropouts,
    ) -> Result<Self, TrainError> {
        let encoder = AwdLstm::new(builder, config, dropouts)?;
        let given = builder.files.is_some_and(|files| files.has("1.decoder.bias"));
        let bias = builder.head("1.decoder.bias", &[config.vocab_sz], Fresh::Zeros, given)?;
        Ok(Self { encoder, bias, output_p: dropouts.output_p })
    }

    /// The next words of `[batch, length]` ids; the state as in [`AwdLstm::forward`].
    ///
    /// # Errors
    /// What libtorch reports.
    pub fn forward(
        &self,
        ids: &Tensor,
        carried: &mut Carried,
        mode: Mode,
    ) -> Result<Predicted, TrainError> {
        let raw = self.encoder.forward(ids, carried, mode)?;
        let dropped = locked_dropout(&raw, if mode.training { self.output_p } else { 0.0 })?;
        let logits = dropped.f_linear(&self.encoder.words, Some(&self.bias))?;
        Ok(Predicted { logits, raw, dropped })
    }
}

impl LoadedLanguageModel {
    /// Places for the state that is carried from window to window, `[1, rows, hidden]` two a layer: a
    /// checkpoint in the middle of an epoch holds it.
    ///
    /// # Errors
    /// Too little memory.
    pub fn carried(&self, rows: i64, device: Device) -> Result<Vec<Parameter>, TrainError> {
        let mut places = Vec::new();
        let config = &self.config;
        for layer in 0..config.n_layers {
            let hidden = if layer + 1 == config.n_layers { config.emb_sz } else { config.n_hid };
            for part in ["h", "c"] {
                let tensor = Tensor::f_zeros([1, rows, hidden], (Kind::Float, device))?;
                places.push(Parameter::buffer(format!("carried.{layer}.{part}"), tensor));
            }
        }
        Ok(places)
    }
}

/// What is added to a language model's loss: `alpha` times the mean square of the (dropped) outputs
/// and `beta` times the mean square of their change from step to step (Merity, McCann & Socher
/// 2017; fastai `RNNRegularizer`).
///
/// # Errors
/// What libtorch reports.
pub fn regularisation(
    predicted: &Predicted,
    alpha: f64,
    beta: f64,
) -> Result<Option<Tensor>, TrainError> {
    let square = |x: &Tensor| -> Result<Tensor, TrainError> { Ok(x.f_mul(x)?.f_mean(None)?) };
    let mut sum = None;
    if alpha > 0.0 {
        sum = Some(square(&predicted.dropped)?.f_mul_scalar(alpha)?);
    }
    let length = predicted.raw.size().get(1).copied().unwrap_or(0);
    if beta > 0.0 && length > 1 {
        let later = predicted.raw.f_narrow(1, 1, length - 1)?;
        let change = later.f_sub(&predicted.raw.f_narrow(1, 0, length - 1)?)?;
        let tar = square(&change)?.f_mul_scalar(beta)?;
        sum = Some(match sum {
            Some(ar) => ar.f_add(&tar)?,
            None => tar,
        });
    }
    Ok(sum)
}

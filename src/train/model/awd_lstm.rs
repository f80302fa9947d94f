//! AWD-LSTM (Merity, Keskar & Socher 2018) as fastai 2.8 has it: the language model, and the
//! classifier of ULMFiT (Howard & Ruder 2018).

mod classifier;
mod language_model;
#[cfg(test)]
mod parity;
mod sentences;
mod transfer;

use tch::{Kind, Tensor};
use tuneboard::model_config::awd_lstm::{AwdLstmConfig, Dropouts};

pub use self::classifier::load;
pub use self::language_model::{LanguageModel, LoadedLanguageModel, Predicted, regularisation};
pub use self::transfer::matched;
use super::Mode;
use super::builder::Builder;
use super::layers::dropout;
use super::parameters::Fresh;
use crate::error::TrainError;

/// Word embeddings and LSTM layers, each of which drops recurrent weights. Reference: fastai
/// `AWD_LSTM`. It computes in 32 bits whatever the mode says.
pub struct AwdLstm {
    /// `[vocabulary, emb_sz]`.
    pub words: Tensor,
    layers: Vec<Lstm>,
    dropouts: Dropouts,
    padding: i64,
}

/// One layer; gates in PyTorch's order i, f, g, o.
struct Lstm {
    /// `[4 hidden, inputs]`.
    input: Tensor,
    /// `[4 hidden, hidden]`, before weights are dropped.
    recurrent: Tensor,
    input_bias: Tensor,
    recurrent_bias: Tensor,
}

/// Hidden and cell state of each layer, `[1, batch, hidden]`; empty = all 0.
pub type Carried = Vec<(Tensor, Tensor)>;

impl AwdLstm {
    /// Takes its weights from `builder`.
    ///
    /// # Errors
    /// See [`Builder::encoder`].
    pub fn new(
        builder: &mut Builder,
        config: &AwdLstmConfig,
        dropouts: Dropouts,
    ) -> Result<Self, TrainError> {
        let layers = config.n_layers;
        let words = [config.vocab_sz, config.emb_sz];
        let words =
            builder.encoder("encoder.weight", &words, Fresh::Uniform(0.1), layers as u32)?;
        let layers =
            (0..layers).map(|index| Lstm::new(builder, config, index)).collect::<Result<_, _>>()?;
        Ok(Self { words, layers, dropouts, padding: config.pad_token })
    }

    /// `[batch, length]` ids -> `[batch, length, emb_sz]`. The state goes on from where it was and is
    /// cut off from the graph: gradients end at the first step of a call. Rows beyond those of the
    /// state start at 0; rows of the state beyond the batch are let go.
    ///
    /// # Errors
    /// What libtorch reports, such as an id outside the vocabulary.
    pub fn forward(
        &self,
        ids: &Tensor,
        state: &mut Carried,
        mode: Mode,
    ) -> Result<Tensor, TrainError> {
        let drop = if mode.training { self.dropouts } else { Dropouts::default() };
        // A dropped word is dropped wherever it stands.
        let rows = rows_dropout(&self.words, drop.embed_p)?;
        let mut x = Tensor::f_embedding(&rows, ids, self.padding, false, false)?;
        x = locked_dropout(&x, drop.input_p)?;
        let batch = ids.size().first().copied().unwrap_or(0);
        for (index, layer) in self.layers.iter().enumerate() {
            let before = state.get(index);
            let before = layer.state(before, batch)?;
            let (out, after) = layer.forward(&x, &before, drop.weight_p)?;
            match state.get_mut(index) {
                Some(place) => *place = after,
                None => state.push(after),
            }
            let last = index + 1 == self.layers.len();
            x = if last { out } else { locked_dropout(&out, drop.hidden_p)? };
        }
        Ok(x)
    }
}

impl Lstm {
    fn new(builder: &mut Builder, config: &AwdLstmConfig, index: i64) -> Result<Self, TrainError> {
        let depth = (config.n_layers - 1 - index) as u32;
        let inputs = if index == 0 { config.emb_sz } else { config.n_hid };
        let hidden = if depth == 0 { config.emb_sz } else { config.n_hid };
        // As PyTorch's LSTM begins.
        let fresh = Fresh::Uniform(1.0 / (hidden as f64).sqrt());
        let gates = 4 * hidden;
        let mut weight = |name: &str, shape: &[i64]| {
            builder.encoder(&format!("rnns.{index}.{name}"), shape, fresh, depth)
        };
        Ok(Self {
            recurrent: weight("weight_hh_l0_raw", &[gates, hidden])?,
            input: weight("module.weight_ih_l0", &[gates, inputs])?,
            input_bias: weight("module.bias_ih_l0", &[gates])?,
            recurrent_bias: weight("module.bias_hh_l0", &[gates])?,
        })
    }

    fn state(
        &self,
        before: Option<&(Tensor, Tensor)>,
        batch: i64,
    ) -> Result<[Tensor; 2], TrainError> {
        let hidden = self.recurrent.size().last().copied().unwrap_or(0);
        let options = (Kind::Float, self.recurrent.device());
        let Some((h, c)) = before else {
            let zeros = Tensor::f_zeros([1, batch, hidden], options)?;
            return Ok([zeros.shallow_clone(), zeros]);
        };
        let fit = |x: &Tensor| -> Result<Tensor, TrainError> {
            let rows = x.size().get(1).copied().unwrap_or(0);
            if rows >= batch {
                return Ok(x.f_narrow(1, 0, batch)?.f_contiguous()?);
            }
            let more = Tensor::f_zeros([1, batch - rows, hidden], options)?;
            Ok(Tensor::f_cat(&[x, &more], 1)?)
        };
        Ok([fit(h)?, fit(c)?])
    }

    fn forward(
        &self,
        x: &Tensor,
        state: &[Tensor; 2],
        weight_p: f64,
    ) -> Result<(Tensor, (Tensor, Tensor)), TrainError> {
        let recurrent = dropout(self.recurrent.shallow_clone(), weight_p)?;
        let weights = [&self.input, &recurrent, &self.input_bias, &self.recurrent_bias];
        let state = [&state[0], &state[1]];
        let (out, h, c) = x.f_lstm(&state, &weights, true, 1, 0.0, false, false, true)?;
        Ok((out, (h.f_detach()?, c.f_detach()?)))
    }
}

/// Dropout with one mask for all steps of a row: `[batch, length, width]` (Gal & Ghahramani 2016).
/// Reference: fastai `RNNDropout`.
///
/// # Errors
/// What libtorch reports.
pub fn locked_dropout(x: &Tensor, p: f64) -> Result<Tensor, TrainError> {
    if p == 0.0 {
        return Ok(x.shallow_clone());
    }
    let (batch, _, width) = x.size3()?;
    let ones = Tensor::f_ones([batch, 1, width], (Kind::Float, x.device()))?;
    Ok(x.f_mul(&dropout(ones, p)?)?)
}

/// Drops whole rows of an embedding table. Reference: fastai `EmbeddingDropout`.
fn rows_dropout(table: &Tensor, p: f64) -> Result<Tensor, TrainError> {
    if p == 0.0 {
        return Ok(table.shallow_clone());
    }
    let rows = table.size().first().copied().unwrap_or(0);
    let ones = Tensor::f_ones([rows, 1], (Kind::Float, table.device()))?;
    Ok(table.f_mul(&dropout(ones, p)?)?)
}

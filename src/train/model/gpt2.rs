//! GPT-2 of any size: an encoder for classification, and the language model that it was.

mod attention;
mod causal;
mod classifier;
mod conv1d;

use tch::Tensor;
use tuneboard::model_config::gpt2::Gpt2Config;
use tuneboard::model_config::{Activation, Dropouts};

use self::attention::CausalAttention;
pub use self::causal::load_causal;
pub use self::classifier::load;
use self::conv1d::Conv1d;
use super::builder::Builder;
use super::layers::{LayerNorm, dropout};
use super::lora::Learning;
use super::parameters::Fresh;
use super::unpadded::Unpadded;
use super::{Inputs, Mode};
use crate::error::TrainError;

/// The decoder of Radford et al. 2019. Reference: transformers `GPT2Model`.
pub struct Gpt2 {
    words: Tensor,
    positions: Tensor,
    layers: Vec<Layer>,
    norm: LayerNorm,
    dropouts: Dropouts,
    learning: Learning,
}

/// One transformer layer, normalised before each block. Reference: transformers `GPT2Block`.
struct Layer {
    attention_norm: LayerNorm,
    attention: CausalAttention,
    wide_norm: LayerNorm,
    widen: Conv1d,
    narrow: Conv1d,
    activation: Activation,
}

/// What each position of a batch may look at: itself and what stands before it, but no padding.
struct Sight<'a> {
    /// The batch is one without padding.
    unpadded: Option<&'a Unpadded>,
    /// Added to attention scores, `[batch, 1, length, length]` or `[length, length]`.
    bias: Tensor,
    /// The part of it that hides padding, `[batch, length]`, 32-bit.
    padding: Option<Tensor>,
    /// 1 for positions that see anything, `[batch, length, 1]`. Padding on the left sees nothing; its
    /// attention gives 0, as transformers' sdpa has it (docs/architecture.md).
    sees: Option<Tensor>,
}

impl Gpt2 {
    /// Takes its weights from `builder`.
    ///
    /// # Errors
    /// See [`Builder::encoder`].
    pub fn new(
        builder: &mut Builder,
        config: &Gpt2Config,
        dropouts: Dropouts,
    ) -> Result<Self, TrainError> {
        let depth = config.n_layer as u32;
        let (width, eps) = (config.n_embd, config.layer_norm_epsilon);
        let words = [config.vocab_size, width];
        let words = builder.encoder("wte.weight", &words, Fresh::Normal, depth)?;
        let positions = [config.n_positions, width];
        let positions = builder.encoder("wpe.weight", &positions, Fresh::Normal, depth)?;
        let layers = (0..config.n_layer)
            .map(|index| Layer::new(builder, config, index))
            .collect::<Result<_, _>>()?;
        let norm = LayerNorm::encoder(builder, "ln_f", width, eps, 0)?;
        let learning = builder.learning.clone();
        Ok(Self { words, positions, layers, norm, dropouts, learning })
    }

    /// The last layer's token vectors, normalised, `[batch, length, hidden]`. Positions count from 0
    /// with padding, unless they are given.
    ///
    /// # Errors
    /// What libtorch reports.
    pub fn forward(&self, inputs: &Inputs, mode: Mode) -> Result<Tensor, TrainError> {
        self.learning.set(mode.training);
        let drop = mode.drops(self.dropouts);
        let (_, length) = inputs.ids.size2()?;
        let positions = match &inputs.positions {
            Some(ids) => Tensor::f_embedding(&self.positions, ids, -1, false, false)?,
            None => self.positions.f_narrow(0, 0, length)?,
        };
        let words = Tensor::f_embedding(&self.words, &inputs.ids, -1, false, inputs.by_row)?;
        let sum = words.f_add(&positions)?.f_to_kind(mode.kind)?;
        let mut x = dropout(sum, drop.embeddings)?;
        let unpadded = inputs.unpadded.as_ref();
        let sight = Sight { unpadded, ..Sight::new(length, inputs.mask.as_ref(), &x)? };
        if let Some(unpadded) = unpadded {
            x = unpadded.take(&x)?;
        }
        for layer in &self.layers {
            x = layer.forward(&x, &sight, &drop)?;
        }
        Unpadded::padded(unpadded, self.norm.forward(&x)?)
    }
}

impl Layer {
    fn new(builder: &mut Builder, config: &Gpt2Config, index: i64) -> Result<Self, TrainError> {
        let depth = (config.n_layer - 1 - index) as u32;
        let (width, wide, eps) = (config.n_embd, config.inner(), config.layer_norm_epsilon);
        let at = |part: &str| format!("h.{index}.{part}");
        Ok(Self {
            attention_norm: LayerNorm::encoder(builder, &at("ln_1"), width, eps, depth)?,
            attention: CausalAttention::new(builder, config, index, depth)?,
            wide_norm: LayerNorm::encoder(builder, &at("ln_2"), width, eps, depth)?,
            widen: Conv1d::new(builder, &at("mlp.c_fc"), [width, wide], depth)?,
            narrow: Conv1d::residual(
                builder,
                &at("mlp.c_proj"),
                [wide, width],
                config.n_layer,
                depth,
            )?,
            activation: config.activation_function,
        })
    }

    fn forward(&self, x: &Tensor, sight: &Sight, drop: &Dropouts) -> Result<Tensor, TrainError> {
        let mixed = self.attention.forward(&self.attention_norm.forward(x)?, sight, drop)?;
        let x = dropout(mixed, drop.residual)?.f_add(x)?;
        let wide = self.widen.activated(&self.wide_norm.forward(&x)?, self.activation)?;
        Ok(dropout(self.narrow.forward(&wide)?, drop.residual)?.f_add(&x)?)
    }
}

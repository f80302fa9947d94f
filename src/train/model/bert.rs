mod attention;
mod classifier;
mod config;
mod embeddings;
mod masked;

use tch::{Kind, Tensor};

use self::attention::SelfAttention;
pub use self::classifier::load;
use self::config::BertConfig;
use self::embeddings::Embeddings;
pub use self::masked::load_masked;
use super::attention::padding_bias;
use super::config::Activation;
use super::layers::{Dropouts, LayerNorm, Linear};
use super::parameters::Builder;
use super::{Inputs, Mode};
use crate::error::TrainError;

/// The encoder of Devlin et al. 2019. Reference: transformers `BertModel`.
pub struct Bert {
    embeddings: Embeddings,
    layers: Vec<Layer>,
    pooler: Option<Linear>,
    dropouts: Dropouts,
}

/// One transformer layer, normalised after each block. Reference: transformers `BertLayer`.
struct Layer {
    attention: SelfAttention,
    mix: Linear,
    mix_norm: LayerNorm,
    widen: Linear,
    narrow: Linear,
    narrow_norm: LayerNorm,
    activation: Activation,
}

impl Bert {
    /// Takes its weights from `builder`; the pooler only where `with_pooler`.
    ///
    /// # Errors
    /// See [`Builder::encoder`].
    pub fn new(
        builder: &mut Builder,
        config: &BertConfig,
        with_pooler: bool,
        dropouts: Dropouts,
    ) -> Result<Self, TrainError> {
        let embeddings = Embeddings::new(builder, config)?;
        let layers = (0..config.num_hidden_layers)
            .map(|index| Layer::new(builder, config, index))
            .collect::<Result<_, _>>()?;
        let pooler = if with_pooler {
            Some(Linear::encoder(builder, "pooler.dense", [config.hidden_size; 2], 0)?)
        } else {
            None
        };
        Ok(Self { embeddings, layers, pooler, dropouts })
    }

    /// The last layer's token vectors, `[batch, length, hidden]`.
    ///
    /// # Errors
    /// What libtorch reports.
    pub fn forward(&self, inputs: &Inputs, mode: Mode) -> Result<Tensor, TrainError> {
        let drop = self.dropouts.in_mode(mode);
        let bias = inputs.mask.as_ref().map(|m| padding_bias(m, Kind::Float)).transpose()?;
        let mut x = self.embeddings.forward(inputs, mode.kind, drop.embeddings)?;
        for layer in &self.layers {
            x = layer.forward(&x, bias.as_ref(), &drop)?;
        }
        Ok(x)
    }

    /// The word embeddings, `[vocabulary, hidden]`.
    pub fn words(&self) -> &Tensor {
        &self.embeddings.words
    }

    /// The first token's vector through dense and tanh, `[batch, hidden]`, where the checkpoint has
    /// a pooler.
    ///
    /// # Errors
    /// What libtorch reports.
    pub fn pooled(&self, hidden: &Tensor) -> Result<Option<Tensor>, TrainError> {
        let Some(pooler) = &self.pooler else { return Ok(None) };
        Ok(Some(pooler.forward(&hidden.f_select(1, 0)?)?.f_tanh()?))
    }
}

impl Layer {
    fn new(builder: &mut Builder, config: &BertConfig, index: i64) -> Result<Self, TrainError> {
        let depth = (config.num_hidden_layers - 1 - index) as u32;
        let (hidden, wide) = (config.hidden_size, config.intermediate_size);
        let eps = config.layer_norm_eps;
        let at = |part: &str| format!("encoder.layer.{index}.{part}");
        Ok(Self {
            attention: SelfAttention::new(builder, &at("attention.self"), config, depth)?,
            mix: Linear::encoder(builder, &at("attention.output.dense"), [hidden; 2], depth)?,
            mix_norm: LayerNorm::encoder(
                builder,
                &at("attention.output.LayerNorm"),
                hidden,
                eps,
                depth,
            )?,
            widen: Linear::encoder(builder, &at("intermediate.dense"), [wide, hidden], depth)?,
            narrow: Linear::encoder(builder, &at("output.dense"), [hidden, wide], depth)?,
            narrow_norm: LayerNorm::encoder(builder, &at("output.LayerNorm"), hidden, eps, depth)?,
            activation: config.hidden_act,
        })
    }

    fn forward(
        &self,
        x: &Tensor,
        bias: Option<&Tensor>,
        drop: &Dropouts,
    ) -> Result<Tensor, TrainError> {
        let mixed = self.attention.forward(x, bias, drop.attention)?;
        let x = self.mix_norm.close(&self.mix, &mixed, x, drop.residual)?;
        let wide = self.widen.activated(&x, self.activation)?;
        self.narrow_norm.close(&self.narrow, &wide, &x, drop.residual)
    }
}

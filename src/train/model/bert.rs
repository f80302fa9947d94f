use tch::Tensor;

use super::attention::SelfAttention;
use super::config::{Activation, BertConfig};
use super::embeddings::{Embeddings, attention_bias};
use super::layers::{LayerNorm, Linear, Mode, dropout};
use super::parameters::Builder;
use crate::error::TrainError;

/// One batch of texts, as ids.
#[derive(Debug)]
pub struct Inputs {
    /// `[batch, length]`, int64.
    pub ids: Tensor,
    /// `[batch, length]`, int64, 1 for real tokens; `None` = nothing is padded.
    pub mask: Option<Tensor>,
    /// `[batch, length]`, int64; `None` = all 0.
    pub segments: Option<Tensor>,
}

/// The encoder of Devlin et al. 2019. Reference: transformers `BertModel`.
pub struct Bert {
    embeddings: Embeddings,
    layers: Vec<Layer>,
    pooler: Option<Linear>,
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
    /// See [`Builder::trunk`].
    pub fn new(
        builder: &mut Builder,
        config: &BertConfig,
        with_pooler: bool,
    ) -> Result<Self, TrainError> {
        let embeddings = Embeddings::new(builder, config)?;
        let layers = (0..config.num_hidden_layers)
            .map(|index| Layer::new(builder, config, index))
            .collect::<Result<_, _>>()?;
        let pooler = if with_pooler {
            Some(Linear::trunk(builder, "pooler.dense", [config.hidden_size; 2], 0)?)
        } else {
            None
        };
        Ok(Self { embeddings, layers, pooler })
    }

    /// The last layer's token vectors, `[batch, length, hidden]`.
    ///
    /// # Errors
    /// What libtorch reports.
    pub fn forward(&self, inputs: &Inputs, mode: &Mode) -> Result<Tensor, TrainError> {
        let bias = inputs.mask.as_ref().map(|m| attention_bias(m, mode.kind)).transpose()?;
        let mut x = self.embeddings.forward(&inputs.ids, inputs.segments.as_ref(), mode)?;
        for layer in &self.layers {
            x = layer.forward(&x, bias.as_ref(), mode)?;
        }
        Ok(x)
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
            mix: Linear::trunk(builder, &at("attention.output.dense"), [hidden; 2], depth)?,
            mix_norm: LayerNorm::trunk(
                builder,
                &at("attention.output.LayerNorm"),
                hidden,
                eps,
                depth,
            )?,
            widen: Linear::trunk(builder, &at("intermediate.dense"), [wide, hidden], depth)?,
            narrow: Linear::trunk(builder, &at("output.dense"), [hidden, wide], depth)?,
            narrow_norm: LayerNorm::trunk(builder, &at("output.LayerNorm"), hidden, eps, depth)?,
            activation: config.hidden_act,
        })
    }

    fn forward(
        &self,
        x: &Tensor,
        bias: Option<&Tensor>,
        mode: &Mode,
    ) -> Result<Tensor, TrainError> {
        let mixed = self.mix.forward(&self.attention.forward(x, bias, mode)?)?;
        let x = self.mix_norm.forward(&dropout(mixed, mode.dropout)?.f_add(x)?)?;
        let wide = self.activation.apply(&self.widen.forward(&x)?)?;
        let narrow = dropout(self.narrow.forward(&wide)?, mode.dropout)?;
        self.narrow_norm.forward(&narrow.f_add(&x)?)
    }
}

impl Activation {
    fn apply(self, x: &Tensor) -> Result<Tensor, TrainError> {
        Ok(match self {
            Self::Gelu => x.f_gelu("none")?,
            Self::GeluNew => x.f_gelu("tanh")?,
            Self::Relu => x.f_relu()?,
        })
    }
}

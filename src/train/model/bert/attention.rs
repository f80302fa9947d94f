use tch::Tensor;

use super::config::BertConfig;
use crate::error::TrainError;
use crate::model::attention::attend;
use crate::model::layers::Linear;
use crate::model::parameters::Builder;

/// Multi-head self-attention, without the output projection (Vaswani et al. 2017, section 3.2).
/// Reference: transformers `BertSelfAttention`.
pub struct SelfAttention {
    query: Linear,
    key: Linear,
    value: Linear,
    heads: i64,
}

impl SelfAttention {
    /// Takes its weights from `builder`, under `name`.
    ///
    /// # Errors
    /// See [`Builder::trunk`].
    pub fn new(
        builder: &mut Builder,
        name: &str,
        config: &BertConfig,
        depth: u32,
    ) -> Result<Self, TrainError> {
        let shape = [config.hidden_size; 2];
        let mut linear =
            |part: &str| Linear::trunk(builder, &format!("{name}.{part}"), shape, depth);
        Ok(Self {
            query: linear("query")?,
            key: linear("key")?,
            value: linear("value")?,
            heads: config.num_attention_heads,
        })
    }

    /// `[batch, length, hidden]` -> the same shape; `bias` is
    /// [`crate::model::attention::padding_bias`], `p` the dropout of the attention weights.
    ///
    /// # Errors
    /// What libtorch reports.
    pub fn forward(&self, x: &Tensor, bias: Option<&Tensor>, p: f64) -> Result<Tensor, TrainError> {
        let (batch, length, width) = x.size3()?;
        let size = width / self.heads;
        let split = |y: Tensor| -> Result<Tensor, TrainError> {
            Ok(y.f_view([batch, length, self.heads, size])?.f_transpose(1, 2)?)
        };
        let query = split(self.query.forward(x)?)?;
        let key = split(self.key.forward(x)?)?;
        let value = split(self.value.forward(x)?)?;
        let mixed = attend([&query, &key, &value], bias, 1.0 / (size as f64).sqrt(), p)?;
        Ok(mixed.f_transpose(1, 2)?.f_reshape([batch, length, width])?)
    }
}

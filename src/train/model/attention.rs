use tch::Tensor;

use super::config::BertConfig;
use super::layers::{Linear, Mode, dropout};
use super::parameters::Builder;
use crate::error::TrainError;

/// Up to this length libtorch's fused kernel gains nothing on a CPU (docs/benchmarks.md); beyond it,
/// it saves the memory of the scores. With dropout it takes the plain steps itself.
const SHORT: i64 = 128;

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

    /// `[batch, length, hidden]` -> the same shape; `bias` is [`super::attention_bias`].
    ///
    /// # Errors
    /// What libtorch reports.
    pub fn forward(
        &self,
        x: &Tensor,
        bias: Option<&Tensor>,
        mode: &Mode,
    ) -> Result<Tensor, TrainError> {
        let (batch, length, width) = x.size3()?;
        let size = width / self.heads;
        let split = |y: Tensor| -> Result<Tensor, TrainError> {
            Ok(y.f_view([batch, length, self.heads, size])?.f_transpose(1, 2)?)
        };
        let query = split(self.query.forward(x)?)?;
        let key = split(self.key.forward(x)?)?;
        let value = split(self.value.forward(x)?)?;
        let scale = 1.0 / (size as f64).sqrt();
        let p = mode.attention_dropout;
        let mixed = if x.device().is_cuda() || (p == 0.0 && length > SHORT) {
            Tensor::f_scaled_dot_product_attention(
                &query, &key, &value, bias, p, false, scale, false,
            )?
        } else {
            let scores = query.f_mul_scalar(scale)?.f_matmul(&key.f_transpose(2, 3)?)?;
            let scores = match bias {
                Some(bias) => scores.f_add(bias)?,
                None => scores,
            };
            let weights = dropout(scores.f_softmax(-1, None)?, p)?;
            weights.f_matmul(&value)?
        };
        Ok(mixed.f_transpose(1, 2)?.f_reshape([batch, length, width])?)
    }
}

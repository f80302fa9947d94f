use tch::Tensor;

use super::config::BertConfig;
use crate::error::TrainError;
use crate::model::attention::self_attend;
use crate::model::layers::Linear;
use crate::model::parameters::Builder;

/// Multi-head self-attention, without the output projection (Vaswani et al. 2017, section 3.2).
/// Reference: transformers `BertSelfAttention`.
pub struct SelfAttention {
    /// Query, key and value.
    stacked: Linear,
    heads: i64,
}

impl SelfAttention {
    /// Takes its weights from `builder`, under `name`.
    ///
    /// # Errors
    /// See [`Builder::encoder`].
    pub fn new(
        builder: &mut Builder,
        name: &str,
        config: &BertConfig,
        depth: u32,
    ) -> Result<Self, TrainError> {
        let names = ["query", "key", "value"].map(|part| format!("{name}.{part}"));
        let names = names.each_ref().map(String::as_str);
        let shape = [config.hidden_size; 2];
        let stacked = Linear::stacked(builder, &names, shape, depth)?;
        Ok(Self { stacked, heads: config.num_attention_heads })
    }

    /// `[batch, length, hidden]` -> the same shape; `bias` is
    /// [`crate::model::attention::padding_bias`], `p` the dropout of the attention weights.
    ///
    /// # Errors
    /// What libtorch reports.
    pub fn forward(&self, x: &Tensor, bias: Option<&Tensor>, p: f64) -> Result<Tensor, TrainError> {
        self_attend(&self.stacked, x, bias, self.heads, p)
    }
}

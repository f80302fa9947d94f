use tch::{Kind, Tensor};
use tuneboard::model_config::Dropouts;

use super::conv1d::Conv1d;
use super::{Gpt2Config, Sight};
use crate::error::TrainError;
use crate::model::attention::{HIDDEN, attend, padding_bias, suits};
use crate::model::builder::Builder;
use crate::model::varlen::{self, How};
use crate::native;

/// Causal multi-head self-attention with its output projection. Reference: transformers
/// `GPT2Attention` with `attn_implementation="sdpa"`.
pub struct CausalAttention {
    /// Query, key and value in one product.
    qkv: Conv1d,
    mix: Conv1d,
    heads: i64,
    scale: f64,
}

impl CausalAttention {
    /// Takes the weights of layer `index` from `builder`.
    ///
    /// # Errors
    /// See [`Builder::encoder`].
    pub fn new(
        builder: &mut Builder,
        config: &Gpt2Config,
        index: i64,
        depth: u32,
    ) -> Result<Self, TrainError> {
        let width = config.n_embd;
        let at = |part: &str| format!("h.{index}.attn.{part}");
        Ok(Self {
            qkv: Conv1d::new(builder, &at("c_attn"), [width, 3 * width], depth)?,
            mix: Conv1d::residual(builder, &at("c_proj"), [width, width], config.n_layer, depth)?,
            heads: config.n_head,
            scale: config.scale(index),
        })
    }

    /// `[batch, length, hidden]` -> the same shape, without dropout of the result.
    ///
    /// # Errors
    /// What libtorch reports.
    pub fn forward(
        &self,
        x: &Tensor,
        sight: &Sight,
        drop: &Dropouts,
    ) -> Result<Tensor, TrainError> {
        let mixed = self.attend(x, sight, drop.attention)?;
        let mixed = match &sight.sees {
            // A real token sees itself at least.
            Some(sees) if sight.unpadded.is_none() => mixed.f_mul(sees)?,
            _ => mixed,
        };
        self.mix.forward(&mixed)
    }

    /// What each position takes over from those it sees; `p` is the dropout of the attention weights.
    fn attend(&self, x: &Tensor, sight: &Sight, p: f64) -> Result<Tensor, TrainError> {
        let (batch, length, width) = x.size3()?;
        let size = width / self.heads;
        if let Some(unpadded) = sight.unpadded {
            let qkv = self.qkv.forward(x)?.f_view([1, length, 3, self.heads, size])?;
            let part = |index| qkv.f_select(2, index);
            let (bias, scale) = (Some(&sight.bias), self.scale);
            let how = How { bias, scale, is_causal: true, reach: None, p };
            return varlen::attend(unpadded, [&part(0)?, &part(1)?, &part(2)?], &how);
        }
        // The kernel knows the usual scale only.
        if self.scale == 1.0 / (size as f64).sqrt() && suits(x, size, p) {
            let (qkv, padding) = (self.qkv.product(x)?, sight.padding.as_ref());
            return native::self_attention(&qkv, &self.qkv.bias, padding, self.heads, true, p);
        }
        // [batch, length, 3, heads, size] -> three times [batch, heads, length, size]
        let parts = self
            .qkv
            .forward(x)?
            .f_view([batch, length, 3, self.heads, size])?
            .f_permute([2, 0, 3, 1, 4])?;
        let [query, key, value] = [parts.f_get(0)?, parts.f_get(1)?, parts.f_get(2)?];
        let mixed = attend([&query, &key, &value], Some(&sight.bias), self.scale, p)?;
        Ok(mixed.f_transpose(1, 2)?.f_reshape([batch, length, width])?)
    }
}

impl Sight<'_> {
    /// Of `length` positions under `mask`, `[batch, length]`, 1 for real tokens.
    ///
    /// # Errors
    /// What libtorch reports.
    pub fn new(length: i64, mask: Option<&Tensor>, like: &Tensor) -> Result<Self, TrainError> {
        let kind = like.f_kind()?;
        let later = Tensor::f_full([length, length], HIDDEN, (Kind::Float, like.device()))?;
        let later = later.f_triu(1)?.f_to_kind(kind)?;
        let Some(mask) = mask else {
            return Ok(Self { unpadded: None, bias: later, padding: None, sees: None });
        };
        let padded = padding_bias(mask, Kind::Float)?;
        let bias = padded.f_to_kind(kind)?.f_add(&later)?;
        let padding = Some(padded.f_view([-1, length])?);
        let sees = mask.f_cumsum(1, Kind::Int64)?.f_gt(0)?.f_unsqueeze(-1)?.f_to_kind(kind)?;
        Ok(Self { unpadded: None, bias, padding, sees: Some(sees) })
    }
}

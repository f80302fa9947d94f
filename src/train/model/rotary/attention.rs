use tch::{Kind, Tensor};
use tuneboard::model_config::Dropouts;
use tuneboard::model_config::rotary::RotaryConfig;

use super::layout::{Layout, Packing};
use super::norm::Norm;
use super::rope::Turns;
use crate::error::TrainError;
use crate::model::attention::{HIDDEN, attend, suits};
use crate::model::builder::Builder;
use crate::model::layers::Projection;
use crate::model::unpadded::Unpadded;
use crate::model::varlen::{self, How};
use crate::native;

/// Multi-head self-attention with rotary positions and grouped keys (Ainslie et al. 2023). Reference:
/// transformers `LlamaAttention`, `GPTNeoXAttention`, `ModernBertAttention`.
pub struct Attention {
    qkv: Projection,
    is_by_head: bool,
    norms: Option<[Norm; 2]>,
    mix: Projection,
    heads: i64,
    kv_heads: i64,
    size: i64,
    scale: f64,
}

/// What the positions of a batch may look at, for blocks of one kind.
pub struct Sight<'a> {
    /// The batch is one without padding.
    pub unpadded: Option<&'a Unpadded>,
    /// Added to attention scores, `[batch or 1, 1, length, length]` or `[batch, 1, 1, length]`; `None` = all
    /// see all.
    pub bias: Option<Tensor>,
    /// The part of it that hides padding, `[batch, length]`, 32-bit.
    pub padding: Option<Tensor>,
    /// Whether later tokens are hidden.
    pub is_causal: bool,
    /// How far one sees; `None` = everything.
    pub reach: Option<i64>,
    /// Their rotary positions.
    pub turns: Turns,
}

impl Attention {
    /// Takes the weights of the block `name` from `builder`.
    ///
    /// # Errors
    /// See [`Builder::encoder`].
    pub fn new(
        builder: &mut Builder,
        name: &str,
        layout: &Layout,
        config: &RotaryConfig,
        depth: u32,
    ) -> Result<Self, TrainError> {
        let at = |part: &str| format!("{name}.{part}");
        let (heads, kv_heads, size) = (config.heads, config.kv_heads, config.size);
        let (rows, kv_rows) = (heads * size, kv_heads * size);
        let names = match layout.qkv {
            Packing::Apart([query, key, value]) => {
                vec![(at(query), rows), (at(key), kv_rows), (at(value), kv_rows)]
            }
            Packing::Thirds(all) | Packing::ByHead(all) => vec![(at(all), 3 * rows)],
        };
        let biases = config.biases;
        let qkv = Projection::stacked(builder, &names, config.hidden, biases.qkv, depth)?;
        let norms = if config.normalises_qk {
            let mut norm = |part: &str| {
                let name = at(&format!("self_attn.{part}"));
                Norm::new(builder, &name, config.norm, size, config.eps, depth)
            };
            Some([norm("q_norm")?, norm("k_norm")?])
        } else {
            None
        };
        let mix = [(at(layout.mix), config.hidden)];
        Ok(Self {
            qkv,
            is_by_head: matches!(layout.qkv, Packing::ByHead(_)),
            norms,
            mix: Projection::stacked(builder, &mix, rows, biases.mix, depth)?,
            heads,
            kv_heads,
            size,
            scale: config.scale,
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
        let [mut query, mut key, value] = self.parts(x)?;
        if let Some([query_norm, key_norm]) = &self.norms {
            query = query_norm.forward(&query)?;
            key = key_norm.forward(&key)?;
        }
        query = sight.turns.turn(&query)?;
        key = sight.turns.turn(&key)?;
        let (key, value) = (self.for_each_query(&key)?, self.for_each_query(&value)?);
        let mixed = self.attend(x, [query, key, value], sight, drop.attention)?;
        self.mix.forward(&mixed)
    }

    /// Queries `[batch, length, heads, size]`, keys and values `[batch, length, kv_heads, size]`.
    fn parts(&self, x: &Tensor) -> Result<[Tensor; 3], TrainError> {
        let (batch, length, _) = x.size3()?;
        let qkv = self.qkv.forward(x)?;
        if self.is_by_head {
            let qkv = qkv.f_view([batch, length, self.heads, 3, self.size])?;
            return Ok([qkv.f_select(3, 0)?, qkv.f_select(3, 1)?, qkv.f_select(3, 2)?]);
        }
        let part = |first: i64, heads: i64| -> Result<Tensor, TrainError> {
            let part = qkv.f_narrow(2, first * self.size, heads * self.size)?;
            Ok(part.f_view([batch, length, heads, self.size])?)
        };
        let (heads, kv_heads) = (self.heads, self.kv_heads);
        Ok([part(0, heads)?, part(heads, kv_heads)?, part(heads + kv_heads, kv_heads)?])
    }

    /// Keys or values, once for each query that reads them.
    fn for_each_query(&self, x: &Tensor) -> Result<Tensor, TrainError> {
        let readers = self.heads / self.kv_heads;
        if readers == 1 {
            return Ok(x.shallow_clone());
        }
        let (batch, length, kv_heads, size) = x.size4()?;
        let all = [batch, length, kv_heads, readers, size];
        Ok(x.f_unsqueeze(3)?.f_expand(all, false)?.f_flatten(2, 3)?)
    }

    fn attend(
        &self,
        x: &Tensor,
        [query, key, value]: [Tensor; 3],
        sight: &Sight,
        p: f64,
    ) -> Result<Tensor, TrainError> {
        let (_, _, heads, size) = query.size4()?;
        if let Some(unpadded) = sight.unpadded {
            let (bias, scale) = (sight.bias.as_ref(), self.scale);
            let how = How { bias, scale, is_causal: sight.is_causal, reach: sight.reach, p };
            return varlen::attend(unpadded, [&query, &key, &value], &how);
        }
        if sight.reach.is_none() && suits(x, size, p) {
            // The kernel divides by the root of the size itself.
            let factor = self.scale * (size as f64).sqrt();
            let query =
                if (factor - 1.0).abs() < 1e-12 { query } else { query.f_mul_scalar(factor)? };
            let qkv = Tensor::f_cat(&[query, key, value], 2)?.f_flatten(2, 3)?;
            let bias = Tensor::f_zeros([3 * heads * size], (Kind::Float, qkv.device()))?;
            let padding = sight.padding.as_ref();
            return native::self_attention(&qkv, &bias, padding, heads, sight.is_causal, p);
        }
        let [query, key, value] =
            [query.f_transpose(1, 2)?, key.f_transpose(1, 2)?, value.f_transpose(1, 2)?];
        let mixed = attend([&query, &key, &value], sight.bias.as_ref(), self.scale, p)?;
        Ok(mixed.f_transpose(1, 2)?.f_flatten(2, 3)?)
    }
}

impl<'a> Sight<'a> {
    /// Of `length` positions under `mask`, `[batch, length]`, 1 for real tokens; `reach` is how far one
    /// sees.
    ///
    /// # Errors
    /// What libtorch reports.
    pub fn new(
        length: i64,
        (padding, unpadded): (Option<&Tensor>, Option<&'a Unpadded>),
        (is_causal, reach): (bool, Option<i64>),
        turns: Turns,
        like: &Tensor,
    ) -> Result<Self, TrainError> {
        let (kind, device) = (like.f_kind()?, like.device());
        let reach = reach.filter(|reach| *reach < length - 1);
        let mut bias = None;
        if is_causal || reach.is_some() {
            let places = Tensor::f_arange(length, (Kind::Int64, device))?;
            let back = places.f_unsqueeze(1)?.f_sub(&places.f_unsqueeze(0)?)?;
            let mut hidden = back.f_lt(if is_causal { 0 } else { -length })?;
            if let Some(reach) = reach {
                hidden = hidden.f_logical_or(&back.f_abs()?.f_gt(reach)?)?;
            }
            let hidden = hidden.f_to_kind(Kind::Float)?.f_mul_scalar(HIDDEN)?;
            bias = Some(hidden.f_unsqueeze(0)?.f_unsqueeze(0)?);
        }
        if let Some(padding) = padding {
            let padding = padding.f_unsqueeze(1)?.f_unsqueeze(1)?;
            bias = Some(match bias {
                // A token that is hidden twice is hidden as well as one that is hidden once.
                Some(bias) => bias.f_minimum(&padding)?,
                None => padding,
            });
        }
        Ok(Self {
            unpadded,
            bias: bias.map(|bias| bias.f_to_kind(kind)).transpose()?,
            padding: padding.map(Tensor::shallow_clone),
            is_causal,
            reach,
            turns,
        })
    }
}

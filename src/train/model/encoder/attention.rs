use tch::{Kind, Tensor};
use tuneboard::model_config::encoder::{Disentangled, EncoderConfig};

use super::distances::{Between, Sight};
use super::layout::Layout;
use crate::error::TrainError;
use crate::model::attention::{attend, self_attend};
use crate::model::builder::Builder;
use crate::model::layers::Linear;
use crate::model::varlen::{self, How};

/// Multi-head self-attention, without the output projection (Vaswani et al. 2017, section 3.2).
/// Reference: transformers `BertSelfAttention`, `MPNetSelfAttention`, `DisentangledSelfAttention`.
pub struct SelfAttention {
    /// Query, key and value.
    stacked: Linear,
    heads: i64,
    width: i64,
}

impl SelfAttention {
    /// Takes the weights of the block `name` from `builder`.
    ///
    /// # Errors
    /// See [`Builder::encoder`].
    pub fn new(
        builder: &mut Builder,
        name: &str,
        layout: &Layout,
        config: &EncoderConfig,
        depth: u32,
    ) -> Result<Self, TrainError> {
        let names = layout.qkv.map(|part| format!("{name}.{part}"));
        let names = names.each_ref().map(String::as_str);
        let stacked = Linear::stacked(builder, &names, [config.hidden; 2], depth)?;
        Ok(Self { stacked, heads: config.heads, width: config.hidden })
    }

    /// `[batch, length, hidden]` -> the same shape; `p` is the dropout of the attention weights.
    ///
    /// # Errors
    /// What libtorch reports.
    pub fn forward(&self, x: &Tensor, sight: &Sight, p: f64) -> Result<Tensor, TrainError> {
        let padding = sight.padding.as_ref();
        if let Some(unpadded) = sight.unpadded {
            let (_, tokens, _) = x.size3()?;
            let qkv = self.stacked.forward(x)?.f_view([1, tokens, 3, self.heads, self.size()])?;
            let part = |index| qkv.f_select(2, index);
            let scale = 1.0 / (self.size() as f64).sqrt();
            let how = How { bias: padding, scale, is_causal: false, reach: None, p };
            return varlen::attend(unpadded, [&part(0)?, &part(1)?, &part(2)?], &how);
        }
        match &sight.between {
            Between::Nothing => self_attend(&self.stacked, x, padding, self.heads, p),
            Between::Bias(bias) => {
                let bias = match padding {
                    Some(padding) => bias.f_add(padding)?,
                    None => bias.shallow_clone(),
                };
                let parts = self.parts(x)?;
                self.mixed(&parts, Some(&bias), 1.0, p)
            }
            Between::Distances { rows, index, how } => {
                let parts = self.parts(x)?;
                let terms = 1 + i64::from(how.from_content) + i64::from(how.from_position);
                let mut bias = self.between([&parts[0], &parts[1]], rows, index, how)?;
                let scale = 1.0 / ((terms * self.size()) as f64).sqrt();
                bias = bias
                    .map(|bias| -> Result<Tensor, TrainError> { Ok(bias.f_mul_scalar(scale)?) })
                    .transpose()?;
                let bias = match (bias, padding) {
                    (Some(bias), Some(padding)) => Some(bias.f_add(padding)?),
                    (bias, padding) => bias.or_else(|| padding.map(Tensor::shallow_clone)),
                };
                self.mixed(&parts, bias.as_ref(), 1.0 / (terms as f64).sqrt(), p)
            }
        }
    }

    fn size(&self) -> i64 {
        self.width / self.heads
    }

    /// Queries, keys and values, each `[batch, heads, length, size]`.
    fn parts(&self, x: &Tensor) -> Result<[Tensor; 3], TrainError> {
        let (batch, length, _) = x.size3()?;
        let qkv = self.stacked.forward(x)?.f_view([batch, length, 3, self.heads, self.size()])?;
        let part = |index| qkv.f_select(2, index)?.f_transpose(1, 2);
        Ok([part(0)?, part(1)?, part(2)?])
    }

    /// `times` is a factor beside the usual `1 / sqrt(size)`.
    fn mixed(
        &self,
        [query, key, value]: &[Tensor; 3],
        bias: Option<&Tensor>,
        times: f64,
        p: f64,
    ) -> Result<Tensor, TrainError> {
        let scale = times / (self.size() as f64).sqrt();
        let mixed = attend([query, key, value], bias, scale, p)?;
        Ok(mixed.f_transpose(1, 2)?.f_flatten(2, 3)?)
    }

    /// The scores `[batch, heads, length, length]` between contents and distances, unscaled. `rows`
    /// `[distances, hidden]` are the distances' vectors, `index` `[length, length]` says which of them
    /// lies between query and key.
    fn between(
        &self,
        [query, key]: [&Tensor; 2],
        rows: &Tensor,
        index: &Tensor,
        how: &Disentangled,
    ) -> Result<Option<Tensor>, TrainError> {
        let (batch, heads, length, size) = query.size4()?;
        let rows = rows.f_to_kind(query.f_kind()?)?;
        // [distances, hidden] -> [heads, size, distances]
        let projected = |first: i64| -> Result<Tensor, TrainError> {
            let rows = self.stacked.part(&rows, first, self.width)?;
            Ok(rows.f_view([-1, heads, size])?.f_permute([1, 2, 0])?)
        };
        let taken = |scores: &Tensor, index: &Tensor| -> Result<Tensor, TrainError> {
            let index = index.f_expand([batch, heads, length, length], false)?;
            Ok(scores.f_gather(-1, &index, false)?)
        };
        let mut sum = None;
        if how.from_content {
            let scores = query.f_matmul(&projected(self.width)?)?;
            sum = Some(taken(&scores, index)?);
        }
        if how.from_position {
            let scores = key.f_matmul(&projected(0)?)?;
            let scores = taken(&scores, &index.f_transpose(0, 1)?)?.f_transpose(2, 3)?;
            sum = Some(match sum {
                Some(sum) => sum.f_add(&scores)?,
                None => scores,
            });
        }
        Ok(sum.map(|sum| sum.f_to_kind(Kind::Float)).transpose()?)
    }
}

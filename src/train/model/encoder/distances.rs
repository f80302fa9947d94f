use tch::{Device, Kind, Tensor};
use tuneboard::model_config::encoder::{Disentangled, Distances, EncoderConfig};

use crate::error::TrainError;
use crate::model::attention::padding_bias;
use crate::model::builder::Builder;
use crate::model::layers::{LayerNorm, dropout};
use crate::model::parameters::Fresh;
use crate::model::unpadded::Unpadded;

/// What attention scores know beside contents: padding, and how far tokens are from each other.
pub struct Sight<'a> {
    /// The batch is one without padding.
    pub unpadded: Option<&'a Unpadded>,
    /// Hides padding, `[batch, 1, 1, length]`, 32-bit.
    pub padding: Option<Tensor>,
    /// The distances.
    pub between: Between,
}

/// How far tokens are from each other.
pub enum Between {
    /// Nothing is known of it.
    Nothing,
    /// Added to the scores, `[1, heads, length, length]`.
    Bias(Tensor),
    /// Scored against contents.
    Distances {
        /// The vectors of distances, `[distances, hidden]`.
        rows: Tensor,
        /// Which row lies between query and key, `[length, length]`, int64.
        index: Tensor,
        /// Which scores there are.
        how: Disentangled,
    },
}

/// The weights that distances have, one set for all blocks.
pub enum Table {
    /// None.
    Nothing,
    /// A bias for each bucket and head, `[buckets, heads]`.
    Biases(Tensor),
    /// A vector for each bucket, `[2 * span, hidden]`.
    Vectors {
        /// The vectors.
        rows: Tensor,
        /// Their normalisation.
        norm: Option<LayerNorm>,
        /// What is done with them.
        how: Disentangled,
    },
}

/// The buckets of MPNet's biases and the farthest distance that has one of its own; constants there.
const BUCKETS: i64 = 32;
const FARTHEST: f64 = 128.0;

impl Table {
    /// Takes its weights from `builder`; they lie below `depth` layers.
    ///
    /// # Errors
    /// See [`Builder::encoder`].
    pub fn new(
        builder: &mut Builder,
        config: &EncoderConfig,
        depth: u32,
    ) -> Result<Self, TrainError> {
        match config.distances {
            Distances::Ignored => Ok(Self::Nothing),
            Distances::Biased(buckets) => {
                let (name, shape) =
                    ("encoder.relative_attention_bias.weight", [buckets, config.heads]);
                builder.encoder(name, &shape, Fresh::Normal, depth).map(Self::Biases)
            }
            Distances::Disentangled(how) => {
                let (name, shape) =
                    ("encoder.rel_embeddings.weight", [2 * how.span, config.hidden]);
                let rows = builder.encoder(name, &shape, Fresh::Normal, depth)?;
                let norm = if how.is_normalised {
                    let name = "encoder.LayerNorm";
                    Some(LayerNorm::encoder(builder, name, config.hidden, config.eps, depth)?)
                } else {
                    None
                };
                Ok(Self::Vectors { rows, norm, how })
            }
        }
    }

    /// What a batch of `length` tokens under `mask` sees; `p` is the dropout of distances' vectors.
    ///
    /// # Errors
    /// What libtorch reports.
    pub fn sight<'a>(
        &self,
        length: i64,
        mask: Option<&Tensor>,
        unpadded: Option<&'a Unpadded>,
        p: f64,
    ) -> Result<Sight<'a>, TrainError> {
        let padding = mask.map(|mask| padding_bias(mask, Kind::Float)).transpose()?;
        let between = match self {
            Self::Nothing => Between::Nothing,
            Self::Biases(table) => {
                let buckets = biased_buckets(length, table.device())?;
                let bias = Tensor::f_embedding(table, &buckets, -1, false, false)?;
                Between::Bias(bias.f_permute([2, 0, 1])?.f_unsqueeze(0)?)
            }
            Self::Vectors { rows, norm, how } => {
                // Buckets grow with distances: the farthest two of this length bound the rows in use.
                let farthest = Tensor::from_slice(&[1 - length, length - 1]);
                let ends = Vec::<i64>::try_from(&rows_of(how, &farthest)?)?;
                let [first, last] = [ends.first(), ends.last()].map(|x| x.copied().unwrap_or(0));
                let index = rows_of(how, &apart(length, rows.device())?)?.f_sub_scalar(first)?;
                let rows = match norm {
                    Some(norm) => norm.forward(&rows.f_narrow(0, first, last - first + 1)?)?,
                    None => rows.f_narrow(0, first, last - first + 1)?,
                };
                Between::Distances { rows: dropout(rows, p)?, index, how: *how }
            }
        };
        // Scores that know distances are those of whole texts.
        let unpadded = unpadded.filter(|_| matches!(between, Between::Nothing));
        Ok(Sight { unpadded, padding, between })
    }
}

/// Query - key, `[length, length]`, int64.
fn apart(length: i64, device: Device) -> Result<Tensor, TrainError> {
    let places = Tensor::f_arange(length, (Kind::Int64, device))?;
    Ok(places.f_unsqueeze(1)?.f_sub(&places.f_unsqueeze(0)?)?)
}

/// The bucket between query and key, `[length, length]`, int64: half of the buckets for keys that come
/// later, half of those for distances of their own, the rest in logarithmic steps. Reference:
/// transformers `MPNetEncoder.relative_position_bucket`, in 32 bits as there.
fn biased_buckets(length: i64, device: Device) -> Result<Tensor, TrainError> {
    let half = BUCKETS / 2;
    let exact = half / 2;
    let key_minus_query = apart(length, device)?.f_neg()?;
    let later = key_minus_query.f_gt(0)?.f_to_kind(Kind::Int64)?.f_mul_scalar(half)?;
    let far = key_minus_query.f_abs()?;
    let steps = far
        .f_clamp_min(1)?
        .f_to_kind(Kind::Float)?
        .f_div_scalar(exact)?
        .f_log()?
        .f_div_scalar((FARTHEST / exact as f64).ln())?
        .f_mul_scalar(half - exact)?
        .f_to_kind(Kind::Int64)?
        .f_add_scalar(exact)?
        .f_clamp_max(half - 1)?;
    Ok(later.f_add(&far.f_where_self(&far.f_lt(exact)?, &steps)?)?)
}

/// The row of each distance (query - key), int64. Reference: transformers
/// `make_log_bucket_position`, in 32 bits as there.
fn rows_of(how: &Disentangled, apart: &Tensor) -> Result<Tensor, TrainError> {
    let buckets = if how.has_buckets { buckets(how, apart)? } else { apart.shallow_clone() };
    Ok(buckets.f_add_scalar(how.span)?.f_clamp(0, 2 * how.span - 1)?)
}

fn buckets(how: &Disentangled, apart: &Tensor) -> Result<Tensor, TrainError> {
    let middle = how.span / 2;
    let far = apart.f_abs()?;
    let widest = Tensor::f_from_slice(&[((how.farthest - 1) as f64 / middle as f64) as f32])?
        .f_to_device(apart.device())?
        .f_log()?;
    let steps = far
        .f_clamp_min(middle.max(1))?
        .f_to_kind(Kind::Float)?
        .f_div_scalar(middle)?
        .f_log()?
        .f_div(&widest)?
        .f_mul_scalar(middle - 1)?
        .f_ceil()?
        .f_add_scalar(middle)?
        .f_mul(&apart.f_sign()?)?
        .f_to_kind(Kind::Int64)?;
    Ok(apart.f_where_self(&far.f_le(middle)?, &steps)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_those_of_the_formulas() {
        let row = |x: Tensor| Vec::<i64>::try_from(x).unwrap();
        // Query 0 against keys 0, 1, 7, 8, 16, 64, 127, 199.
        let all = biased_buckets(200, Device::Cpu).unwrap().get(0);
        let at = |key: i64| all.int64_value(&[key]);
        assert_eq!([0, 1, 7, 8, 16, 64, 199].map(at), [0, 17, 23, 24, 26, 30, 31]);
        let how = Disentangled {
            span: 8,
            has_buckets: true,
            farthest: 40,
            from_content: true,
            from_position: true,
            is_normalised: true,
        };
        let apart = Tensor::from_slice(&[-39_i64, -5, -4, 0, 4, 5, 39]);
        assert_eq!(row(buckets(&how, &apart).unwrap()), [-7, -5, -4, 0, 4, 5, 7]);
        let plain = Disentangled { has_buckets: false, ..how };
        assert_eq!(row(rows_of(&plain, &apart).unwrap()), [0, 3, 4, 8, 12, 13, 15]);
    }
}

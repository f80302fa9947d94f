use tch::{Kind, Tensor};

use super::{AwdLstm, Carried};
use crate::error::TrainError;
use crate::fastai::padding_before;
use crate::model::{Inputs, Mode};

/// Texts that may be longer than a window: the encoder goes over them window by window, carrying its
/// state, and the outputs of the last `max_len` tokens are kept. Reference: fastai
/// `SentenceEncoder`.
pub struct SentenceEncoder {
    /// The encoder.
    pub module: AwdLstm,
    /// Tokens of a window.
    pub bptt: i64,
    /// Windows that begin further from the end are not kept.
    pub max_len: i64,
    /// The id that fills.
    pub padding: i64,
}

/// What is pooled.
pub struct Encoded {
    /// `[batch, kept, emb_sz]`; 0 where a row was not run.
    pub outputs: Tensor,
    /// `[batch, kept]`, true for padding.
    pub is_padding: Tensor,
}

impl SentenceEncoder {
    /// Rows laid out as fastai lays them out (see [`lay_out`]), longest first. The state starts at 0
    /// and gradients end at window borders.
    ///
    /// # Errors
    /// What libtorch reports.
    pub fn forward(&self, ids: &Tensor, mode: Mode) -> Result<Encoded, TrainError> {
        let (batch, length) = ids.size2()?;
        let is_padding = ids.f_eq(self.padding)?;
        let mut state = Carried::new();
        let mut outputs = Vec::new();
        let mut kept_from = length;
        for start in (0..length).step_by(self.bptt as usize) {
            let window = self.bptt.min(length - start);
            // Rows that have not begun yet stand at the end.
            let begun = is_padding.f_select(1, start)?.f_logical_not()?;
            let begun = begun.f_sum(Kind::Int64)?.f_int64_value(&[])?;
            if begun == 0 {
                // Nothing but padding: a row of zeros stands in for it.
                outputs.push(self.zeros(batch, window)?);
                kept_from = kept_from.min(start);
                continue;
            }
            let rows = ids.f_narrow(0, 0, begun)?.f_narrow(1, start, window)?;
            let out = self.module.forward(&rows, &mut state, mode)?;
            if length - start > self.max_len {
                continue;
            }
            kept_from = kept_from.min(start);
            outputs.push(if begun < batch {
                Tensor::f_cat(&[&out, &self.zeros(batch - begun, window)?], 0)?
            } else {
                out
            });
        }
        Ok(Encoded {
            outputs: Tensor::f_cat(&outputs, 1)?,
            is_padding: is_padding.f_narrow(1, kept_from, length - kept_from)?,
        })
    }

    fn zeros(&self, rows: i64, length: i64) -> Result<Tensor, TrainError> {
        let words = &self.module.words;
        let width = words.size().last().copied().unwrap_or(0);
        Ok(Tensor::f_zeros([rows, length, width], (Kind::Float, words.device()))?)
    }

    /// Last, largest and mean output of the real tokens: `[batch, 3 emb_sz]`. Reference: fastai
    /// `masked_concat_pool`.
    ///
    /// # Errors
    /// What libtorch reports.
    pub fn pool(&self, encoded: &Encoded) -> Result<Tensor, TrainError> {
        let Encoded { outputs, is_padding } = encoded;
        let (batch, kept, width) = outputs.size3()?;
        let real =
            is_padding.f_logical_not()?.f_sum_dim_intlist(&[1i64][..], false, Kind::Int64)?;
        let hidden = is_padding.f_unsqueeze(-1)?;
        let mean = outputs.f_masked_fill(&hidden, 0.0)?.f_sum_dim_intlist(
            &[1i64][..],
            false,
            Kind::Float,
        )?;
        let mean = mean.f_div(&real.f_clamp_min(1)?.f_unsqueeze(-1)?)?;
        let (largest, _) =
            outputs.f_masked_fill(&hidden, f64::NEG_INFINITY)?.f_max_dim(1, false)?;
        // Padding at the end is shorter than a window.
        let window = self.bptt.min(kept);
        let behind = is_padding.f_narrow(1, kept - window, window)?;
        let behind = behind.f_sum_dim_intlist(&[1i64][..], false, Kind::Int64)?;
        let at = behind.f_neg()?.f_add_scalar(kept - 1)?.f_clamp_min(0)?;
        let at = at.f_view([batch, 1, 1])?.f_expand([batch, 1, width], false)?;
        let last = outputs.f_gather(1, &at, false)?.f_squeeze_dim(1)?;
        Ok(Tensor::f_cat(&[last, largest, mean], 1)?)
    }
}

/// A batch as fastai lays it out, and the row of `inputs` that each of its rows is: longest first;
/// whole windows of padding before a short text, the rest behind it (see
/// [`padding_before`]).
///
/// # Errors
/// What libtorch reports.
pub fn lay_out(inputs: &Inputs, bptt: i64, padding: i64) -> Result<(Tensor, Tensor), TrainError> {
    let (batch, length) = inputs.ids.size2()?;
    let device = inputs.ids.device();
    let lengths = match &inputs.mask {
        Some(mask) => {
            Vec::<i64>::try_from(mask.f_sum_dim_intlist(&[1i64][..], false, Kind::Int64)?)?
        }
        None => vec![length; batch as usize],
    };
    let mut order: Vec<i64> = (0..batch).collect();
    let length_of = |row: &i64| lengths.get(*row as usize).copied().unwrap_or(0);
    order.sort_by_key(|row| std::cmp::Reverse(length_of(row)));
    let length = whole_windows(&lengths, length, bptt);
    let mut at = Vec::with_capacity((batch * length) as usize);
    let mut is_text = Vec::with_capacity(at.capacity());
    for row in &order {
        let own = length_of(row);
        let before = padding_before(own, length, bptt);
        for place in 0..length {
            let inside = (before..before + own).contains(&place);
            at.push(if inside { place - before } else { 0 });
            is_text.push(inside);
        }
    }
    let place = |x: Tensor| -> Result<Tensor, TrainError> {
        Ok(x.f_view([batch, length])?.f_to_device(device)?)
    };
    let order = Tensor::f_from_slice(&order)?.f_to_device(device)?;
    let ids = inputs.ids.f_index_select(0, &order)?;
    let ids = ids.f_gather(1, &place(Tensor::f_from_slice(&at)?)?, false)?;
    let is_text = place(Tensor::f_from_slice(&is_text)?)?;
    Ok((ids.f_masked_fill(&is_text.f_logical_not()?, padding)?, order))
}

/// The length that a batch of `lengths` is laid out in: the longest, as fastai does it, unless a text
/// would then end where a window begins before a shorter text begins. fastai counts the rows that
/// begin with padding there, and leaves the shortest texts of the batch out; filling the last window
/// up avoids that.
fn whole_windows(lengths: &[i64], longest: i64, bptt: i64) -> i64 {
    let last_window = (longest - 1) / bptt * bptt;
    let ends_early = |own: &i64| padding_before(*own, longest, bptt) + own <= last_window;
    if lengths.iter().any(ends_early) { last_window + bptt } else { longest }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_is_left_out_where_another_ends_with_its_window() {
        // 12 tokens fill the first window of 12; 11 stand in the second.
        let ids = Tensor::full([3, 23], 5_i64, (Kind::Int64, tch::Device::Cpu));
        let mask = Tensor::from_slice(&[12_i64, 23, 11]).view([3, 1]);
        let mask = Tensor::arange(23, (Kind::Int64, tch::Device::Cpu)).lt_tensor(&mask);
        let mask = Some(mask.to_kind(Kind::Int64));
        let (ids, order) = lay_out(
            &Inputs { ids, mask, segments: None, positions: None, by_row: false, unpadded: None },
            12,
            1,
        )
        .unwrap();
        assert_eq!(Vec::<i64>::try_from(&order).unwrap(), [1, 0, 2]);
        assert_eq!(ids.size(), [3, 24]);
        let starts = |at| Vec::<bool>::try_from(ids.select(1, at).eq(5)).unwrap();
        assert_eq!((starts(0), starts(12)), (vec![true, false, false], vec![true; 3]));
        assert_eq!(whole_windows(&[10, 7, 3, 1], 10, 12), 10);
        assert_eq!(whole_windows(&[24, 15, 12, 2], 24, 12), 24);
    }
}

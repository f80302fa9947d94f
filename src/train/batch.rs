//! Which rows go together, and how they become tensors.

use tch::{Device, Tensor};
use tuneboard::spec::RunSpec;

use crate::error::TrainError;
use crate::model::{Inputs, Padding, Side, Unpadded};
use crate::native;
use crate::rng::{Purpose, Rng};
use crate::tokenize::Tokens;

/// Batches whose rows are sorted together before they are shuffled: enough to make rows of a batch
/// alike in length, few enough to keep the order of an epoch random.
const MEGA_BATCH: usize = 50;

/// The batches of one epoch of training: rows shuffled, sorted by length within stretches of
/// [`MEGA_BATCH`] batches, cut, and the batches shuffled. A function of seed and epoch alone.
fn training(
    rows: &[u32],
    tokens: &Tokens,
    batch_size: usize,
    seed: u64,
    epoch: u32,
) -> Vec<Vec<u32>> {
    let mut rng = Rng::new(seed, Purpose::Order, u64::from(epoch));
    let mut rows = rows.to_vec();
    rng.shuffle(&mut rows);
    let mut batches = Vec::with_capacity(rows.len().div_ceil(batch_size));
    for stretch in rows.chunks_mut(batch_size * MEGA_BATCH) {
        stretch.sort_by_key(|row| std::cmp::Reverse(tokens.get(*row).len()));
        batches.extend(stretch.chunks(batch_size).map(<[u32]>::to_vec));
    }
    rng.shuffle(&mut batches);
    batches
}

/// The optimiser steps of one epoch, each on `accumulate` batches together.
#[derive(Debug, Default)]
pub struct Epoch {
    /// Batches of rows.
    batches: Vec<Vec<u32>>,
    accumulate: usize,
}

impl Epoch {
    /// Lays out epoch `epoch`, counted from 0, of `rows`.
    pub fn lay_out(rows: &[u32], tokens: &Tokens, spec: &RunSpec, epoch: u32) -> Self {
        let batches = training(rows, tokens, spec.batch_size as usize, spec.seed, epoch);
        Self { batches, accumulate: spec.accumulate as usize }
    }

    /// How many steps an epoch of so many rows has.
    pub fn steps(rows: usize, spec: &RunSpec) -> u64 {
        rows.div_ceil(spec.batch_size as usize).div_ceil(spec.accumulate as usize) as u64
    }

    /// The batches of step `index`; none beyond the end.
    pub fn step(&self, index: u64) -> &[Vec<u32>] {
        self.batches.chunks(self.accumulate.max(1)).nth(index as usize).unwrap_or_default()
    }
}

/// A batch in `2^halvings` parts of like size, or as many as it has rows.
pub fn parts(batch: &[u32], halvings: u32) -> impl Iterator<Item = &[u32]> {
    batch.chunks(batch.len().div_ceil(1 << halvings).max(1))
}

/// The batches of an evaluation, longest texts first, as positions in `rows`. The longest come
/// first so that memory that does not suffice is noticed at once.
pub fn evaluation(rows: &[u32], tokens: &Tokens, batch_size: usize) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..rows.len()).collect();
    let length = |at: &usize| rows.get(*at).map_or(0, |row| tokens.get(*row).len());
    order.sort_by_key(|at| std::cmp::Reverse(length(at)));
    order.chunks(batch_size).map(<[usize]>::to_vec).collect()
}

/// The ids of some rows, padded to the longest of them or to the length that `padding` gives; rows
/// beyond that are cut at their end.
///
/// # Errors
/// What libtorch reports.
pub fn collate(
    rows: impl ExactSizeIterator<Item = u32> + Clone,
    tokens: &Tokens,
    padding: Padding,
    device: Device,
) -> Result<Inputs, TrainError> {
    let count = rows.len();
    let longest = || rows.clone().map(|row| tokens.get(row).len()).max().unwrap_or(0).max(1);
    let length = padding.length.unwrap_or_else(longest);
    let mut ids = Vec::with_capacity(count * length);
    let mut mask = Vec::with_capacity(count * length);
    let mut segments = Vec::new();
    for row in rows {
        let text = tokens.get(row);
        let text = text.get(..length).unwrap_or(text);
        let missing = length - text.len();
        let (before, behind) = match padding.side {
            Side::Left => (missing, 0),
            Side::Right => (0, missing),
        };
        ids.resize(ids.len() + before, padding.id);
        mask.resize(ids.len(), 0);
        ids.extend(text.iter().map(|id| i64::from(*id)));
        mask.resize(ids.len(), 1);
        ids.resize(ids.len() + behind, padding.id);
        mask.resize(ids.len(), 0);
        if let Some(all) = tokens.segments() {
            let own = all.get(row);
            let own = own.get(..length).unwrap_or(own);
            segments.resize(segments.len() + before, 0);
            segments.extend(own.iter().map(|segment| i64::from(*segment)));
            segments.resize(ids.len(), 0);
        }
    }
    let padded = mask.contains(&0);
    let place = |data: &[i64]| -> Result<Tensor, TrainError> {
        let tensor = Tensor::f_from_slice(data)?.f_view([count as i64, length as i64])?;
        native::send(&tensor, device)
    };
    // On a CPU rows alike in length leave little padding, and our own attention knows texts side by side alone.
    // A head that reads all positions of a fixed length reads padding as well.
    let unpadded = if padded && device.is_cuda() && padding.length.is_none() {
        Some(Unpadded::of(&mask, length, device)?)
    } else {
        None
    };
    Ok(Inputs {
        ids: place(&ids)?,
        mask: if padded { Some(place(&mask)?) } else { None },
        segments: if segments.is_empty() { None } else { Some(place(&segments)?) },
        positions: None,
        by_row: false,
        unpadded,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(lengths: &[usize]) -> Tokens {
        let mut tokens = Tokens::default();
        for length in lengths {
            tokens.push(&vec![7; *length]);
        }
        tokens
    }

    #[test]
    fn every_row_comes_once_and_lengths_are_alike() {
        let lengths: Vec<usize> = (0..1000).map(|i| 1 + (i * 37) % 90).collect();
        let tokens = tokens(&lengths);
        let rows: Vec<u32> = (0..1000).rev().collect();
        let batches = training(&rows, &tokens, 8, 3, 0);
        let mut seen: Vec<u32> = batches.concat();
        seen.sort_unstable();
        assert_eq!(seen, (0..1000).collect::<Vec<_>>());
        let padded: usize = batches
            .iter()
            .map(|b| b.len() * b.iter().map(|r| lengths[*r as usize]).max().unwrap())
            .sum();
        let real: usize = lengths.iter().sum();
        assert!((padded as f64) < 1.06 * real as f64, "{padded} of {real}");
        assert_eq!(batches, training(&rows, &tokens, 8, 3, 0));
        assert_ne!(batches, training(&rows, &tokens, 8, 3, 1));
        assert_ne!(batches, training(&rows, &tokens, 8, 4, 0));
    }

    #[test]
    fn halved_batches_keep_every_row() {
        let batch: Vec<u32> = (0..7).collect();
        let sizes = |halvings| parts(&batch, halvings).map(<[u32]>::len).collect::<Vec<_>>();
        assert_eq!(sizes(0), [7]);
        assert_eq!(sizes(1), [4, 3]);
        assert_eq!(sizes(2), [2, 2, 2, 1]);
        assert_eq!(sizes(9), [1; 7]);
        assert_eq!(parts(&batch, 2).flatten().copied().collect::<Vec<_>>(), batch);
        assert_eq!(parts(&[], 1).count(), 0);
    }

    #[test]
    fn every_batch_belongs_to_one_step() {
        let spec = RunSpec { batch_size: 3, accumulate: 2, ..RunSpec::default() };
        let rows: Vec<u32> = (0..20).collect();
        let epoch = Epoch::lay_out(&rows, &tokens(&[2; 20]), &spec, 1);
        let steps: Vec<_> = (0..Epoch::steps(20, &spec)).map(|step| epoch.step(step)).collect();
        assert_eq!(steps.iter().map(|batches| batches.len()).collect::<Vec<_>>(), [2, 2, 2, 1]);
        let mut seen: Vec<u32> = steps.concat().concat();
        seen.sort_unstable();
        assert_eq!(seen, rows);
        assert!(epoch.step(4).is_empty());
    }

    #[test]
    fn evaluation_goes_from_long_to_short() {
        let tokens = tokens(&[1, 5, 3, 4]);
        assert_eq!(evaluation(&[3, 0, 1], &tokens, 2), [vec![2, 0], vec![1]]);
    }

    #[test]
    fn a_batch_is_padded_to_its_longest_row() {
        let tokens = tokens(&[2, 3]);
        let padding = Padding { id: 9, side: Side::Right, length: None };
        let inputs = collate([1, 0].into_iter(), &tokens, padding, Device::Cpu).unwrap();
        let ids: Vec<Vec<i64>> = Vec::try_from(&inputs.ids).unwrap();
        assert_eq!(ids, [[7, 7, 7], [7, 7, 9]]);
        let mask: Vec<Vec<i64>> = Vec::try_from(inputs.mask.as_ref().unwrap()).unwrap();
        assert_eq!(mask, [[1, 1, 1], [1, 1, 0]]);
        assert!(collate([1].into_iter(), &tokens, padding, Device::Cpu).unwrap().mask.is_none());
    }

    #[test]
    fn segments_are_padded_with_the_first() {
        let mut segments = Tokens::default();
        segments.push(&[0, 1]);
        segments.push(&[0, 0, 1]);
        let tokens = tokens(&[2, 3]).with_segments(segments);
        for (side, want) in
            [(Side::Right, [[0, 1, 0], [0, 0, 1]]), (Side::Left, [[0, 0, 1], [0, 0, 1]])]
        {
            let padding = Padding { id: 9, side, length: None };
            let inputs = collate([0, 1].into_iter(), &tokens, padding, Device::Cpu).unwrap();
            let got: Vec<Vec<i64>> = Vec::try_from(inputs.segments.as_ref().unwrap()).unwrap();
            assert_eq!(got, want);
        }
    }

    #[test]
    fn a_fixed_length_cuts_and_fills_on_the_left() {
        let tokens = tokens(&[2, 5]);
        let padding = Padding { id: 9, side: Side::Left, length: Some(4) };
        let inputs = collate([0, 1].into_iter(), &tokens, padding, Device::Cpu).unwrap();
        let ids: Vec<Vec<i64>> = Vec::try_from(&inputs.ids).unwrap();
        assert_eq!(ids, [[9, 9, 7, 7], [7, 7, 7, 7]]);
        let mask: Vec<Vec<i64>> = Vec::try_from(inputs.mask.as_ref().unwrap()).unwrap();
        assert_eq!(mask, [[0, 0, 1, 1], [1, 1, 1, 1]]);
    }
}

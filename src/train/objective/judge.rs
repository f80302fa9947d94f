//! What a classifier says of texts, without learning.

use tch::{Kind, Tensor};

use super::{Scores, Stop};
use crate::batch;
use crate::error::TrainError;
use crate::tokenize::Tokens;

/// What a model says of texts: `[rows * classes]`, row by row.
#[derive(Debug, Clone, PartialEq)]
pub struct Outputs {
    /// Outputs of the head: classes, labels or targets.
    pub classes: usize,
    /// Natural logarithms of probabilities, or the head's scores.
    pub values: Vec<f32>,
}

/// Batches on a GPU whose outputs are read at once.
const READ_TOGETHER: usize = 32;

impl Outputs {
    /// Takes in what was said of these positions among `rows` rows.
    fn read(
        &mut self,
        said: &mut Vec<(Vec<usize>, Tensor)>,
        rows: usize,
    ) -> Result<(), TrainError> {
        for (positions, said) in said.drain(..) {
            let classes = said.size().last().map_or(0, |n| *n as usize);
            self.classes = classes;
            self.values.resize(rows * classes, 0.0);
            let values = flat(&said)?;
            for (at, values) in positions.iter().zip(values.chunks(classes.max(1))) {
                if let Some(place) = self.values.get_mut(at * classes..(at + 1) * classes) {
                    place.copy_from_slice(values);
                }
            }
        }
        Ok(())
    }
}

/// The logarithms of the class probabilities of `rows` of `tokens`, in their order. `logits` gives the
/// class scores of some rows, `[rows, classes]`. `None` if `stop` asked for a stop first.
///
/// # Errors
/// What libtorch reports.
pub fn log_probabilities(
    tokens: &Tokens,
    rows: &[u32],
    batch_size: usize,
    logits: impl Fn(&[u32]) -> Result<Tensor, TrainError>,
    stop: &Stop,
) -> Result<Option<Outputs>, TrainError> {
    let finish = |logits: &Tensor| Ok(logits.f_log_softmax(-1, Kind::Float)?);
    raw(tokens, rows, batch_size, |rows| finish(&logits(rows)?), stop)
}

/// The head's scores as they are; else as [`log_probabilities`].
///
/// # Errors
/// What libtorch reports.
pub fn raw(
    tokens: &Tokens,
    rows: &[u32],
    batch_size: usize,
    logits: impl Fn(&[u32]) -> Result<Tensor, TrainError>,
    stop: &Stop,
) -> Result<Option<Outputs>, TrainError> {
    let _guard = tch::no_grad_guard();
    let mut all = Outputs { classes: 0, values: Vec::new() };
    let mut said = Vec::new();
    let mut done = 0;
    for positions in batch::evaluation(rows, tokens, batch_size) {
        if stop.asked_at(done, rows.len()) {
            return Ok(None);
        }
        done += positions.len();
        let batch = positions.iter().filter_map(|at| rows.get(*at).copied());
        let batch: Vec<u32> = batch.collect();
        said.push((positions, logits(&batch)?));
        // To read from a GPU is to wait for all that it was asked.
        let is_there = said.last().is_some_and(|(_, said)| said.device().is_cuda());
        if !is_there || said.len() >= READ_TOGETHER {
            all.read(&mut said, rows.len())?;
        }
    }
    all.read(&mut said, rows.len())?;
    Ok(Some(all))
}

/// The numbers of a tensor, 32-bit, row by row.
///
/// # Errors
/// What libtorch reports.
pub fn flat(tensor: &Tensor) -> Result<Vec<f32>, TrainError> {
    let tensor = tensor.f_to_device(tch::Device::Cpu)?.f_contiguous()?;
    let mut values = vec![0_f32; tensor.numel()];
    tensor.f_copy_data(&mut values, tensor.numel())?;
    Ok(values)
}

/// Losses, classes and probabilities from natural logarithms of probabilities, `[rows * classes]`.
pub fn scores(labels: Vec<u32>, log_probabilities: &[f32], classes: usize) -> Scores {
    let mut scores = Scores { labels, ..Scores::default() };
    for (label, row) in scores.labels.iter().zip(log_probabilities.chunks(classes)) {
        let mut best = 0;
        for (class, value) in row.iter().enumerate() {
            if row.get(best).is_none_or(|highest| value > highest) {
                best = class;
            }
        }
        scores.predicted.push(best as u32);
        scores.losses.push(-row.get(*label as usize).copied().unwrap_or(f32::NAN));
        scores.probabilities.extend(row.iter().map(|x| x.exp()));
    }
    scores
}

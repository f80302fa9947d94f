//! One pass over a split without learning.

use tch::{Kind, Tensor};

use crate::batch;
use crate::error::TrainError;
use crate::metrics::Scores;
use crate::model::Mode;
use crate::session::Session;

/// What the model says of `rows`, in their order; `None` if a stop was asked for on the way.
///
/// # Errors
/// What libtorch reports.
pub fn evaluate(session: &Session, rows: &[u32], mode: Mode) -> Result<Option<Scores>, TrainError> {
    let _guard = tch::no_grad_guard();
    let classes = session.data.label_names.len();
    let padding = session.model.padding;
    let mut log_probabilities = vec![0_f32; rows.len() * classes];
    // Without gradients more rows fit; the tail of short texts gains most.
    let size = session.spec.batch_size.max(32) as usize;
    for positions in batch::evaluation(rows, &session.tokens, size) {
        if session.stop_asked() {
            return Ok(None);
        }
        let batch = positions.iter().filter_map(|at| rows.get(*at).copied());
        let batch: Vec<u32> = batch.collect();
        let device = session.place.device;
        let inputs = batch::collate(batch.iter().copied(), &session.tokens, padding, device)?;
        let logits = session.model.network.forward(&inputs, mode)?;
        let values: Vec<f32> = flat(&logits.f_log_softmax(-1, Kind::Float)?)?;
        for (at, values) in positions.iter().zip(values.chunks(classes)) {
            if let Some(place) = log_probabilities.get_mut(at * classes..(at + 1) * classes) {
                place.copy_from_slice(values);
            }
        }
    }
    let labels = rows.iter().map(|row| session.label(*row)).collect();
    Ok(Some(scores(labels, &log_probabilities, classes)))
}

fn flat(tensor: &Tensor) -> Result<Vec<f32>, TrainError> {
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

//! `tuneboard-train merge`: an adapter and the checkpoint that it stands beside, as one checkpoint.

use std::path::Path;

use tch::{Device, Kind, Tensor};
use tuneboard::spec::Task;

use crate::checkpoint::{Assets, kept, task_of, write_model};
use crate::error::TrainError;
use crate::model::{self, ADAPTER_CONFIG, Inputs, Loaded, Mode, Request};

/// Writes config, weights and tokenizer of the adapter in `folder` into the new folder `to`: W + scale B A takes
/// the place of W.
///
/// # Errors
/// A folder that holds no adapter, or one without a head; a full disk.
pub fn merge(folder: &Path, to: &Path) -> Result<(), TrainError> {
    let lacks = |what: &str| TrainError::Input(format!("{} holds no {what}.", folder.display()));
    if !folder.join(ADAPTER_CONFIG).is_file() {
        return Err(lacks("adapter, so there is nothing to merge"));
    }
    let task = model::read_config(folder).map_or(Task::Classify, |config| task_of(&config));
    let as_saved = Request::as_saved(Device::Cpu, Kind::Float);
    let model = model::load(folder, &Request { of_tokens: task == Task::Tag, ..as_saved })?;
    if !model.head_given {
        return Err(lacks("classification head"));
    }
    let labels = model::labels(&model.json, classes(&model)?);
    write_model(
        to,
        &Assets::new(folder, &model, task, &labels)?.and(kept(&model.json)),
        &model.parameters,
    )
}

/// Scores that the head gives.
fn classes(model: &Loaded) -> Result<usize, TrainError> {
    let length = model.padding.length.unwrap_or(1) as i64;
    let ids = Tensor::f_full([1, length], model.padding.id, (Kind::Int64, Device::Cpu))?;
    let inputs =
        Inputs { ids, mask: None, segments: None, positions: None, by_row: false, unpadded: None };
    let _guard = tch::no_grad_guard();
    let logits = model.network.forward(&inputs, Mode::inference(Kind::Float))?;
    Ok(logits.size().last().map_or(0, |classes| *classes as usize))
}

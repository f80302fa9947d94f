//! The network: BERT with a classification head, from a checkpoint folder or from a config alone.

mod attention;
mod bert;
mod config;
mod embeddings;
mod heads;
mod layers;
mod parameters;
#[cfg(test)]
mod parity;
pub mod weights;

use std::path::Path;

use serde_json::Value;
use tch::Device;
use tuneboard::spec::Pool;

pub use bert::{Bert, Inputs};
pub use config::BertConfig;
pub use heads::Classifier;
pub use layers::{Linear, Mode};
pub use parameters::{Builder, Parameter};
pub use weights::WeightFiles;

use crate::error::TrainError;

/// A model that is ready to train.
pub struct Loaded {
    /// The network.
    pub classifier: Classifier,
    /// All its weights, in a fixed order.
    pub parameters: Vec<Parameter>,
    /// Its shape.
    pub config: BertConfig,
    /// `config.json` as it stands, for the checkpoints' own.
    pub json: Value,
    /// True if the head came from the checkpoint.
    pub head_given: bool,
}

/// Where the weights come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// The folder's `model.safetensors`.
    Checkpoint,
    /// Drawn anew, by transformers' rules; seed libtorch first.
    Random,
}

/// Reads the folder of a BERT checkpoint and puts a head for `classes` on it.
///
/// # Errors
/// Whatever is wrong with the folder, by name of file and tensor.
pub fn load(
    folder: &Path,
    start: Start,
    classes: usize,
    pool: Pool,
    device: Device,
) -> Result<Loaded, TrainError> {
    let (config, json) = BertConfig::read(folder)?;
    let files = match start {
        Start::Checkpoint => Some(WeightFiles::open(folder)?),
        Start::Random => None,
    };
    let has_pooler = files.as_ref().is_none_or(|f| f.has("pooler.dense.weight"));
    // A head that was trained on one kind of text vector means nothing on another.
    let head_given = match &files {
        Some(files) if config.tuneboard_pool.unwrap_or(Pool::Cls) == pool => {
            files.shape("classifier.weight")? == Some(vec![classes, config.hidden_size as usize])
                && files.has("classifier.bias")
        }
        _ => false,
    };
    let mut builder = Builder {
        files: files.as_ref(),
        std: config.initializer_range,
        device,
        parameters: Vec::new(),
    };
    let bert = Bert::new(&mut builder, &config, pool == Pool::Cls && has_pooler)?;
    let shape = [classes as i64, config.hidden_size];
    let head = Linear::head(&mut builder, shape, head_given)?;
    let parameters = builder.parameters;
    Ok(Loaded { classifier: Classifier { bert, head, pool }, parameters, config, json, head_given })
}

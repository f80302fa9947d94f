use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;
use tuneboard::dataset::Dataset;
use tuneboard::events::Split;

use crate::error::TrainError;
use crate::fastai::{self, Vocab, tokens};
use crate::model::{self, Start, weights};
use crate::source::Source;
use crate::splits;

/// Makes the folder that a language model is loaded from, `model/` of the run's folder: the source's
/// `config.json`, a `vocab.json` of the words that are frequent in the train rows, and, if the
/// source's weights are wanted, a `model.safetensors` with its word vectors moved to the new words.
/// A folder that an earlier attempt made, or that a built-in model has, stays.
///
/// # Errors
/// Whatever is wrong with the source, or a folder that cannot be written.
pub fn prepare(run: &Path, source: &Source, data: &Dataset) -> Result<PathBuf, TrainError> {
    let folder = run.join("model");
    if folder.join("config.json").is_file() {
        return Ok(folder);
    }
    // It has another name until it is whole: a killed trainer's half would be taken for all.
    let half = run.join(format!("model.tmp-{}", std::process::id()));
    adapt(&source.folder, source.start == Start::Checkpoint, data, &half)?;
    fs::rename(&half, &folder).map_err(TrainError::write(&folder))?;
    Ok(folder)
}

fn adapt(
    source: &Path,
    with_weights: bool,
    data: &Dataset,
    folder: &Path,
) -> Result<(), TrainError> {
    let texts: Vec<Vec<String>> = splits::texts(data, Split::Train).map(tokens).collect();
    let vocab = Vocab::of(texts.iter().map(Vec::as_slice));
    let mut json = model::read_config(source)?;
    if let Some(config) = json.as_object_mut() {
        config.insert("vocab_sz".into(), json!(vocab.words().len()));
        // The ids of fastai's specials are the same in every vocabulary of its making.
        config.insert("pad_token".into(), json!(fastai::PAD));
        for of_a_classifier in ["architectures", "id2label", "label2id", "tuneboard_pool"] {
            config.remove(of_a_classifier);
        }
    }
    fs::create_dir_all(folder).map_err(TrainError::write(folder))?;
    let put = |name: &str, bytes: &[u8]| {
        let path = folder.join(name);
        fs::write(&path, bytes).map_err(TrainError::write(&path))
    };
    if with_weights {
        put("model.safetensors", &weights::to_bytes(&model::matched(source, &vocab)?)?)?;
    }
    put("vocab.json", vocab.to_json().as_bytes())?;
    put("config.json", format!("{json:#}\n").as_bytes())
}

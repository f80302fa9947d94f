use std::fs;
use std::path::Path;

use serde_json::json;

use super::{Vocab, tokens};
use crate::error::TrainError;

/// Widths of the built-in model: an eighth of the usual AWD-LSTM's weights and less, as fits a few
/// thousand texts and a CPU.
const EMB_SZ: i64 = 100;
const N_HID: i64 = 200;
const N_LAYERS: i64 = 3;

/// Makes the folder that `model=ulmfit` is loaded from: a small AWD-LSTM's `config.json`, and a
/// `vocab.json` of the words that are frequent in `texts`. Made again, it is the same.
///
/// # Errors
/// A folder that cannot be written.
pub fn scratch<'a>(folder: &Path, texts: impl Iterator<Item = &'a str>) -> Result<(), TrainError> {
    let texts: Vec<Vec<String>> = texts.map(tokens).collect();
    let vocab = Vocab::of(texts.iter().map(Vec::as_slice));
    let config = json!({
        "model_type": "awd_lstm",
        "vocab_sz": vocab.words().len(),
        "emb_sz": EMB_SZ,
        "n_hid": N_HID,
        "n_layers": N_LAYERS,
    });
    fs::create_dir_all(folder).map_err(TrainError::write(folder))?;
    for (name, text) in [("config.json", format!("{config:#}\n")), ("vocab.json", vocab.to_json())]
    {
        let path = folder.join(name);
        fs::write(&path, text).map_err(TrainError::write(&path))?;
    }
    Ok(())
}

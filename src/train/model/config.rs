//! What the configs of all families share.

use std::fs;
use std::path::Path;

use serde_json::Value;
use tuneboard::spec::family::OWN_HEAD;
use tuneboard::spec::locate;

use super::adapter;
use crate::error::TrainError;

/// No config is larger.
const LARGEST: u64 = 16 << 20;

/// Reads `config.json` as it stands, under the family's own `model_type`, or a published ELMo's `options.json` with the `model_type` that it
/// lacks; of an adapter without a config that of its base.
///
/// # Errors
/// A missing file, or one that is not JSON.
pub fn read(folder: &Path) -> Result<Value, TrainError> {
    let folder = &adapter::parts(folder)?.config;
    let path = folder.join(name(folder));
    // A pipe would be waited for without end.
    if fs::metadata(&path).map_err(TrainError::read(&path))?.len() > LARGEST || !path.is_file() {
        return Err(bad(folder, &format!("it is no file of at most {} MiB", LARGEST >> 20)));
    }
    let text = fs::read_to_string(&path).map_err(TrainError::read(&path))?;
    let mut json: Value = serde_json::from_str(&text)
        .map_err(|e| bad(folder, &format!("it is not valid JSON: {e}")))?;
    if name(folder) != "config.json"
        && let Some(options) = json.as_object_mut()
    {
        options.insert("model_type".into(), "elmo".into());
    }
    // An exported model comes back.
    let family = json["model_type"].as_str().and_then(|kind| kind.strip_prefix(OWN_HEAD));
    if let Some(family) = family.map(str::to_owned) {
        json["model_type"] = family.into();
    }
    Ok(json)
}

/// True if the folder describes a model.
pub fn exists(folder: &Path) -> bool {
    adapter::is_adapter(folder)
        || locate::DESCRIPTIONS.iter().any(|name| folder.join(name).is_file())
}

/// The file that describes the model of a folder.
fn name(folder: &Path) -> &'static str {
    let [usual, others @ ..] = locate::DESCRIPTIONS;
    others
        .into_iter()
        .find(|n| !folder.join(usual).exists() && folder.join(n).is_file())
        .unwrap_or(usual)
}

/// What is wrong with a folder's `config.json`.
pub fn bad(folder: &Path, why: &str) -> TrainError {
    TrainError::Input(format!("{}: {why}.", folder.join(name(folder)).display()))
}

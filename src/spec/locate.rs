//! Where a spec's names point to. Pure: callers test which candidate exists.

use std::path::{Path, PathBuf};

use super::RunId;

/// The folders that `model=NAME` can mean, in order: the path itself, then `models/NAME`.
/// `root` is the board's folder (the trainer's working directory).
pub fn model_candidates(root: &Path, name: &str) -> [PathBuf; 2] {
    [root.join(name), root.join("models").join(name)]
}

/// The checkpoint of a run's best epoch, which `init=rN` starts from.
pub fn best_checkpoint(root: &Path, id: RunId) -> PathBuf {
    root.join("runs").join(id.to_string()).join("checkpoints").join("best")
}

/// The files that describe a model, of which its folder holds one: Hugging Face's and ELMo's.
pub const DESCRIPTIONS: [&str; 2] = ["config.json", "options.json"];

/// The file that `data=`, `val=` or `test=` names.
pub fn data_path(root: &Path, name: &str) -> PathBuf {
    root.join(name)
}

/// A path without a pattern, or the folder before its first part with `*`, `?` or `[`, and that part
/// with what is behind it: `data/train-*.csv` is `data` and `train-*.csv`.
pub fn pattern(name: &str) -> (&str, Option<&str>) {
    let Some(first) = name.find(['*', '?', '[']) else { return (name, None) };
    match name[..first].rfind('/') {
        Some(0) => ("/", Some(&name[1..])),
        Some(slash) => (&name[..slash], Some(&name[slash + 1..])),
        None => ("", Some(name)),
    }
}

//! Where a spec's names point to. Pure but for [`kept_checkpoint`]: callers test which candidate exists.

use std::path::{Path, PathBuf};

use super::RunId;

/// The folders that `model=NAME` can mean, in order: the path itself, then `models/NAME`.
/// `root` is the board's folder (the trainer's working directory).
pub fn model_candidates(root: &Path, name: &str) -> [PathBuf; 2] {
    [root.join(name), root.join("models").join(name)]
}

/// The checkpoint that `init=rN` starts from: that of the best evaluation, or the last one of a run that kept no
/// other (`keep=last`). Looks which of them is there.
pub fn kept_checkpoint(root: &Path, id: RunId) -> PathBuf {
    let folder = root.join("runs").join(id.to_string()).join("checkpoints");
    let [best, last] = ["best", "last"].map(|name| folder.join(name));
    let is_whole = |folder: &Path| folder.join("config.json").is_file();
    if !is_whole(&best) && is_whole(&last) { last } else { best }
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

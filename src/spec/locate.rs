//! Where a spec's names point to. Pure: callers test which candidate exists.

use std::path::{Path, PathBuf};

/// The folders that `model=NAME` can mean, in order: the path itself, then `models/NAME`.
/// `root` is the board's folder (the trainer's working directory).
pub fn model_candidates(root: &Path, name: &str) -> [PathBuf; 2] {
    [root.join(name), root.join("models").join(name)]
}

/// The file that `data=`, `val=` or `test=` names.
pub fn data_path(root: &Path, name: &str) -> PathBuf {
    root.join(name)
}

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::board::BoardError;
use crate::store::StoreError;

/// What the runner, or a client that asks for it, can meet.
#[derive(Debug, Error)]
pub enum RunnerError {
    /// The database did not do what it was asked.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// The board is somebody else's.
    #[error(transparent)]
    Board(#[from] BoardError),
    /// A file or folder.
    #[error("{}: {source}.", .path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Nothing to train with.
    #[error("There is no trainer: {0}.")]
    NoTrainer(String),
    /// The trainer of a Python package without the libtorch it is built for.
    #[error(
        "The trainer of this Python environment cannot load libtorch: {0}; `pip install 'torch==2.11.*'` mends it."
    )]
    NoTorch(String),
    /// The trainer was asked something and failed.
    #[error("`tuneboard-train {args}` failed: {why}")]
    Trainer {
        /// What it was asked.
        args: String,
        /// Its last words.
        why: String,
    },
    /// The trainer does not take what it was given: a damaged checkpoint, say. The sentence is its own.
    #[error("{0}")]
    Refused(String),
    /// A site elsewhere does not do what it was asked.
    #[error("{name}: {why}")]
    Site {
        /// Which.
        name: String,
        /// Why, as one sentence.
        why: String,
    },
    /// A runner is at work where none may be.
    #[error("A runner is at work on {}; stop its runs, or wait until it leaves.", .0.display())]
    Busy(PathBuf),
}

pub(super) type Result<T> = std::result::Result<T, RunnerError>;

impl RunnerError {
    /// For `map_err` on what was done to `path`.
    pub(super) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Io { path, source }
    }
}

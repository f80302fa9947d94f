//! The daemon that starts trainers and writes down what they report. It owns processes, signals and
//! lock files; nothing else in the library touches them.
//!
//! One `tick()` is ingest, reap, stop, plan, start. A runner may die at any moment: what it knows is in
//! the database, in the run's folder or in `/proc`, and the next one takes the living trainers over.

mod detach;
mod editor;
mod folder;
mod gpu;
mod ingest;
mod interrupt;
mod launch;
mod lineage;
mod live;
mod lock;
mod log;
pub mod plan;
mod process;
mod reap;
mod reindex;
mod report;
mod run;
mod sites;
pub mod slots;
mod start;
mod stop;
mod tick;
mod verdict;

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use thiserror::Error;

use crate::board::BoardError;
use crate::store::{RunnerInfo, StoreError};

pub use detach::{ensure, ensure_with};
pub use editor::edit;
pub use interrupt::interrupted;
pub use launch::{Visit, fetch, install, trainer_command, trainer_output, visit};
pub use reindex::{Reindexed, reindex};
pub use run::{Left, run};

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
    #[error("There is no trainer: {0}; `make build` (or `cargo build --features train`) makes it.")]
    NoTrainer(String),
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

type Result<T> = std::result::Result<T, RunnerError>;

impl RunnerError {
    /// For `map_err` on what was done to `path`.
    fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Io { path, source }
    }
}

/// True while the runner that signed on as `info` lives. A row alone proves nothing: a killed runner
/// leaves it behind.
pub fn alive(info: &RunnerInfo) -> bool {
    process::is_alive(&info.process)
}

/// A time that tests shorten.
fn milliseconds(variable: &str, default: u64) -> Duration {
    let given = std::env::var(variable).ok().and_then(|text| text.parse().ok());
    Duration::from_millis(given.unwrap_or(default))
}

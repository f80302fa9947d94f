use std::path::{Path, PathBuf};

use super::Board;
use crate::spec::RunId;

impl Board {
    /// The folder itself, absolute.
    pub fn root(&self) -> &Path {
        &self.root
    }
    /// The user's config.
    pub fn config_file(&self) -> PathBuf {
        self.root.join("config.toml")
    }
    /// `runs/`.
    pub fn runs(&self) -> PathBuf {
        self.root.join("runs")
    }
    /// `models/`.
    pub fn models(&self) -> PathBuf {
        self.root.join("models")
    }
    /// `exports/`: pictures and tables that the dashboard wrote.
    pub fn exports(&self) -> PathBuf {
        self.root.join("exports")
    }
    /// The database.
    pub fn database(&self) -> PathBuf {
        self.runs().join("board.db")
    }
    /// What trainers keep for each other: token ids, vectors of frozen trunks. May be deleted at any
    /// time.
    pub fn cache(&self) -> PathBuf {
        self.runs().join(".cache")
    }
    /// Held by the one runner of this board.
    pub fn runner_lock(&self) -> PathBuf {
        self.runs().join("runner.lock")
    }
    /// What the runner prints.
    pub fn runner_log(&self) -> PathBuf {
        self.runs().join("runner.log")
    }
    /// The folder of one run.
    pub fn run(&self, id: RunId) -> PathBuf {
        self.runs().join(id.to_string())
    }
    /// The spec the trainer reads.
    pub fn spec_file(&self, id: RunId) -> PathBuf {
        self.run(id).join("spec.toml")
    }
    /// What happened.
    pub fn events(&self, id: RunId) -> PathBuf {
        self.run(id).join("events.jsonl")
    }
    /// The trainer's stdout and stderr.
    pub fn out_log(&self, id: RunId) -> PathBuf {
        self.run(id).join("out.log")
    }
    /// The last sign of life that came from a cluster; the file's own time says when.
    pub fn beat(&self, id: RunId) -> PathBuf {
        self.run(id).join("beat")
    }
    /// `checkpoints/{last,best}`.
    pub fn checkpoints(&self, id: RunId) -> PathBuf {
        self.run(id).join("checkpoints")
    }
    /// Parquet files with the predictions of one pass.
    pub fn predictions(&self, id: RunId) -> PathBuf {
        self.run(id).join("predictions")
    }

    /// The predictions of one pass: of the rows of a split, after an epoch.
    pub fn predictions_of(&self, id: RunId, split: impl std::fmt::Display, epoch: u32) -> PathBuf {
        self.predictions(id).join(format!("{split}-{epoch:04}.parquet"))
    }
}

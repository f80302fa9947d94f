use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Number;

/// The version that this build writes. It grows when a reader must know of a change; a reader takes
/// every version up to its own and skips, with a count, lines it cannot read.
pub const VERSION: u16 = 1;

/// One line of `events.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Format version.
    pub v: u16,
    /// Wall clock, milliseconds since the Unix epoch.
    pub t: i64,
    /// Optimiser steps taken so far.
    pub step: u64,
    /// What happened.
    pub kind: EventKind,
}

/// What an [`Event`] tells.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// The trainer has loaded data and model and is about to take its first step. Written again by
    /// each attempt.
    Started(Box<Started>),
    /// An attempt goes on from a checkpoint: everything reported after `step` is void and will be
    /// reported again.
    Resumed {
        /// Epochs that were complete in the checkpoint.
        epoch: u32,
        /// 2 for the first resumption.
        attempt: u32,
    },
    /// Between epochs: smoothed train loss, learning rate, throughput.
    Metrics {
        /// Epochs done, with a fraction.
        epoch: f64,
        /// By full name, as `train/loss`.
        values: BTreeMap<String, Number>,
    },
    /// The figures of one whole pass over a split.
    Eval {
        /// Which rows.
        split: Split,
        /// Epochs done (for `test`: the epoch whose weights were tested).
        epoch: u32,
        /// By short name: `loss`, `acc`, `f1`.
        values: BTreeMap<String, Number>,
    },
    /// How far a pass over a split is that takes its time.
    Evaluating {
        /// Which rows.
        split: Split,
        /// Rows that were looked at.
        done: u64,
        /// Rows in all.
        rows: u64,
    },
    /// Confusion counts of one pass; rows are true classes, columns predicted ones, in the order of
    /// [`Started::labels`].
    Confusion {
        /// Which rows.
        split: Split,
        /// As in `Eval`.
        epoch: u32,
        /// `[classes][classes]`.
        counts: Vec<Vec<u64>>,
    },
    /// A file or folder was completed.
    Saved {
        /// What it holds.
        what: Saved,
        /// The epoch it belongs to.
        epoch: u32,
        /// Relative to the run's folder.
        path: String,
    },
    /// Something a person should read.
    Note {
        /// How serious.
        level: Level,
        /// One sentence.
        text: String,
    },
    /// The last line of an attempt.
    Ended {
        /// How.
        ending: Ending,
        /// The reason of a failure, one sentence; empty otherwise.
        why: String,
        /// The epoch with the lowest val loss, if one was finished.
        best_epoch: Option<u32>,
    },
}

/// The facts of an attempt.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Started {
    /// [`crate::spec::RunSpec::hash`].
    pub spec_hash: String,
    /// 1 for the first.
    pub attempt: u32,
    /// Process id of the trainer.
    pub pid: u32,
    /// Name of the machine.
    pub host: String,
    /// `cpu` or `cuda:N`.
    pub device: String,
    /// CPU threads.
    pub threads: u32,
    /// `fp32` or `bf16`.
    pub precision: String,
    /// Version of the trainer.
    pub trainer: String,
    /// Number of weights.
    pub parameters: u64,
    /// How many of them learn, if it is known: with an adapter, a frozen encoder or gradual unfreezing fewer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trainable: Option<u64>,
    /// Content hash of texts, labels and split.
    pub data_hash: String,
    /// Class names.
    pub labels: Vec<String>,
    /// The column with the texts; empty where it is not known.
    pub text_column: String,
    /// The column with the labels; empty where nothing asks for labels.
    pub label_column: String,
    /// Other columns that hold texts, which the model does not see.
    pub left_aside: Vec<String>,
    /// Rows of train, val and test.
    pub rows: [u64; 3],
    /// Epochs asked for.
    pub epochs: u32,
    /// Optimiser steps of a whole run.
    pub total_steps: u64,
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$vdoc])* $variant),+ }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(match self { $(Self::$variant => $word),+ })
            }
        }
        impl FromStr for $name {
            type Err = String;
            fn from_str(text: &str) -> Result<Self, String> {
                match text {
                    $($word => Ok(Self::$variant),)+
                    _ => Err(format!("`{text}` is none of {}.", [$($word),+].join(", "))),
                }
            }
        }
    };
}

words! {
    /// The rows of a pass.
    Split {
        /// Rows the weights learn from.
        Train = "train",
        /// Rows that choose the best epoch.
        Val = "val",
        /// Rows looked at once, at the end.
        Test = "test",
    }
}
words! {
    /// What [`EventKind::Saved`] names.
    Saved {
        /// `checkpoints/last`: to resume from.
        Last = "last",
        /// `checkpoints/best`: lowest val loss.
        Best = "best",
        /// A Parquet file under `predictions/`.
        Predictions = "predictions",
    }
}
words! {
    /// How serious a note is.
    Level {
        /// Worth knowing.
        Info = "info",
        /// Worth acting on.
        Warning = "warning",
    }
}
words! {
    /// How an attempt ended, by the trainer's own word.
    Ending {
        /// Trained and tested.
        Done = "done",
        /// It could not go on.
        Failed = "failed",
        /// It was asked to stop and saved first.
        Stopped = "stopped",
    }
}

impl EventKind {
    /// True for events after which the file is synced to disk.
    pub fn is_milestone(&self) -> bool {
        !matches!(self, Self::Metrics { .. } | Self::Evaluating { .. } | Self::Note { .. })
    }
}

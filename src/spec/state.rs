use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The desired state of a run. Only clients write it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Desired {
    /// Start it when a slot is free; resume it if it stopped.
    Run,
    /// Leave it in the queue; if it runs, save and give the slot back.
    Hold,
    /// Save and end it.
    Stop,
}

/// The state of a run. Only the runner writes it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// It waits for a slot.
    Queued,
    /// The trainer's process exists and has written no event yet.
    Starting,
    /// The trainer reports events.
    Running,
    /// The trainer was asked to save and end.
    Stopping,
    /// It is over.
    Ended(Outcome),
}

/// How a run ended. There is no "unknown".
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Trained and tested to the end.
    Done,
    /// It failed for the reason that the trainer gave, or that its exit shows.
    Failed {
        /// One sentence.
        why: String,
        /// The end of `out.log`, control characters removed.
        last_lines: String,
    },
    /// The user asked for it; it can be resumed.
    Stopped,
    /// Stopped before its end because it was behind the other runs of its sweep.
    Pruned(PrunedAt),
    /// The process disappeared without an `ended` event (killed, machine rebooted).
    Lost {
        /// One sentence.
        why: String,
    },
}

/// Where and why a run was pruned. Numbers are text, as `spec::short` writes them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct PrunedAt {
    /// The rung: so many eighths of its schedule were done.
    pub rung: u32,
    /// Epochs done at the evaluation that was judged.
    pub epoch: String,
    /// The figure that was compared.
    pub metric: String,
    /// Its value.
    pub value: String,
    /// The value that would have been good enough.
    pub threshold: String,
    /// Its place among the runs at the rung, from 1.
    pub rank: u32,
    /// The runs at the rung, itself included.
    pub of: u32,
}

/// What part a run has in its sweep.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// One of its trials.
    #[default]
    Trial,
    /// A trial that was pruned and that its user let go on: it is not judged again.
    Spared,
    /// One of the best settings on a fresh seed.
    Confirmation,
}

impl Part {
    const ALL: [(Self, i64, &'static str); 3] = [
        (Self::Trial, 0, "trial"),
        (Self::Spared, 1, "spared"),
        (Self::Confirmation, 2, "confirmation"),
    ];

    /// As the database stores it.
    pub fn number(self) -> i64 {
        Self::ALL.iter().find(|(part, ..)| *part == self).map_or(0, |(_, number, _)| *number)
    }

    /// What the database stores; an unknown number is a trial.
    pub fn of_number(number: i64) -> Self {
        Self::ALL.iter().find(|(_, n, _)| *n == number).map_or(Self::Trial, |(part, ..)| *part)
    }

    /// For tables and JSON.
    pub fn word(self) -> &'static str {
        Self::ALL.iter().find(|(part, ..)| *part == self).map_or("", |(.., word)| word)
    }
}

impl PrunedAt {
    /// One sentence without its end: what it had, and what it had to have.
    pub fn why(&self) -> String {
        if self.of == 0 {
            // Of a tuneboard that told no more.
            return format!("below {} at rung {}", self.threshold, self.rung);
        }
        format!(
            "{} {} at rung {} of 8 (epoch {}) was place {} of {}; {} was enough",
            self.metric, self.value, self.rung, self.epoch, self.rank, self.of, self.threshold
        )
    }
}

impl RunState {
    /// The word of tables and `ls --json`: `queued`, `starting`, `running`, `stopping`, `ended`.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Stopping => "stopping",
            Self::Ended(_) => "ended",
        }
    }

    /// The outcome, once there is one.
    pub fn outcome(&self) -> Option<&Outcome> {
        match self {
            Self::Ended(outcome) => Some(outcome),
            _ => None,
        }
    }

    /// True while a trainer process may exist.
    pub fn is_live(&self) -> bool {
        matches!(self, Self::Starting | Self::Running | Self::Stopping)
    }
}

impl fmt::Display for RunState {
    /// The state, or for an ended run its outcome's word.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.outcome().map_or(self.word(), Outcome::word))
    }
}

impl Outcome {
    /// `done`, `failed`, `stopped`, `pruned` or `lost`.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed { .. } => "failed",
            Self::Stopped => "stopped",
            Self::Pruned(_) => "pruned",
            Self::Lost { .. } => "lost",
        }
    }

    /// The reason, where there is one to tell.
    pub fn why(&self) -> Option<String> {
        match self {
            Self::Done | Self::Stopped => None,
            Self::Failed { why, .. } | Self::Lost { why } => Some(why.clone()),
            Self::Pruned(at) => Some(at.why()),
        }
    }

    /// True if `resume` may continue it from its last checkpoint.
    pub fn is_resumable(&self) -> bool {
        !matches!(self, Self::Done)
    }
}

impl fmt::Display for Desired {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Run => "run",
            Self::Hold => "hold",
            Self::Stop => "stop",
        })
    }
}

impl FromStr for Desired {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "run" => Ok(Self::Run),
            "hold" => Ok(Self::Hold),
            "stop" => Ok(Self::Stop),
            _ => Err(()),
        }
    }
}

/// Where a run is placed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Placement {
    /// A site's name in `config.toml`.
    pub site: String,
    /// The slot there: `cuda:0`, `cpu/1`.
    pub slot: String,
    /// What the trainer gets as `device`: `cpu` or `cuda:N`.
    pub device: String,
    /// CPU threads the trainer may use.
    pub threads: u32,
}

//! When a run is judged between the ends of its epochs, on how many rows, and by which figure the best
//! evaluation is told. Pure: a form can show it before anything runs.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::metrics::val;
use super::short;
use super::text::as_text;

/// The figures of the val rows that may decide which evaluation is the best, those of all tasks; see
/// [`super::Task::figures`].
pub const DECIDING: &[&str] = &[
    val::LOSS,
    val::ACC,
    val::F1,
    val::PPL,
    val::PEARSON,
    val::SPEARMAN,
    val::MAE,
    val::RMSE,
    val::R2,
    val::MICRO_F1,
    val::WEIGHTED_F1,
    val::SAMPLES_F1,
    val::TUNED_F1,
    val::EXACT,
    val::HAMMING,
    val::MAP,
    val::AUC,
    val::PRECISION,
    val::RECALL,
    val::STRICT_F1,
];

/// Whether the point of a curve at `epoch` counts where the curve's best and last values are told. Within
/// an epoch the val rows may only be sampled; what is told of them is of the ends of epochs.
pub fn counts_as_best(metric: &str, epoch: f64) -> bool {
    !metric.starts_with("val/") || epoch.fract() == 0.0
}

/// How often the val rows are evaluated within an epoch. The end of an epoch is always an evaluation.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum EvalEvery {
    /// So often that the whole run has at least [`EvalEvery::LEAST`] evaluations.
    Auto,
    /// Only at the ends of epochs.
    Epoch,
    /// Each time this share of an epoch is done.
    Share(f64),
    /// Each time so many optimiser steps are done.
    Steps(u64),
}

/// How many val rows an evaluation within an epoch looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum EvalRows {
    /// So many that all evaluations together take less than a tenth of the time.
    Auto,
    /// All. Only these evaluations may give the best checkpoint, beside those at the ends of epochs.
    All,
    /// A number of rows.
    Rows(u64),
}

impl EvalEvery {
    /// What it can be, for people.
    pub const WORDS: &'static str =
        "auto, epoch, a share of an epoch such as 0.25, or steps such as 100s";

    /// Evaluations of a run with `auto`.
    pub const LEAST: u32 = 8;

    /// True if `step` steps into an epoch of `per_epoch` steps an evaluation is due. `done` are the steps
    /// of the whole run so far. The end of the epoch is none of these.
    pub fn is_due(self, epochs: u32, per_epoch: u64, step: u64, done: u64) -> bool {
        if step == 0 || step >= per_epoch {
            return false;
        }
        let crossed = |count: f64| {
            let passed = |step: u64| (step as f64 * count / per_epoch as f64 + 1e-9).floor();
            passed(step) > passed(step - 1)
        };
        match self {
            Self::Auto => crossed(f64::from(Self::LEAST.div_ceil(epochs.max(1)))),
            Self::Epoch => false,
            Self::Share(share) => crossed(1.0 / share),
            Self::Steps(steps) => done.is_multiple_of(steps.max(1)),
        }
    }

    /// Steps from one evaluation to the next, rounded down; at least 1.
    pub fn interval(self, epochs: u32, per_epoch: u64) -> u64 {
        let share = |count: f64| (per_epoch as f64 / count) as u64;
        let steps = match self {
            Self::Auto => share(f64::from(Self::LEAST.div_ceil(epochs.max(1)))),
            Self::Epoch => per_epoch,
            Self::Share(part) => share(1.0 / part),
            Self::Steps(steps) => steps,
        };
        steps.max(1)
    }
}

impl EvalRows {
    /// What it can be, for people.
    pub const WORDS: &'static str = "auto, all or a number of rows";

    /// The most rows to evaluate where `trained` rows are trained on between two evaluations; `None` =
    /// all.
    pub fn most(self, trained: u64) -> Option<u64> {
        /// A step on a row takes at least as long as this many passes without learning (2.3 of MiniLM in bfloat16).
        const PASSES: f64 = 2.0;
        /// The part of the time for evaluations between the ends of epochs: those at the ends take from
        /// the tenth as well.
        const SHARE: f64 = 0.05;
        /// Fewer say nothing, and take no time.
        const LEAST: u64 = 16;
        match self {
            Self::Auto => Some(((SHARE * PASSES * trained as f64) as u64).max(LEAST)),
            Self::All => None,
            Self::Rows(most) => Some(most),
        }
    }
}

impl fmt::Display for EvalEvery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.pad("auto"),
            Self::Epoch => f.pad("epoch"),
            Self::Share(share) => f.pad(&short(*share)),
            Self::Steps(steps) => f.pad(&format!("{steps}s")),
        }
    }
}

impl FromStr for EvalEvery {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = || format!("it takes {}", Self::WORDS);
        match text {
            "auto" => return Ok(Self::Auto),
            "epoch" | "1" => return Ok(Self::Epoch),
            _ => {}
        }
        if let Some(steps) = text.strip_suffix('s') {
            let steps = steps.parse::<u64>().ok().filter(|n| (1..=1_000_000_000).contains(n));
            return steps.map(Self::Steps).ok_or_else(expected);
        }
        let share = text.parse::<f64>().ok().filter(|share| (0.001..1.0).contains(share));
        share.map(Self::Share).ok_or_else(expected)
    }
}

impl fmt::Display for EvalRows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.pad("auto"),
            Self::All => f.pad("all"),
            Self::Rows(rows) => rows.fmt(f),
        }
    }
}

impl FromStr for EvalRows {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "all" => Ok(Self::All),
            _ => {
                let rows = text.parse::<u64>().ok().filter(|n| (1..=1_000_000_000).contains(n));
                rows.map(Self::Rows).ok_or_else(|| format!("it takes {}", Self::WORDS))
            }
        }
    }
}

as_text!(EvalEvery, EvalRows);

#[cfg(test)]
mod tests {
    use super::*;

    fn due(every: &str, epochs: u32, per_epoch: u64) -> Vec<u64> {
        let every: EvalEvery = every.parse().unwrap();
        (0..=per_epoch).filter(|s| every.is_due(epochs, per_epoch, *s, *s)).collect()
    }

    #[test]
    fn every_figure_of_a_task_may_decide() {
        for word in crate::spec::Task::WORDS {
            let task: crate::spec::Task = word.parse().unwrap();
            let missing =
                task.figures().iter().find(|name| !DECIDING.contains(&&*format!("val/{name}")));
            assert_eq!(missing, None, "{word}: DECIDING lacks it");
        }
    }

    #[test]
    fn a_run_has_eight_evaluations_by_default() {
        assert_eq!(due("auto", 1, 40), [5, 10, 15, 20, 25, 30, 35]);
        assert_eq!(due("auto", 3, 40), [14, 27]);
        assert_eq!(due("auto", 8, 40), [0_u64; 0]);
        // Fewer steps than evaluations: one after each step.
        assert_eq!(due("auto", 1, 4), [1, 2, 3]);
        for (epochs, per_epoch) in [(1, 38), (2, 9), (3, 100), (5, 7), (7, 1000), (20, 3)] {
            let within = due("auto", epochs, per_epoch).len() as u32;
            assert!(
                epochs * (within + 1) >= 8.min(epochs * per_epoch as u32),
                "{epochs} {per_epoch}"
            );
        }
    }

    #[test]
    fn shares_and_steps_are_kept() {
        assert_eq!(due("0.25", 3, 40), [10, 20, 30]);
        assert_eq!(due("0.3", 3, 10), [3, 6, 9]);
        assert_eq!(due("15s", 3, 40), [15, 30]);
        assert_eq!(due("epoch", 1, 40), [0_u64; 0]);
        // Steps count over the whole run.
        let steps = EvalEvery::Steps(15);
        assert!(steps.is_due(3, 40, 5, 45) && !steps.is_due(3, 40, 15, 55));
    }

    #[test]
    fn words_come_back_and_nonsense_is_refused() {
        for word in ["auto", "epoch", "0.25", "100s"] {
            assert_eq!(word.parse::<EvalEvery>().unwrap().to_string(), word);
        }
        for word in ["", "0", "1.5", "s", "0s", "-1", "nan", "100"] {
            assert!(word.parse::<EvalEvery>().unwrap_err().contains("100s"), "{word}");
        }
        for word in ["auto", "all", "64"] {
            assert_eq!(word.parse::<EvalRows>().unwrap().to_string(), word);
        }
        assert!("0".parse::<EvalRows>().is_err() && "x".parse::<EvalRows>().is_err());
    }

    #[test]
    fn a_sample_takes_little_time() {
        assert_eq!(EvalRows::Auto.most(250), Some(25));
        assert_eq!(EvalRows::Auto.most(10_000), Some(1_000));
        assert_eq!(EvalRows::Auto.most(10), Some(16));
        assert_eq!((EvalRows::All.most(1), EvalRows::Rows(64).most(1)), (None, Some(64)));
    }
}

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::choice::choice;
use super::search::tpe::START;
use super::{Axis, SpecError, Values};

/// How a sweep combines the values of its axes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// Every combination; the last axis varies fastest.
    Grid,
    /// That many draws, the same ones for the same `seed`.
    Random {
        /// Number of runs.
        trials: u32,
        /// Seed of the draws.
        seed: u64,
    },
    /// That many trials, each chosen where the ones before it promise most ([`super::search::tpe`]). The
    /// first ones are drawn at random; the runner queues the others when there is room for them.
    Tpe {
        /// Number of runs.
        trials: u32,
        /// Seed of the draws.
        seed: u64,
        /// Whether the first trial has the defaults, as far as they lie within the axes.
        #[serde(default)]
        defaults: bool,
    },
}

/// More runs than this from one command is a slip of the finger.
pub(super) const MAX_RUNS: usize = 100_000;

choice! {
    /// The words of `search=`.
    Search {
        /// Every combination.
        Grid = "grid",
        /// Draws.
        Random = "random",
        /// Draws that learn from those before.
        Tpe = "tpe",
    }
}

impl Search {
    /// # Errors
    /// Another word.
    pub(super) fn read(word: &str) -> Result<Self, SpecError> {
        word.parse().map_err(|()| SpecError::BadValue {
            key: "search".into(),
            value: word.to_owned(),
            why: format!("it takes {}", Self::WORDS.join(", ")),
        })
    }
}

impl Strategy {
    /// How many trials are drawn, and by which seed; `None` where nothing is drawn.
    pub fn draws(self) -> Option<(u32, u64)> {
        match self {
            Self::Grid => None,
            Self::Random { trials, seed } | Self::Tpe { trials, seed, .. } => Some((trials, seed)),
        }
    }

    /// For a search whose trials follow from the ones before: so many of the first need no history. `None` if
    /// none does.
    pub fn start(self) -> Option<usize> {
        match self {
            Self::Grid | Self::Random { .. } => None,
            Self::Tpe { .. } => Some(START),
        }
    }

    /// The same with so many times the trials.
    pub(super) fn times(mut self, times: u32) -> Self {
        match &mut self {
            Self::Grid => {}
            Self::Random { trials, .. } | Self::Tpe { trials, .. } => {
                *trials = trials.saturating_mul(times);
            }
        }
        self
    }

    /// How the axes are walked, by what was asked for.
    pub(super) fn of(
        search: Option<Search>,
        trials: Option<u64>,
        seed: u64,
        axes: &[Axis],
    ) -> Result<Self, SpecError> {
        let drawn = axes.iter().find(|a| !matches!(a.values, Values::List(_)));
        let wrong = |text: String| Err(SpecError::Sweep(text));
        match (search, trials, drawn) {
            (_, Some(0), _) => wrong("trials must be at least 1".into()),
            (_, Some(n), _) if n as usize > MAX_RUNS => {
                wrong(format!("trials may be at most {MAX_RUNS}"))
            }
            (Some(Search::Grid), Some(_), _) => {
                wrong("search=grid takes every combination, so it has no trials".into())
            }
            (Some(Search::Tpe), Some(_), _) if axes.is_empty() => {
                wrong("search=tpe needs a key to vary, as in 'lr=log(1e-6,1e-3)'".into())
            }
            (Some(Search::Tpe), Some(n), _) => {
                Ok(Self::Tpe { trials: n as u32, seed, defaults: true })
            }
            (Some(Search::Random) | None, Some(n), _) => {
                Ok(Self::Random { trials: n as u32, seed })
            }
            (Some(word @ (Search::Tpe | Search::Random)), None, _) => {
                wrong(format!("search={word} needs to know how often: add trials=20"))
            }
            (Some(Search::Grid) | None, None, Some(axis)) => {
                wrong(format!("`{}` is drawn at random, so say how often: add trials=20", axis.key))
            }
            (Some(Search::Grid) | None, None, None) => Ok(Self::Grid),
        }
    }
}

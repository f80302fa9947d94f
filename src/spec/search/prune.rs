//! Which runs of a sweep are stopped before their end, because others were better at the same point.
//!
//! Runs are compared at rungs: after a quarter of their schedule for the first time, then after each further
//! eighth. All runs of a sweep follow the schedule of their full length, so that a run which goes on is the
//! run that it would have been without. A run is judged once at each rung, when it gets there, against the
//! runs that were there before; nothing that went on is taken back (asynchronous successive halving in its
//! stopping form, Li et al. 2020).

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

/// A run's figures at a rung.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mark {
    /// The metric that the sweep goes by, turned so that less is better. NaN is worse than any number.
    pub value: f64,
    /// The validation loss, which decides between equal values: accuracies of few rows are often equal.
    pub loss: f64,
}

/// Why a run is stopped.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cut {
    /// Its place among the runs at the rung, from 1.
    pub rank: usize,
    /// The runs at the rung, itself included.
    pub of: usize,
    /// The value that would have been good enough.
    pub threshold: f64,
}

/// Against whom runs are judged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rivals {
    /// All runs at the rung.
    #[default]
    All,
    /// Those that went on to the last rung: the median stopping rule (Golovin et al. 2017, section 3.2.2), with a
    /// run's value at the rung, not its mean until then.
    Finished,
}

/// How hard is judged.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Rule {
    /// Against whom; absent in plans from before there was a choice.
    #[serde(skip_serializing_if = "is_all")]
    pub rivals: Rivals,
    /// One run in that many goes on.
    pub eta: u32,
    /// Epochs before which no run is judged.
    pub grace: f64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
fn is_all(rivals: &Rivals) -> bool {
    *rivals == Rivals::All
}

impl Default for Rule {
    fn default() -> Self {
        Self { rivals: Rivals::All, eta: 2, grace: 0.5 }
    }
}

/// Of so many runs at a rung each goes on: too few to compare.
const FIRST: usize = 4;
/// Parts of a schedule; a rung's number says how many of them are done.
pub const PARTS: u32 = 8;
/// The first rung.
const LOWEST: u32 = 2;

impl Rule {
    /// `prune=median`: a run is stopped that is behind the median of those that have come to the last rung.
    pub fn median() -> Self {
        Self { rivals: Rivals::Finished, ..Self::default() }
    }

    /// The last rung, after which a run comes to its end.
    pub const LAST: u32 = PARTS - 1;

    /// The rung that an evaluation belongs to, if it is the first one at it: a share of the schedule is done
    /// (0 to 1), and so many epochs. There is none before the grace is over and none at the end.
    pub fn rung(&self, share: f64, epoch: f64) -> Option<u32> {
        // Shares are quotients of steps.
        const SLACK: f64 = 1e-9;
        let rung = (share * f64::from(PARTS) + SLACK) as u32;
        let is_one = (LOWEST..PARTS).contains(&rung) && epoch + SLACK >= self.grace;
        is_one.then_some(rung)
    }

    /// The evaluations after which runs are judged, counted from 1, of a run that has that many in so many
    /// epochs, with their rungs.
    pub fn rungs(&self, evaluations: u32, epochs: u32) -> Vec<(u32, u32)> {
        let at = |evaluation: u32| {
            let share = f64::from(evaluation) / f64::from(evaluations);
            Some((evaluation, self.rung(share, share * f64::from(epochs))?))
        };
        let mut rungs: Vec<(u32, u32)> = (1..=evaluations).filter_map(at).collect();
        rungs.dedup_by_key(|(_, rung)| *rung);
        rungs
    }

    /// Whether a run that got to a rung with `own` is stopped: if it is not among the best 1 / eta of the runs
    /// at this rung, itself included. `before` are its rivals that were there already, in any order.
    pub fn judge(&self, own: Mark, before: &[Mark]) -> Option<Cut> {
        let of = before.len() + 1;
        let rank = 1 + before.iter().filter(|mark| mark.order(&own) == Ordering::Less).count();
        if of <= FIRST || (rank <= self.enough(of) && !own.value.is_nan()) {
            return None;
        }
        let threshold = self.threshold(before).unwrap_or(own.value);
        Some(Cut { rank, of, threshold })
    }

    /// The value that a run has to have which gets to a rung after these; `None` while all go on.
    pub fn threshold(&self, before: &[Mark]) -> Option<f64> {
        let of = before.len() + 1;
        if of <= FIRST {
            return None;
        }
        let mut sorted = before.to_vec();
        sorted.sort_by(Mark::order);
        sorted.get(self.enough(of).saturating_sub(1)).map(|mark| mark.value)
    }

    fn enough(&self, of: usize) -> usize {
        of / (self.eta.max(2) as usize)
    }
}

impl Mark {
    /// Better marks come first.
    fn order(&self, other: &Self) -> Ordering {
        let numbers =
            |a: f64, b: f64| a.partial_cmp(&b).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()));
        numbers(self.value, other.value).then_with(|| numbers(self.loss, other.loss))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: Rule = Rule { rivals: Rivals::All, eta: 2, grace: 0.5 };

    fn marks(values: &[f64]) -> Vec<Mark> {
        values.iter().map(|value| Mark { value: *value, loss: 0.0 }).collect()
    }

    fn at(evaluations: u32, epochs: u32) -> Vec<u32> {
        RULE.rungs(evaluations, epochs).into_iter().map(|(at, _)| at).collect()
    }

    #[test]
    fn rungs_begin_at_a_quarter_and_half_an_epoch_and_never_at_the_end() {
        assert_eq!(at(16, 4), [4, 6, 8, 10, 12, 14]);
        assert_eq!(at(8, 8), [2, 3, 4, 5, 6, 7]);
        assert_eq!(at(3, 3), [1, 2]);
        assert_eq!(at(8, 1), [4, 5, 6, 7]);
        assert_eq!(at(9, 3), [3, 4, 5, 6, 7, 8]);
        assert!(at(1, 1).is_empty() && at(0, 1).is_empty());
        assert_eq!(RULE.rungs(3, 3), [(1, 2), (2, 5)]);
    }

    #[test]
    fn the_better_half_goes_on() {
        let before = marks(&[0.1, 0.2, 0.3, 0.4, 0.5]);
        let asha = |value: f64| RULE.judge(Mark { value, loss: 0.0 }, &before);
        assert_eq!(asha(0.25), None);
        assert_eq!(asha(0.35), Some(Cut { rank: 4, of: 6, threshold: 0.3 }));
        assert!(asha(f64::NAN).is_some_and(|cut| cut.rank == 6));
        let third = Rule { eta: 3, ..RULE };
        let cut = third.judge(Mark { value: 0.25, loss: 0.0 }, &before);
        assert_eq!(cut, Some(Cut { rank: 3, of: 6, threshold: 0.2 }));
    }

    #[test]
    fn the_first_runs_go_on_and_equals_are_told_apart_by_their_loss() {
        let nan = Mark { value: f64::NAN, loss: f64::NAN };
        assert_eq!(RULE.judge(nan, &marks(&[0.1, 0.2, 0.3])), None);
        let equal = [0.1, 0.2, 0.3, 0.4, 0.5].map(|loss| Mark { value: -0.5, loss });
        assert_eq!(RULE.judge(Mark { value: -0.5, loss: 0.15 }, &equal), None);
        let cut = RULE.judge(Mark { value: -0.5, loss: 0.45 }, &equal).unwrap();
        assert_eq!((cut.rank, cut.of), (5, 6));
    }
}

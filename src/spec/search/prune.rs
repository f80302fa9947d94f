//! Which runs of a sweep are stopped before their end, because others were better at the same point.
//!
//! Runs are compared at rungs: after an eighth of their schedule for the first time (a quarter by [`Bar::Value`]),
//! then after each further eighth. All runs of a sweep follow the schedule of their full length, so that a run which goes on is the
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

/// By what runs are judged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bar {
    /// By the value, from a quarter of the schedule on, the first four at a rung aside: the rule of sweeps that were
    /// queued before there was another.
    #[default]
    Value,
    /// By the value and by the val loss, from an eighth on, the first two aside: a run is stopped that is behind in both.
    /// An accuracy stands still for a while when the loss falls already, and a loss rises on training rows learnt by
    /// heart where the accuracy does not suffer; a run that is ahead in either may yet be the best. So fewer are stopped
    /// wrongly, and the first look can come earlier.
    Both,
}

/// How hard is judged.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Rule {
    /// Against whom; absent in plans from before there was a choice.
    #[serde(skip_serializing_if = "is_all")]
    pub rivals: Rivals,
    /// One run in that many goes on; by [`Bar::Both`] fewer at the first rung, more at later ones ([`Rule::share`]).
    pub eta: u32,
    /// Epochs before which no run is judged.
    pub grace: f64,
    /// By what; absent in plans from before there was a choice, which keep to the one that was.
    #[serde(default, skip_serializing_if = "is_value")]
    pub bar: Bar,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
fn is_value(bar: &Bar) -> bool {
    *bar == Bar::Value
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
fn is_all(rivals: &Rivals) -> bool {
    *rivals == Rivals::All
}

impl Default for Rule {
    fn default() -> Self {
        Self { rivals: Rivals::All, eta: 2, grace: 0.5, bar: Bar::Both }
    }
}

/// Parts of a schedule; a rung's number says how many of them are done.
pub const PARTS: u32 = 8;

impl Rule {
    /// `prune=median`: a run is stopped that is behind the median of those that have come to the last rung.
    pub fn median() -> Self {
        Self { rivals: Rivals::Finished, bar: Bar::Value, ..Self::default() }
    }

    /// The first rung.
    fn lowest(&self) -> u32 {
        match self.bar {
            Bar::Value => 2,
            Bar::Both => 1,
        }
    }

    /// Of so many runs at a rung each goes on: too few to compare.
    pub fn first(&self) -> usize {
        match self.bar {
            Bar::Value => 4,
            Bar::Both => 2,
        }
    }

    /// The share of the runs at a rung that goes on. What falls behind at once is mostly hopeless; what is left
    /// later is good, and the order among it changes until the end.
    pub fn share(&self, rung: u32) -> f64 {
        let of_eta = match (self.bar, rung) {
            (Bar::Both, 0 | 1) => 0.8,
            (Bar::Both, 3..) => 1.2,
            _ => 1.0,
        };
        of_eta / f64::from(self.eta.max(2))
    }

    /// The last rung, after which a run comes to its end.
    pub const LAST: u32 = PARTS - 1;

    /// The rung that an evaluation belongs to, if it is the first one at it: a share of the schedule is done
    /// (0 to 1), and so many epochs. There is none before the grace is over and none at the end.
    pub fn rung(&self, share: f64, epoch: f64) -> Option<u32> {
        // Shares are quotients of steps.
        const SLACK: f64 = 1e-9;
        let rung = (share * f64::from(PARTS) + SLACK) as u32;
        let is_one = (self.lowest()..PARTS).contains(&rung) && epoch + SLACK >= self.grace;
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

    /// Whether a run that got to a rung with `own` is stopped: if it is not among the best of the runs there
    /// ([`Rule::share`]), itself included. `before` are its rivals that were there already, in any order.
    pub fn judge(&self, rung: u32, own: Mark, before: &[Mark]) -> Option<Cut> {
        let of = before.len() + 1;
        let ahead =
            |is_ahead: &dyn Fn(&Mark) -> bool| before.iter().filter(|m| is_ahead(m)).count();
        let rank = 1 + ahead(&|mark| mark.order(&own) == Ordering::Less);
        let enough = self.enough(rung, of);
        // Of equal losses none saves: they tell nothing.
        let is_saved = self.bar == Bar::Both
            && !own.loss.is_nan()
            && ahead(&|mark| numbers(mark.loss, own.loss) != Ordering::Greater) < enough;
        if of <= self.first() || (!own.value.is_nan() && (rank <= enough || is_saved)) {
            return None;
        }
        let threshold = self.threshold(rung, before).unwrap_or(own.value);
        Some(Cut { rank, of, threshold })
    }

    /// The value that is enough, whatever the val loss, for a run that gets to a rung after these; `None` while
    /// all go on.
    pub fn threshold(&self, rung: u32, before: &[Mark]) -> Option<f64> {
        let of = before.len() + 1;
        if of <= self.first() {
            return None;
        }
        let mut sorted = before.to_vec();
        sorted.sort_by(Mark::order);
        sorted.get(self.enough(rung, of).saturating_sub(1)).map(|mark| mark.value)
    }

    /// So many of the runs at a rung go on.
    fn enough(&self, rung: u32, of: usize) -> usize {
        // Products of decimals are a little off.
        const SLACK: f64 = 1e-9;
        let enough = (of as f64 * self.share(rung) + SLACK) as usize;
        match self.bar {
            Bar::Value => enough,
            Bar::Both => enough.max(1),
        }
    }
}

impl Mark {
    /// Better marks come first.
    fn order(&self, other: &Self) -> Ordering {
        numbers(self.value, other.value).then_with(|| numbers(self.loss, other.loss))
    }
}

/// NaN comes last.
fn numbers(a: f64, b: f64) -> Ordering {
    a.partial_cmp(&b).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: Rule = Rule { rivals: Rivals::All, eta: 2, grace: 0.5, bar: Bar::Value };

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
        let asha = |value: f64| RULE.judge(2, Mark { value, loss: 0.0 }, &before);
        assert_eq!(asha(0.25), None);
        assert_eq!(asha(0.35), Some(Cut { rank: 4, of: 6, threshold: 0.3 }));
        assert!(asha(f64::NAN).is_some_and(|cut| cut.rank == 6));
        let third = Rule { eta: 3, ..RULE };
        let cut = third.judge(2, Mark { value: 0.25, loss: 0.0 }, &before);
        assert_eq!(cut, Some(Cut { rank: 3, of: 6, threshold: 0.2 }));
    }

    #[test]
    fn the_first_runs_go_on_and_equals_are_told_apart_by_their_loss() {
        let nan = Mark { value: f64::NAN, loss: f64::NAN };
        assert_eq!(RULE.judge(2, nan, &marks(&[0.1, 0.2, 0.3])), None);
        let equal = [0.1, 0.2, 0.3, 0.4, 0.5].map(|loss| Mark { value: -0.5, loss });
        assert_eq!(RULE.judge(2, Mark { value: -0.5, loss: 0.15 }, &equal), None);
        let cut = RULE.judge(2, Mark { value: -0.5, loss: 0.45 }, &equal).unwrap();
        assert_eq!((cut.rank, cut.of), (5, 6));
    }

    #[test]
    fn a_run_is_stopped_that_is_behind_in_its_value_and_in_its_loss() {
        let rule = Rule::default();
        let rungs = |evaluations, epochs| -> Vec<u32> {
            rule.rungs(evaluations, epochs).into_iter().map(|(_, rung)| rung).collect()
        };
        assert_eq!(rungs(16, 4), [1, 2, 3, 4, 5, 6, 7]);
        // Never before half an epoch.
        assert_eq!((rungs(8, 2), rungs(8, 1)), (vec![2, 3, 4, 5, 6, 7], vec![4, 5, 6, 7]));
        let before: Vec<Mark> = [(0.1, 0.9), (0.2, 0.8), (0.3, 0.7), (0.4, 0.6)]
            .map(|(value, loss)| Mark { value, loss })
            .to_vec();
        let at = |rung: u32, value: f64, loss: f64| rule.judge(rung, Mark { value, loss }, &before);
        // Of five two go on at the first two rungs, three later.
        assert_eq!(at(1, 0.15, 0.95), None);
        assert_eq!(at(1, 0.25, 0.65), None);
        assert_eq!(at(1, 0.25, 0.75), Some(Cut { rank: 3, of: 5, threshold: 0.2 }));
        assert_eq!(at(2, 0.25, 0.75), Some(Cut { rank: 3, of: 5, threshold: 0.2 }));
        assert_eq!(at(3, 0.25, 0.75), None);
        assert_eq!(at(3, 0.5, 1.0), Some(Cut { rank: 5, of: 5, threshold: 0.3 }));
        // A loss that is not known saves nobody, nor does any loss where the value is none.
        assert!(at(1, 0.5, f64::NAN).is_some() && at(1, f64::NAN, 0.1).is_some());
        let equal = before.clone().into_iter().map(|mark| Mark { loss: 0.5, ..mark });
        let equal: Vec<Mark> = equal.collect();
        assert!(rule.judge(1, Mark { value: 0.5, loss: 0.5 }, &equal).is_some());
        // The first two go on, and the best of few does with any eta.
        let sixteen = Rule { eta: 16, ..rule };
        assert_eq!(rule.judge(1, Mark { value: 9.0, loss: 9.0 }, &before[..1]), None);
        assert_eq!(sixteen.judge(1, Mark { value: 0.0, loss: 9.0 }, &before), None);
    }

    #[test]
    fn a_plan_from_before_keeps_the_rule_that_it_was_queued_with() {
        let old: Rule = serde_json::from_str(r#"{"eta":2,"grace":0.5}"#).unwrap();
        assert_eq!(old, RULE);
        assert_eq!(serde_json::to_string(&old).unwrap(), r#"{"eta":2,"grace":0.5}"#);
        let new = serde_json::to_string(&Rule::default()).unwrap();
        assert_eq!(serde_json::from_str::<Rule>(&new).unwrap(), Rule::default());
        // Half of any number, rounded down, as it was.
        assert!((0..200).all(|of| RULE.enough(7, of) == of / 2));
        assert!((0..200).all(|of| Rule { eta: 3, ..RULE }.enough(2, of) == of / 3));
    }
}

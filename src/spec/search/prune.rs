//! Which runs of a sweep are stopped before their end, because others were better at the same point.
//!
//! Runs are compared at rungs: after a quarter of their evaluations for the first time, then after each
//! further eighth. All runs of a sweep follow the schedule of their full length, so that a run which goes on
//! is the run that it would have been without. A run is judged once at each rung, when it gets there, against
//! the runs that were there before; nothing that went on is taken back (asynchronous successive halving in
//! its stopping form, Li et al. 2020).

use std::cmp::Ordering;

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

/// Of so many runs at a rung each goes on: too few to compare.
const FIRST: usize = 4;
/// One run in that many goes on.
const ETA: usize = 2;

/// The evaluations after which runs are judged, counted from 1, of a run with that many. There is none
/// before `grace` evaluations or a quarter of them, and none at the last.
pub fn rungs(evaluations: u32, grace: u32) -> Vec<u32> {
    let mut rungs: Vec<u32> = (2..8)
        .map(|eighth| (evaluations * eighth).div_ceil(8))
        .filter(|at| *at >= grace.max(1) && *at < evaluations)
        .collect();
    rungs.dedup();
    rungs
}

/// Whether a run that got to a rung with `own` is stopped: if it is not in the better half of the runs at
/// this rung, itself included. `before` are the runs that were there already, in any order, whatever became
/// of them.
pub fn judge(own: Mark, before: &[Mark]) -> Option<Cut> {
    let of = before.len() + 1;
    let rank = 1 + before.iter().filter(|mark| mark.order(&own) == Ordering::Less).count();
    let enough = of / ETA;
    if of <= FIRST || (rank <= enough && !own.value.is_nan()) {
        return None;
    }
    let mut sorted = before.to_vec();
    sorted.sort_by(Mark::order);
    let last = sorted.get(enough.saturating_sub(1)).copied().unwrap_or(own);
    Some(Cut { rank, of, threshold: last.value })
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

    fn marks(values: &[f64]) -> Vec<Mark> {
        values.iter().map(|value| Mark { value: *value, loss: 0.0 }).collect()
    }

    #[test]
    fn rungs_begin_at_a_quarter_and_never_at_the_end() {
        assert_eq!(rungs(16, 2), [4, 6, 8, 10, 12, 14]);
        assert_eq!(rungs(8, 1), [2, 3, 4, 5, 6, 7]);
        assert_eq!(rungs(3, 1), [1, 2]);
        assert_eq!(rungs(16, 9), [10, 12, 14]);
        assert!(rungs(1, 1).is_empty() && rungs(0, 1).is_empty());
    }

    #[test]
    fn the_better_half_goes_on() {
        let before = marks(&[0.1, 0.2, 0.3, 0.4, 0.5]);
        let asha = |value: f64| judge(Mark { value, loss: 0.0 }, &before);
        assert_eq!(asha(0.25), None);
        assert_eq!(asha(0.35), Some(Cut { rank: 4, of: 6, threshold: 0.3 }));
        assert!(asha(f64::NAN).is_some_and(|cut| cut.rank == 6));
    }

    #[test]
    fn the_first_runs_go_on_and_equals_are_told_apart_by_their_loss() {
        let nan = Mark { value: f64::NAN, loss: f64::NAN };
        assert_eq!(judge(nan, &marks(&[0.1, 0.2, 0.3])), None);
        let equal = [0.1, 0.2, 0.3, 0.4, 0.5].map(|loss| Mark { value: -0.5, loss });
        assert_eq!(judge(Mark { value: -0.5, loss: 0.15 }, &equal), None);
        let cut = judge(Mark { value: -0.5, loss: 0.45 }, &equal).unwrap();
        assert_eq!((cut.rank, cut.of), (5, 6));
    }
}

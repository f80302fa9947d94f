//! Two runs of a task without classes on the same rows: the paired bootstrap and a randomisation test of the
//! task's score.

use serde::Serialize;

use super::Entry;
use crate::analysis::bootstrap::{RESAMPLES, SEED, interval95};
use crate::analysis::metrics::{LabelCounts, pearson};
use crate::analysis::spans;
use crate::dataset::predictions::Pass;
use crate::spec::RunId;
use crate::spec::search::Draws;

/// Two runs whose scores on the same test rows are set against each other. Differences are `b` minus `a`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ScorePair {
    /// The earlier one of the comparison; the baseline where it is one of the two.
    pub a: RunId,
    /// The other one.
    pub b: RunId,
    /// Test rows.
    pub n: usize,
    /// The score: `test/pearson`, `test/micro_f1`, `test/f1`.
    pub metric: &'static str,
    /// Its difference.
    pub diff: f64,
    /// 95 % interval of that difference: paired bootstrap, percentile method.
    pub ci95: [f64; 2],
    /// Randomisation test, two-sided: how often the difference is as large where it is left to chance which of
    /// the two predicted a row (Yeh 2000).
    pub p: f64,
}

/// Tests every pair of runs that learnt the same task without classes and were tested on the same rows; the
/// baseline's pairs come first.
pub(super) fn all(entries: &[Entry], baseline: usize) -> Vec<ScorePair> {
    let mut places: Vec<usize> = (0..entries.len()).collect();
    places.sort_by_key(|place| *place != baseline);
    let mut pairs = Vec::new();
    for (nth, i) in places.iter().enumerate() {
        for j in places.iter().skip(nth + 1) {
            let (Some(a), Some(b)) = (entries.get(*i), entries.get(*j)) else { continue };
            pairs.extend(pair(a, b));
        }
    }
    pairs
}

fn pair(a: &Entry, b: &Entry) -> Option<ScorePair> {
    let (task, of_b) = (a.run.spec.task, b.run.spec.task);
    if task != of_b || hash(a) != hash(b) {
        return None;
    }
    let both = Both::of(a.other.as_ref()?, b.other.as_ref()?)?;
    let n = both.rows();
    let plain: Vec<usize> = (0..n).collect();
    let differs = |order: &[usize], swapped: &[bool]| {
        let score = |second: bool| {
            both.score(
                order
                    .iter()
                    .map(|row| (*row, second != swapped.get(*row).copied().unwrap_or(false))),
            )
        };
        Some(score(true)? - score(false)?)
    };
    let diff = differs(&plain, &[])?;
    let mut draw = Draws::of(SEED);
    let (mut firsts, mut seconds) = (Vec::new(), Vec::new());
    for _ in 0..RESAMPLES {
        let order: Vec<usize> = (0..n).map(|_| draw.below(n)).collect();
        let score = |second: bool| both.score(order.iter().map(|row| (*row, second)));
        // A resample of equal numbers has no correlation.
        if let (Some(first), Some(second)) = (score(false), score(true)) {
            firsts.push(first);
            seconds.push(second);
        }
    }
    let mut as_large = 0_u32;
    for _ in 0..RESAMPLES {
        let swapped: Vec<bool> = (0..n).map(|_| draw.below(2) == 1).collect();
        let by_chance = differs(&plain, &swapped).unwrap_or(0.0);
        as_large += u32::from(by_chance.abs() >= diff.abs() - 1e-12);
    }
    Some(ScorePair {
        a: a.run.id,
        b: b.run.id,
        n,
        metric: task.score()[1],
        diff,
        ci95: interval95(&firsts, &seconds)?,
        p: f64::from(as_large + 1) / (RESAMPLES + 1) as f64,
    })
}

fn hash(entry: &Entry) -> Option<&str> {
    entry.run.facts.as_ref().map(|facts| facts.data_hash.as_str())
}

/// What is known of each row of both runs.
enum Both {
    /// Hits, false alarms and misses: of labels, or of entities.
    Counts(Vec<[LabelCounts; 2]>),
    /// Of each target the truth and both predictions.
    Numbers(Vec<[Vec<f64>; 3]>),
}

impl Both {
    /// `None` unless both predicted the same rows in the same order with the same truth.
    fn of(a: &Pass, b: &Pass) -> Option<Self> {
        if a.rows() != b.rows() || a.rows().is_empty() {
            return None;
        }
        match (a, b) {
            (Pass::Numbers(a), Pass::Numbers(b)) if a.truth == b.truth => {
                let columns = a.truth.iter().zip(a.predicted.iter().zip(&b.predicted));
                let all = columns.map(|(y, (a, b))| [y.clone(), a.clone(), b.clone()]);
                Some(Self::Numbers(all.collect()))
            }
            (Pass::Sets(a), Pass::Sets(b)) if a.truth == b.truth && a.names == b.names => {
                let count = |(truth, given): (Vec<&str>, Vec<&str>)| {
                    let hits = truth.iter().filter(|label| given.contains(label)).count();
                    counts(hits, given.len(), truth.len())
                };
                let row = |row| [count(a.of_row(row)), count(b.of_row(row))];
                Some(Self::Counts((0..a.rows.len()).map(row).collect()))
            }
            (Pass::Tags(a), Pass::Tags(b)) if a.truth == b.truth => {
                let count = |truth: &[String], said: &[String]| {
                    let [missed, added] = spans::differences(truth, said);
                    let [none, all] = spans::differences(&[], truth);
                    let hits = (none.len() + all.len()).saturating_sub(missed.len());
                    counts(hits, hits + added.len(), hits + missed.len())
                };
                let said = a.predicted.iter().zip(&b.predicted);
                let rows = a.truth.iter().zip(said);
                Some(Self::Counts(rows.map(|(y, (a, b))| [count(y, a), count(y, b)]).collect()))
            }
            _ => None,
        }
    }

    fn rows(&self) -> usize {
        match self {
            Self::Counts(rows) => rows.len(),
            Self::Numbers(targets) => targets.first().map_or(0, |[truth, ..]| truth.len()),
        }
    }

    /// The score of these rows, each as the first or the second run predicted it.
    fn score(&self, picked: impl Iterator<Item = (usize, bool)> + Clone) -> Option<f64> {
        match self {
            Self::Counts(rows) => {
                let mut sum = LabelCounts::default();
                for (row, second) in picked {
                    let counts = rows.get(row)?[usize::from(second)];
                    sum.hits += counts.hits;
                    sum.alarms += counts.alarms;
                    sum.misses += counts.misses;
                }
                Some(sum.scores().f1)
            }
            Self::Numbers(targets) => {
                let of = |target: &[Vec<f64>; 3]| {
                    let [truth, first, second] = target;
                    let pick = |(row, is_second): (usize, bool)| {
                        let said = if is_second { second } else { first };
                        Some((*truth.get(row)?, *said.get(row)?))
                    };
                    let (y, p): (Vec<f64>, Vec<f64>) = picked.clone().filter_map(pick).unzip();
                    pearson(&y, &p)
                };
                let sum: Option<f64> = targets.iter().map(of).sum();
                Some(sum? / targets.len() as f64)
            }
        }
    }
}

fn counts(hits: usize, given: usize, truth: usize) -> LabelCounts {
    LabelCounts { hits: hits as u64, alarms: (given - hits) as u64, misses: (truth - hits) as u64 }
}

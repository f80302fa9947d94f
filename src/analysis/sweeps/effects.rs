use crate::analysis::groups::{Spread, fold};
use crate::analysis::importance::{self, Column};
use crate::spec::short;
use crate::store::Run;

/// How much a varied key matters.
#[derive(Debug, Clone, PartialEq)]
pub struct Effect {
    /// The key.
    pub key: String,
    /// The share of the variance of all scores that the key alone accounts for, 0 to 1. On a grid it is the
    /// correlation ratio of its levels (eta squared, Fisher 1925). Where values were drawn it comes from a
    /// forest of regression trees ([`crate::analysis::importance`]). `None` if it cannot be told: scores do not vary,
    /// the key has one level, or there are too few runs.
    pub share: Option<f64>,
    /// How sure the share is: its standard deviation over the trees, where it comes from a forest.
    pub share_sd: Option<f64>,
    /// Its values with the scores of their runs, numbers in their order; ranges of values where most were
    /// drawn once. Runs whose model does not obey the key are left out, of the share as well.
    pub levels: Vec<(String, Spread)>,
    /// The ends of the ranges, where levels are ranges: each holds what is not above its end.
    ends: Vec<f64>,
}

impl Effect {
    /// The level that a value of the key belongs to.
    pub fn level_of(&self, value: &str) -> Option<usize> {
        if self.ends.is_empty() {
            return self.levels.iter().position(|(name, _)| name == value);
        }
        let number: f64 = value.parse().ok()?;
        self.ends.iter().position(|end| number <= *end)
    }
}

/// A drawn key is shown in that many ranges.
const RANGES: usize = 5;
/// More values than a third of the runs have were drawn, not listed.
const RUNS_A_LEVEL: usize = 3;

/// The effect of each key.
pub(super) fn effects(
    keys: &[String],
    runs: &[Run],
    score: &impl Fn(&Run) -> Option<f64>,
) -> Vec<Effect> {
    let mut effects: Vec<Effect> = keys.iter().map(|key| effect(key, runs, score)).collect();
    if effects.iter().any(|effect| !effect.ends.is_empty()) {
        tell_shares(&mut effects, runs, score);
    }
    effects
}

fn effect(key: &str, runs: &[Run], score: &impl Fn(&Run) -> Option<f64>) -> Effect {
    let runs: Vec<&Run> = runs.iter().filter(|run| run.spec.obeys(key)).collect();
    let score = |run: &&Run| score(run);
    let value = |run: &&Run| run.spec.get(key).unwrap_or_default();
    let mut levels: Vec<(String, Spread)> =
        fold(&runs, value, score).into_iter().map(|group| (group.key, group.spread)).collect();
    levels.sort_by(|(a, _), (b, _)| match (a.parse::<f64>(), b.parse::<f64>()) {
        (Ok(a), Ok(b)) => a.total_cmp(&b),
        _ => a.cmp(b),
    });
    let scores: Vec<f64> = runs.iter().filter_map(score).filter(|x: &f64| x.is_finite()).collect();
    let all = Spread::of(scores.iter().copied());
    let mean = all.mean.unwrap_or(0.0);
    let total: f64 = scores.iter().map(|x| (x - mean).powi(2)).sum();
    let between: f64 =
        levels.iter().filter_map(|(_, s)| Some(s.n as f64 * (s.mean? - mean).powi(2))).sum();
    let filled = levels.iter().filter(|(_, s)| s.n > 0).count();
    let share = (total > 0.0 && filled > 1 && filled < scores.len())
        .then(|| (between / total).clamp(0.0, 1.0));
    let numbers: Vec<f64> = runs.iter().filter_map(|run| value(run).parse().ok()).collect();
    let is_drawn = levels.len() > RANGES
        && levels.len() * RUNS_A_LEVEL > runs.len()
        && numbers.len() == runs.len();
    if !is_drawn {
        return Effect { key: key.to_owned(), share, share_sd: None, levels, ends: Vec::new() };
    }
    let ends = ends(numbers);
    let level = |run: &&Run| {
        let number: f64 = value(run).parse().unwrap_or(f64::NAN);
        ends.iter().position(|end| number <= *end).unwrap_or(0)
    };
    let mut ranges = fold(&runs, level, score);
    ranges.sort_by_key(|group| group.key);
    let levels = ranges
        .into_iter()
        .map(|group| {
            let inside = group.members.iter().filter_map(|i| runs.get(*i));
            let mut values: Vec<f64> = inside.filter_map(|run| value(run).parse().ok()).collect();
            values.sort_by(f64::total_cmp);
            let of = |x: Option<&f64>| x.map(|x| short(*x)).unwrap_or_default();
            (format!("{}..{}", of(values.first()), of(values.last())), group.spread)
        })
        .collect();
    Effect { key: key.to_owned(), share: None, share_sd: None, levels, ends }
}

/// The ends of ranges that hold about as many runs each.
fn ends(mut numbers: Vec<f64>) -> Vec<f64> {
    numbers.sort_by(f64::total_cmp);
    let end = |range: usize| numbers.get((numbers.len() * range).div_ceil(RANGES) - 1).copied();
    let mut ends: Vec<f64> = (1..=RANGES).filter_map(end).collect();
    ends.dedup();
    ends
}

/// The share of each key by a forest over the runs that obey them all.
fn tell_shares(effects: &mut [Effect], runs: &[Run], score: &impl Fn(&Run) -> Option<f64>) {
    let scored: Vec<(&Run, f64)> = runs
        .iter()
        .filter(|run| effects.iter().all(|effect| run.spec.obeys(&effect.key)))
        .filter_map(|run| Some((run, score(run).filter(|x| x.is_finite())?)))
        .collect();
    let column = |effect: &Effect| {
        let texts = || scored.iter().map(|(run, _)| run.spec.get(&effect.key).unwrap_or_default());
        let numbers: Option<Vec<f64>> = texts().map(|text| text.parse().ok()).collect();
        numbers.map_or_else(
            || Column::Choice(texts().map(|text| effect.level_of(&text).unwrap_or(0)).collect()),
            Column::Ordered,
        )
    };
    let columns: Vec<Column> = effects.iter().map(column).collect();
    let metric: Vec<f64> = scored.iter().map(|(_, score)| *score).collect();
    let shares = importance::shares(&columns, &metric);
    for (i, effect) in effects.iter_mut().enumerate() {
        let share = shares.as_ref().and_then(|shares| shares.get(i));
        effect.share = share.map(|share| share.share);
        effect.share_sd = share.map(|share| share.sd);
    }
}

//! A sweep as a whole: the best settings (averaged over seeds), how much each varied key matters, the cost, and
//! the Pareto front of score and cost.

mod read;

use std::cmp::Ordering;
use std::collections::HashMap;

use super::groups::{Spread, fold};
use super::importance::{self, Column};
use crate::spec::{IGNORED, RunId, short};
use crate::store::{Millis, Run};

pub use read::{SweepFacts, read, score};

/// The analysis of a sweep.
#[derive(Debug, Clone, PartialEq)]
pub struct SweepReport {
    /// The varied keys but `seed`, in the order in which the sweep names them.
    pub axes: Vec<String>,
    /// Settings, best first; runs that differ in their seed alone are one setting.
    pub settings: Vec<Setting>,
    /// How much each axis matters, in the order of `axes`.
    pub effects: Vec<Effect>,
    /// Wall-clock time on GPUs, summed over runs.
    pub gpu: Millis,
    /// Wall-clock time on CPUs, summed over runs.
    pub cpu: Millis,
}

/// Runs with the same values on every axis.
#[derive(Debug, Clone, PartialEq)]
pub struct Setting {
    /// One value per axis.
    pub values: Vec<String>,
    /// The runs, by number.
    pub runs: Vec<RunId>,
    /// Their scores.
    pub score: Spread,
    /// Mean wall-clock time of those that were started.
    pub cost: Option<Millis>,
    /// True if no other setting is both better and cheaper, or equal in one and ahead in the other.
    pub is_on_front: bool,
}

/// How much a varied key matters.
#[derive(Debug, Clone, PartialEq)]
pub struct Effect {
    /// The key.
    pub key: String,
    /// The share of the variance of all scores that the key alone accounts for, 0 to 1. On a grid it is the
    /// correlation ratio of its levels (eta squared, Fisher 1925). Where values were drawn it comes from a
    /// forest of regression trees ([`super::importance`]). `None` if it cannot be told: scores do not vary,
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

/// Milliseconds that a run has taken so far.
pub fn cost(run: &Run) -> Option<Millis> {
    let until = run.ended.or(run.last_event)?;
    Some((until - run.started?).max(0))
}

/// True if a run trains on a GPU: what its time is counted as.
pub fn is_on_gpu(run: &Run) -> bool {
    run.placement.as_ref().is_some_and(|p| p.device.starts_with("cuda"))
}

/// Accuracy for an hour of a device: the mean score over the mean time of a run.
pub fn per_hour(setting: &Setting) -> Option<f64> {
    let cost = setting.cost.filter(|cost| *cost > 0)?;
    Some(setting.score.mean? / (cost as f64 / 3_600_000.0))
}

/// The run with the highest score; of equals the oldest.
pub fn best_run(runs: &[Run], score: impl Fn(&Run) -> Option<f64>) -> Option<&Run> {
    let scored = runs.iter().filter_map(|run| Some((run, score(run).filter(|x| x.is_finite())?)));
    scored.max_by(|(a, x), (b, y)| x.total_cmp(y).then_with(|| b.id.cmp(&a.id))).map(|(run, _)| run)
}

/// Reports on the runs of a sweep that varied these keys. `score` is the figure that is compared, the higher
/// the better.
pub fn report(runs: &[Run], varied: &[String], score: impl Fn(&Run) -> Option<f64>) -> SweepReport {
    let axes: Vec<String> = varied.iter().filter(|key| *key != "seed").cloned().collect();
    let values =
        |run: &Run| -> Vec<String> { axes.iter().map(|key| run.spec.shown(key)).collect() };
    let mut settings: Vec<Setting> = fold(runs, values, &score)
        .into_iter()
        .map(|group| {
            let members: Vec<&Run> = group.members.iter().filter_map(|i| runs.get(*i)).collect();
            let costs: Vec<Millis> = members.iter().filter_map(|run| cost(run)).collect();
            let mut ids: Vec<RunId> = members.iter().map(|run| run.id).collect();
            ids.sort_unstable();
            Setting {
                values: group.key,
                runs: ids,
                score: group.spread,
                cost: (!costs.is_empty())
                    .then(|| costs.iter().sum::<Millis>() / costs.len() as Millis),
                is_on_front: false,
            }
        })
        .collect();
    settings.sort_by(rank);
    front(&mut settings);
    let mut effects: Vec<Effect> = axes.iter().map(|key| effect(key, runs, &score)).collect();
    if effects.iter().any(|effect| !effect.ends.is_empty()) {
        tell_shares(&mut effects, runs, &score);
    }
    let sum = |gpu: bool| runs.iter().filter(|r| is_on_gpu(r) == gpu).filter_map(cost).sum();
    SweepReport { axes, settings, effects, gpu: sum(true), cpu: sum(false) }
}

/// Better means first; then the steadier, then the cheaper, then the older one, so that the order never
/// depends on that of the runs.
fn rank(a: &Setting, b: &Setting) -> Ordering {
    let mean = |s: &Setting| s.score.mean.unwrap_or(f64::NEG_INFINITY);
    let sd = |s: &Setting| s.score.sd.unwrap_or(f64::INFINITY);
    mean(b)
        .total_cmp(&mean(a))
        .then_with(|| sd(a).total_cmp(&sd(b)))
        .then_with(|| a.cost.unwrap_or(Millis::MAX).cmp(&b.cost.unwrap_or(Millis::MAX)))
        .then_with(|| a.runs.cmp(&b.runs))
}

/// Marks the Pareto front of settings that are sorted by their mean: of equal means the cheapest, if it is
/// cheaper than everything better.
fn front(settings: &mut [Setting]) {
    let mut cheapest = Millis::MAX;
    for equals in settings.chunk_by_mut(|a, b| a.score.mean == b.score.mean) {
        let known = equals.iter().filter(|s| s.score.mean.is_some());
        let Some(least) = known.filter_map(|s| s.cost).min() else { continue };
        for setting in equals.iter_mut().filter(|s| s.cost == Some(least)) {
            setting.is_on_front = least < cheapest;
        }
        cheapest = cheapest.min(least);
    }
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

/// Names of the rows, names of the columns, and a value for each cell that has one.
pub type Grid = (Vec<String>, Vec<String>, HashMap<(usize, usize), f64>);

/// Mean score by the values of two axes: rows of the first, columns of the second, numbers in their order. A
/// model that does not obey an axis has its score at every value of it.
pub fn grid(report: &SweepReport, rows: usize, columns: usize) -> Grid {
    let names = |axis: usize| -> Vec<String> {
        let levels = report.effects.get(axis).map(|e| e.levels.as_slice()).unwrap_or_default();
        levels.iter().map(|(name, _)| name.clone()).collect()
    };
    let (row_names, column_names) = (names(rows), names(columns));
    let mut sums: HashMap<(usize, usize), (f64, f64)> = HashMap::new();
    for setting in &report.settings {
        let Some(mean) = setting.score.mean else { continue };
        let is_at = |axis: usize, at: usize| {
            let value = setting.values.get(axis);
            let level = || report.effects.get(axis)?.level_of(value?);
            value.is_some_and(|v| v == IGNORED) || level() == Some(at)
        };
        for i in (0..row_names.len()).filter(|i| is_at(rows, *i)) {
            for j in (0..column_names.len()).filter(|j| is_at(columns, *j)) {
                let sum = sums.entry((i, j)).or_default();
                sum.0 += mean * setting.score.n as f64;
                sum.1 += setting.score.n as f64;
            }
        }
    }
    let means = sums.into_iter().map(|(at, (sum, n))| (at, sum / n)).collect();
    (row_names, column_names, means)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{Outcome, Placement, RunSpec, RunState, Wish};

    fn run(id: u32, lr: f64, epochs: u32, seed: u64, acc: f64) -> Run {
        let spec = RunSpec { lr, epochs, seed, ..RunSpec::default() };
        let device = if epochs > 1 { "cuda:0" } else { "cpu" };
        Run {
            id: RunId(id),
            name: String::new(),
            spec_hash: String::new(),
            spec,
            sweep: None,
            wish: Wish::Run,
            state: RunState::Ended(Outcome::Done),
            placement: Some(Placement {
                site: "local".into(),
                slot: device.into(),
                device: device.into(),
                threads: 1,
            }),
            created: 0,
            started: Some(0),
            ended: Some(i64::from(epochs) * 1000),
            last_event: None,
            attempt: 1,
            step: 0,
            epoch: 0.0,
            facts: None,
            last: std::collections::BTreeMap::new(),
            best: [("val/acc".to_owned(), acc)].into(),
            best_epoch: None,
            spark: Vec::new(),
            tags: Vec::new(),
            note: String::new(),
            archived: false,
        }
    }

    fn sweep() -> SweepReport {
        let mut runs = Vec::new();
        for (i, (lr, epochs, acc)) in
            [(1e-5, 1, 0.80), (1e-5, 3, 0.82), (5e-5, 1, 0.90), (5e-5, 3, 0.92)].iter().enumerate()
        {
            for seed in 0..2u32 {
                let id = 1 + 2 * i as u32 + seed;
                runs.push(run(id, *lr, *epochs, u64::from(seed), acc + 0.01 * f64::from(seed)));
            }
        }
        let varied = ["lr", "epochs", "seed"].map(str::to_owned);
        report(&runs, &varied, |run| run.best.get("val/acc").copied())
    }

    #[test]
    fn seeds_fold_and_settings_are_ranked() {
        let report = sweep();
        assert_eq!(report.axes, ["lr", "epochs"]);
        let best = &report.settings[0];
        assert_eq!((best.values.join(" "), best.score.n), ("5e-5 3".to_owned(), 2));
        assert!((best.score.mean.unwrap() - 0.925).abs() < 1e-12);
        assert_eq!((report.gpu, report.cpu), (12_000, 4000));
    }

    #[test]
    fn the_front_holds_what_nothing_beats_at_its_price() {
        let report = sweep();
        let front: Vec<String> =
            report.settings.iter().filter(|s| s.is_on_front).map(|s| s.values.join(" ")).collect();
        assert_eq!(front, ["5e-5 3", "5e-5 1"]);
    }

    #[test]
    fn an_effect_is_the_share_of_the_variance_between_its_levels() {
        let report = sweep();
        // Means 0.815 and 0.915 around 0.865: 8 x 0.05^2 of 8 x (0.05^2 + 0.01^2 + 0.005^2).
        let share = |i: usize| report.effects[i].share.unwrap();
        let parts = [0.05_f64.powi(2), 0.01_f64.powi(2), 0.005_f64.powi(2)];
        let all: f64 = parts.iter().sum();
        assert!((share(0) - parts[0] / all).abs() < 1e-9);
        assert!((share(1) - parts[1] / all).abs() < 1e-9);
        assert_eq!(report.effects[0].levels[0].0, "1e-5");
    }

    #[test]
    fn a_key_that_a_model_does_not_obey_is_no_level_of_it() {
        let mut runs: Vec<Run> =
            (1..5).map(|i| run(i, f64::from(1 + i % 2) * 1e-5, 1, 0, 0.9)).collect();
        let mut majority = run(9, 1e-5, 1, 0, 0.1);
        majority.spec.model = "majority".into();
        runs.push(majority);
        let varied = ["model", "lr"].map(str::to_owned);
        let report = report(&runs, &varied, |r| r.best.get("val/acc").copied());
        assert_eq!(report.settings.last().unwrap().values, ["majority", "–"]);
        assert_eq!(report.effects[1].levels.iter().map(|(_, s)| s.n).sum::<usize>(), 4);
        assert!(report.effects[1].levels.iter().all(|(_, s)| s.mean == Some(0.9)));
        // In the picture it has its own score at either rate.
        let (rows, columns, means) = grid(&report, 0, 1);
        assert_eq!((rows, columns.len()), (vec![String::new(), "majority".into()], 2));
        assert_eq!([means[&(0, 0)], means[&(1, 0)], means[&(1, 1)]], [0.9, 0.1, 0.1]);
    }

    #[test]
    fn a_key_drawn_anew_each_time_explains_nothing_by_itself() {
        let runs: Vec<Run> =
            (1..5).map(|i| run(i, f64::from(i) * 1e-5, 1, 0, 0.1 * f64::from(i))).collect();
        let report = report(&runs, &["lr".to_owned()], |r| r.best.get("val/acc").copied());
        assert_eq!(report.effects[0].share, None);
        let none = super::report(&[], &["lr".to_owned()], |_| None);
        assert_eq!((none.settings.len(), none.effects[0].share), (0, None));
    }

    /// 90 draws of a rate that decides and of a warm-up that does not: each value comes once.
    #[test]
    fn drawn_keys_are_told_apart_and_shown_in_ranges() {
        let mut draws = crate::spec::search::Draws::new(3, 0);
        let mut runs = Vec::new();
        for id in 1..=90 {
            let lr: f64 = 1e-6 * 1000_f64.powf(draws.unit());
            let mut run = run(id, lr, 1, 0, 0.9 - 0.1 * (lr / 1e-4).ln().abs());
            run.spec.warmup = draws.unit();
            runs.push(run);
        }
        let varied = ["lr", "warmup"].map(str::to_owned);
        let report = report(&runs, &varied, |r| r.best.get("val/acc").copied());
        let [lr, warmup] = report.effects.as_slice() else { panic!("two keys") };
        assert!(lr.share > Some(0.9) && warmup.share < Some(0.05), "{:?}", report.effects);
        assert_eq!((lr.levels.len(), lr.levels.iter().map(|l| l.1.n).sum::<usize>()), (5, 90));
        assert!(lr.levels[0].0.contains(".."), "{:?}", lr.levels);
        assert_eq!(
            (lr.level_of("1e-6"), lr.level_of("1e-3"), lr.level_of("x")),
            (Some(0), None, None)
        );
        let (rows, columns, means) = grid(&report, 0, 1);
        assert_eq!((rows.len(), columns.len()), (5, 5));
        assert!(means.len() > 15);
    }

    #[test]
    fn the_best_run_is_the_oldest_of_equals() {
        let runs = [run(3, 1e-5, 1, 0, 0.9), run(1, 1e-5, 1, 0, 0.9), run(2, 1e-5, 1, 0, f64::NAN)];
        assert_eq!(best_run(&runs, score).map(|run| run.id), Some(RunId(1)));
        assert!(best_run(&[], score).is_none());
    }

    #[test]
    fn two_axes_make_a_grid() {
        let (rows, columns, means) = grid(&sweep(), 0, 1);
        assert_eq!(
            (rows, columns),
            (vec!["1e-5".into(), "5e-5".into()], vec!["1".into(), "3".into()])
        );
        assert!((means[&(1, 0)] - 0.905).abs() < 1e-12);
    }
}

//! A sweep as a whole: the best settings (averaged over seeds), how much each varied key matters, the cost, and
//! the Pareto front of score and cost.

mod confirmation;
mod effects;
mod ends;
mod pooled;
mod pruning;
mod read;
mod rungs;

use std::cmp::Ordering;
use std::collections::HashMap;

use super::groups::{OF_CHANCE, Spread, fold};
use super::sizes;
use crate::spec::{IGNORED, Part, RunId};
use crate::store::{Millis, Run};

use confirmation::confirmation;
pub use confirmation::{Confirmation, Confirmed, Lead};
pub use effects::Effect;
use effects::effects;
use ends::ends;
pub use pooled::Pooled;
pub use pruning::{Evaluated, Pruning, evaluated, pruning};
pub use read::{SweepFacts, read, score};
pub use rungs::{Rung, rungs};

/// The analysis of a sweep.
#[derive(Debug, Clone, PartialEq)]
pub struct SweepReport {
    /// The varied keys but those of chance (`seed`, `fold`), in the order in which the sweep names them.
    pub axes: Vec<String>,
    /// Settings, best first; runs that differ in keys of chance alone are one setting.
    pub settings: Vec<Setting>,
    /// How much each axis matters, in the order of `axes`.
    pub effects: Vec<Effect>,
    /// Time on GPUs, summed over the attempts of all runs.
    pub gpu: Millis,
    /// Time on CPUs, likewise.
    pub cpu: Millis,
    /// True if a lower score is a better one.
    pub lower: bool,
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
    /// Mean time on a device of those that were started.
    pub cost: Option<Millis>,
    /// How many weights learn in them.
    pub trainable: Option<u64>,
    /// The most memory that one took, in bytes.
    pub memory: Option<u64>,
    /// True if no other setting is both better and cheaper, or equal in one and ahead in the other.
    pub is_on_front: bool,
}

impl SweepReport {
    /// The best of some values of scores.
    pub fn best<'a, T>(&self, of: impl Iterator<Item = (T, f64)> + 'a) -> Option<(T, f64)>
    where
        T: 'a,
    {
        let sign = if self.lower { -1.0 } else { 1.0 };
        of.max_by(|(_, a), (_, b)| (sign * a).total_cmp(&(sign * b)))
    }
}

/// Milliseconds that the attempts of a run have held a device so far.
pub fn cost(run: &Run) -> Option<Millis> {
    run.device_time
}

/// True if a run trains on a GPU: what its time is counted as.
pub fn is_on_gpu(run: &Run) -> bool {
    run.placement.as_ref().is_some_and(|p| p.device.starts_with("cuda"))
}

/// Accuracy for an hour of a device: the mean score over the mean time of a run. A loss has none.
pub fn per_hour(report: &SweepReport, setting: &Setting) -> Option<f64> {
    if report.lower {
        return None;
    }
    let cost = setting.cost.filter(|cost| *cost > 0)?;
    Some(setting.score.mean? / (cost as f64 / 3_600_000.0))
}

/// The run with the best score; of equals the oldest.
pub fn best_run(runs: &[Run], lower: bool, score: impl Fn(&Run) -> Option<f64>) -> Option<&Run> {
    let scored = runs.iter().filter_map(|run| Some((run, score(run).filter(|x| x.is_finite())?)));
    let good = |x: f64| if lower { -x } else { x };
    let order = |(a, x): &(&Run, f64), (b, y): &(&Run, f64)| {
        good(*x).total_cmp(&good(*y)).then_with(|| b.id.cmp(&a.id))
    };
    scored.max_by(order).map(|(run, _)| run)
}

/// Reports on the runs of a sweep that varied these keys. `score` is the figure that is compared, the higher
/// the better, or the lower. Runs that confirm a setting count for the time alone: they would make the best
/// look better known than the others.
pub fn report(
    all: &[Run],
    varied: &[String],
    lower: bool,
    score: impl Fn(&Run) -> Option<f64>,
) -> SweepReport {
    report_with(all, varied, lower, &score, &score)
}

/// The same, where the effects go by another figure: what each run would have at its end.
fn report_with(
    all: &[Run],
    varied: &[String],
    lower: bool,
    score: impl Fn(&Run) -> Option<f64>,
    end: impl Fn(&Run) -> Option<f64>,
) -> SweepReport {
    let trials: Vec<Run>;
    let runs = if all.iter().any(|run| run.part == Part::Confirmation) {
        trials = all.iter().filter(|run| run.part != Part::Confirmation).cloned().collect();
        &trials
    } else {
        all
    };
    let is_axis = |key: &&String| !OF_CHANCE.contains(&key.as_str());
    let axes: Vec<String> = varied.iter().filter(is_axis).cloned().collect();
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
                trainable: members.iter().find_map(|run| sizes::trainable(run)),
                memory: members.iter().filter_map(|run| sizes::memory(run)).max(),
                is_on_front: false,
            }
        })
        .collect();
    settings.sort_by(|a, b| rank(a, b, lower));
    front(&mut settings);
    let effects = effects(&axes, runs, &end);
    let sum = |gpu: bool| all.iter().filter(|r| is_on_gpu(r) == gpu).filter_map(cost).sum();
    SweepReport { axes, settings, effects, gpu: sum(true), cpu: sum(false), lower }
}

/// Better means first; then the steadier, then the cheaper, then the older one, so that the order never
/// depends on that of the runs.
fn rank(a: &Setting, b: &Setting, lower: bool) -> Ordering {
    let sign = if lower { -1.0 } else { 1.0 };
    let mean = |s: &Setting| s.score.mean.map_or(f64::NEG_INFINITY, |mean| sign * mean);
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
    use crate::spec::{Outcome, Placement, Plan, RunSpec, RunState};

    fn run(id: u32, lr: f64, epochs: u32, seed: u64, acc: f64) -> Run {
        let spec = RunSpec { lr, epochs, seed, ..RunSpec::default() };
        let device = if epochs > 1 { "cuda:0" } else { "cpu" };
        Run {
            state: RunState::Ended(Outcome::Done),
            placement: Some(Placement {
                site: "local".into(),
                slot: device.into(),
                device: device.into(),
                threads: 1,
            }),
            started: Some(0),
            ended: Some(i64::from(epochs) * 1000),
            device_time: Some(i64::from(epochs) * 1000),
            attempt: 1,
            best: [("val/acc".to_owned(), acc)].into(),
            ..Run::example(id, spec)
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
        report(&runs, &varied, false, |run| run.best.get("val/acc").copied())
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
        let report = report(&runs, &varied, false, |r| r.best.get("val/acc").copied());
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
        let report = report(&runs, &["lr".to_owned()], false, |r| r.best.get("val/acc").copied());
        assert_eq!(report.effects[0].share, None);
        let none = super::report(&[], &["lr".to_owned()], false, |_| None);
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
        let report = report(&runs, &varied, false, |r| r.best.get("val/acc").copied());
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
        let score = |run: &Run| score(&Plan::default(), run);
        assert_eq!(best_run(&runs, false, score).map(|run| run.id), Some(RunId(1)));
        assert!(best_run(&[], false, score).is_none());
        // Of a loss the lowest is the best, and settings come in that order.
        let runs = [run(1, 1e-5, 1, 0, 0.9), run(2, 2e-5, 1, 0, 0.7), run(3, 3e-5, 1, 0, 0.8)];
        assert_eq!(best_run(&runs, true, score).map(|run| run.id), Some(RunId(2)));
        let report = report(&runs, &["lr".to_owned()], true, score);
        let order: Vec<RunId> = report.settings.iter().flat_map(|s| s.runs.clone()).collect();
        assert_eq!(order, [RunId(2), RunId(3), RunId(1)]);
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

//! The best settings of a sweep once more, on seeds that chose nothing.

use std::collections::BTreeMap;

use super::plan::CONFIRM_SEEDS;
use super::search::tpe::State;
use super::{RunSpec, Sweep};

impl Sweep {
    /// The runs that are still to confirm its best settings, given its trials and the runs that confirm one
    /// already. Seeds that no trial had, the same ones for each setting, so that they can be compared by
    /// seed; with each of them all folds of the setting, one after the other. A setting that lacks the value of a
    /// fold which others have is none of the best: folds are easy or hard. A function of its arguments.
    pub fn confirmations(
        &self,
        trials: &[(RunSpec, State)],
        confirmed: &[RunSpec],
    ) -> Vec<RunSpec> {
        let mut settings: BTreeMap<String, (usize, BTreeMap<u32, Vec<f64>>)> = BTreeMap::new();
        for (at, (spec, state)) in trials.iter().enumerate() {
            if let State::Complete(value) = state
                && value.is_finite()
            {
                let folds = &mut settings.entry(setting(spec)).or_insert((at, BTreeMap::new())).1;
                folds.entry(spec.fold).or_default().push(*value);
            }
        }
        let most = settings.values().map(|(_, folds)| folds.len()).max();
        settings.retain(|_, (_, folds)| Some(folds.len()) == most);
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        let rank = |(key, (at, folds)): (String, (usize, BTreeMap<u32, Vec<f64>>))| {
            let each: Vec<f64> = folds.values().map(|values| mean(values)).collect();
            (mean(&each), at, key, folds.into_keys().collect::<Vec<u32>>())
        };
        let mut ranked: Vec<_> = settings.into_iter().map(rank).collect();
        ranked.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let known: Vec<String> = confirmed.iter().map(setting).collect();
        let is_free = |seed: &u64| !trials.iter().any(|(spec, _)| spec.seed == *seed);
        let seeds: Vec<u64> = (0..).filter(is_free).take(CONFIRM_SEEDS as usize).collect();
        let best = ranked.iter().take(self.plan.confirm as usize);
        let fresh = best.filter(|(_, _, key, _)| !known.contains(key));
        let mut specs = Vec::new();
        for (_, at, _, folds) in fresh {
            let Some((spec, _)) = trials.get(*at) else { continue };
            for seed in &seeds {
                let of = folds.iter();
                specs.extend(of.map(|fold| RunSpec { seed: *seed, fold: *fold, ..spec.clone() }));
            }
        }
        specs
    }
}

/// Equal for runs that differ in their seed, and in the fold that they hold out, alone.
fn setting(spec: &RunSpec) -> String {
    RunSpec { seed: 0, fold: 0, ..spec.clone() }.hash()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_settings_run_again_on_fresh_seeds_once() {
        let base = RunSpec { model: "m".into(), data: "d".into(), ..RunSpec::default() };
        let sweep =
            Sweep::parse(base, [("lr", "1e-5,2e-5,3e-5,4e-5"), ("seed", "1,2"), ("confirm", "2")])
                .unwrap();
        let value = |spec: &RunSpec| if spec.lr == 4e-5 { f64::NAN } else { -spec.lr };
        let trial = |spec: RunSpec| {
            let state = State::Complete(value(&spec));
            (spec, state)
        };
        let mut trials: Vec<_> = sweep.expand().unwrap().into_iter().map(trial).collect();
        let confirmations = sweep.confirmations(&trials, &[]);
        let told: Vec<_> = confirmations.iter().map(|spec| (spec.lr, spec.seed)).collect();
        assert_eq!(told, [(3e-5, 0), (3e-5, 3), (3e-5, 4), (2e-5, 0), (2e-5, 3), (2e-5, 4)]);
        assert!(sweep.confirmations(&trials, &confirmations).is_empty());
        // A better trial comes later: it alone is new.
        let later = RunSpec { lr: 9e-5, seed: 1, ..sweep.base.clone() };
        trials.push((later, State::Complete(-1.0)));
        let more = sweep.confirmations(&trials, &confirmations);
        assert_eq!(more.iter().map(|spec| spec.lr).collect::<Vec<_>>(), [9e-5; 3]);
        let none = Sweep { plan: super::super::Plan::default(), ..sweep };
        assert!(none.confirmations(&trials, &[]).is_empty());
    }

    #[test]
    fn the_best_settings_under_cross_validation_run_again_on_all_their_folds() {
        let base = RunSpec { model: "m".into(), data: "d".into(), ..RunSpec::default() };
        let pairs = [("lr", "1e-5,2e-5,3e-5"), ("folds", "2"), ("fold", "1..2"), ("confirm", "1")];
        let sweep = Sweep::parse(base, pairs).unwrap();
        assert_eq!(sweep.confirming(), 6);
        // 3e-5 is the best on the one fold that it ended on: the easy one.
        let trial = |spec: RunSpec| {
            let easy = if spec.fold == 1 { 10.0 } else { 0.0 };
            let state = match (spec.lr, spec.fold) {
                (3e-5, 2) => State::Complete(f64::NAN),
                (lr, _) => State::Complete(-lr - easy),
            };
            (spec, state)
        };
        let mut trials: Vec<_> = sweep.expand().unwrap().into_iter().map(trial).collect();
        let confirmations = sweep.confirmations(&trials, &[]);
        let told: Vec<_> = confirmations.iter().map(|s| (s.lr, s.seed, s.fold)).collect();
        let want = |seed: u64| [(2e-5, seed, 1), (2e-5, seed, 2)];
        assert_eq!(told, [want(1), want(2), want(3)].concat());
        assert!(sweep.confirmations(&trials, &confirmations).is_empty());
        // Without it nothing else is different.
        trials.retain(|(spec, _)| spec.lr < 3e-5);
        assert_eq!(sweep.confirmations(&trials, &[]), confirmations);
    }
}

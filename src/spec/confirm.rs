//! The best settings of a sweep once more, on seeds that chose nothing.

use std::collections::BTreeMap;

use super::plan::CONFIRM_SEEDS;
use super::search::tpe::State;
use super::{RunSpec, Sweep};

impl Sweep {
    /// The runs that are still to confirm its best settings, given its trials and the runs that confirm one
    /// already. Seeds that no trial had, the same ones for each setting, so that they can be compared by
    /// seed. A function of its arguments.
    pub fn confirmations(
        &self,
        trials: &[(RunSpec, State)],
        confirmed: &[RunSpec],
    ) -> Vec<RunSpec> {
        let mut settings: BTreeMap<String, (usize, Vec<f64>)> = BTreeMap::new();
        for (at, (spec, state)) in trials.iter().enumerate() {
            if let State::Complete(value) = state
                && value.is_finite()
            {
                settings.entry(setting(spec)).or_insert((at, Vec::new())).1.push(*value);
            }
        }
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        let mut ranked: Vec<(f64, usize, String)> =
            settings.into_iter().map(|(key, (at, values))| (mean(&values), at, key)).collect();
        ranked.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let known: Vec<String> = confirmed.iter().map(setting).collect();
        let is_free = |seed: &u64| !trials.iter().any(|(spec, _)| spec.seed == *seed);
        let seeds: Vec<u64> = (0..).filter(is_free).take(CONFIRM_SEEDS as usize).collect();
        let best = ranked.iter().take(self.plan.confirm as usize);
        let fresh = best.filter(|(.., key)| !known.contains(key));
        let specs = fresh.filter_map(|(_, at, _)| trials.get(*at).map(|(spec, _)| spec));
        specs
            .flat_map(|spec| seeds.iter().map(|seed| RunSpec { seed: *seed, ..spec.clone() }))
            .collect()
    }
}

/// Equal for runs that differ in their seed alone.
fn setting(spec: &RunSpec) -> String {
    RunSpec { seed: 0, ..spec.clone() }.hash()
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
}

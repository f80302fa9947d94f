//! A sweep that was queued, with other plans for what is still to come.

use super::plan::Written;
use super::strategy::MAX_RUNS;
use super::{SpecError, Strategy, Sweep};

/// What of a sweep can change once it is queued.
const OPEN: &str = "trials=N, trials+=N, prune, eta, grace, until, confirm, keep_best";

impl Sweep {
    /// The sweep after these pairs: more trials, another rule for pruning, another end. What its runs have
    /// been chosen by stays.
    ///
    /// # Errors
    /// A key that is fixed once a sweep is queued; fewer trials than there were; a bad value.
    pub fn amended<'a>(
        &self,
        pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, SpecError> {
        let mut sweep = self.clone();
        let mut written = Written::from(sweep.plan.clone());
        for (key, value) in pairs {
            let bad = |why: &str| SpecError::BadValue {
                key: key.to_owned(),
                value: value.to_owned(),
                why: why.to_owned(),
            };
            match key {
                "trials" | "trials+" => {
                    let (now, _) = sweep.strategy.draws().ok_or_else(|| {
                        bad("every combination is there already; only draws can go on")
                    })?;
                    let count: u32 =
                        value.parse().map_err(|_| bad("a whole number is expected"))?;
                    let all = if key == "trials+" { now.saturating_add(count) } else { count };
                    if all < now {
                        return Err(bad(&format!("it has {now} trials; it can only get more")));
                    }
                    if all as usize > MAX_RUNS {
                        return Err(bad(&format!("trials may be at most {MAX_RUNS}")));
                    }
                    match &mut sweep.strategy {
                        Strategy::Grid => {}
                        Strategy::Random { trials, .. } | Strategy::Tpe { trials, .. } => {
                            *trials = all;
                        }
                    }
                }
                "keep_best" => {
                    let count = value.parse().map_err(|_| bad("a whole number is expected"))?;
                    sweep.keep_best = Some(count);
                }
                "metric" => return Err(bad("its trials were chosen by another figure")),
                _ if written.take(key, value)? => {}
                _ => {
                    let why =
                        format!("it is fixed once a sweep is queued; what can change is {OPEN}");
                    return Err(bad(&why));
                }
            }
        }
        let is_of_one_task = sweep.axes.iter().all(|axis| axis.key != "task");
        sweep.plan = written.plan(&sweep.base, is_of_one_task)?;
        sweep.check_folds()?;
        Ok(sweep)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::RunSpec;

    fn sweep(pairs: &[(&'static str, &'static str)]) -> Sweep {
        let base = RunSpec { model: "m".into(), data: "d".into(), ..RunSpec::default() };
        Sweep::parse(base, pairs.iter().copied()).unwrap()
    }

    #[test]
    fn more_trials_are_the_same_ones_and_some_more() {
        let drawn = sweep(&[("lr", "log(1e-6,1e-3)"), ("trials", "5"), ("confirm", "2")]);
        let more = drawn.amended([("trials+", "3"), ("prune", "asha"), ("eta", "3")]).unwrap();
        assert_eq!(more.expand().unwrap()[..5], drawn.expand().unwrap());
        assert_eq!((more.planned(), more.plan.confirm), (8, 2));
        assert_eq!(more.plan.prune.map(|rule| rule.eta), Some(3));
        // What was written before stays.
        let again = more.amended([("until", "2h")]).unwrap();
        assert_eq!(again.plan.prune, more.plan.prune);
        assert_eq!(again.amended([("prune", "none")]).unwrap().plan.prune, None);
    }

    #[test]
    fn what_is_fixed_says_so() {
        let drawn = sweep(&[("lr", "log(1e-6,1e-3)"), ("trials", "5")]);
        let grid = sweep(&[("lr", "1e-5,2e-5")]);
        let folds = sweep(&[("lr", "1e-5,2e-5"), ("folds", "3"), ("fold", "1..3")]);
        for (sweep, pair, want) in [
            (&drawn, ("lr", "1e-5"), "fixed once a sweep is queued"),
            (&drawn, ("trials", "3"), "it has 5 trials"),
            (&drawn, ("trials+", "x"), "a whole number"),
            (&drawn, ("metric", "val/loss"), "chosen by another figure"),
            (&grid, ("trials+", "3"), "every combination"),
            (&folds, ("until", "2h"), "judged by all of its folds"),
            (&folds, ("prune", "asha"), "judged by all of its folds"),
        ] {
            let got = sweep.amended([pair]).unwrap_err().to_string();
            assert!(got.contains(want), "{got}");
        }
    }
}

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::keys::{self, ValueKind};
use super::plan::{CONFIRM_SEEDS, Plan, SWEEP_KEYS, Written};
use super::strategy::{MAX_RUNS, Search, Strategy};
use super::{Axis, Init, RunId, RunSpec, SpecError, Values, nearest, short};

/// A base spec, axes, and the strategy that combines them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sweep {
    /// What all runs share.
    pub base: RunSpec,
    /// The varied keys, in the order they were written.
    pub axes: Vec<Axis>,
    /// How values of the axes are combined.
    pub strategy: Strategy,
    /// Of its done runs, only so many keep their checkpoints: the best on the val rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep_best: Option<u32>,
    /// How its runs are compared, pruned and confirmed, and how long it takes.
    #[serde(default, skip_serializing_if = "Plan::is_plain")]
    pub plan: Plan,
}

impl Sweep {
    /// Reads `key=value` pairs over `base`. `trials=N` makes it a random search, `search=tpe` one that learns
    /// from its trials; [`SWEEP_KEYS`] has all keys that are none of a run.
    ///
    /// # Errors
    /// Unknown keys, bad values, a distribution without `trials`, too many runs.
    pub fn parse<'a>(
        base: RunSpec,
        pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, SpecError> {
        let (mut base, mut axes) = (base, Vec::<Axis>::new());
        let (mut trials, mut seed, mut search, mut keep_best) = (None, 0, None, None);
        let mut written = Written::default();
        // A preset comes first: it would override what stands before it.
        let (presets, others): (Vec<_>, Vec<_>) =
            pairs.into_iter().partition(|(key, _)| *key == "preset");
        for (key, value) in presets.into_iter().chain(others) {
            match key {
                "trials" => trials = Some(whole(key, value)?),
                "keep_best" => keep_best = Some(whole(key, value)? as u32),
                "preset" => base.set(key, value)?,
                "search" => search = Some(Search::read(value)?),
                "sweep_seed" => seed = whole(key, value)?,
                _ if written.take(key, value)? => {}
                _ => {
                    keys::find(key).map_err(|_| unknown(key))?;
                    // A key given again replaces what stood before.
                    axes.retain(|a| a.key != key);
                    match Axis::parse(key, value)? {
                        Some(axis) => axes.push(axis),
                        None if keys::find(key)?.kind.owns_commas(value) => base.set(key, value)?,
                        None => base.set(key, &value.replace("\\,", ","))?,
                    }
                }
            }
        }
        let strategy = Strategy::of(search, trials, seed, &axes)?;
        let plan = written.plan(&base, axes.iter().all(|axis| axis.key != "task"))?;
        let sweep = Self { base, axes, strategy, keep_best, plan };
        sweep.check_folds()?;
        if sweep.len() > MAX_RUNS {
            return Err(SpecError::Sweep(format!(
                "it would make {} runs, and at most {MAX_RUNS} are allowed",
                sweep.len()
            )));
        }
        Ok(sweep)
    }

    /// Refuses what would leave a setting without some of its folds: draws, runs that are cut or never start.
    pub(super) fn check_folds(&self) -> Result<(), SpecError> {
        let plan = &self.plan;
        let is_partial =
            self.strategy.draws().is_some() || plan.prune.is_some() || plan.until.is_some();
        if is_partial && self.axes.iter().any(|axis| axis.key == "fold") {
            let why = "a setting is judged by all of its folds: fold= goes with a grid, without trials=, prune= and \
                       until=";
            return Err(SpecError::Sweep(why.into()));
        }
        Ok(())
    }

    /// Runs that the sweep will have in all: those of [`Self::specs`], and those that a search adds.
    pub fn planned(&self) -> usize {
        match (self.strategy.draws(), self.strategy.start()) {
            (Some((trials, _)), Some(_)) => trials as usize,
            _ => self.runs(),
        }
    }

    /// The folds that each of its settings holds out in turn; 1 without cross-validation.
    pub fn held_out(&self) -> usize {
        self.axes.iter().find(|axis| axis.key == "fold").map_or(1, Axis::len)
    }

    /// Runs that are added once all trials have ended: the best settings on fresh seeds, each on all its folds.
    pub fn confirming(&self) -> usize {
        (self.plan.confirm * CONFIRM_SEEDS) as usize * self.held_out()
    }

    /// Whether the runner has to look after it: runs of it follow from those before, or time ends it.
    pub fn is_looked_after(&self) -> bool {
        self.strategy.start().is_some() || self.plan.confirm > 0 || self.plan.until.is_some()
    }

    /// Number of combinations, or of draws that need no history; [`Self::next`] takes indices below it. Some
    /// of them may be one run: see [`Self::specs`].
    pub fn len(&self) -> usize {
        match (self.strategy.draws(), self.strategy.start()) {
            (Some((trials, _)), start) => (trials as usize).min(start.unwrap_or(usize::MAX)),
            (None, _) => self.axes.iter().map(Axis::len).fold(1, usize::saturating_mul),
        }
    }

    /// The same sweep with `init` as one more axis: each of its runs once for each of these parents.
    ///
    /// # Errors
    /// Too many runs; no runs.
    pub fn going_on_from(&self, parents: &[RunId]) -> Result<Self, SpecError> {
        let mut sweep = self.clone();
        match parents {
            [] => return Err(SpecError::Sweep("there is no run to start from".into())),
            [only] => sweep.base.init = Init::Run(*only),
            [first, ..] => {
                sweep.base.init = Init::Run(*first);
                let values = parents.iter().map(RunId::to_string).collect();
                let axis = Axis { key: "init".to_owned(), values: Values::List(values) };
                sweep.axes.insert(0, axis);
                sweep.strategy = sweep.strategy.times(parents.len() as u32);
            }
        }
        if sweep.len() > MAX_RUNS {
            return Err(SpecError::Sweep(format!(
                "it would make {} runs, and at most {MAX_RUNS} are allowed",
                sweep.len()
            )));
        }
        Ok(sweep)
    }

    /// Never true: a sweep without axes is one run.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The varied keys.
    pub fn varied(&self) -> impl Iterator<Item = &str> {
        self.axes.iter().map(|a| a.key.as_str())
    }

    /// The spec of run number `index`: pure, so that any run can be derived from the sweep alone.
    ///
    /// # Errors
    /// A value that its key refuses; `parse` checks values, but a sweep may be built without it.
    pub fn next(&self, index: usize) -> Result<RunSpec, SpecError> {
        let mut spec = self.base.clone();
        let mut rest = index;
        let is_default =
            index == 0 && matches!(self.strategy, Strategy::Tpe { defaults: true, .. });
        for (position, axis) in self.axes.iter().enumerate().rev() {
            if is_default && axis.place(&axis.told(), &self.base).is_some() {
                // A key that is varied has its default in the base.
                continue;
            }
            let text = match (self.strategy.draws(), &axis.values) {
                (None, Values::List(values)) => {
                    let text = values[rest % values.len()].clone();
                    rest /= values.len();
                    text
                }
                (Some((_, seed)), values) => {
                    draw(values, unit(seed, index as u64, position as u64), &axis.key)?
                }
                (None, _) => {
                    return Err(SpecError::Sweep(format!("`{}` needs trials=N", axis.key)));
                }
            };
            spec.set(&axis.key, &text)?;
        }
        spec.check()?;
        Ok(spec)
    }

    /// All runs, in order. Of combinations that differ only in keys which their model or task does not obey (a
    /// baseline has no learning rate) the first alone is a run.
    pub fn specs(&self) -> impl Iterator<Item = Result<RunSpec, SpecError>> {
        let mut seen = BTreeSet::new();
        (0..self.len()).map(|i| self.next(i)).filter(move |spec| {
            let Ok(spec) = spec else { return true };
            if self.varied().all(|key| spec.obeys(key)) {
                return true;
            }
            let obeyed = self.varied().filter(|key| spec.obeys(key));
            seen.insert(obeyed.map(|key| spec.get(key)).collect::<Vec<_>>())
        })
    }

    /// As [`Sweep::specs`], in a list.
    ///
    /// # Errors
    /// As [`Sweep::next`].
    pub fn expand(&self) -> Result<Vec<RunSpec>, SpecError> {
        self.specs().collect()
    }

    /// Number of runs: what [`Sweep::specs`] gives. Quick, unless random draws meet a baseline.
    pub fn runs(&self) -> usize {
        let models = self.texts("model");
        let tasks = self.texts("task");
        let kinds = models.iter().flat_map(|model| tasks.iter().map(move |task| [model, task]));
        let mut runs = 0;
        for kind in kinds {
            let mut spec = RunSpec::default();
            for (key, value) in KINDS.iter().zip(kind) {
                // `next` reports a value that its key refuses.
                let _ = spec.set(key, value);
            }
            let (obeyed, not): (Vec<_>, Vec<_>) =
                self.axes.iter().partition(|a| spec.obeys(&a.key));
            if let (Strategy::Random { .. }, false) = (self.strategy, not.is_empty()) {
                return self.specs().count();
            }
            let counted = obeyed.into_iter().filter(|a| !KINDS.contains(&a.key.as_str()));
            runs += counted.map(Axis::len).product::<usize>();
        }
        if self.strategy == Strategy::Grid { runs } else { self.len() }
    }

    /// The values that a key takes.
    fn texts(&self, key: &str) -> Vec<String> {
        match self.axes.iter().find(|a| a.key == key).map(|a| &a.values) {
            Some(Values::List(values)) => values.clone(),
            _ => vec![self.base.get(key).unwrap_or_default()],
        }
    }
}

/// The keys whose values say which others are obeyed.
const KINDS: [&str; 2] = ["model", "task"];

/// There is no such key, be it of a run or of a sweep.
fn unknown(key: &str) -> SpecError {
    let names = keys::KEYS.iter().map(|k| k.name).chain(SWEEP_KEYS.iter().map(|k| k.name));
    SpecError::UnknownKey { key: key.to_owned(), nearest: nearest(key, names) }
}

fn whole(key: &str, value: &str) -> Result<u64, SpecError> {
    value.parse().map_err(|_| SpecError::BadValue {
        key: key.to_owned(),
        value: value.to_owned(),
        why: "a whole number is expected".into(),
    })
}

fn draw(values: &Values, u: f64, key: &str) -> Result<String, SpecError> {
    let x = match values {
        Values::List(v) => return Ok(v[((u * v.len() as f64) as usize).min(v.len() - 1)].clone()),
        Values::Uniform(low, high) => low + u * (high - low),
        Values::Log(low, high) => (low.ln() + u * (high.ln() - low.ln())).exp(),
    };
    shown_draw(key, x)
}

/// A drawn number as its key takes it.
pub(super) fn shown_draw(key: &str, x: f64) -> Result<String, SpecError> {
    Ok(match keys::find(key)?.kind {
        ValueKind::Int(..) => short(x.round()),
        // Three digits are as many as a person wants to read in a table.
        _ => format!("{x:.2e}"),
    })
}

/// A number in [0, 1) that depends on nothing but its arguments: SplitMix64 (Steele et al. 2014).
fn unit(seed: u64, trial: u64, axis: u64) -> f64 {
    let mut z = seed
        .wrapping_add(trial.wrapping_mul(0x9E37_79B9_7F4A_7C15))
        .wrapping_add((axis + 1).wrapping_mul(0xD1B5_4A32_D192_ED03));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sweep(pairs: &[(&'static str, &'static str)]) -> Result<Sweep, SpecError> {
        let base = RunSpec { model: "m".into(), data: "d".into(), ..RunSpec::default() };
        Sweep::parse(base, pairs.iter().copied())
    }

    #[test]
    fn a_grid_is_cartesian_and_the_last_axis_is_fastest() {
        let s = sweep(&[("lr", "1e-5,3e-5"), ("epochs", "1,3"), ("seed", "0..2")]).unwrap();
        let runs = s.expand().unwrap();
        assert_eq!(runs.len(), 12);
        let first: Vec<_> = runs.iter().take(4).map(|r| (r.lr, r.epochs, r.seed)).collect();
        assert_eq!(first, [(1e-5, 1, 0), (1e-5, 1, 1), (1e-5, 1, 2), (1e-5, 3, 0)]);
    }

    #[test]
    fn draws_depend_on_the_seed_alone_and_stay_in_range() {
        let pairs = [("lr", "log(1e-6,1e-3)"), ("trials", "50"), ("pool", "cls,mean")];
        let runs = sweep(&pairs).unwrap().expand().unwrap();
        assert_eq!(runs, sweep(&pairs).unwrap().expand().unwrap());
        assert!(runs.iter().all(|r| (1e-6..=1e-3).contains(&r.lr)));
        assert!(runs.iter().filter(|r| r.lr < 3e-5).count() > 10);
        assert!(runs.iter().any(|r| r.pool != runs[0].pool));
    }

    #[test]
    fn a_search_begins_with_the_defaults_where_they_lie_within_its_axes() {
        let pairs = [("lr", "log(1e-6,1e-3)"), ("epochs", "7,8"), ("trials", "20")];
        let drawn = sweep(&pairs).unwrap();
        let search = sweep(&[&pairs[..], &[("search", "tpe")]].concat()).unwrap();
        let (first, usual) = (search.next(0).unwrap(), RunSpec::default());
        assert_eq!((first.lr, first.epochs), (usual.lr, drawn.next(0).unwrap().epochs));
        assert_eq!(search.next(1).unwrap(), drawn.next(1).unwrap());
        // One that an older tuneboard queued stays what it was.
        let old = Strategy::Tpe { trials: 20, seed: 0, defaults: false };
        let old = Sweep { strategy: old, ..search };
        assert_eq!(old.next(0).unwrap(), drawn.next(0).unwrap());
    }

    #[test]
    fn what_cannot_be_expanded_says_why() {
        for (pairs, want) in [
            (&[("lr", "log(1e-6,1e-3)")][..], "add trials=20"),
            (&[("lr", "1e-5,1e-5")], "listed twice"),
            (&[("seed", "5..1")], "goes upwards"),
            (&[("model", "log(1,2)")], "only keys that take numbers"),
            (&[("lr", "log(0,1)")], "above 0 for log"),
            (&[("seed", "0..9999"), ("epochs", "1..100")], "1000000 runs"),
            (&[("lrr", "1")], "did you mean `lr`"),
        ] {
            let got = sweep(pairs).unwrap_err().to_string();
            assert!(got.contains(want), "{got}");
        }
    }

    #[test]
    fn a_baseline_comes_once_whatever_varies_that_it_does_not_obey() {
        let pairs = [("model", "majority,tfidf-nb,m"), ("lr", "1e-5,3e-5"), ("split_seed", "1..3")];
        let s = sweep(&pairs).unwrap();
        let runs = s.expand().unwrap();
        assert_eq!((s.len(), runs.len(), s.runs()), (18, 12, 12));
        let of = |model: &str| runs.iter().filter(|r| r.model == model).count();
        assert_eq!(["majority", "tfidf-nb", "m"].map(of), [3, 3, 6]);
        assert_eq!((runs[0].shown("lr"), runs[11].shown("lr")), ("–".into(), "3e-5".into()));

        let drawn = [("model", "majority,m"), ("lr", "log(1e-6,1e-3)"), ("trials", "40")];
        let s = sweep(&drawn).unwrap();
        let runs = s.expand().unwrap();
        assert_eq!(runs.iter().filter(|r| r.model == "majority").count(), 1);
        assert!(runs.len() < 40 && runs.len() == s.runs());

        // A language model pools nothing.
        let pairs = [("task", "classify,lm"), ("pool", "cls,mean,max"), ("device", "cpu,auto")];
        let s = sweep(&pairs).unwrap();
        assert_eq!((s.runs(), s.expand().unwrap().len()), (8, 8));

        // Without baselines, and without axes, nothing changes.
        assert_eq!(sweep(&[("lr", "1e-5,3e-5"), ("seed", "0..4")]).unwrap().runs(), 10);
        assert_eq!(sweep(&[("model", "majority"), ("seed", "0..4")]).unwrap().runs(), 1);
        assert_eq!(sweep(&[("model", "majority")]).unwrap().expand().unwrap().len(), 1);
    }

    #[test]
    fn a_split_and_an_escaped_comma_are_single_values() {
        let s = sweep(&[("split", "0.7,0.2,0.1"), ("data", r"a\,b.csv")]).unwrap();
        assert_eq!(s.len(), 1);
        assert_eq!(s.expand().unwrap()[0].data, "a,b.csv");
    }
}

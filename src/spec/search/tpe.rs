//! The tree-structured Parzen estimator (Bergstra et al. 2011) in its joint form with a constant liar, as
//! Optuna 5.0 computes it: two mixtures of kernels, one over the good trials and one over the rest, and the
//! next trial where their ratio is largest.
//!
//! Everything here is a function of its arguments. Values are minimised.

mod domain;
mod parzen;

use std::cmp::Ordering;

use super::Draws;
pub use domain::Domain;
use parzen::Mixture;

/// How a trial stands.
#[derive(Debug, Clone, PartialEq)]
pub enum State {
    /// It ran to its end with this value. NaN counts as the worst.
    Complete(f64),
    /// It was stopped; its last report, as step and value, if there was any.
    Pruned(Option<(f64, f64)>),
    /// It has no result yet. Nobody should try the same meanwhile (constant liar).
    Running,
    /// It ended without a result. It takes no part, as if it had never been.
    Failed,
}

/// One point of the search so far. Trials are told in the order in which they began.
#[derive(Debug, Clone, PartialEq)]
pub struct Trial {
    /// One number for each parameter.
    pub point: Vec<f64>,
    /// What came of it.
    pub state: State,
}

/// Trials that are drawn at random before the estimator is asked.
pub const START: usize = 10;
/// Points that are drawn from the good mixture; the best of them is tried.
const CANDIDATES: usize = 24;
/// The good trials are at most that many.
const GOOD: usize = 25;

/// The next point to try: a random one until [`START`] trials have ended, else the best of 24 candidates
/// that were not tried before. `draws` should be seeded by the sweep's seed and the trial's number.
pub fn propose(space: &[Domain], history: &[Trial], draws: &mut Draws) -> Vec<f64> {
    let known: Vec<&Trial> = history.iter().filter(|t| t.point.len() == space.len()).collect();
    let ended = known.iter().filter(|t| is_ended(t)).count();
    if ended < START {
        return space.iter().map(|domain| domain.uniform(draws)).collect();
    }
    let (good, rest) = split(&known);
    let (good, rest) = (Mixture::new(space, &good), Mixture::new(space, &rest));
    let mut best: Option<(bool, f64, Vec<f64>)> = None;
    for _ in 0..CANDIDATES {
        let point = good.draw(draws);
        let fresh = !known.iter().any(|t| t.point == point);
        let score = good.log_density(&point) - rest.log_density(&point);
        let better = best.as_ref().is_none_or(|(f, s, _)| (fresh, score) > (*f, *s));
        if better {
            best = Some((fresh, score, point));
        }
    }
    best.map(|(_, _, point)| point).unwrap_or_default()
}

fn is_ended(trial: &Trial) -> bool {
    matches!(trial.state, State::Complete(_) | State::Pruned(_))
}

/// The good trials and the rest, each in the order of the trials. Running trials belong to the rest.
fn split<'a>(trials: &[&'a Trial]) -> (Vec<&'a Trial>, Vec<&'a Trial>) {
    let mut ended: Vec<usize> = (0..trials.len()).filter(|i| is_ended(trials[*i])).collect();
    let good = ended.len().div_ceil(10).min(GOOD);
    // The sort is stable: of equals the earlier trial is the better one.
    ended.sort_by(|a, b| rank(&trials[*a].state).cmp(&rank(&trials[*b].state)));
    ended.truncate(good);
    let (mut below, mut above) = (Vec::new(), Vec::new());
    for (i, trial) in trials.iter().copied().enumerate() {
        match trial.state {
            State::Failed => {}
            _ if ended.contains(&i) => below.push(trial),
            _ => above.push(trial),
        }
    }
    (below, above)
}

/// Complete trials by value, then pruned ones by how far they came and by their value there, then those
/// that told nothing.
fn rank(state: &State) -> (u8, Ordered, Ordered) {
    match *state {
        State::Complete(value) => (0, Ordered(value), Ordered(0.0)),
        State::Pruned(Some((step, value))) => (1, Ordered(-step), Ordered(value)),
        State::Pruned(None) | State::Running | State::Failed => (2, Ordered(0.0), Ordered(0.0)),
    }
}

/// A number with a place for NaN: behind all others.
#[derive(PartialEq)]
struct Ordered(f64);

impl Eq for Ordered {}

impl PartialOrd for Ordered {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Ordered {
    fn cmp(&self, other: &Self) -> Ordering {
        let number = self.0.partial_cmp(&other.0);
        number.unwrap_or_else(|| self.0.is_nan().cmp(&other.0.is_nan()))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::parzen::Kernels;
    use super::*;

    fn domain(json: &Value) -> Domain {
        if let Some(choices) = json["choices"].as_array() {
            return Domain::Choice(choices.len());
        }
        let number = |key: &str| json[key].as_f64().unwrap();
        let step = json["step"].as_f64();
        let log = json["log"].as_bool().unwrap();
        Domain::Number { low: number("low"), high: number("high"), log, step }
    }

    fn inner(json: &Value, spec: &Value) -> f64 {
        match spec["choices"].as_array() {
            Some(choices) => choices.iter().position(|c| c == json).unwrap() as f64,
            None => json.as_f64().unwrap(),
        }
    }

    fn near(got: &[f64], want: &Value, what: &str) {
        let want: Vec<f64> = serde_json::from_value(want.clone()).unwrap();
        assert_eq!(got.len(), want.len(), "{what}");
        for (got, want) in got.iter().zip(&want) {
            assert!((got - want).abs() <= 1e-9 * want.abs().max(1.0), "{what}: {got} {want}");
        }
    }

    /// Weights, kernels and densities of 12 histories as Optuna 5.0.0 computes them.
    #[test]
    fn densities_equal_the_reference() {
        let text = include_str!("../../../tests/fixtures/search/tpe_density.json");
        let file: Value = serde_json::from_str(text).unwrap();
        let cases = file["cases"].as_array().unwrap();
        assert!(!cases.is_empty());
        for case in cases {
            let name = case["name"].as_str().unwrap();
            let specs: Vec<(&String, &Value)> = case["space"].as_object().unwrap().iter().collect();
            let space: Vec<Domain> = specs.iter().map(|(_, spec)| domain(spec)).collect();
            let point = |params: &Value| -> Vec<f64> {
                specs.iter().map(|(key, spec)| inner(&params[key.as_str()], spec)).collect()
            };
            let trial = |t: &Value| {
                let report = t["reports"].as_array().unwrap().last();
                let number = |v: &Value| v.as_f64().unwrap();
                let state = match t["state"].as_str().unwrap() {
                    "complete" => State::Complete(number(&t["value"])),
                    "pruned" => State::Pruned(report.map(|r| (number(&r[0]), number(&r[1])))),
                    _ => State::Running,
                };
                Trial { point: point(&t["params"]), state }
            };
            let history: Vec<Trial> =
                case["history"].as_array().unwrap().iter().map(trial).collect();
            let all: Vec<&Trial> = history.iter().collect();
            let (below, above) = split(&all);
            assert_eq!(below.len() as u64, case["n_below"].as_u64().unwrap(), "{name}");
            let mut logs = Vec::new();
            for (trials, key) in [(&below, "below"), (&above, "above")] {
                let want = &case[key];
                let at = |t: &&Trial| history.iter().position(|h| std::ptr::eq(h, *t)).unwrap();
                let numbers: Vec<usize> = trials.iter().map(at).collect();
                assert_eq!(serde_json::json!(numbers), want["trials"], "{name} {key}");
                let mixture = Mixture::new(&space, trials);
                near(&mixture.weights, &want["weights"], name);
                for ((parameter, _), kernels) in specs.iter().zip(&mixture.kernels) {
                    let want = &want["kernels"][parameter.as_str()];
                    match kernels {
                        Kernels::Normal { centres, widths } => {
                            near(centres, &want["centres"], name);
                            near(widths, &want["widths"], &format!("{name} {key} {parameter}"));
                        }
                        Kernels::Choice(rows) => {
                            for (row, want) in rows.iter().zip(want["rows"].as_array().unwrap()) {
                                near(row, want, name);
                            }
                        }
                    }
                }
                let candidates = case["candidates"].as_array().unwrap().iter();
                logs.push(candidates.map(|c| mixture.log_density(&point(c))).collect::<Vec<f64>>());
            }
            near(&logs[0], &case["log_l"], name);
            near(&logs[1], &case["log_g"], name);
        }
    }

    #[test]
    fn proposals_are_a_function_of_seed_and_history_and_stay_in_range() {
        let lr = Domain::Number { low: 1e-6, high: 1e-3, log: true, step: None };
        let epochs = Domain::Number { low: 1.0, high: 5.0, log: false, step: Some(1.0) };
        let space = [lr, epochs, Domain::Choice(3)];
        let mut history: Vec<Trial> = Vec::new();
        for trial in 0..60 {
            let propose = || propose(&space, &history, &mut Draws::new(7, trial));
            let point = propose();
            assert_eq!(point, propose());
            assert!((1e-6..=1e-3).contains(&point[0]), "{point:?}");
            assert!([1.0, 2.0, 3.0, 4.0, 5.0].contains(&point[1]) && point[2] < 3.0, "{point:?}");
            let loss = (point[0].ln() - 1e-4_f64.ln()).abs() + (point[1] - 4.0).abs() + point[2];
            let state = match trial % 7 {
                3 => State::Complete(f64::NAN),
                5 => State::Failed,
                6 => State::Pruned(Some((2.0, loss))),
                _ => State::Complete(loss),
            };
            history.push(Trial { point, state });
        }
        let best = |trials: &[Trial]| {
            let value = |t: &Trial| if let State::Complete(v) = t.state { v } else { f64::NAN };
            trials.iter().map(value).fold(f64::INFINITY, f64::min)
        };
        assert!(best(&history) < best(&history[..10]));
    }
}

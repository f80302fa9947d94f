//! The tree-structured Parzen estimator (Bergstra et al. 2011) in its joint form with a constant liar, as
//! Optuna 5.0 computes it: two mixtures of kernels, one over the good trials and one over the rest, and the
//! next trial where their ratio is largest.
//!
//! Everything here is a function of its arguments. Values are minimised.

use std::cmp::Ordering;

use super::{Draws, normal};

/// What one parameter may be. A trial holds a number for each parameter: the value itself, or the place of
/// a choice.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Domain {
    /// A number between two others, both included.
    Number {
        /// The lowest.
        low: f64,
        /// The highest.
        high: f64,
        /// Whether distances count as ratios.
        log: bool,
        /// The grid that it lies on, from `low` on; `None` = any number.
        step: Option<f64>,
    },
    /// One of that many choices without an order.
    Choice(usize),
}

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
/// Trials that keep their full weight, the newest ones.
const FRESH: usize = 25;
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

impl Domain {
    /// A value, each as likely as the others.
    pub fn uniform(&self, draws: &mut Draws) -> f64 {
        match *self {
            Self::Choice(choices) => draws.below(choices) as f64,
            Self::Number { .. } => {
                let (low, high) = self.span();
                self.value(low + draws.unit() * (high - low))
            }
        }
    }

    /// The ends of the span that kernels live on: half a step beyond the ends, in log space where
    /// distances are ratios.
    fn span(&self) -> (f64, f64) {
        match *self {
            Self::Number { low, high, log, step } => {
                let half = step.unwrap_or(0.0) / 2.0;
                let place = |x: f64| if log { x.ln() } else { x };
                (place(low - half), place(high + half))
            }
            Self::Choice(_) => (0.0, 1.0),
        }
    }

    /// A value's place in the span.
    fn place(&self, value: f64) -> f64 {
        if matches!(self, Self::Number { log: true, .. }) { value.ln() } else { value }
    }

    /// The value at a place: on the grid and within the ends.
    fn value(&self, place: f64) -> f64 {
        match *self {
            Self::Number { low, high, log, step } => {
                let x = if log { place.exp() } else { place };
                let x = step.map_or(x, |step| low + ((x - low) / step).round() * step);
                x.clamp(low, high)
            }
            Self::Choice(_) => place,
        }
    }
}

/// One mixture over whole points. A trial's kernel is the product of its parameters' kernels; the last
/// kernel is the prior, which is flat or nearly so.
#[derive(Debug)]
struct Mixture<'a> {
    space: &'a [Domain],
    /// Of each kernel; they sum to 1.
    weights: Vec<f64>,
    /// Of each parameter.
    kernels: Vec<Kernels>,
}

/// The kernels of one parameter, one for each trial and the prior last.
#[derive(Debug)]
enum Kernels {
    /// Normal distributions, cut off at the ends of the span.
    Normal { centres: Vec<f64>, widths: Vec<f64> },
    /// The probability of each choice.
    Choice(Vec<Vec<f64>>),
}

impl<'a> Mixture<'a> {
    fn new(space: &'a [Domain], trials: &[&Trial]) -> Self {
        let mut weights = weights(trials.len());
        weights.push(1.0);
        let sum: f64 = weights.iter().sum();
        for weight in &mut weights {
            *weight /= sum;
        }
        let kernels = space.iter().enumerate().map(|(i, domain)| {
            let values: Vec<f64> = trials.iter().map(|t| t.point[i]).collect();
            match domain {
                Domain::Choice(choices) => Kernels::Choice(rows(&values, *choices)),
                Domain::Number { .. } => normals(domain, &values),
            }
        });
        Self { space, weights, kernels: kernels.collect() }
    }

    /// The logarithm of the density (of the probability, for what lies on a grid or is a choice).
    fn log_density(&self, point: &[f64]) -> f64 {
        let mut logs: Vec<f64> = self.weights.iter().map(|w| w.ln()).collect();
        for ((domain, kernels), value) in self.space.iter().zip(&self.kernels).zip(point) {
            for (log, kernel) in logs.iter_mut().zip(kernels.log_densities(domain, *value)) {
                *log += kernel;
            }
        }
        let most = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        if most == f64::NEG_INFINITY {
            return most;
        }
        most + logs.iter().map(|log| (log - most).exp()).sum::<f64>().ln()
    }

    fn draw(&self, draws: &mut Draws) -> Vec<f64> {
        let component = draws.weighted(&self.weights);
        let parameters = self.space.iter().zip(&self.kernels);
        parameters.map(|(domain, kernels)| kernels.draw(component, domain, draws)).collect()
    }
}

/// Of so many trials: the newest 25 count in full, the older ones less, the oldest least.
fn weights(trials: usize) -> Vec<f64> {
    let old = trials.saturating_sub(FRESH);
    let lowest = 1.0 / trials.max(1) as f64;
    let ramp = |i: usize| match old {
        1 => lowest,
        _ => lowest + (1.0 - lowest) * i as f64 / (old - 1) as f64,
    };
    (0..trials).map(|i| if i < old { ramp(i) } else { 1.0 }).collect()
}

/// A trial's own choice is likelier than the others, the more so the more trials there are.
fn rows(values: &[f64], choices: usize) -> Vec<Vec<f64>> {
    let share = 1.0 / (values.len() + 1) as f64;
    let sum = 1.0 + share * choices as f64;
    let row = |value: &f64| -> Vec<f64> {
        let own = |choice: usize| if choice as f64 == *value { 1.0 } else { 0.0 };
        (0..choices).map(|choice| (share + own(choice)) / sum).collect()
    };
    let prior = vec![1.0 / choices as f64; choices];
    values.iter().map(row).chain([prior]).collect()
}

/// Each width is the larger of the gaps to the neighbours, within bounds that depend on how many there are.
fn normals(domain: &Domain, values: &[f64]) -> Kernels {
    let (low, high) = domain.span();
    let mut centres: Vec<f64> = values.iter().map(|value| domain.place(*value)).collect();
    let count = centres.len();
    let mut order: Vec<usize> = (0..count).collect();
    order.sort_by(|a, b| centres[*a].total_cmp(&centres[*b]));
    let mut widths = vec![0.0; count];
    for (at, i) in order.iter().enumerate() {
        let centre = centres[*i];
        let before = if at == 0 { low } else { centres[order[at - 1]] };
        let after = order.get(at + 1).map_or(high, |next| centres[*next]);
        let (left, right) = (centre - before, after - centre);
        widths[*i] = match at {
            0 if count > 1 => right,
            _ if count > 1 && at + 1 == count => left,
            _ => left.max(right),
        };
    }
    let span = high - low;
    let least = span / (count as f64 + 2.0).min(100.0);
    for width in &mut widths {
        *width = width.clamp(least, span);
    }
    centres.push(f64::midpoint(low, high));
    widths.push(span);
    Kernels::Normal { centres, widths }
}

impl Kernels {
    /// Of one value under each kernel.
    fn log_densities(&self, domain: &Domain, value: f64) -> Vec<f64> {
        match self {
            Self::Choice(rows) => {
                let of =
                    |row: &Vec<f64>| row.get(value as usize).map_or(f64::NEG_INFINITY, |p| p.ln());
                rows.iter().map(of).collect()
            }
            Self::Normal { centres, widths } => {
                let (low, high) = domain.span();
                let x = domain.place(value);
                let cell = match *domain {
                    Domain::Number { log, step: Some(step), .. } => {
                        let place = |x: f64| if log { x.ln() } else { x };
                        Some((place(value - step / 2.0), place(value + step / 2.0)))
                    }
                    Domain::Number { .. } | Domain::Choice(_) => None,
                };
                let of = |(centre, width): (&f64, &f64)| {
                    let z = |x: f64| (x - centre) / width;
                    let whole = normal::log_mass(z(low), z(high));
                    let own = match cell {
                        Some((from, to)) => normal::log_mass(z(from), z(to)),
                        None => normal::log_density(z(x)) - width.ln(),
                    };
                    own - whole
                };
                centres.iter().zip(widths).map(of).collect()
            }
        }
    }

    /// A value from one kernel.
    fn draw(&self, component: usize, domain: &Domain, draws: &mut Draws) -> f64 {
        match self {
            Self::Choice(rows) => draws.weighted(&rows[component]) as f64,
            Self::Normal { centres, widths } => {
                let (low, high) = domain.span();
                // The centre lies in the span and the width is at most the span: every third draw or more
                // stays within it.
                for _ in 0..1000 {
                    let x = centres[component] + widths[component] * draws.normal();
                    if (low..=high).contains(&x) {
                        return domain.value(x);
                    }
                }
                domain.value(centres[component])
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

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

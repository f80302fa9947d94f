//! From the axes of a sweep to the numbers of a search, and back.

use super::keys::{self, ValueKind};
use super::search::Draws;
use super::search::tpe::{self, Domain, State, Trial};
use super::sweep::shown_draw;
use super::{Axis, RunSpec, SpecError, Strategy, Sweep, Values};

impl Sweep {
    /// The spec of trial number `index`, given the trials before it in the order in which they were queued. A
    /// function of its arguments: the same history gives the same spec.
    ///
    /// # Errors
    /// A value that its key refuses; `parse` has checked them, a hand-made sweep may not have been.
    pub fn propose(
        &self,
        index: usize,
        history: &[(RunSpec, State)],
    ) -> Result<RunSpec, SpecError> {
        if self.strategy.start().is_none_or(|start| index < start) {
            return self.next(index);
        }
        let space: Vec<Domain> = self.axes.iter().map(domain).collect();
        let told: Vec<Vec<String>> = self.axes.iter().map(Axis::told).collect();
        let trial = |(spec, state): &(RunSpec, State)| {
            let places = self.axes.iter().zip(&told).map(|(axis, told)| axis.place(told, spec));
            let point: Option<Vec<f64>> = places.collect();
            // A run that somebody added with other values has no place in the space.
            point.map(|point| Trial { point, state: state.clone() })
        };
        let history: Vec<Trial> = history.iter().filter_map(trial).collect();
        let point = match self.strategy {
            Strategy::Tpe { seed, .. } => {
                tpe::propose(&space, &history, &mut Draws::new(seed, index as u64))
            }
            Strategy::Grid | Strategy::Random { .. } => return self.next(index),
        };
        let mut spec = self.base.clone();
        for (axis, x) in self.axes.iter().zip(point) {
            let text = match &axis.values {
                Values::List(values) => values.get(x as usize).cloned().unwrap_or_default(),
                Values::Uniform(..) | Values::Log(..) => shown_draw(&axis.key, x)?,
            };
            spec.set(&axis.key, &text)?;
        }
        spec.check()?;
        Ok(spec)
    }
}

/// A list of numbers is searched by its order, a list of words without one.
fn domain(axis: &Axis) -> Domain {
    let is_whole = keys::find(&axis.key).is_ok_and(|key| matches!(key.kind, ValueKind::Int(..)));
    let step = is_whole.then_some(1.0);
    // The same whole numbers that a random draw rounds to.
    let end = |x: f64| if is_whole { x.round() } else { x };
    match &axis.values {
        Values::Log(low, high) => {
            Domain::Number { low: end(*low), high: end(*high), log: true, step }
        }
        Values::Uniform(low, high) => {
            Domain::Number { low: end(*low), high: end(*high), log: false, step }
        }
        Values::List(values) if values.iter().all(|value| value.parse::<f64>().is_ok()) => {
            let high = values.len().saturating_sub(1) as f64;
            Domain::Number { low: 0.0, high, log: false, step: Some(1.0) }
        }
        Values::List(values) => Domain::Choice(values.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sweep() -> Sweep {
        let base = RunSpec { model: "m".into(), data: "d".into(), ..RunSpec::default() };
        let pairs = [
            ("lr", "log(1e-6,1e-3)"),
            ("batch_size", "8,16,32"),
            ("pool", "cls,mean"),
            ("epochs", "uniform(1,4)"),
            ("trials", "40"),
            ("search", "tpe"),
        ];
        Sweep::parse(base, pairs).unwrap()
    }

    /// A made-up loss: best at lr 1e-4 with the largest batch and pool=mean.
    fn loss(spec: &RunSpec) -> f64 {
        (spec.lr / 1e-4).ln().abs()
            + 32.0 / f64::from(spec.batch_size)
            + f64::from(u8::from(spec.get("pool").unwrap() != "mean"))
    }

    #[test]
    fn a_search_comes_closer_than_its_random_start_and_can_be_replayed() {
        let sweep = sweep();
        let mut history: Vec<(RunSpec, State)> = Vec::new();
        for index in 0..40 {
            let spec = sweep.propose(index, &history).unwrap();
            assert_eq!(spec, sweep.propose(index, &history).unwrap());
            assert!((1e-6..=1e-3).contains(&spec.lr) && [8, 16, 32].contains(&spec.batch_size));
            let state = State::Complete(loss(&spec));
            history.push((spec, state));
        }
        let best = |runs: &[(RunSpec, State)]| {
            runs.iter().map(|(spec, _)| loss(spec)).fold(f64::INFINITY, f64::min)
        };
        assert!(best(&history) < best(&history[..tpe::START]) - 0.1);
    }

    #[test]
    fn runs_with_other_values_take_no_part() {
        let sweep = sweep();
        let mut history: Vec<(RunSpec, State)> = (0..12)
            .map(|index| {
                let spec = sweep.propose(index.min(9), &[]).unwrap();
                let state = State::Complete(loss(&spec));
                (spec, state)
            })
            .collect();
        let before = sweep.propose(12, &history).unwrap();
        let foreign = RunSpec { batch_size: 64, ..history[0].0.clone() };
        history.insert(3, (foreign, State::Complete(-9.0)));
        assert_eq!(sweep.propose(12, &history).unwrap(), before);
    }
}

//! The figures of each run and their distance from the baseline's.

use std::collections::BTreeSet;

use serde::Serialize;

use super::Entry;
use crate::spec::counts_as_best;
use crate::spec::metrics::{self, Better};
use crate::store::Curve;

/// A value and where it was reached.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Extreme {
    /// The value, finite.
    pub value: f64,
    /// Epochs done by then, with a fraction.
    pub epoch: f64,
}

/// Whether a difference is to the good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// It is.
    Better,
    /// It is not.
    Worse,
    /// There is none.
    Same,
}

/// One metric of one run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Figures {
    /// The latest value; may be NaN.
    pub last: f64,
    /// The lowest or the highest, whichever is better; `None` if no value was finite.
    pub best: Option<Extreme>,
    /// The lowest.
    pub min: Option<Extreme>,
    /// The highest.
    pub max: Option<Extreme>,
    /// Best minus the baseline's best.
    pub delta: Option<f64>,
    /// What that means; `None` where there is no better and worse (a learning rate).
    pub change: Option<Change>,
}

/// One metric of all runs.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricRow {
    /// Its full name.
    pub name: String,
    /// Its figures in each run; `None` for one without them.
    pub figures: Vec<Option<Figures>>,
}

/// Every metric that any of the runs has, by name.
pub(super) fn metrics(entries: &[Entry], baseline: usize) -> Vec<MetricRow> {
    let names: BTreeSet<&String> = entries.iter().flat_map(|e| e.curves.keys()).collect();
    let row = |name: &String| {
        let one = |entry: &Entry| entry.curves.get(name).and_then(|curve| figures(name, curve));
        let mut all: Vec<Option<Figures>> = entries.iter().map(one).collect();
        let base = all.get(baseline).copied().flatten().and_then(|f| f.best);
        for (i, figures) in all.iter_mut().enumerate() {
            if let (Some(figures), true) = (figures, i != baseline) {
                figures.delta = figures.best.zip(base).map(|(own, base)| own.value - base.value);
                figures.change = figures.delta.and_then(|delta| change(name, delta));
            }
        }
        MetricRow { name: name.clone(), figures: all }
    };
    names.into_iter().map(row).collect()
}

fn figures(name: &str, curve: &Curve) -> Option<Figures> {
    let points = curve.value.iter().zip(&curve.epoch);
    let mut points: Vec<_> = points.filter(|(_, e)| counts_as_best(name, **e)).collect();
    if points.is_empty() {
        points = curve.value.iter().zip(&curve.epoch).collect();
    }
    let last = points.last().map(|(value, _)| **value)?;
    let (mut min, mut max) = (None::<Extreme>, None::<Extreme>);
    for (value, epoch) in points.into_iter().filter(|(v, _)| v.is_finite()) {
        let here = Extreme { value: *value, epoch: *epoch };
        // The first of equal values stays, as in the run's list of best values.
        min = min.filter(|m| m.value <= *value).or(Some(here));
        max = max.filter(|m| m.value >= *value).or(Some(here));
    }
    let best = if metrics::higher_is_better(name) { max } else { min };
    Some(Figures { last, best, min, max, delta: None, change: None })
}

fn change(name: &str, delta: f64) -> Option<Change> {
    match (metrics::better(name), delta) {
        (Better::Neither, _) => None,
        (_, 0.0) => Some(Change::Same),
        (better, d) if (d > 0.0) == (better == Better::High) => Some(Change::Better),
        _ => Some(Change::Worse),
    }
}

//! Forecasts time and memory of a run from past runs of the same model.

use std::cmp::Reverse;

use crate::spec::metrics::train;
use crate::spec::{Outcome, RunId, RunSpec, RunState};
use crate::store::{Millis, Run};

/// Time and memory of one run, as its nearest neighbours among the past runs suggest.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Forecast {
    /// Milliseconds from start to end; `None` if no neighbour has rows and times.
    pub millis: Option<Millis>,
    /// Peak memory in bytes, of the nearest neighbour that has it.
    pub memory: Option<f64>,
    /// Past runs it was made from.
    pub runs: usize,
    /// The nearest of them.
    pub nearest: RunId,
    /// True if the nearest one has the same batch size, text length and number format.
    pub is_alike: bool,
}

/// The forecast for a spec with `rows` training rows (`None` = as many as its neighbours have). `past` may
/// hold any runs; those of the same model that ended well count. `None` without any.
///
/// Time is the median over the neighbours of milliseconds per training row seen, times rows and epochs.
pub fn forecast(spec: &RunSpec, rows: Option<u64>, past: &[Run]) -> Option<Forecast> {
    let is_known =
        |run: &&Run| run.spec.model == spec.model && run.state == RunState::Ended(Outcome::Done);
    let mut known: Vec<&Run> = past.iter().filter(is_known).collect();
    // The more of what decides the cost of a step agrees, the nearer; newer ones first among equals.
    known.sort_by_key(|run| (Reverse(likeness(spec, &run.spec)), Reverse(run.id)));
    let nearest = *known.first()?;
    let best = likeness(spec, &nearest.spec);
    let peers: Vec<&Run> =
        known.iter().copied().filter(|run| likeness(spec, &run.spec) == best).collect();
    let mut per_row: Vec<f64> = peers.iter().filter_map(|run| per_row(run)).collect();
    per_row.sort_by(f64::total_cmp);
    let rows = rows.or_else(|| Some(nearest.facts.as_ref()?.rows[0])).filter(|n| *n > 0);
    let millis = per_row
        .get(per_row.len() / 2)
        .zip(rows)
        .map(|(each, rows)| (each * rows as f64 * f64::from(spec.epochs)) as Millis);
    Some(Forecast {
        millis,
        memory: known.iter().find_map(|run| memory(run)),
        runs: peers.len(),
        nearest: nearest.id,
        is_alike: (spec.batch_size, spec.max_length, spec.precision)
            == (nearest.spec.batch_size, nearest.spec.max_length, nearest.spec.precision),
    })
}

fn likeness(a: &RunSpec, b: &RunSpec) -> u32 {
    [
        (a.data == b.data, 1),
        (a.batch_size == b.batch_size, 4),
        (a.max_length == b.max_length, 4),
        (a.precision == b.precision, 2),
        (a.unfreeze == b.unfreeze, 4),
        (a.device == b.device, 2),
    ]
    .into_iter()
    .map(|(same, weight)| if same { weight } else { 0 })
    .sum()
}

/// Milliseconds per training row and epoch, evaluations and test included, of a run that was never
/// interrupted: what a killed attempt has to do over would count twice.
fn per_row(run: &Run) -> Option<f64> {
    let rows = run.facts.as_ref()?.rows[0] as f64;
    let took = run.device_time? as f64;
    (run.attempt == 1 && rows > 0.0 && run.epoch > 0.0 && took > 0.0)
        .then(|| took / rows / run.epoch)
}

fn memory(run: &Run) -> Option<f64> {
    if let Some(peak) = run.last.get(train::PEAK_MEMORY) {
        return Some(*peak);
    }
    // An older trainer's run.
    let found = run.best.iter().chain(&run.last).filter(|(name, _)| name.ends_with("memory_bytes"));
    found.map(|(_, bytes)| *bytes).filter(|b| b.is_finite() && *b > 0.0).reduce(f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::Started;

    fn past(id: u32, batch_size: u32, seconds: i64) -> Run {
        let spec = RunSpec { model: "minilm".into(), batch_size, ..RunSpec::default() };
        let facts = Started { rows: [1000, 100, 100], ..Started::default() };
        Run {
            state: RunState::Ended(Outcome::Done),
            started: Some(1000),
            ended: Some(1000 + seconds * 1000),
            device_time: Some(seconds * 1000),
            attempt: 1,
            epoch: 2.0,
            facts: Some(facts),
            last: [("train/step_memory_bytes".to_owned(), 5e8)].into(),
            ..Run::example(id, spec)
        }
    }

    #[test]
    fn time_grows_with_rows_and_epochs_and_comes_from_the_most_alike() {
        let runs = [past(1, 8, 900), past(2, 32, 20), past(3, 32, 40), past(4, 32, 60)];
        let spec = RunSpec { epochs: 4, ..runs[1].spec.clone() };
        let f = forecast(&spec, Some(500), &runs).unwrap();
        // 40 s for 2 epochs of 1,000 rows = 20 ms a row.
        assert_eq!((f.millis, f.runs, f.nearest, f.is_alike), (Some(40_000), 3, RunId(4), true));
        assert_eq!(f.memory, Some(5e8));
        let mut measured = runs.clone();
        measured[3].last.insert("train/peak_memory_bytes".into(), 4e8);
        let f = forecast(&spec, Some(500), &measured).unwrap();
        assert_eq!(f.memory, Some(4e8), "its own memory, not the whole device's");
        let other = RunSpec { batch_size: 64, ..spec };
        let f = forecast(&other, None, &runs).unwrap();
        assert!(!f.is_alike && f.millis.is_some());
    }

    #[test]
    fn without_a_past_run_of_the_model_there_is_no_forecast() {
        let spec = RunSpec { model: "gpt2".into(), ..RunSpec::default() };
        assert_eq!(forecast(&spec, Some(10), &[past(1, 32, 20)]), None);
        let mut failed = past(1, 32, 20);
        failed.state = RunState::Ended(Outcome::Stopped);
        assert_eq!(forecast(&failed.spec.clone(), None, &[failed]), None);
    }
}

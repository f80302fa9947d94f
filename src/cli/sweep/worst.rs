use crate::analysis::forecast::forecast;
use crate::board::Board;
use crate::cli::error::CliError;
use crate::cli::figures::{self, counted, duration};
use crate::cli::verb;
use crate::spec::{CONFIRM_SEEDS, EvalEvery, RunSpec, Sweep};
use crate::store::{Listing, Run};

/// Past runs that a forecast is made from.
const PAST: usize = 60;

/// What a sweep may come to: when its runs are judged, and how long all of it takes where nothing is pruned.
pub struct Worst {
    /// Of the first run: evaluations by rung.
    pub rungs: Vec<Rung>,
    /// Milliseconds on one device, where there are past runs to tell by.
    millis: Option<i64>,
    runs: usize,
}

/// A rung of a run.
#[derive(serde::Serialize)]
pub struct Rung {
    rung: u32,
    epoch: f64,
}

impl Worst {
    /// Of a sweep whose first runs are these.
    pub fn of(board: &Board, sweep: &Sweep, specs: &[RunSpec]) -> Result<Self, CliError> {
        let confirmed = (sweep.plan.confirm * CONFIRM_SEEDS) as usize;
        let runs = sweep.planned() + confirmed;
        let rungs = specs.first().map(|spec| rungs(sweep, spec)).unwrap_or_default();
        let mut worst = Self { rungs, millis: None, runs };
        // A dry run makes no database.
        if !board.database().exists() || specs.is_empty() {
            return Ok(worst);
        }
        let reader = verb::reader(board)?;
        let listing =
            Listing { states: vec!["done".to_owned()], descending: true, ..Listing::default() };
        let past: Vec<Run> = reader.runs(&reader.first_ids(&listing, PAST)?)?;
        let known: Vec<i64> =
            specs.iter().filter_map(|spec| forecast(spec, None, &past)?.millis).collect();
        if known.len() == specs.len() {
            // The runs that are not chosen yet are taken to be like the first ones.
            let mean = known.iter().sum::<i64>() as f64 / known.len() as f64;
            worst.millis = Some((mean * runs as f64) as i64);
        }
        Ok(worst)
    }

    /// The same in hours.
    pub fn hours(&self) -> Option<f64> {
        self.millis.map(|millis| millis as f64 / 3_600_000.0)
    }

    /// For people.
    pub fn lines(&self, sweep: &Sweep) -> Vec<String> {
        let mut lines = Vec::new();
        if let Some(rule) = sweep.plan.prune {
            let epochs: Vec<String> =
                self.rungs.iter().map(|rung| figures::epoch(rung.epoch)).collect();
            lines.push(match epochs.as_slice() {
                [] => "No run is judged: none has an evaluation between half an epoch and its end."
                    .into(),
                _ => format!(
                    "From the fifth run on, the best one in {} goes on after epoch {}.",
                    rule.eta,
                    epochs.join(", ")
                ),
            });
        }
        if sweep.plan.confirm > 0 {
            let (best, runs) = (sweep.plan.confirm, sweep.plan.confirm * CONFIRM_SEEDS);
            lines.push(format!(
                "Then the best {} run again on {CONFIRM_SEEDS} fresh seeds: {}.",
                counted(best as usize, "setting"),
                counted(runs as usize, "run")
            ));
        }
        if let Some(until) = sweep.plan.until {
            lines.push(format!("No further trial starts after {until}."));
        }
        if let Some(millis) = self.millis.filter(|_| self.runs > 1) {
            let runs = counted(self.runs, "run");
            lines.push(format!("At worst {} on one device for {runs}.", duration(millis)));
        }
        lines
    }
}

/// The rungs of a run, as far as its evaluations are known before it has run.
fn rungs(sweep: &Sweep, spec: &RunSpec) -> Vec<Rung> {
    let Some(rule) = sweep.plan.prune else { return Vec::new() };
    let epochs = spec.planned_epochs();
    let per_epoch = match spec.eval_every {
        EvalEvery::Epoch => 1,
        EvalEvery::Share(share) => (1.0 / share).ceil() as u32,
        // How many steps an epoch has is not known yet.
        EvalEvery::Auto | EvalEvery::Steps(_) => EvalEvery::LEAST.div_ceil(epochs.max(1)),
    };
    let all = per_epoch * epochs;
    let epoch = |(at, rung)| Rung { rung, epoch: f64::from(at) / f64::from(per_epoch) };
    rule.rungs(all, epochs).into_iter().map(epoch).collect()
}

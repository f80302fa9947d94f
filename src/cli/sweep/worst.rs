use crate::analysis::forecast::forecast;
use crate::board::Board;
use crate::cli::error::CliError;
use crate::cli::figures::{counted, duration};
use crate::cli::verb;
use crate::spec::{RunSpec, Sweep};
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
        let runs = sweep.planned() + sweep.confirming();
        let rungs = specs.first().map(|spec| sweep.plan.rungs(spec)).unwrap_or_default();
        let rungs = rungs.into_iter().map(|(rung, epoch)| Rung { rung, epoch }).collect();
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
    pub fn lines(&self, sweep: &Sweep, spec: Option<&RunSpec>) -> Vec<String> {
        let mut lines =
            spec.map(|spec| sweep.plan.sentences(spec, sweep.held_out())).unwrap_or_default();
        if let Some(millis) = self.millis.filter(|_| self.runs > 1) {
            let runs = counted(self.runs, "run");
            lines.push(format!("At worst {} on one device for {runs}.", duration(millis)));
        }
        lines
    }
}

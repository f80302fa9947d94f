//! What a sweep says as a whole, for scripts.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};

use super::rungs;
use crate::analysis::groups::Spread;
use crate::analysis::sizes;
use crate::analysis::sweeps::{
    self, Confirmation, Confirmed, Effect, Lead, Pooled, Setting, SweepFacts, SweepReport,
};
use crate::cli::pruning;
use crate::events::Number;
use crate::spec::{Plan, SweepId};
use crate::store::{Millis, Run};

/// `show s3 --analysis --json`; docs/json.md.
#[derive(Debug, Serialize)]
pub struct Analysis<'a> {
    sweep: String,
    name: &'a str,
    metric: &'a str,
    axes: &'a [String],
    /// 0 without cross-validation.
    folds: u32,
    /// None of folds: one is no better than another.
    best: Option<String>,
    gpu_hours: f64,
    cpu_hours: f64,
    settings: Vec<Value>,
    effects: Vec<Value>,
    grid: Option<Value>,
    runs: Vec<Value>,
    plan: &'a Plan,
    planned: usize,
    rungs: Vec<Value>,
    pruning: Option<Value>,
    confirmation: Option<Value>,
}

impl<'a> Analysis<'a> {
    /// What a sweep says, its settings with what their held-out folds say together.
    pub fn of(id: SweepId, facts: &'a SweepFacts, pooled: &[Option<Pooled>]) -> Self {
        let report = &facts.report;
        let best = sweeps::best_run(&facts.runs, report.lower, |run| facts.score(run));
        Self {
            sweep: id.to_string(),
            name: &facts.name,
            metric: facts.metric(),
            axes: &report.axes,
            folds: facts.runs.first().map_or(0, |run| run.spec.folds),
            best: best.filter(|_| !facts.are_folds()).map(|run| run.id.to_string()),
            gpu_hours: in_hours(report.gpu),
            cpu_hours: in_hours(report.cpu),
            settings: (0..)
                .zip(&report.settings)
                .map(|(at, s)| setting(report, s, pooled.get(at).and_then(Option::as_ref)))
                .collect(),
            effects: report.effects.iter().map(effect).collect(),
            grid: (report.axes.len() > 1).then(|| grid(report)),
            runs: facts.runs.iter().rev().map(|run| one(facts, run)).collect(),
            plan: &facts.plan,
            planned: facts.planned,
            rungs: rungs::object(facts),
            pruning: facts.pruning.as_ref().map(pruning::object),
            confirmation: facts
                .confirmation
                .as_ref()
                .map(|found| confirmation(&report.axes, found)),
        }
    }
}

fn setting(report: &SweepReport, setting: &Setting, pooled: Option<&Pooled>) -> Value {
    let values: BTreeMap<&String, &String> = report.axes.iter().zip(&setting.values).collect();
    json!({
        "values": values,
        "runs": setting.runs.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "score": setting.score,
        "seconds": setting.cost.map(|ms| ms as f64 / 1000.0),
        "per_hour": sweeps::per_hour(report, setting),
        "trainable_parameters": setting.trainable,
        "peak_memory_bytes": setting.memory,
        "pareto": setting.is_on_front,
        "pooled": pooled.map(|p| {
            let figures = p.figures.iter().map(|(name, x)| (*name, Number(*x)));
            json!({ "rows": p.rows, "folds": p.folds, "figures": figures.collect::<BTreeMap<_, _>>() })
        }),
    })
}

fn confirmation(axes: &[String], found: &Confirmation) -> Value {
    let one = |setting: &Confirmed| {
        let values: BTreeMap<&String, &String> = axes.iter().zip(&setting.values).collect();
        json!({
            "values": values,
            "runs": setting.runs.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "score": setting.score,
            "test": setting.test,
        })
    };
    json!({
        "settings": found.settings.iter().map(one).collect::<Vec<_>>(),
        "open": found.open,
        "p": found.lead.as_ref().map(Lead::p),
        "real": found.lead.as_ref().map(Lead::is_real),
        "winner": found.winner().map(one),
    })
}

fn effect(effect: &Effect) -> Value {
    let level = |(value, score): &(String, Spread)| json!({ "value": value, "score": score });
    let levels: Vec<Value> = effect.levels.iter().map(level).collect();
    json!({ "key": effect.key, "share": effect.share, "share_sd": effect.share_sd, "levels": levels })
}

fn grid(report: &SweepReport) -> Value {
    let (rows, columns, means) = sweeps::grid(report, 0, 1);
    let row = |i: usize| -> Vec<Option<f64>> {
        (0..columns.len()).map(|j| means.get(&(i, j)).copied()).collect()
    };
    let mean: Vec<_> = (0..rows.len()).map(row).collect();
    json!({ "rows": rows, "columns": columns, "mean": mean })
}

fn one(facts: &SweepFacts, run: &Run) -> Value {
    let time = sweeps::cost(run);
    json!({
        "id": run.id.to_string(),
        "state": run.state.word(),
        "seed": run.spec.seed,
        "fold": (run.spec.fold > 0).then_some(run.spec.fold),
        "score": facts.score(run).filter(|x| x.is_finite()),
        "part": run.part.word(),
        "seconds": time.map(|ms| ms as f64 / 1000.0),
        "device_hours": time.map(in_hours),
        "device": run.placement.as_ref().map(|p| p.device.as_str()),
        "trainable_parameters": sizes::trainable(run),
        "peak_memory_bytes": sizes::memory(run),
    })
}

/// Milliseconds in hours.
pub fn in_hours(time: Millis) -> f64 {
    time as f64 / 3_600_000.0
}

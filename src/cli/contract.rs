//! The JSON of `ls --json` and `show ID --json`. Scripts rely on it: fields are added, never
//! renamed, removed or given another meaning.

use std::collections::BTreeMap;

use serde::Serialize;

use super::figures::rfc3339;
use crate::analysis::compare::{Change, Figures};
use crate::analysis::confusion::{ClassFigures, Matrix};
use crate::analysis::sizes;
use crate::events::{Number, Started};
use crate::spec::{Flag, Outcome, RunId, RunSpec, RunState};
use crate::store::{Confusion, Curve, Pass, Reader, Run, StoreError};

/// One run of a list.
#[derive(Debug, Serialize)]
pub struct RunObject<'a> {
    id: String,
    name: &'a str,
    /// `queued`, `starting`, `running`, `stopping` or `ended`.
    state: &'static str,
    /// `done`, `failed`, `stopped`, `pruned` or `lost`, once it has ended.
    outcome: Option<&'static str>,
    spec: &'a RunSpec,
    /// Epochs done, with a fraction.
    epoch: f64,
    epochs: u32,
    last: BTreeMap<&'a str, Number>,
    best: BTreeMap<&'a str, Number>,
    created: Option<String>,
    started: Option<String>,
    ended: Option<String>,
    /// On a device, over all attempts.
    device_seconds: Option<f64>,
    /// What went wrong in it: `diverged`, `nan`, `one_class`, `below_majority`.
    flags: &'a [Flag],
    /// The pass over a split that it is in.
    pass: Option<Pass>,
    site: Option<&'a str>,
    sweep: Option<String>,
    /// In its sweep: `trial`, `spared` (pruned, and let go on) or `confirmation`.
    part: &'static str,
    /// Where and why it was pruned.
    pruned: Option<Pruned<'a>>,
    tags: &'a [String],
    /// Weights that learn.
    trainable_parameters: Option<u64>,
    /// The most memory that it took.
    peak_memory_bytes: Option<u64>,
}

impl<'a> RunObject<'a> {
    /// What scripts see of a run.
    pub fn new(run: &'a Run) -> Self {
        let numbers = |map: &'a BTreeMap<String, f64>| {
            map.iter().map(|(name, x)| (name.as_str(), Number(*x))).collect()
        };
        Self {
            id: run.id.to_string(),
            name: &run.name,
            state: run.state.word(),
            outcome: run.state.outcome().map(Outcome::word),
            spec: &run.spec,
            epoch: run.epoch,
            epochs: run.spec.planned_epochs(),
            last: numbers(&run.last),
            best: numbers(&run.best),
            created: rfc3339(run.created),
            started: run.started.and_then(rfc3339),
            ended: run.ended.and_then(rfc3339),
            device_seconds: run.device_time.map(|ms| ms as f64 / 1000.0),
            flags: &run.flags,
            pass: run.pass.filter(|_| run.state == RunState::Running),
            site: run.placement.as_ref().map(|p| p.site.as_str()),
            sweep: run.sweep.map(|s| s.to_string()),
            part: run.part.word(),
            pruned: pruned(run),
            tags: &run.tags,
            trainable_parameters: sizes::trainable(run),
            peak_memory_bytes: sizes::memory(run),
        }
    }
}

/// Where and why a run was pruned.
#[derive(Debug, Serialize)]
pub struct Pruned<'a> {
    /// Eighths of its schedule that were done.
    rung: u32,
    epoch: Option<f64>,
    metric: &'a str,
    value: Option<f64>,
    /// What would have been good enough.
    threshold: Option<f64>,
    /// Its place among the runs at the rung, from 1.
    rank: u32,
    of: u32,
}

fn pruned(run: &Run) -> Option<Pruned<'_>> {
    let Some(Outcome::Pruned(at)) = run.state.outcome() else { return None };
    let number = |text: &String| text.parse().ok().filter(|x: &f64| x.is_finite());
    Some(Pruned {
        rung: at.rung,
        epoch: number(&at.epoch),
        metric: &at.metric,
        value: number(&at.value),
        threshold: number(&at.threshold),
        rank: at.rank,
        of: at.of,
    })
}

/// Where a run comes from and what came of it.
#[derive(Debug, Default)]
pub struct Kin {
    /// The run it starts from, and its state.
    pub parent: Option<(RunId, String)>,
    /// True as long as it waits for that run to be done.
    pub waits: bool,
    /// The runs that start from it.
    pub children: Vec<RunId>,
}

impl Kin {
    /// As the database knows it.
    pub fn of(reader: &Reader, run: &Run) -> Result<Self, StoreError> {
        let mut kin = Self { children: reader.children(run.id)?, ..Self::default() };
        if let Some(id) = run.spec.init.parent() {
            let parent = reader.run(id)?;
            let state = parent.as_ref().map_or("gone".to_owned(), |run| run.state.to_string());
            let is_open = parent.is_some_and(|parent| parent.state.outcome().is_none());
            kin.waits = is_open && run.state == RunState::Queued;
            kin.parent = Some((id, state));
        }
        Ok(kin)
    }
}

/// One run with everything known of it.
#[derive(Debug, Serialize)]
pub struct RunDetail<'a> {
    #[serde(flatten)]
    run: RunObject<'a>,
    /// The run it starts from (`init=rN`).
    parent: Option<String>,
    /// The same, as long as it waits for that run to be done.
    waits_for: Option<String>,
    /// The runs that start from it.
    children: Vec<String>,
    /// Keys that differ from the config's defaults.
    differs: Vec<&'static str>,
    /// Why it failed or was lost.
    why: Option<String>,
    note: &'a str,
    facts: Option<&'a Started>,
    /// `[epoch, value]` per point.
    curves: BTreeMap<String, Vec<(f64, Number)>>,
    /// On the test rows, in the order of the labels; `None` before they were tested.
    classes: Option<Vec<ClassObject<'a>>>,
    /// What `predict` divides logits by; `None` for as they are.
    temperature: Option<f64>,
    /// What `tuneboard calibrate` would make it.
    fitted_temperature: Option<f64>,
}

/// One class on the test rows.
#[derive(Debug, Serialize)]
struct ClassObject<'a> {
    label: &'a str,
    #[serde(flatten)]
    figures: ClassFigures,
}

impl<'a> RunDetail<'a> {
    /// The run, its curves by metric, and the defaults it is compared with.
    pub fn new(run: &'a Run, curves: &[(String, Curve)], defaults: &RunSpec, kin: &Kin) -> Self {
        let points = |curve: &Curve| {
            curve.epoch.iter().zip(&curve.value).map(|(e, v)| (*e, Number(*v))).collect()
        };
        Self {
            run: RunObject::new(run),
            parent: kin.parent.as_ref().map(|(id, _)| id.to_string()),
            waits_for: kin.parent.as_ref().filter(|_| kin.waits).map(|(id, _)| id.to_string()),
            children: kin.children.iter().map(ToString::to_string).collect(),
            differs: run.spec.differing_keys(defaults),
            why: run.state.outcome().and_then(Outcome::why),
            note: &run.note,
            facts: run.facts.as_ref(),
            curves: curves.iter().map(|(name, curve)| (name.clone(), points(curve))).collect(),
            classes: None,
            temperature: None,
            fitted_temperature: None,
        }
    }

    /// With the temperature that `predict` obeys, and the one that was fitted.
    pub fn with_temperatures(
        self,
        (temperature, fitted_temperature): (Option<f64>, Option<f64>),
    ) -> Self {
        Self { temperature, fitted_temperature, ..self }
    }

    /// With the figures of each class by the counts of the test rows, if there are any.
    pub fn with_classes(self, tested: Option<&'a Confusion>) -> Self {
        let classes = |tested: &'a Confusion| {
            let figures = Matrix::new(tested).classes();
            let labels = tested.labels.iter().zip(figures);
            labels.map(|(label, figures)| ClassObject { label, figures }).collect()
        };
        Self { classes: tested.map(classes), ..self }
    }
}

/// One metric of one run of `compare --json`; everything is null for a run without it.
#[derive(Debug, Default, Serialize)]
pub struct Extremes {
    last: Option<Number>,
    best: Option<f64>,
    best_epoch: Option<f64>,
    min: Option<f64>,
    min_epoch: Option<f64>,
    max: Option<f64>,
    max_epoch: Option<f64>,
    delta: Option<f64>,
    change: Option<Change>,
}

impl Extremes {
    /// What scripts see of these figures.
    pub fn of(figures: Option<&Figures>) -> Self {
        let Some(f) = figures else { return Self::default() };
        Self {
            last: Some(Number(f.last)),
            best: f.best.map(|x| x.value),
            best_epoch: f.best.map(|x| x.epoch),
            min: f.min.map(|x| x.value),
            min_epoch: f.min.map(|x| x.epoch),
            max: f.max.map(|x| x.value),
            max_epoch: f.max.map(|x| x.epoch),
            delta: f.delta,
            change: f.change,
        }
    }
}

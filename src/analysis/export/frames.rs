//! Answers as frames: one column per name, one row per thing.

use std::collections::BTreeSet;

use chrono::{DateTime, SecondsFormat, Utc};
use polars::prelude::*;

use crate::analysis::errors::{Case, Verdict};
use crate::analysis::mistakes::Mistake;
use crate::dataset::predictions::{Pass, Predictions};
use crate::spec::RunId;
use crate::spec::keys::{KEYS, ValueKind};
use crate::store::{Confusion, Curve, Millis, Run};

/// Columns `row`, `text`, `label`, `characters`, `words`, and for each run `rN_predicted`,
/// `rN_probability` and `rN_loss`.
///
/// # Errors
/// A sentence, should a name come twice.
pub fn cases(cases: &[Case<'_>], runs: &[RunId]) -> Result<DataFrame, String> {
    let mut columns = vec![
        Column::new("row".into(), cases.iter().map(|c| c.row).collect::<Vec<_>>()),
        Column::new("text".into(), cases.iter().map(|c| c.text).collect::<Vec<_>>()),
        Column::new("label".into(), cases.iter().map(|c| c.label).collect::<Vec<_>>()),
    ];
    let lengths = |of: fn(&Case<'_>) -> Option<usize>| -> Vec<Option<u64>> {
        cases.iter().map(|case| of(case).map(|n| n as u64)).collect()
    };
    columns.push(Column::new("characters".into(), lengths(|c| c.characters)));
    columns.push(Column::new("words".into(), lengths(|c| c.words)));
    for (i, run) in runs.iter().enumerate() {
        let verdicts = || cases.iter().map(|case| case.verdicts.get(i));
        let numbers = |of: fn(&Verdict<'_>) -> f32| -> Vec<Option<f32>> {
            verdicts().map(|v| v.map(of)).collect()
        };
        let predicted: Vec<Option<&str>> = verdicts().map(|v| v.map(|v| v.predicted)).collect();
        columns.push(Column::new(format!("{run}_predicted").into(), predicted));
        columns.push(Column::new(format!("{run}_probability").into(), numbers(|v| v.probability)));
        columns.push(Column::new(format!("{run}_loss").into(), numbers(|v| v.loss)));
    }
    DataFrame::new(cases.len(), columns).map_err(|e| e.to_string())
}

/// One row per run: `id name state sweep created started ended seconds epoch site tags note`, every key of
/// its spec, and for every metric of any of them its best value under its own name and its last as
/// `NAME.last`, as in the query language. Numbers are numbers; what is not there is missing.
///
/// # Errors
/// A sentence, should a name come twice.
pub fn runs(runs: &[Run]) -> Result<DataFrame, String> {
    let texts = |name: &str, of: &dyn Fn(&Run) -> Option<String>| {
        Column::new(name.into(), runs.iter().map(of).collect::<Vec<_>>())
    };
    let numbers = |name: &str, of: &dyn Fn(&Run) -> Option<f64>| {
        Column::new(name.into(), runs.iter().map(of).collect::<Vec<_>>())
    };
    let mut columns = vec![
        texts("id", &|run| Some(run.id.to_string())),
        texts("name", &|run| Some(run.name.clone())),
        texts("state", &|run| Some(run.state.to_string())),
        texts("sweep", &|run| run.sweep.map(|s| s.to_string())),
        texts("created", &|run| time(run.created)),
        texts("started", &|run| run.started.and_then(time)),
        texts("ended", &|run| run.ended.and_then(time)),
        numbers("seconds", &|run| Some((run.ended? - run.started?) as f64 / 1000.0)),
        numbers("epoch", &|run| Some(run.epoch)),
        texts("site", &|run| run.placement.as_ref().map(|p| p.site.clone())),
        texts("tags", &|run| Some(run.tags.join(" "))),
        texts("note", &|run| Some(run.note.clone())),
    ];
    for key in KEYS {
        let text = |run: &Run| {
            let value = run.spec.obeys(key.name).then(|| (key.get)(&run.spec));
            value.filter(|value| !value.is_empty())
        };
        // A key may have the name of a column above.
        let taken = columns.iter().any(|c| c.name().as_str() == key.name);
        let name = if taken { format!("spec.{}", key.name) } else { key.name.to_owned() };
        columns.push(match key.kind {
            ValueKind::Int(..) | ValueKind::Float(..) => {
                numbers(&name, &|run| text(run)?.parse().ok())
            }
            _ => texts(&name, &text),
        });
    }
    let metrics: BTreeSet<&String> = runs.iter().flat_map(|run| run.last.keys()).collect();
    for metric in metrics {
        columns.push(numbers(metric, &|run| run.best.get(metric).copied()));
        columns.push(numbers(&format!("{metric}.last"), &|run| run.last.get(metric).copied()));
    }
    DataFrame::new(runs.len(), columns).map_err(|e| e.to_string())
}

/// One row per point: `run metric step epoch time value`.
///
/// # Errors
/// None in practice: the columns are as long as each other.
pub fn curves(curves: &[(RunId, String, Curve)]) -> Result<DataFrame, String> {
    let total = curves.iter().map(|(.., curve)| curve.value.len()).sum();
    let each = |of: &dyn Fn(&(RunId, String, Curve)) -> String| -> Vec<String> {
        curves.iter().flat_map(|c| std::iter::repeat_n(of(c), c.2.value.len())).collect()
    };
    let all = || curves.iter().map(|(.., curve)| curve);
    let columns = vec![
        Column::new("run".into(), each(&|(id, ..)| id.to_string())),
        Column::new("metric".into(), each(&|(_, metric, _)| metric.clone())),
        Column::new("step".into(), all().flat_map(|c| c.step.clone()).collect::<Vec<u64>>()),
        Column::new("epoch".into(), all().flat_map(|c| c.epoch.clone()).collect::<Vec<f64>>()),
        Column::new(
            "time".into(),
            all().flat_map(|c| c.time.iter().map(|t| time(*t))).collect::<Vec<Option<String>>>(),
        ),
        Column::new("value".into(), all().flat_map(|c| c.value.clone()).collect::<Vec<f64>>()),
    ];
    DataFrame::new(total, columns).map_err(|e| e.to_string())
}

/// One row per cell: `run split epoch label predicted count`.
///
/// # Errors
/// None in practice: the columns are as long as each other.
pub fn confusions(passes: &[(RunId, Confusion)]) -> Result<DataFrame, String> {
    let (mut run, mut split, mut epoch) = (Vec::new(), Vec::new(), Vec::new());
    let (mut label, mut predicted, mut count) = (Vec::new(), Vec::new(), Vec::new());
    for (id, pass) in passes {
        for (truth, row) in pass.labels.iter().zip(&pass.counts) {
            for (guess, n) in pass.labels.iter().zip(row) {
                run.push(id.to_string());
                split.push(pass.split.to_string());
                epoch.push(pass.epoch);
                label.push(truth.as_str());
                predicted.push(guess.as_str());
                count.push(*n);
            }
        }
    }
    let columns = vec![
        Column::new("run".into(), &run),
        Column::new("split".into(), &split),
        Column::new("epoch".into(), &epoch),
        Column::new("label".into(), &label),
        Column::new("predicted".into(), &predicted),
        Column::new("count".into(), &count),
    ];
    DataFrame::new(run.len(), columns).map_err(|e| e.to_string())
}

/// One row per predicted row: `row label predicted loss p_CLASS ...`; with several runs a column `run`
/// before them, and a missing value for a class that a run does not have.
///
/// # Errors
/// A sentence, should two classes have one name.
pub fn predictions(passes: &[(RunId, Predictions)]) -> Result<DataFrame, String> {
    let names = |p: &Predictions, of: &[u32]| -> Vec<String> {
        let name = |class: &u32| p.label_names.get(*class as usize).cloned().unwrap_or_default();
        of.iter().map(name).collect()
    };
    let all = || passes.iter().map(|(_, p)| p);
    let mut columns = Vec::new();
    if passes.len() > 1 {
        let ids = |(id, p): &(RunId, Predictions)| vec![id.to_string(); p.rows.len()];
        columns.push(Column::new("run".into(), passes.iter().flat_map(ids).collect::<Vec<_>>()));
    }
    let rows: Vec<u64> = all().flat_map(|p| p.rows.clone()).collect();
    columns.push(Column::new("row".into(), &rows));
    let labels: Vec<String> = all().flat_map(|p| names(p, &p.labels)).collect();
    columns.push(Column::new("label".into(), labels));
    let predicted: Vec<String> = all().flat_map(|p| names(p, &p.predicted)).collect();
    columns.push(Column::new("predicted".into(), predicted));
    columns
        .push(Column::new("loss".into(), all().flat_map(|p| p.loss.clone()).collect::<Vec<f32>>()));
    let mut classes: Vec<&String> = Vec::new();
    for class in all().flat_map(|p| &p.label_names) {
        if !classes.contains(&class) {
            classes.push(class);
        }
    }
    for class in classes {
        let of = |p: &Predictions| -> Vec<Option<f32>> {
            let at = p.label_names.iter().position(|name| name == class);
            match at.and_then(|at| p.probabilities.get(at)) {
                Some(values) => values.iter().map(|p| Some(*p)).collect(),
                None => vec![None; p.rows.len()],
            }
        };
        columns
            .push(Column::new(format!("p_{class}").into(), all().flat_map(of).collect::<Vec<_>>()));
    }
    DataFrame::new(rows.len(), columns).map_err(|e| e.to_string())
}

/// One row per mistake of a task without classes: `row loss true predicted wrong text`.
///
/// # Errors
/// None in practice: the columns are as long as each other.
pub fn mistakes(found: &[Mistake]) -> Result<DataFrame, String> {
    let text = |of: fn(&Mistake) -> String| found.iter().map(of).collect::<Vec<String>>();
    let columns = vec![
        Column::new("row".into(), found.iter().map(|m| m.row).collect::<Vec<u64>>()),
        Column::new("loss".into(), found.iter().map(|m| m.loss).collect::<Vec<f32>>()),
        Column::new("true".into(), text(|m| m.truth.clone())),
        Column::new("predicted".into(), text(|m| m.predicted.clone())),
        Column::new("wrong".into(), text(|m| m.what.words())),
        Column::new("text".into(), found.iter().map(|m| m.text.clone()).collect::<Vec<_>>()),
    ];
    DataFrame::new(found.len(), columns).map_err(|e| e.to_string())
}

/// One row per predicted row of a task without classes: the columns of its file, and with several runs `run`
/// before them.
///
/// # Errors
/// A sentence, should two columns have one name.
pub fn pass(run: RunId, pass: &Pass) -> Result<DataFrame, String> {
    let mut columns = vec![
        Column::new("run".into(), vec![run.to_string(); pass.rows().len()]),
        Column::new("row".into(), pass.rows()),
        Column::new("loss".into(), pass.loss()),
    ];
    let lists = |rows: &[Vec<String>]| {
        rows.iter().map(|row| serde_json::json!(row).to_string()).collect::<Vec<String>>()
    };
    match pass {
        Pass::Classes(_) => {}
        Pass::Numbers(pass) => {
            for ((name, truth), predicted) in
                pass.names.iter().zip(&pass.truth).zip(&pass.predicted)
            {
                columns.push(Column::new(format!("target_{name}").into(), truth));
                columns.push(Column::new(format!("predicted_{name}").into(), predicted));
            }
        }
        Pass::Sets(pass) => {
            let both: Vec<_> = (0..pass.rows.len()).map(|row| pass.of_row(row)).collect();
            let json = |names: &Vec<&str>| serde_json::json!(names).to_string();
            let truth: Vec<String> = both.iter().map(|(truth, _)| json(truth)).collect();
            let given: Vec<String> = both.iter().map(|(_, given)| json(given)).collect();
            columns.push(Column::new("label".into(), truth));
            columns.push(Column::new("predicted".into(), given));
            for (name, p) in pass.names.iter().zip(&pass.probabilities) {
                columns.push(Column::new(format!("p_{name}").into(), p));
            }
        }
        Pass::Tags(pass) => {
            columns.push(Column::new("words".into(), lists(&pass.words)));
            columns.push(Column::new("label".into(), lists(&pass.truth)));
            columns.push(Column::new("predicted".into(), lists(&pass.predicted)));
        }
    }
    DataFrame::new(pass.rows().len(), columns).map_err(|e| e.to_string())
}

/// RFC 3339, UTC.
fn time(millis: Millis) -> Option<String> {
    let time = DateTime::<Utc>::from_timestamp_millis(millis)?;
    Some(time.to_rfc3339_opts(SecondsFormat::Millis, true))
}

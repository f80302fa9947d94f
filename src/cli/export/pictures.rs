//! Curves and confusion counts as pictures.

use std::path::PathBuf;

use serde_json::json;

use crate::analysis::export::{
    self, MOST_RUNS, Picture, Plotted, confusion_picture, curves_picture,
};
use crate::cli::error::CliError;
use crate::cli::exit;
use crate::cli::figures::counted;
use crate::cli::verb::Context;
use crate::spec::metrics::{train, val};
use crate::spec::{RunId, nearest, or_nearest};
use crate::store::{Confusion, Reader, Run};

/// Plotted unless `--metric` says otherwise.
const METRICS: [&str; 4] = [train::LOSS, val::LOSS, train::ACC, val::ACC];
/// Points of a curve at most: more than a printer can show.
const BUCKETS: usize = 1000;

/// The curves of some runs as SVG.
pub fn curves(reader: &Reader, runs: &[Run], metric: Option<&str>) -> Result<String, CliError> {
    if runs.len() > MOST_RUNS {
        return Err(CliError::Usage(format!(
            "A plot of {} cannot be read; it takes {MOST_RUNS} at most. Name them by their ids, \
             as in `r12 r15`.",
            counted(runs.len(), "run")
        )));
    }
    let mut known: Vec<String> = Vec::new();
    let mut plotted: Vec<Plotted> = Vec::new();
    for run in runs {
        for name in reader.metrics(run.id)? {
            let is_wanted = metric.map_or(METRICS.contains(&name.as_str()), |m| m == name);
            if is_wanted {
                let curve = reader.curve(run.id, &name, BUCKETS)?;
                plotted.push((run.id, name.clone(), curve));
            }
            if !known.contains(&name) {
                known.push(name);
            }
        }
    }
    if let Some(metric) = metric.filter(|m| !known.iter().any(|k| k == m)) {
        let near = nearest(metric, known.iter().map(String::as_str));
        let hint = or_nearest(near.as_deref());
        return Err(CliError::Usage(format!("None of these runs has a metric `{metric}`{hint}")));
    }
    let place = |name: &str| METRICS.iter().position(|m| *m == name).unwrap_or(METRICS.len());
    plotted.sort_by_key(|(_, name, _)| place(name));
    let names: Vec<(RunId, String)> = runs.iter().map(|run| (run.id, run.name.clone())).collect();
    curves_picture(&names, &plotted).map_err(CliError::Usage)
}

/// The confusion counts of one run as SVG.
pub fn confusion(runs: &[Run], passes: &[(RunId, Confusion)]) -> Result<String, CliError> {
    match (runs, passes) {
        ([run], [(_, counts)]) => {
            confusion_picture(&format!("{} {}", run.id, run.name), counts).map_err(CliError::Usage)
        }
        _ => Err(CliError::Usage(format!(
            "A picture of confusion counts is of one run, not of {}.",
            counted(runs.len(), "run")
        ))),
    }
}

/// Into a file or a pipe.
pub fn put(
    svg: String,
    picture: Picture,
    out: Option<PathBuf>,
    context: &mut Context,
) -> Result<u8, CliError> {
    let Some(path) = out else {
        if context.json || (context.out.tty && picture == Picture::Png) {
            let why = "A picture goes into a file or a pipe: give --out FILE.";
            return Err(CliError::Usage(why.into()));
        }
        let bytes = picture.bytes(svg).map_err(CliError::Internal)?;
        context.out.raw(&bytes)?;
        return Ok(exit::OK);
    };
    let bytes = picture.bytes(svg).map_err(CliError::Internal)?;
    export::keep(&bytes, &path).map_err(CliError::Place)?;
    if context.json {
        context.out.json(&json!({ "bytes": bytes.len(), "file": path }))?;
    } else {
        context.out.line(format!("Written to {}.", path.display()))?;
    }
    Ok(exit::OK)
}

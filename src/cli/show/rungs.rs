//! The ladder of a sweep: who is at which rung, and what it takes to go on.

use serde_json::{Value, json};

use crate::analysis::sweeps::SweepFacts;
use crate::cli::error::CliError;
use crate::cli::figures;
use crate::cli::pruning;
use crate::cli::table::{Cell, Table, Tone};
use crate::cli::verb::Context;
use crate::spec::{Outcome, RunId, turned};

/// Shows the ladder of a sweep that prunes; of another what pruning would have made of it.
pub fn show(facts: &SweepFacts, context: &mut Context) -> Result<(), CliError> {
    let Some(found) = facts.pruning.as_ref().filter(|found| found.runs > 0) else {
        return Ok(());
    };
    if !found.is_pruned {
        return context.out.line(format!("\n{}", pruning::sentence(found)));
    }
    let metric = facts.metric();
    context.out.line(format!("\nRungs: {metric}, and what a run needs to go on"))?;
    let mut table =
        Table::new(&[">rung", ">epoch", ">runs", ">pruned", ">needs", ">best", "~pruned there"]);
    for rung in rungs(facts) {
        table.row([
            format!("{}/8", rung.number).into(),
            figures::epoch(rung.epoch).into(),
            rung.runs.to_string().into(),
            rung.cut.len().to_string().into(),
            figures::maybe(rung.threshold).into(),
            Cell::toned(figures::maybe(rung.best), Tone::Good),
            rung.cut.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ").into(),
        ]);
    }
    context.out.table(&table)?;
    context.out.line(pruning::sentence(found))
}

/// The same as JSON.
pub fn object(facts: &SweepFacts) -> Vec<Value> {
    let one = |rung: Rung| {
        json!({
            "rung": rung.number,
            "epoch": rung.epoch,
            "runs": rung.runs,
            "threshold": rung.threshold,
            "best": rung.best,
            "pruned": rung.cut.iter().map(ToString::to_string).collect::<Vec<_>>(),
        })
    };
    if facts.plan.prune.is_none() {
        Vec::new()
    } else {
        rungs(facts).into_iter().map(one).collect()
    }
}

struct Rung {
    number: u32,
    /// Of the first run there.
    epoch: f64,
    runs: usize,
    threshold: Option<f64>,
    best: Option<f64>,
    cut: Vec<RunId>,
}

fn rungs(facts: &SweepFacts) -> Vec<Rung> {
    let metric = facts.metric();
    let rule = facts.plan.prune.unwrap_or_default();
    let cut = |number: u32| {
        let of = facts.runs.iter().filter(move |run| {
            matches!(run.state.outcome(), Some(Outcome::Pruned(at)) if at.rung == number)
        });
        let mut ids: Vec<RunId> = of.map(|run| run.id).collect();
        ids.sort_unstable();
        ids
    };
    let rung = |(number, steps): (u32, &[crate::spec::search::ladder::Step])| Rung {
        number,
        epoch: steps.first().map_or(0.0, |step| step.at.epoch),
        runs: steps.len(),
        threshold: facts.ladder.threshold(&rule, number).map(|value| turned(metric, value)),
        best: steps
            .iter()
            .map(|step| step.at.mark.value)
            .filter(|value| value.is_finite())
            .min_by(f64::total_cmp)
            .map(|value| turned(metric, value)),
        cut: cut(number),
    };
    facts.ladder.rungs().filter(|(_, steps)| !steps.is_empty()).map(rung).collect()
}

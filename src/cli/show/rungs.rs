//! The ladder of a sweep: who is at which rung, and what it takes to go on.

use serde_json::{Value, json};

use crate::analysis::sweeps::{Rung, SweepFacts};
use crate::cli::error::CliError;
use crate::cli::figures;
use crate::cli::pruning;
use crate::cli::table::{Cell, Table, Tone};
use crate::cli::verb::Context;
use crate::spec::search::prune::PARTS;

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
    for rung in &facts.rungs {
        table.row([
            format!("{}/{PARTS}", rung.number).into(),
            figures::epoch(rung.epoch).into(),
            rung.runs.to_string().into(),
            rung.cut.len().to_string().into(),
            figures::maybe(rung.threshold).into(),
            Cell::toned(figures::maybe(rung.best), Tone::Good),
            cut(rung).join(" ").into(),
        ]);
    }
    context.out.table(&table)?;
    context.out.line(pruning::sentence(found))
}

/// The same as JSON.
pub fn object(facts: &SweepFacts) -> Vec<Value> {
    let one = |rung: &Rung| {
        json!({
            "rung": rung.number,
            "epoch": rung.epoch,
            "runs": rung.runs,
            "threshold": rung.threshold,
            "best": rung.best,
            "pruned": cut(rung),
        })
    };
    if facts.plan.prune.is_none() { Vec::new() } else { facts.rungs.iter().map(one).collect() }
}

/// The runs that were cut there, by number.
fn cut(rung: &Rung) -> Vec<String> {
    let mut ids = rung.cut.clone();
    ids.sort_unstable();
    ids.iter().map(ToString::to_string).collect()
}

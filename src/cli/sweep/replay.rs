use serde_json::{Value, json};

use crate::analysis::sweeps::{Evaluated, evaluated, pruning};
use crate::cli::error::CliError;
use crate::cli::exit;
use crate::cli::figures::counted;
use crate::cli::pruning::{object, sentence};
use crate::cli::table::{Cell, Table, Tone};
use crate::cli::verb::{self, Context};
use crate::spec::{Part, RunSpec, Sweep, SweepId};
use crate::store::{Run, trials_at};

/// `tuneboard sweep --replay s3`: each proposal again, and what pruning would have made of the sweep.
pub fn run(id: SweepId, context: &mut Context) -> Result<u8, CliError> {
    let board = context.board()?;
    let reader = verb::reader(&board)?;
    let gone = || CliError::Usage(format!("There is no sweep {id}."));
    let sweep = reader.sweep(id)?.ok_or_else(gone)?.sweep;
    let mut runs = reader.trials(id)?;
    // Where runs were pruned, they say so themselves.
    let known = match sweep.plan.prune {
        Some(_) => Evaluated::new(),
        None => evaluated(&reader, &sweep.plan, &runs)?,
    };
    let whole = pruning(&sweep.plan, &runs, &known);
    runs.retain(|run| run.part != Part::Confirmation);
    let proposed = proposals(&sweep, &runs)?;
    if context.json {
        let trial = |(run, spec): (&Run, &RunSpec)| json!({ "run": run.id.to_string(), "spec": spec, "same": *spec == run.spec });
        let trials: Vec<Value> = runs.iter().zip(&proposed).map(trial).collect();
        context.out.json(
            &json!({ "sweep": id.to_string(), "trials": trials, "pruning": object(&whole) }),
        )?;
        return Ok(exit::OK);
    }
    let mut columns = vec![">trial", ">run"];
    columns.extend(sweep.varied());
    columns.push("as it was");
    let mut table = Table::new(&columns);
    for (number, (run, spec)) in (1..).zip(runs.iter().zip(&proposed)) {
        let is_same = *spec == run.spec;
        let mut cells: Vec<Cell> = vec![number.to_string().into(), run.id.to_string().into()];
        cells.extend(sweep.varied().map(|key| Cell::from(spec.shown(key))));
        cells.push(if is_same { "yes".into() } else { Cell::toned("no", Tone::Bad) });
        table.row(cells);
    }
    context.out.table(&table)?;
    let same = runs.iter().zip(&proposed).filter(|(run, spec)| **spec == run.spec).count();
    context
        .out
        .line(format!("{same} of {} come out as they were.", counted(runs.len(), "trial")))?;
    context.out.line(sentence(&whole))?;
    Ok(exit::OK)
}

/// What the sweep proposes for each of its trials, given those that were there before it. A run that was
/// added by hand comes out as another one.
fn proposals(sweep: &Sweep, runs: &[Run]) -> Result<Vec<RunSpec>, CliError> {
    let drawn = sweep.expand()?;
    let mut specs = Vec::with_capacity(runs.len());
    for (index, run) in runs.iter().enumerate() {
        specs.push(if let Some(spec) = drawn.get(index) {
            spec.clone()
        } else {
            let before = runs.get(..index).unwrap_or_default();
            sweep.propose(index, &trials_at(before, &sweep.plan, run.created))?
        });
    }
    Ok(specs)
}

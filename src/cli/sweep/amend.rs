use serde_json::json;

use crate::cli::error::CliError;
use crate::cli::exit;
use crate::cli::figures::counted;
use crate::cli::verb::{self, Context};
use crate::order::name_in;
use crate::runner;
use crate::spec::{Desired, Part, SweepId, keys};
use crate::store::{NewRun, NewSweep};

/// `tuneboard sweep s3 trials+=20 ...`: other plans for a sweep that was queued.
pub fn run(
    id: SweepId,
    words: &[String],
    dry: bool,
    context: &mut Context,
) -> Result<u8, CliError> {
    let board = context.board()?;
    let mut store = verb::store(&board)?;
    let Some(known) = store.reader().sweep(id)? else {
        return Err(CliError::Usage(format!("There is no sweep {id}.")));
    };
    if words.is_empty() {
        return Err(CliError::Usage(format!(
            "Say what is to change, as in `tuneboard sweep {id} trials+=20`; `tuneboard show {id}` shows the sweep."
        )));
    }
    let pairs: Vec<_> = words.iter().map(|word| keys::pair(word)).collect::<Result<_, _>>()?;
    let sweep = known.sweep.amended(pairs)?;
    let old = known.sweep.expand()?.len();
    let runs = store.reader().trials(id)?;
    let held = runs.iter().all(|run| run.desired == Desired::Hold);
    let desired = if held { Desired::Hold } else { Desired::Run };
    // Draws that need no history are queued at once.
    let new: Vec<NewRun> = sweep
        .expand()?
        .into_iter()
        .skip(old)
        .map(|spec| NewRun { name: name_in(&sweep, &spec), spec, desired })
        .collect();
    let trials = runs.iter().filter(|run| run.part != Part::Confirmation).count();
    let to_come = sweep.planned().saturating_sub(trials + new.len());
    let mut ids = Vec::new();
    if !dry {
        let amended = NewSweep { name: known.name, sweep };
        let added = store.amend(id, &amended, runs.len(), &new)?;
        let busy = "got another run meanwhile; nothing was changed, so do it again";
        ids = added.ok_or_else(|| CliError::Usage(format!("{id} {busy}.")))?;
        drop(store);
        runner::ensure(&board)?;
    }
    if context.json {
        let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
        context.out.json(&json!({ "sweep": id.to_string(), "runs": ids }))?;
        return Ok(exit::OK);
    }
    let added = match (new.len(), to_come) {
        (0, 0) => String::new(),
        (n, 0) => format!(" {} more.", counted(n, "trial")),
        (_, n) => format!(" {} more are to be chosen.", counted(n, "trial")),
    };
    let what = if dry { "would be changed; nothing was" } else { "changed" };
    context.out.line(format!("{id} {what}.{added}"))?;
    Ok(exit::OK)
}

use serde_json::json;

use crate::cli::error::CliError;
use crate::cli::exit;
use crate::cli::figures::counted;
use crate::cli::verb::{self, Context};
use crate::order::amended;
use crate::runner;
use crate::spec::{SweepId, keys};

/// `tuneboard sweep s3 trials+=20 ...`: other plans for a sweep that was queued.
pub fn run(
    id: SweepId,
    words: &[String],
    dry: bool,
    context: &mut Context,
) -> Result<u8, CliError> {
    let board = context.board()?;
    if words.is_empty() {
        return Err(CliError::Usage(format!(
            "Say what is to change, as in `tuneboard sweep {id} trials+=20`; `tuneboard show {id}` shows the sweep."
        )));
    }
    let pairs: Vec<_> = words.iter().map(|word| keys::pair(word)).collect::<Result<_, _>>()?;
    let gone = || CliError::Usage(format!("There is no sweep {id}."));
    let new = amended(&verb::reader(&board)?, id, pairs)?.ok_or_else(gone)?;
    let mut ids = Vec::new();
    if !dry {
        let added = verb::store(&board)?.amend(id, &new.sweep, new.before, &new.runs)?;
        let busy = "got another run meanwhile; nothing was changed, so do it again";
        ids = added.ok_or_else(|| CliError::Usage(format!("{id} {busy}.")))?;
        runner::ensure(&board)?;
    }
    if context.json {
        let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
        context.out.json(&json!({ "sweep": id.to_string(), "runs": ids }))?;
        return Ok(exit::OK);
    }
    let added = match (new.runs.len(), new.to_come) {
        (0, 0) => String::new(),
        (n, 0) => format!(" {} more.", counted(n, "trial")),
        (_, n) => {
            format!(" {} more, to be chosen where those before promise most.", counted(n, "trial"))
        }
    };
    let what = if dry { "would be changed; nothing was" } else { "changed" };
    context.out.line(format!("{id} {what}.{added}"))?;
    Ok(exit::OK)
}

use serde_json::json;

use super::error::CliError;
use super::exit;
use super::verb::{self, Context, pick};
use crate::spec::RunId;

/// Hide runs from lists; nothing is deleted
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tuneboard archive r1 r2 s3
  tuneboard ls --archived        lists them too
  tuneboard archive --undo r1    brings it back")]
pub struct Args {
    /// Runs, or sweeps as s3
    #[arg(value_name = "ID", required = true)]
    ids: Vec<String>,
    /// Show them again
    #[arg(long)]
    undo: bool,
}

/// `tuneboard archive`.
pub fn run(args: Args, context: &mut Context) -> Result<u8, CliError> {
    let board = context.board()?;
    let runs = pick(&board, &verb::reader(&board)?, &args.ids)?;
    if let Some(live) = runs.iter().find(|r| !args.undo && r.state.outcome().is_none()) {
        return Err(CliError::Usage(format!(
            "{} is {}: only runs that have ended can be archived; nothing was changed.",
            live.id, live.state
        )));
    }
    let ids: Vec<RunId> = runs.iter().map(|r| r.id).collect();
    verb::store(&board)?.set_archived(&ids, !args.undo)?;
    let words: Vec<String> = ids.iter().map(ToString::to_string).collect();
    if context.json {
        context.out.json(&json!({ "runs": words, "archived": !args.undo }))?;
    } else {
        let done = if args.undo { "Back in the lists" } else { "Archived" };
        context.out.line(format!("{done}: {}.", words.join(", ")))?;
    }
    Ok(exit::OK)
}

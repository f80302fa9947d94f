use serde_json::json;

use super::error::CliError;
use super::exit;
use super::figures::counted;
use super::verb::Context;
use crate::runner;

/// Rebuild the database from the folders under runs/
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Each run's spec.toml and events.jsonl hold the truth; the database can be made again from them.
Names, tags, notes, sweeps and the queue are taken from the old database, row by row, as far as it
can be read, and else from the journal beside it (runs/board.journal). The old database is kept
beside the new one. Not while a runner is at work.

Exits with 1 if a run could not be taken in.

Example:
  tuneboard reindex")]
pub struct Args {}

/// `tuneboard reindex`.
pub fn run(_: Args, context: &mut Context) -> Result<u8, CliError> {
    let board = context.board()?;
    let done = runner::reindex(&board)?;
    let old = done.old.as_ref().map(|path| path.display().to_string());
    let code = if done.skipped.is_empty() { exit::OK } else { exit::FAILED };
    if context.json {
        let skipped =
            done.skipped.iter().map(|(id, why)| json!({ "id": id.to_string(), "why": why }));
        let skipped: Vec<_> = skipped.collect();
        let unread = &done.unread;
        let answer = json!({ "runs": done.runs, "skipped": skipped, "unread": unread, "old": old });
        context.out.json(&answer)?;
        return Ok(code);
    }
    let database = board.database();
    context.out.line(format!("{} in {}.", counted(done.runs, "run"), database.display()))?;
    for sentence in &done.unread {
        context.out.aside(sentence)?;
    }
    for (id, why) in &done.skipped {
        context.out.line(format!("Left out {id}: {why}"))?;
    }
    if let Some(old) = old {
        context.out.line(format!("The database before is {old}."))?;
    }
    Ok(code)
}

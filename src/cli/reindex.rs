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
Names, tags and notes are taken from the old database as far as it can be read; it is kept beside
the new one. Not while a runner is at work.

Example:
  tuneboard reindex")]
pub struct Args {}

/// `tuneboard reindex`.
pub fn run(_: Args, context: &mut Context) -> Result<u8, CliError> {
    let board = context.board()?;
    let done = runner::reindex(&board)?;
    let old = done.old.as_ref().map(|path| path.display().to_string());
    if context.json {
        let skipped =
            done.skipped.iter().map(|(id, why)| json!({ "id": id.to_string(), "why": why }));
        let skipped: Vec<_> = skipped.collect();
        context.out.json(&json!({ "runs": done.runs, "skipped": skipped, "old": old }))?;
        return Ok(exit::OK);
    }
    let database = board.database();
    context.out.line(format!("{} in {}.", counted(done.runs, "run"), database.display()))?;
    for (id, why) in &done.skipped {
        context.out.line(format!("Left out {id}: {why}"))?;
    }
    if let Some(old) = old {
        context.out.line(format!("The database before is {old}."))?;
    }
    Ok(exit::OK)
}

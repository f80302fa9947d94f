use std::fs;
use std::io;

use serde_json::json;

use super::error::CliError;
use super::exit;
use super::figures::counted;
use super::verb::{self, Context};
use crate::board::Board;
use crate::spec::RunId;
use crate::store::Listing;

/// Throw runs away; `restore` brings them back until they are purged
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Only runs that have ended can be thrown away. Their files stay until they are purged.

Examples:
  tuneboard rm r12 s3
  tuneboard rm 'state:failed before:30d'
  tuneboard ls --trash                  what lies there
  tuneboard restore r12                 brings it back
  tuneboard rm --purge r12              for ever, checkpoints and all
  tuneboard rm --empty                  everything in the trash, for ever")]
pub struct Args {
    /// Runs, sweeps as s3, or a query
    #[arg(value_name = "ID|QUERY", required_unless_present = "empty")]
    ids: Vec<String>,
    /// Delete them for good, with their files
    #[arg(long)]
    purge: bool,
    /// Delete everything in the trash for good
    #[arg(long, conflicts_with_all = ["ids", "purge"])]
    empty: bool,
}

/// `tuneboard rm`.
pub fn run(args: Args, context: &mut Context) -> Result<u8, CliError> {
    let board = context.board()?;
    let reader = verb::reader(&board)?;
    let ids: Vec<RunId> = if args.empty {
        reader.ids(&Listing { trash: true, ..Listing::default() })?
    } else if args.purge {
        verb::ids_anywhere(&board, &reader, &args.ids)?
    } else {
        verb::pick(&board, &reader, &args.ids)?.iter().map(|run| run.id).collect()
    };
    let mut store = verb::store(&board)?;
    let purge = args.purge || args.empty;
    if let Some(open) = store.not_over(&ids)?.first() {
        return Err(live(*open));
    }
    if purge {
        for id in &ids {
            remove_folder(&board, *id)?;
        }
    }
    let open = if purge { store.purge(&ids)? } else { store.trash(&ids)? };
    if let Some(open) = open.first() {
        return Err(live(*open));
    }
    let words: Vec<String> = ids.iter().map(ToString::to_string).collect();
    if context.json {
        context.out.json(&json!({ "runs": words, "purged": purge }))?;
        return Ok(exit::OK);
    }
    let told = match words.len() {
        0 => "nothing".to_owned(),
        1..=8 => words.join(", "),
        n => counted(n, "run"),
    };
    if purge {
        context.out.line(format!("Deleted for ever: {told}."))?;
    } else {
        let undo = if words.len() <= 8 { words.join(" ") } else { args.ids.join(" ") };
        context.out.line(format!("In the trash: {told}. Undo: tuneboard restore {undo}"))?;
    }
    Ok(exit::OK)
}

fn live(id: RunId) -> CliError {
    CliError::Usage(format!(
        "{id} has not ended: `tuneboard stop {id}` ends it; nothing was changed."
    ))
}

fn remove_folder(board: &Board, id: RunId) -> Result<(), CliError> {
    let folder = board.run(id);
    match fs::remove_dir_all(&folder) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(CliError::Place(format!(
            "{} cannot be removed: {e}; {id} stays where it is.",
            folder.display()
        ))),
        _ => Ok(()),
    }
}

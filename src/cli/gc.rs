use serde_json::json;

use super::error::CliError;
use super::exit;
use super::figures::{bytes, counted};
use super::table::Table;
use super::verb::{self, Context};
use crate::board::disk;
use crate::runner;
use crate::spec::{Keep, RunId};
use crate::store::{Listing, Run};

/// Delete what ended runs need no more
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Of done runs: the checkpoints that the key keep= does not name, and what only resuming needs (the optimiser's
memory, twice the size of the model); in a sweep with keep_best=N those of all but its best runs. Of ended runs:
what killed processes left half-written. A run that can be resumed, and one that another starts from, keep
everything else. Runs do so themselves when they end.

Examples:
  tuneboard gc --dry-run             what would go, and how much that is
  tuneboard gc                       of all runs
  tuneboard gc s3 --keep none        no checkpoint of the sweep's done runs stays
  tuneboard gc r1..r40 --keep best   of these, but for their best checkpoint
  tuneboard gc --cache               the trainers' cache of token ids and text vectors as well")]
pub struct Args {
    /// Runs, r3..r8, sweeps as s3, or a query; all runs if not given
    #[arg(value_name = "ID|QUERY")]
    ids: Vec<String>,
    /// Show what would go, and delete nothing
    #[arg(long)]
    dry_run: bool,
    /// In place of what the runs were told: best, last, both or none
    #[arg(long, value_parser = keep)]
    keep: Option<Keep>,
    /// The trainers' cache, too: it is made again when it is needed
    #[arg(long)]
    cache: bool,
}

fn keep(word: &str) -> Result<Keep, String> {
    word.parse().map_err(|()| format!("it takes {}", Keep::WORDS.join(", ")))
}

/// `tuneboard gc`.
pub fn run(args: Args, context: &mut Context) -> Result<u8, CliError> {
    let board = context.board()?;
    if !args.dry_run {
        board.check_trust()?;
    }
    let reader = verb::reader(&board)?;
    let runs: Vec<Run> = if args.ids.is_empty() {
        let all = Listing { archived: true, ..Listing::default() };
        reader.runs(&reader.ids(&all)?)?
    } else {
        verb::pick(&board, &reader, &args.ids)?
    };
    let mut found = runner::waste(&board, &reader, &runs, args.keep)?;
    if args.cache {
        let (path, what) = (board.cache(), "the trainers' cache".to_owned());
        let bytes = disk::bytes_below(&path);
        found.push(runner::Waste { run: RunId(0), path, bytes, what });
    }
    let mut freed = 0;
    for waste in &found {
        if !args.dry_run {
            runner::remove(waste).map_err(|e| {
                CliError::Place(format!("{} cannot be deleted: {e}.", waste.path.display()))
            })?;
        }
        freed += waste.bytes;
    }
    let owner = |id: RunId| if id.0 == 0 { String::new() } else { id.to_string() };
    if context.json {
        let object = |w: &runner::Waste| json!({ "run": owner(w.run), "path": w.path, "bytes": w.bytes, "what": w.what });
        let all: Vec<_> = found.iter().map(object).collect();
        context.out.json(&json!({ "deleted": !args.dry_run, "bytes": freed, "files": all }))?;
        return Ok(exit::OK);
    }
    if args.dry_run && !found.is_empty() {
        let mut table = Table::new(&["run", "~what", ">size"]);
        for waste in &found {
            let what = waste.what.as_str().into();
            table.row([owner(waste.run).into(), what, bytes(waste.bytes).into()]);
        }
        context.out.table(&table)?;
    }
    let files =
        counted(found.len(), "file or folder").replace("file or folders", "files and folders");
    context.out.line(match (found.is_empty(), args.dry_run) {
        (true, _) => "There is nothing to delete.".to_owned(),
        (false, true) => format!("{files}, {}. Nothing was deleted.", bytes(freed)),
        (false, false) => format!("Deleted {files}, {}.", bytes(freed)),
    })?;
    Ok(exit::OK)
}

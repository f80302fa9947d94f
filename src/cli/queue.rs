//! `tuneboard queue`: the runs that wait, in the order in which they start, and that order changed.

use serde_json::json;

use super::error::CliError;
use super::exit;
use super::table::{Cell, Table, Tone};
use super::verb::{self, Context, pick};
use crate::runner;
use crate::spec::{Desired, RunId, RunState};
use crate::store::{Move, Run};

/// List the runs that wait, in their order, or move some of them
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Runs start from the top, wherever a slot is free that they may take. Held runs stand at the end.

Examples:
  tuneboard queue
  tuneboard queue r14 --first
  tuneboard queue s3 --last       the whole sweep, in its own order
  tuneboard queue r14 --up")]
pub struct Args {
    /// Runs, or sweeps as s3
    #[arg(value_name = "ID")]
    ids: Vec<String>,
    #[command(flatten)]
    to: To,
}

/// Where to.
#[derive(Debug, clap::Args)]
#[group(multiple = false)]
struct To {
    /// Before all others
    #[arg(long, requires = "ids")]
    first: bool,
    /// Behind all others
    #[arg(long, requires = "ids")]
    last: bool,
    /// Before the run in front of them
    #[arg(long, requires = "ids")]
    up: bool,
    /// Behind the next run
    #[arg(long, requires = "ids")]
    down: bool,
}

/// `tuneboard queue`.
pub fn run(args: Args, context: &mut Context) -> Result<u8, CliError> {
    let to = match args.to {
        To { first: true, .. } => Move::First,
        To { last: true, .. } => Move::Last,
        To { up: true, .. } => Move::Up,
        To { down: true, .. } => Move::Down,
        _ if args.ids.is_empty() => return list(context),
        _ => {
            let ids = args.ids.join(" ");
            return Err(CliError::Usage(format!(
                "Say where to: `tuneboard queue {ids} --first`, or --last, --up, --down."
            )));
        }
    };
    let board = context.board()?;
    let runs = pick(&board, &verb::reader(&board)?, &args.ids)?;
    let ids: Vec<RunId> =
        runs.iter().filter(|r| r.state == RunState::Queued).map(|r| r.id).collect();
    if ids.is_empty() {
        let one = runs.first().map(|run| format!("{} is {}", run.id, run.state));
        let one = one.filter(|_| runs.len() == 1).unwrap_or_else(|| "None of them waits".into());
        return Err(CliError::Usage(format!("{one}; only runs that wait can be moved.")));
    }
    let moved = verb::store(&board)?.move_in_queue(&ids, to)?;
    runner::ensure(&board)?;
    if context.json {
        let words: Vec<String> = moved.iter().map(ToString::to_string).collect();
        context.out.json(&json!({ "runs": words }))?;
        return Ok(exit::OK);
    }
    if moved.is_empty() {
        context.out.line("They stand there already.")?;
        return Ok(exit::OK);
    }
    list(context)
}

fn list(context: &mut Context) -> Result<u8, CliError> {
    let board = context.board()?;
    let open = verb::reader(&board)?.open_runs(usize::MAX)?;
    let waiting: Vec<&Run> = open.iter().filter(|run| run.state == RunState::Queued).collect();
    if context.json {
        let object = |run: &&Run| {
            json!({
                "id": run.id.to_string(),
                "name": run.name,
                "site": run.spec.site,
                "device": run.spec.device,
                "held": run.desired == Desired::Hold,
                "waits_for": run.spec.init.parent().map(|parent| parent.to_string()),
            })
        };
        context.out.json(&waiting.iter().map(object).collect::<Vec<_>>())?;
        return Ok(exit::OK);
    }
    if waiting.is_empty() {
        context.out.line("Nothing waits.")?;
        return Ok(exit::OK);
    }
    let mut table = Table::new(&[">#", "id", "~name", "site", "device", "waits"]);
    let mut place = 0;
    for run in waiting {
        let is_held = run.desired == Desired::Hold;
        place += usize::from(!is_held);
        let number = if is_held { String::new() } else { place.to_string() };
        let why = match (is_held, run.spec.init.parent()) {
            (true, _) => "held".to_owned(),
            (false, Some(parent)) => format!("for {parent}"),
            (false, None) => "for a free slot".to_owned(),
        };
        let tone = if is_held { Tone::Faint } else { Tone::Plain };
        table.row([
            number.into(),
            run.id.to_string().into(),
            run.name.as_str().into(),
            run.spec.site.as_str().into(),
            run.spec.device.as_str().into(),
            Cell::toned(why, tone),
        ]);
    }
    context.out.table(&table)?;
    Ok(exit::OK)
}

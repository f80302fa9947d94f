mod amend;
mod replay;
mod stages;
mod worst;

use std::collections::HashMap;

use serde_json::json;

use super::error::CliError;
use super::figures::{counted, value};
use super::queueing;
use super::table::{Cell, Table, Tone};
use super::verb::{self, Context};
use super::{exit, figures, paths};
use crate::board::Board;
use crate::order::{self, check_inputs, name_in};
use crate::spec::{RunId, RunSpec, Sweep, SweepId, keys, nearest};
use crate::store::{NewSweep, Reader};

/// Queue many runs: every combination of the values given, or random draws
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Values: a list lr=1e-5,5e-5; a range seed=0..4 (both ends included); with trials=N also draws
lr=log(1e-6,1e-3) and dropout=uniform(0,0.3). With search=tpe the trials after the first ten are
chosen where those before promise most; with prune=asha runs that fall behind are stopped, and
confirm=3 runs the best three again on fresh seeds (docs/search.md; `tuneboard show` has all keys
of a sweep). A comma inside a value is written \\,
NAME is a table [sweeps.NAME] of config.toml; pairs behind it win. A sweep may have stages, of
which one starts from the runs of another (docs/huggingface.md).

Examples:
  tuneboard sweep model=minilm data=data/sms_spam.csv lr=2e-5,5e-5,1e-4 epochs=1,2 --dry-run
  tuneboard sweep first seed=0..2
  tuneboard sweep 'lr=log(1e-6,1e-3)' trials=40 search=tpe prune=asha model=minilm data=a.csv --wait
  tuneboard sweep s3 trials+=20 until=4h      more of a sweep that was queued
  tuneboard sweep --replay s3")]
pub struct Args {
    /// A named sweep, or one that was queued as s3, and pairs
    #[arg(value_name = "NAME|KEY=VALUES", required = true)]
    words: Vec<String>,
    /// Check everything and show the runs, but queue nothing
    #[arg(long, conflicts_with_all = ["wait", "hold"])]
    dry_run: bool,
    /// Show how each run of a sweep was chosen, and what pruning makes of it
    #[arg(long, conflicts_with_all = ["wait", "hold", "dry_run"])]
    replay: bool,
    #[command(flatten)]
    queue: queueing::Args,
}

/// `tuneboard sweep`.
pub fn run(args: Args, context: &mut Context) -> Result<u8, CliError> {
    let board = context.board()?;
    if args.replay {
        return match args.words.as_slice() {
            [id] => replay::run(id.parse()?, context),
            _ => Err(CliError::Usage("--replay takes one sweep, as in --replay s3.".into())),
        };
    }
    if let Some((id, pairs)) = queued(&args.words, &board) {
        return amend::run(id, pairs, args.dry_run, context);
    }
    args.queue.check()?;
    if let Some((name, typed)) = args.words.split_first()
        && let Some(staged) = board.config.staged.get(name)
    {
        let (name, words, typed) = (name.clone(), staged.clone(), typed.to_vec());
        let typed: Vec<_> = typed.iter().map(|p| keys::pair(p)).collect::<Result<_, _>>()?;
        return stages::run(&name, &words, &typed, args, &board, context);
    }
    let (named, sweep) = parse(&args.words, &board)?;
    let specs = sweep.expand()?;
    for sentence in check_inputs(&board, &specs)? {
        context.out.aside(sentence)?;
    }
    let room = order::disk::room(&board, &specs, sweep.keep_best);
    if let Some(warning) = room.and_then(|room| room.warning()) {
        context.out.aside(warning)?;
    }
    if args.dry_run {
        return dry_run(&board, &sweep, &specs, context);
    }
    let runs: Vec<(String, RunSpec)> =
        specs.into_iter().map(|spec| (name_in(&sweep, &spec), spec)).collect();
    let varied = sweep.varied().collect::<Vec<_>>().join(" x ");
    let name = args.queue.name.clone().or(named).unwrap_or(varied);
    let name = if name.is_empty() { order::name_of(&sweep.base) } else { name };
    if let Some(words) = fell_together(&sweep, runs.len()) {
        context.out.aside(words)?;
    }
    args.queue.queue(&board, Some(NewSweep { name, sweep }), &runs, context)
}

/// The sweep that the first word means, if it is the number of one and no name.
fn queued<'a>(words: &'a [String], board: &Board) -> Option<(SweepId, &'a [String])> {
    let (first, rest) = words.split_first()?;
    let is_name =
        board.config.sweeps.contains_key(first) || board.config.staged.contains_key(first);
    let is_number = first.starts_with('s') && !is_name;
    Some((first.parse().ok().filter(|_| is_number)?, rest))
}

/// Defaults, then `[sweeps.NAME]`, then the command line; the last value of a key counts.
fn parse(words: &[String], board: &Board) -> Result<(Option<String>, Sweep), CliError> {
    let (name, typed) = match words.split_first() {
        Some((first, rest)) if !first.contains('=') => (Some(first), rest),
        _ => (None, words),
    };
    let sweeps = &board.config.sweeps;
    let stored = match name {
        None => &Vec::new(),
        Some(name) => sweeps.get(name).ok_or_else(|| no_sweep(name, board))?,
    };
    let stored = stored.iter().map(|(key, value)| (key.as_str(), value.as_str()));
    let typed: Vec<_> = typed.iter().map(|p| keys::pair(p)).collect::<Result<_, _>>()?;
    let typed = paths::resolved(&typed, board.root());
    let typed = typed.iter().map(|(key, value)| (*key, value.as_ref()));
    let mut sweep = Sweep::parse(board.config.defaults.clone(), stored.chain(typed))?;
    order::take_model(board, &mut sweep)?;
    Ok((name.cloned(), sweep))
}

fn no_sweep(name: &str, board: &Board) -> CliError {
    let names: Vec<&str> =
        board.config.sweeps.keys().chain(board.config.staged.keys()).map(String::as_str).collect();
    let names = names.into_iter();
    let meant = match nearest(name, names.clone()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if names.len() == 0 => format!(
            "add [sweeps.{name}] to {} or write key=value pairs.",
            board.config_file().display()
        ),
        None => format!("there are {}.", names.collect::<Vec<_>>().join(", ")),
    };
    CliError::Usage(format!("There is no sweep `{name}` in the config: {meant}"))
}

/// Why there are fewer runs than combinations, if there are.
fn fell_together(sweep: &Sweep, runs: usize) -> Option<String> {
    let combinations = sweep.len();
    (runs < combinations).then(|| {
        format!(
            "{combinations} combinations, {}: a baseline runs once, whatever varies that it does not obey.",
            counted(runs, "run")
        )
    })
}

/// A run that was queued before with the same spec, and how well it did.
pub(super) struct Twin {
    pub id: RunId,
    pub score: String,
}

/// Shows the runs of a sweep that would be queued.
pub(super) fn dry_run(
    board: &Board,
    sweep: &Sweep,
    specs: &[RunSpec],
    context: &mut Context,
) -> Result<u8, CliError> {
    let twins = twins(board, specs)?;
    let varied: Vec<&'static str> =
        keys::KEYS.iter().map(|k| k.name).filter(|k| sweep.varied().any(|v| v == *k)).collect();
    let worst = worst::Worst::of(board, sweep, specs)?;
    if context.json {
        let run = |(i, spec): (usize, &RunSpec)| {
            json!({
                "name": name_in(sweep, spec),
                "spec": spec,
                "already": twins.get(&i).map(|t| t.id.to_string()),
            })
        };
        let runs: Vec<_> = specs.iter().enumerate().map(run).collect();
        context.out.json(&json!({
            "varied": varied, "combinations": sweep.len(), "runs": runs,
            "planned": sweep.planned(), "plan": sweep.plan, "rungs": worst.rungs, "worst_hours": worst.hours(),
        }))?;
        return Ok(exit::OK);
    }
    let mut columns = vec![">run"];
    columns.extend(&varied);
    columns.push("~already run");
    let mut table = Table::new(&columns);
    for (i, spec) in specs.iter().enumerate() {
        let values = varied.iter().map(|k| Cell::from(spec.shown(k)));
        let twin = twins.get(&i).map(|t| format!("{} {}", t.id, t.score)).unwrap_or_default();
        let first = std::iter::once(Cell::from((i + 1).to_string()));
        table.row(first.chain(values).chain([Cell::toned(twin, Tone::Faint)]));
    }
    context.out.table(&table)?;
    let again = match twins.len() {
        0 => String::new(),
        n => format!(", {} already run", figures::count(n as u64)),
    };
    if let Some(words) = fell_together(sweep, specs.len()) {
        context.out.line(words)?;
    }
    if sweep.planned() > specs.len() {
        let rest = counted(sweep.planned() - specs.len(), "run");
        context.out.line(format!("{rest} more will be chosen where those above promise most."))?;
    }
    for line in worst.lines(sweep, specs.first()) {
        context.out.line(line)?;
    }
    context.out.line(format!("{}{again}. Nothing was queued.", counted(specs.len(), "run")))?;
    Ok(exit::OK)
}

/// Those of `specs` that were queued before, by their place.
pub(super) fn twins(board: &Board, specs: &[RunSpec]) -> Result<HashMap<usize, Twin>, CliError> {
    let mut twins = HashMap::new();
    // A dry run changes nothing, so it makes no database either.
    if !board.database().exists() {
        return Ok(twins);
    }
    let reader = verb::reader(board)?;
    for (i, spec) in specs.iter().enumerate() {
        if let Some(twin) = twin(&reader, spec)? {
            twins.insert(i, twin);
        }
    }
    Ok(twins)
}

fn twin(reader: &Reader, spec: &RunSpec) -> Result<Option<Twin>, CliError> {
    let Some(id) = reader.same_spec(&spec.hash())?.first().copied() else { return Ok(None) };
    let Some(run) = reader.run(id)? else { return Ok(None) };
    let score = run.score().map_or_else(|| run.state.to_string(), value);
    Ok(Some(Twin { id, score }))
}

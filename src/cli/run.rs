use serde_json::json;

use super::error::CliError;
use super::table::{Cell, Table};
use super::verb::Context;
use super::{exit, paths, queueing, sweep};
use crate::board::Board;
use crate::order::{check_inputs, disk, name_of, take_model};
use crate::spec::{RunSpec, SpecError, Strategy, Sweep, Values, is_sweep_key, keys};

/// Queue one run
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Every key has a default but model and data; `tuneboard show` lists them all. Everything is checked
before anything is queued, and the run goes on when this terminal is closed.

Examples:
  tuneboard run model=minilm data=data/sms_spam.csv
  tuneboard run model=minilm data=data/sms_spam.csv lr=3e-5 epochs=2 seed=1 --wait
  tuneboard run model=minilm data=news.tsv text=headline label=topic --name news --tag first")]
pub struct Args {
    /// What differs from the defaults of config.toml
    #[arg(value_name = "KEY=VALUE", required = true)]
    pairs: Vec<String>,
    /// Check everything and show what would run, but queue nothing
    #[arg(long, conflicts_with_all = ["wait", "hold"])]
    dry_run: bool,
    #[command(flatten)]
    queue: queueing::Args,
}

/// `tuneboard run`.
pub fn run(args: Args, context: &mut Context) -> Result<u8, CliError> {
    let board = context.board()?;
    args.queue.check()?;
    let pairs: Vec<_> = args.pairs.iter().map(|p| keys::pair(p)).collect::<Result<_, _>>()?;
    if let Some((key, _)) = pairs.iter().find(|(key, _)| is_sweep_key(key)) {
        return Err(CliError::Usage(format!("`{key}` belongs to a sweep: use `tuneboard sweep`.")));
    }
    let pairs = paths::resolved(&pairs, board.root());
    let pairs = pairs.iter().map(|(key, value)| (*key, value.as_ref()));
    let mut sweep = Sweep::parse(board.config.defaults.clone(), pairs).map_err(drawn_at_random)?;
    if let Some(axis) = sweep.axes.first() {
        let has = match &axis.values {
            Values::List(values) => format!("has {} values", values.len()),
            Values::Uniform(..) | Values::Log(..) => "is drawn at random".to_owned(),
        };
        return Err(CliError::Usage(format!(
            "`{}` {has} and a run takes one: use `tuneboard sweep`.",
            axis.key
        )));
    }
    take_model(&board, &mut sweep)?;
    let spec = sweep.base;
    debug_assert!(sweep.strategy == Strategy::Grid, "trials were refused above");
    for sentence in check_inputs(&board, [&spec])? {
        context.out.aside(sentence)?;
    }
    if let Some(warning) = disk::room(&board, [&spec], None).and_then(|room| room.warning()) {
        context.out.aside(warning)?;
    }
    let name = args.queue.name.clone().unwrap_or_else(|| name_of(&spec));
    if args.dry_run {
        return dry_run(&board, &name, spec, context);
    }
    args.queue.queue(&board, None, &[(name, spec)], context)
}

/// Shows a run that would be queued.
pub(super) fn dry_run(
    board: &Board,
    name: &str,
    spec: RunSpec,
    context: &mut Context,
) -> Result<u8, CliError> {
    let specs = [spec];
    let twin = sweep::twins(board, &specs)?.remove(&0);
    let [spec] = &specs;
    if context.json {
        let already = twin.map(|twin| twin.id.to_string());
        context.out.json(&json!({ "name": name, "spec": spec, "already": already }))?;
        return Ok(exit::OK);
    }
    let usual = RunSpec::default();
    let mut table = Table::new(&["key", "value", "~default"]);
    for key in keys::KEYS {
        let (value, default) = (spec.shown(key.name), usual.shown(key.name));
        if value != default {
            table.row([Cell::from(key.name), Cell::from(value), Cell::from(default)]);
        }
    }
    context.out.table(&table)?;
    let again = twin.map(|twin| format!(", already run: {} {}", twin.id, twin.score));
    context.out.line(format!("1 run{}. Nothing was queued.", again.unwrap_or_default()))?;
    Ok(exit::OK)
}

/// A distribution is refused by the sweep for want of `trials`; here it has no place at all.
fn drawn_at_random(error: SpecError) -> CliError {
    match error {
        SpecError::Sweep(_) => {
            CliError::Usage("A run takes one value per key: use `tuneboard sweep`.".into())
        }
        other => other.into(),
    }
}

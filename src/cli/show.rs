mod analysis;
mod classes;
mod rungs;
mod sweep;

use std::fmt::Write as _;

use serde_json::json;

use super::contract::{Kin, RunDetail};
use super::error::CliError;
use super::figures::{self, NOTHING};
use super::table::{Cell, Table, Tone};
use super::verb::{self, Context, one};
use super::{calibrate, exit, ls};
use crate::board::{Board, BoardError, disk};
use crate::events::{Level, Split, Started};
use crate::runner::Doubts;
use crate::spec::keys::{KEYS, Key, ValueKind};
use crate::spec::metrics::{self, Better};
use crate::spec::{
    EvalEvery, EvalRows, Init, Outcome, RunSpec, RunState, SWEEP_KEYS, counts_as_best, short,
};
use crate::store::{Curve, Reader, Run};

/// Show everything about a run; without an id, all keys of a run and their defaults
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tuneboard show             every key, its default and what it takes
  tuneboard show r12         settings, figures and curves of a run
  tuneboard show s3          a sweep: what is best, what matters, what it cost
  tuneboard show r12 --json | jq '.curves[\"val/acc\"]'")]
pub struct Args {
    /// A run, or a sweep as s3
    #[arg(value_name = "ID")]
    id: Option<String>,
    /// With --json and a sweep: its analysis instead of its runs
    #[arg(long, requires = "id")]
    analysis: bool,
}

/// `tuneboard show`.
pub fn run(args: Args, context: &mut Context) -> Result<u8, CliError> {
    let Some(id) = args.id else { return keys(context) };
    let board = context.board()?;
    let reader = verb::reader(&board)?;
    if id.starts_with('s') {
        return sweep::run(&board, &reader, id.parse()?, args.analysis, context);
    }
    if args.analysis {
        let why = format!("--analysis is for a sweep, as in `tuneboard show s3`; {id} is a run.");
        return Err(CliError::Usage(why));
    }
    let run = one(&reader, &id)?;
    let curves = curves(&reader, &run)?;
    let tested = reader.confusion(run.id, Split::Test, None)?;
    if context.json {
        let kin = Kin::of(&reader, &run)?;
        let detail = RunDetail::new(&run, &curves, &board.config.defaults, &kin);
        let detail = detail.with_temperatures(calibrate::of_run(&board, &run));
        context.out.json(&detail.with_classes(tested.as_ref()))?;
    } else {
        head(&run, &Doubts::read(&reader)?, context)?;
        kin(&Kin::of(&reader, &run)?, context)?;
        settings(&run, &board, context)?;
        figures(&run, &curves, context)?;
        if let Some(tested) = &tested {
            context.out.line("\nThe test rows by class")?;
            context.out.table(&classes::table(tested))?;
        }
        calibrate::line(&board, &run).map_or(Ok(()), |line| context.out.line(line))?;
        sizes(&run, &board, context)?;
        trainer_notes(&reader, &run, context)?;
        last_words(&run, context)?;
    }
    Ok(exit::OK)
}

fn curves(reader: &Reader, run: &Run) -> Result<Vec<(String, Curve)>, CliError> {
    let names = reader.metrics(run.id)?;
    names.into_iter().map(|name| Ok((name.clone(), reader.curve(run.id, &name, 0)?))).collect()
}

fn head(run: &Run, doubts: &Doubts, context: &mut Context) -> Result<(), CliError> {
    let out = &mut context.out;
    let sweep = run.sweep.map(|s| format!("  of sweep {s}")).unwrap_or_default();
    out.line(format!(
        "{}  {}  {}{sweep}",
        run.id,
        super::sanitize::one_line(&run.name),
        doubts.of(run).map_or_else(|| ls::state(run).text, str::to_owned)
    ))?;
    let mut facts = vec![match run.testing() {
        Some(_) => ls::progress(run),
        None => format!("epoch {}", ls::progress(run)),
    }];
    facts.push(format!("step {}", figures::count(run.step)));
    if let Some(place) = &run.placement {
        facts.push(format!("{} {}", place.site, place.slot));
    }
    if run.attempt > 1 {
        facts.push(format!("attempt {}", run.attempt));
    }
    let elapsed = ls::elapsed(run);
    if elapsed != NOTHING {
        facts.push(format!("{elapsed} on its device"));
    }
    if let Some(still) = run.stood_still() {
        facts.push(format!("{} stopped or waiting in between", figures::duration(still)));
    }
    out.line(facts.join("  "))?;
    let times = [("queued", Some(run.created)), ("started", run.started), ("ended", run.ended)];
    let times =
        times.iter().filter_map(|(what, t)| t.map(|t| format!("{what} {}", figures::local(t))));
    out.line(times.collect::<Vec<_>>().join("  "))?;
    if let Some(facts) = &run.facts {
        let [train, val, test] = facts.rows.map(figures::count);
        out.line(format!(
            "{}  {} classes  rows {train} train, {val} val, {test} test  {} {}",
            weights(facts),
            facts.labels.len(),
            facts.device,
            facts.precision
        ))?;
    }
    if let Some(columns) = run.facts.as_ref().and_then(columns) {
        out.line(columns)?;
    }
    // Of one that failed, that is what is to be told.
    let is_over = run.state.outcome().is_some_and(|outcome| *outcome != Outcome::Done);
    for flag in run.flags.iter().filter(|_| !is_over) {
        out.line(format!("! {}", flag.sentence()))?;
    }
    if !run.tags.is_empty() {
        out.line(format!("tags {}", run.tags.join(" ")))?;
    }
    if !run.note.is_empty() {
        out.line(format!("note {}", run.note))?;
    }
    Ok(())
}

/// How many weights there are, and how many of them learn where it is not all.
fn weights(facts: &Started) -> String {
    let all = figures::count(facts.parameters);
    match facts.trainable.filter(|learn| *learn < facts.parameters) {
        Some(learn) => format!("{all} weights, of which {} learn", figures::count(learn)),
        None => format!("{all} weights"),
    }
}

/// The columns that were read, and those with texts that were not.
fn columns(facts: &Started) -> Option<String> {
    let shown = |name: &String| format!("`{}`", super::sanitize::one_line(name));
    if facts.text_column.is_empty() {
        return None;
    }
    let mut words = format!("text column {}", shown(&facts.text_column));
    if !facts.label_column.is_empty() {
        let _ = write!(words, ", label column {}", shown(&facts.label_column));
    }
    if !facts.left_aside.is_empty() {
        let names: Vec<String> = facts.left_aside.iter().map(shown).collect();
        let _ = write!(words, "; left aside: {}", names.join(", "));
    }
    Some(words)
}

/// The run it starts from, whether it waits for it, and the runs that start from it.
fn kin(kin: &Kin, context: &mut Context) -> Result<(), CliError> {
    if let Some((parent, state)) = &kin.parent {
        let waits = if kin.waits { ", which it waits for" } else { "" };
        context.out.line(format!("starts from {parent} ({state}){waits}"))?;
    }
    if !kin.children.is_empty() {
        let words: Vec<String> = kin.children.iter().map(ToString::to_string).collect();
        context.out.line(format!("runs that start from it: {}", words.join(", ")))?;
    }
    Ok(())
}

fn settings(run: &Run, board: &Board, context: &mut Context) -> Result<(), CliError> {
    let differing = run.spec.differing_keys(&board.config.defaults);
    context.out.line("\nWhat differs from the defaults")?;
    if differing.is_empty() {
        return context.out.line("nothing");
    }
    let mut table = Table::new(&["key", "~value", "default"]);
    for key in differing {
        let text = |spec: &RunSpec| {
            spec.get(key).filter(|v| !v.is_empty()).unwrap_or_else(|| NOTHING.to_owned())
        };
        let default = Cell::toned(text(&board.config.defaults), Tone::Faint);
        table.row([key.into(), text(&run.spec).into(), default]);
    }
    context.out.table(&table)
}

fn figures(run: &Run, curves: &[(String, Curve)], context: &mut Context) -> Result<(), CliError> {
    if curves.is_empty() && run.last.is_empty() {
        return context.out.line("\nNothing was measured yet.");
    }
    context.out.line("")?;
    let mut table = Table::new(&["metric", ">last", ">best", ">epoch", "curve"]);
    for (metric, last) in &run.last {
        let curve = curves.iter().find(|(name, _)| name == metric).map(|(_, curve)| curve);
        let has_best = metrics::better(metric) != Better::Neither;
        let best = run.best.get(metric).copied().filter(|_| has_best);
        let at = curve.and_then(|c| best_epoch(metric, c));
        let spark = curve.map(|c| figures::sparkline(thin(&c.value), context.out.utf8));
        let value = |x| figures::of(metric, x);
        table.row([
            metric.as_str().into(),
            value(*last).into(),
            best.map_or_else(|| NOTHING.to_owned(), value).into(),
            at.map_or_else(|| NOTHING.to_owned(), |e| short((e * 100.0).round() / 100.0)).into(),
            spark.unwrap_or_default().into(),
        ]);
    }
    context.out.table(&table)?;
    if let Some(epoch) = run.best_epoch {
        context.out.line(format!("The lowest val loss is that of epoch {epoch}."))?;
    }
    Ok(())
}

/// Where a curve is at its best; `None` for one that never was a number, or of which no value is better.
fn best_epoch(metric: &str, curve: &Curve) -> Option<f64> {
    let sign = match metrics::better(metric) {
        Better::High => -1.0,
        Better::Low => 1.0,
        Better::Neither => return None,
    };
    let counts = |epoch| counts_as_best(metric, epoch);
    let points = curve.epoch.iter().zip(&curve.value);
    let points = points.filter(|(epoch, v)| v.is_finite() && counts(**epoch));
    points.min_by(|a, b| (sign * a.1).total_cmp(&(sign * b.1))).map(|(epoch, _)| *epoch)
}

/// At most as many values as a sparkline shows, evenly taken, the last one always.
fn thin(values: &[f64]) -> Vec<f64> {
    const WIDTH: usize = 40;
    let n = values.len();
    if n <= WIDTH {
        return values.to_vec();
    }
    (1..=WIDTH).filter_map(|i| values.get(i * n / WIDTH - 1).copied()).collect()
}

/// What the run's files take on this machine's disk.
fn sizes(run: &Run, board: &Board, context: &mut Context) -> Result<(), CliError> {
    let all = disk::bytes_below(&board.run(run.id));
    if all == 0 {
        return Ok(());
    }
    let checkpoints = board.checkpoints(run.id);
    let parts = [
        ("checkpoints/best", checkpoints.join("best")),
        ("checkpoints/last", checkpoints.join("last")),
        ("predictions", board.predictions(run.id)),
    ];
    let parts = parts.map(|(name, path)| (name, disk::bytes_below(&path)));
    let parts: Vec<String> = parts
        .into_iter()
        .filter(|(_, n)| *n > 0)
        .map(|(name, n)| format!("{name} {}", figures::bytes(n)))
        .collect();
    let parts = if parts.is_empty() { String::new() } else { format!(": {}", parts.join(", ")) };
    context.out.line(format!("\nOn the disk {}{parts}", figures::bytes(all)))
}

/// The trainer's notes, and how many of its events could not be read.
fn trainer_notes(reader: &Reader, run: &Run, context: &mut Context) -> Result<(), CliError> {
    let notes = reader.trainer_notes(run.id)?;
    if !notes.is_empty() {
        context.out.line("")?;
    }
    for note in notes {
        let level = if note.level == Level::Warning { "warning: " } else { "" };
        let text = super::sanitize::one_line(&note.text);
        context.out.line(format!("step {}: {level}{text}", figures::count(note.step)))?;
    }
    if let (lines @ 1.., why) = reader.unread_lines(run.id)? {
        let lines = figures::counted(lines as usize, "line");
        let why = why.map(|why| format!(", the last: {}", super::sanitize::one_line(&why)));
        context.out.line(format!(
            "\n{lines} of events.jsonl could not be read{}.",
            why.unwrap_or_default().trim_end_matches('.')
        ))?;
    }
    Ok(())
}

fn last_words(run: &Run, context: &mut Context) -> Result<(), CliError> {
    let RunState::Ended(outcome) = &run.state else { return Ok(()) };
    let Some(why) = outcome.why() else { return Ok(()) };
    context.out.line(format!("\n{}: {}", outcome.word(), super::sanitize::one_line(&why)))?;
    if let Outcome::Failed { last_lines, .. } = outcome
        && !last_lines.trim().is_empty()
    {
        context.out.line("Its last words:")?;
        for line in last_lines.lines() {
            context.out.line(format!("  {line}"))?;
        }
    }
    let goes_on = match outcome {
        Outcome::Pruned(_) => ", which lets it go on, without being judged again",
        _ => "",
    };
    let next = format!("Next: tuneboard logs {0}, or tuneboard resume {0}{goes_on}", run.id);
    context.out.line(next)
}

/// Every key. Works without a board, then with the built-in defaults.
fn keys(context: &mut Context) -> Result<u8, CliError> {
    let defaults = match context.board() {
        Ok(board) => board.config.defaults,
        Err(CliError::Board(BoardError::NotFound(_))) if context.board_dir.is_none() => {
            RunSpec::default()
        }
        Err(e) => return Err(e),
    };
    if context.json {
        let object = |k: &Key| {
            let default = Some((k.get)(&defaults)).filter(|v| !v.is_empty());
            json!({ "key": k.name, "default": default, "takes": takes(k), "help": k.help })
        };
        context.out.json(&KEYS.iter().map(object).collect::<Vec<_>>())?;
        return Ok(exit::OK);
    }
    let mut table = Table::new(&["key", "default", "takes", "~what it is"]);
    for key in KEYS {
        let default = (key.get)(&defaults);
        let default = if default.is_empty() { NOTHING.to_owned() } else { default };
        table.row([key.name.into(), default.into(), takes(key).into(), key.help.into()]);
    }
    context.out.table(&table)?;
    context.out.line("\nKeys of a sweep")?;
    let mut table = Table::new(&["key", "takes", "~what it is"]);
    for key in SWEEP_KEYS {
        table.row([key.name.into(), key.takes.into(), key.help.into()]);
    }
    context.out.table(&table)?;
    context
        .out
        .line("\nDefaults are those of [defaults] in config.toml, else the built-in ones.")?;
    Ok(exit::OK)
}

fn takes(key: &Key) -> String {
    match key.kind {
        ValueKind::Text if key.name == "device" => "auto, cpu, cuda:N".to_owned(),
        ValueKind::Text if key.name == "init" => Init::WORDS.to_owned(),
        ValueKind::Text if key.name == "eval_every" => EvalEvery::WORDS.to_owned(),
        ValueKind::Text if key.name == "eval_rows" => EvalRows::WORDS.to_owned(),
        ValueKind::Text => "text".to_owned(),
        ValueKind::Path => "path".to_owned(),
        ValueKind::Flag => "true, false".to_owned(),
        ValueKind::Int(low, high) if high >= u64::from(u32::MAX) => format!("{low} or more"),
        ValueKind::Int(low, high) => format!("{low} to {high}"),
        ValueKind::Float(low, high) => format!("{} to {}", short(low), short(high)),
        ValueKind::Choice(words) => words.join(", "),
        ValueKind::Weights(words) => format!("{}, name:weight,...", words.join(", ")),
        ValueKind::Columns => "columns".to_owned(),
        ValueKind::Split => "three shares".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_epoch_is_the_lowest_loss_or_the_highest_accuracy() {
        let curve = Curve {
            epoch: vec![1.0, 2.0, 3.0],
            value: vec![0.3, f64::NAN, 0.5],
            ..Curve::default()
        };
        assert_eq!(best_epoch("val/loss", &curve), Some(1.0));
        assert_eq!(best_epoch("val/acc", &curve), Some(3.0));
        assert_eq!(best_epoch("train/peak_memory_bytes", &curve), Some(1.0));
        assert_eq!(best_epoch("train/step_lr", &curve), None);
        let lost = Curve { epoch: vec![1.0], value: vec![f64::NAN], ..Curve::default() };
        assert_eq!(best_epoch("val/loss", &lost), None);
    }

    #[test]
    fn thinning_keeps_the_end() {
        let values: Vec<f64> = (0..1000).map(f64::from).collect();
        let thinned = thin(&values);
        assert_eq!(thinned.len(), 40);
        assert_eq!(thinned.last(), Some(&999.0));
        assert_eq!(thin(&values[..3]), values[..3]);
    }
}

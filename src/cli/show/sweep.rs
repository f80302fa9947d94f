//! A sweep as a whole, as the dashboard's sweep screen shows it.

use std::collections::BTreeMap;

use super::analysis::{Analysis, in_hours};
use super::rungs;
use crate::analysis::compare::MAX_RUNS;
use crate::analysis::groups::Spread;
use crate::analysis::sizes;
use crate::analysis::sweeps::{self, Effect, Pooled, Setting, SweepFacts};
use crate::board::Board;
use crate::cli::contract::RunObject;
use crate::cli::error::CliError;
use crate::cli::figures::{self, NOTHING, counted, duration};
use crate::cli::sanitize::one_line;
use crate::cli::table::{Cell, Table, Tone};
use crate::cli::verb::{Context, sweep_runs};
use crate::cli::{exit, ls};
use crate::spec::metrics;
use crate::spec::{RunId, SweepId};
use crate::store::{Millis, Reader, Run};

/// Rows of settings and of runs that are shown; all of them are in the JSON.
const SHOWN: usize = 40;

/// `tuneboard show s3`.
pub fn run(
    board: &Board,
    reader: &Reader,
    id: SweepId,
    analysis: bool,
    context: &mut Context,
) -> Result<u8, CliError> {
    let ids = sweep_runs(reader, id)?;
    if context.json && !analysis {
        let runs = reader.runs(&ids)?;
        context.out.json(&runs.iter().map(RunObject::new).collect::<Vec<_>>())?;
        return Ok(exit::OK);
    }
    let gone = || CliError::Usage(format!("There is no sweep {id}."));
    let facts = sweeps::read(reader, id, &|run| board.predictions(run))?.ok_or_else(gone)?;
    if context.json {
        context.out.json(&Analysis::of(id, &facts, &pooled(board, &facts, usize::MAX)))?;
        return Ok(exit::OK);
    }
    head(id, &facts, context)?;
    rungs::show(&facts, context)?;
    picture(&facts, context)?;
    effects(&facts, context)?;
    settings(&facts, &pooled(board, &facts, SHOWN), context)?;
    if facts.are_folds() && (2..=MAX_RUNS).contains(&facts.report.settings.len()) {
        let next =
            format!("`tuneboard compare {id}` tests whether they differ by more than chance.");
        context.out.line(next)?;
    }
    runs(&facts, context)?;
    Ok(exit::OK)
}

/// Of each setting what its held-out folds say together, as far as it is shown.
fn pooled(board: &Board, facts: &SweepFacts, most: usize) -> Vec<Option<Pooled>> {
    let runs: BTreeMap<RunId, &Run> = facts.runs.iter().map(|run| (run.id, run)).collect();
    let of = |setting: &Setting| {
        let runs: Vec<&Run> = setting.runs.iter().filter_map(|id| runs.get(id).copied()).collect();
        Pooled::read(&runs, |id| board.predictions(id))
    };
    let most = if facts.are_folds() { most } else { 0 };
    facts.report.settings.iter().take(most).map(of).collect()
}

fn head(id: SweepId, facts: &SweepFacts, context: &mut Context) -> Result<(), CliError> {
    let out = &mut context.out;
    let (report, all) = (&facts.report, facts.runs.len());
    let ended = facts.runs.iter().filter(|run| run.state.outcome().is_some()).count();
    out.line(format!("{id}  {}  {ended} of {all} ended", one_line(&facts.name)))?;
    let spent = [(report.gpu, "GPUs"), (report.cpu, "CPUs")];
    let spent = spent.iter().filter(|(time, _)| *time > 0);
    let spent: Vec<String> =
        spent.map(|(time, device)| format!("{} on {device}", hours(*time))).collect();
    if !spent.is_empty() {
        out.line(format!("time  {}", spent.join(", ")))?;
    }
    if let Some(found) = &facts.confirmation {
        for sentence in found.sentences(&report.axes, facts.metric()) {
            out.line(sentence)?;
        }
    }
    let none = || format!("No run has a {} yet.", facts.metric());
    if facts.are_folds() {
        // A fold is no better than another: rows are easy or hard.
        let best = report.settings.first().filter(|best| best.score.n > 0);
        let Some(best) = best else { return out.line(none()) };
        let values =
            report.axes.iter().zip(&best.values).map(|(key, value)| format!("{key}={value}"));
        return out.line(format!(
            "best  {} {} over {}  {}",
            facts.metric(),
            mean(&best.score),
            counted(best.score.n, "held-out fold"),
            values.collect::<Vec<_>>().join(" ")
        ));
    }
    let best = sweeps::best_run(&facts.runs, report.lower, |run| facts.score(run));
    let Some(best) = best else { return out.line(none()) };
    let values = report.axes.iter().map(|key| {
        let value = best.spec.get(key).unwrap_or_default();
        format!("{key}={value}")
    });
    out.line(format!(
        "best  {}  {} {}  {}",
        best.id,
        facts.metric(),
        figures::maybe(facts.score(best)),
        values.collect::<Vec<_>>().join(" ")
    ))
}

/// One axis is a list already; two make a table, from which the others are averaged out.
fn picture(facts: &SweepFacts, context: &mut Context) -> Result<(), CliError> {
    const COLUMNS: usize = 12;
    let (report, metric) = (&facts.report, facts.metric());
    let few = |axis: usize| report.effects.get(axis).is_some_and(|e| e.levels.len() <= COLUMNS);
    if report.axes.len() < 2 || !few(1) {
        return Ok(());
    }
    let (rows, columns, means) = sweeps::grid(report, 0, 1);
    let (Some(down), Some(right)) = (report.axes.first(), report.axes.get(1)) else {
        return Ok(());
    };
    let others = if report.axes.len() > 2 { ", mean over the other axes" } else { "" };
    context.out.line(format!("\n{metric} by {down} (down) and {right} (right){others}"))?;
    let mut heads = vec![format!("{down} \\ {right}")];
    heads.extend(columns.iter().map(|c| format!(">{c}")));
    let mut table = Table::new(&heads.iter().map(String::as_str).collect::<Vec<_>>());
    let finite = || means.values().copied().filter(|x| x.is_finite());
    let (low, high) =
        finite().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), x| (l.min(x), h.max(x)));
    let (low, high) = if report.lower { (high, low) } else { (low, high) };
    for (i, row) in rows.iter().enumerate() {
        let cell = |j: usize| match means.get(&(i, j)) {
            None => Cell::toned(NOTHING, Tone::Faint),
            Some(x) if *x == high => {
                Cell::toned(format!("{} {}", star(context), figures::value(*x)), Tone::Good)
            }
            Some(x) if *x == low => Cell::toned(figures::value(*x), Tone::Faint),
            Some(x) => figures::value(*x).into(),
        };
        let cells: Vec<Cell> = (0..columns.len()).map(cell).collect();
        table.row(std::iter::once(Cell::from(row.as_str())).chain(cells));
    }
    context.out.table(&table)
}

fn effects(facts: &SweepFacts, context: &mut Context) -> Result<(), CliError> {
    let report = &facts.report;
    if report.effects.is_empty() {
        let what = if facts.are_folds() { "the fold and the seed were" } else { "the seed was" };
        return context.out.line(format!("\nNothing but {what} varied."));
    }
    context.out.line("\nEffect of each axis: its share of the variance of all scores")?;
    let mut table = Table::new(&["axis", ">share", "~best value", ">mean", ">n"]);
    let mut effects: Vec<&Effect> = report.effects.iter().collect();
    effects.sort_by(|a, b| b.share.unwrap_or(-1.0).total_cmp(&a.share.unwrap_or(-1.0)));
    for effect in effects {
        let levels = effect.levels.iter().filter_map(|(value, s)| Some(((value, s), s.mean?)));
        let best = report.best(levels).map(|(level, _)| level);
        let sd = effect.share_sd.map(|sd| format!(" ± {:.0}", sd * 100.0)).unwrap_or_default();
        let share = effect.share.map(|share| format!("{:.0}{sd} %", share * 100.0));
        table.row([
            effect.key.as_str().into(),
            share.unwrap_or_else(|| NOTHING.to_owned()).into(),
            best.map_or(NOTHING, |(value, _)| value).into(),
            best.map_or_else(|| NOTHING.to_owned(), |(_, s)| mean(s)).into(),
            best.map_or_else(String::new, |(_, s)| s.n.to_string()).into(),
        ]);
    }
    context.out.table(&table)?;
    if report.effects.iter().any(|e| e.share.is_none()) {
        let why = "- means that it cannot be told: scores do not vary, or there are too few runs.";
        context.out.line(why)?;
    }
    Ok(())
}

fn settings(
    facts: &SweepFacts,
    pooled: &[Option<Pooled>],
    context: &mut Context,
) -> Result<(), CliError> {
    let (report, star) = (&facts.report, star(context));
    context.out.line(format!(
        "\nSettings, best first, {}; {star} no setting is both better and cheaper",
        facts.folded()
    ))?;
    let mut heads = vec![">#", "", ">mean", ">n", ">time", ">per hour"];
    if facts.are_folds() {
        heads.insert(3, ">together");
    }
    heads.extend(report.axes.iter().map(String::as_str));
    heads.push("~runs");
    let mut table = Table::new(&heads);
    for (at, setting) in report.settings.iter().take(SHOWN).enumerate() {
        let front = if setting.is_on_front { star } else { "" };
        let mut cells: Vec<Cell> = vec![
            (at + 1).to_string().into(),
            Cell::toned(front, Tone::Good),
            mean(&setting.score).into(),
            setting.score.n.to_string().into(),
            setting.cost.map_or_else(|| NOTHING.to_owned(), duration).into(),
            figures::maybe(sweeps::per_hour(report, setting)).into(),
        ];
        if facts.are_folds() {
            let whole = pooled.get(at).and_then(Option::as_ref).and_then(Pooled::score);
            cells.insert(3, figures::maybe(whole).into());
        }
        cells.extend(setting.values.iter().map(|v| Cell::from(v.as_str())));
        let ids: Vec<String> = setting.runs.iter().map(ToString::to_string).collect();
        cells.push(ids.join(" ").into());
        table.row(cells);
    }
    context.out.table(&table)?;
    left_out(report.settings.len(), "setting", context)
}

fn runs(facts: &SweepFacts, context: &mut Context) -> Result<(), CliError> {
    context.out.line("\nRuns")?;
    let (task, of) = (facts.task(), |name: &str| format!(">{}", metrics::heading(name)));
    let of_val = if facts.are_folds() { task.score()[0] } else { facts.metric() };
    let heads = [of(of_val), of(task.score()[1])];
    let mut table = Table::new(&[
        "id", "state", "~name", &heads[0], &heads[1], ">time", ">hours", ">learn", ">memory",
        "device",
    ]);
    let mut runs: Vec<&Run> = facts.runs.iter().collect();
    runs.sort_by_key(|run| run.id);
    for run in runs.iter().take(SHOWN) {
        let device = run.placement.as_ref().map_or(NOTHING, |p| p.device.as_str());
        let time = sweeps::cost(run);
        table.row([
            run.id.to_string().into(),
            ls::state(run),
            run.name.as_str().into(),
            figures::maybe(run.best.get(of_val).copied()).into(),
            figures::maybe(run.last.get(task.score()[1]).copied()).into(),
            time.map_or_else(|| NOTHING.to_owned(), duration).into(),
            time.map_or_else(|| NOTHING.to_owned(), |t| format!("{:.3}", in_hours(t))).into(),
            sizes::trainable(run).map_or_else(|| NOTHING.to_owned(), figures::count).into(),
            sizes::memory(run).map_or_else(|| NOTHING.to_owned(), figures::bytes).into(),
            device.into(),
        ]);
    }
    context.out.table(&table)?;
    left_out(runs.len(), "run", context)
}

fn left_out(count: usize, what: &str, context: &mut Context) -> Result<(), CliError> {
    if count <= SHOWN {
        return Ok(());
    }
    context.out.line(format!(
        "... and {}; --analysis --json has all of them.",
        counted(count - SHOWN, &format!("more {what}"))
    ))
}

/// What marks the best and the Pareto front.
fn star(context: &Context) -> &'static str {
    if context.out.utf8 { "◆" } else { "*" }
}

/// `0.9713 +- 0.0021`, in the characters that every terminal has.
fn mean(spread: &Spread) -> String {
    match (spread.mean, spread.sd) {
        (Some(mean), Some(sd)) => format!("{} +- {sd:.4}", figures::value(mean)),
        (mean, _) => figures::maybe(mean),
    }
}

/// Device time as it is paid for, and as it is felt.
fn hours(time: Millis) -> String {
    format!("{:.2} hours ({})", in_hours(time), duration(time))
}

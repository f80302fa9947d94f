//! `--wait`: follows queued runs to their end.

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use super::error::CliError;
use super::figures::{self, counted};
use super::verb::{self, Context};
use super::{exit, ls, pruning};
use crate::analysis::sweeps;
use crate::board::Board;
use crate::runner;
use crate::spec::metrics::{test, train, val};
use crate::spec::{Desired, Outcome, Part, RunId, RunState, SweepId, Task};
use crate::store::{self, Curve, Reader, Run};

const POLL: Duration = Duration::from_millis(150);
/// After so long without a runner it is said who keeps one away, and again after as long.
const ALONE: Duration = Duration::from_secs(10);
/// As many runs as get a bar of their own; a sweep may have thousands.
const BARS: usize = 12;

/// What is waited for.
#[derive(Debug, Clone, Copy)]
pub enum Awaited<'a> {
    /// These runs.
    Runs(&'a [RunId]),
    /// All runs of a sweep, also those that it has not chosen yet.
    Sweep(SweepId),
}

impl Awaited<'_> {
    fn runs(self, reader: &Reader) -> Result<Vec<Run>, CliError> {
        Ok(match self {
            Self::Runs(ids) => reader.runs(ids)?,
            Self::Sweep(sweep) => reader.trials(sweep)?,
        })
    }

    /// True once there is nothing to come.
    fn is_over(self, reader: &Reader, runs: &[Run]) -> Result<bool, CliError> {
        if runs.iter().any(|run| run.state.outcome().is_none()) {
            return Ok(false);
        }
        let Self::Sweep(id) = self else { return Ok(true) };
        let Some(sweep) = reader.sweep(id)?.map(|known| known.sweep) else { return Ok(true) };
        let is_spent =
            sweep.plan.until.is_some_and(|until| store::is_spent(runs, until, store::now()));
        if store::rests(runs) && !is_spent {
            return Ok(true);
        }
        let trials = runs.iter().filter(|run| run.part != Part::Confirmation).count();
        let has_trials = is_spent || trials >= sweep.planned();
        Ok(has_trials && store::to_confirm(runs, &sweep, store::now()).is_empty())
    }

    /// What a sweep came to.
    fn told(self, board: &Board, reader: &Reader, context: &mut Context) -> Result<(), CliError> {
        let Self::Sweep(id) = self else { return Ok(()) };
        let facts = sweeps::read(reader, id, &|run| board.predictions(run))?;
        let Some((facts, false)) = facts.map(|facts| (facts, context.json)) else { return Ok(()) };
        let found = facts.confirmation.as_ref();
        let sentences = found.map(|found| found.sentences(&facts.report.axes, facts.metric()));
        for sentence in sentences.unwrap_or_default() {
            context.out.line(sentence)?;
        }
        match facts.pruning.filter(|pruning| pruning.is_pruned) {
            Some(found) => context.out.line(pruning::sentence(&found)),
            None => Ok(()),
        }
    }
}

/// Waits until all have ended; OK only if all are done.
pub fn wait(board: &Board, what: Awaited<'_>, context: &mut Context) -> Result<u8, CliError> {
    let reader = verb::reader(board)?;
    let interrupted = runner::interrupted().map_err(|e| CliError::Place(e.to_string()))?;
    let animated = context.out.tty && !context.json;
    let mut told = Told::default();
    let mut version = None;
    let mut alone = Instant::now();
    loop {
        let now = reader.data_version()?;
        let runs = if version == Some(now) { None } else { Some(what.runs(&reader)?) };
        version = Some(now);
        if let Some(runs) = runs {
            if animated {
                context.out.redraw(&bars(&runs))?;
            } else if !context.json {
                for line in told.news(&reader, &runs)? {
                    context.out.line(line)?;
                }
            }
            context.out.flush()?;
            if what.is_over(&reader, &runs)? {
                what.told(board, &reader, context)?;
                // Lines have told each end; bars have no room for it.
                let reasons = animated || context.json;
                return conclude(&runs, reasons, context);
            }
        }
        if interrupted.load(std::sync::atomic::Ordering::Relaxed) {
            context.out.aside("No longer waiting; the runs go on. `tuneboard ls` shows them.")?;
            return Ok(exit::FAILED);
        }
        // A runner that was killed leaves runs behind; the next one takes them over.
        if reader.runner()?.is_some_and(|info| runner::alive(&info)) {
            alone = Instant::now();
        } else {
            runner::ensure(board)?;
            if alone.elapsed() > ALONE {
                alone = Instant::now();
                let holder = runner::lock_holder(board);
                let holder = holder.as_deref().unwrap_or("nobody on this machine");
                context.out.aside(format!(
                    "No runner serves this board: its lock {} is held by {holder}.",
                    board.runner_lock().display()
                ))?;
            }
        }
        thread::sleep(POLL);
    }
}

/// Says which runs did not end well, and with `reasons` why.
fn conclude(runs: &[Run], reasons: bool, context: &mut Context) -> Result<u8, CliError> {
    let is_bad =
        |run: &&Run| !matches!(run.state, RunState::Ended(Outcome::Done | Outcome::Pruned(_)));
    let bad: Vec<&Run> = runs.iter().filter(is_bad).collect();
    if bad.is_empty() {
        return Ok(exit::OK);
    }
    for run in bad.iter().take(if reasons { BARS } else { 0 }) {
        if let Some(why) = run.state.outcome().and_then(Outcome::why) {
            context.out.aside(format!("{} {}: {why}", run.id, run.state))?;
        }
    }
    let words: Vec<String> = bad.iter().map(|r| format!("{} {}", r.id, r.state)).collect();
    context.out.aside(format!(
        "{} of {} did not end well: {}; `tuneboard show {}` says why.",
        bad.len(),
        counted(runs.len(), "run"),
        words.join(", "),
        bad.first().map(|r| r.id.to_string()).unwrap_or_default()
    ))?;
    Ok(exit::FAILED)
}

/// What was reported already, so that each epoch and each end is reported once.
#[derive(Debug, Default)]
pub struct Told {
    seen: BTreeMap<RunId, Seen>,
}

/// What was told of one run.
#[derive(Debug, Default, PartialEq)]
struct Seen {
    state: String,
    step: u64,
    epoch: f64,
    /// The last evaluation that was told.
    evaluated: f64,
}

impl Told {
    /// Takes a run as it is: what it has told so far is old.
    pub fn begin(&mut self, run: &Run) {
        let Run { step, epoch, .. } = *run;
        let seen = Seen { state: String::new(), step, epoch, evaluated: epoch };
        self.seen.entry(run.id).or_insert(seen);
    }

    /// A line for each change since the last time.
    pub fn news(&mut self, reader: &Reader, runs: &[Run]) -> Result<Vec<String>, CliError> {
        let mut lines = Vec::new();
        for run in runs {
            let state = ls::state(run).text;
            let seen = self.seen.entry(run.id).or_default();
            let changed = (seen.step, seen.epoch) != (run.step, run.epoch) || seen.state != state;
            (seen.step, seen.epoch) = (run.step, run.epoch);
            if changed && run.epoch > 0.0 {
                let told = seen.evaluated;
                for (epoch, figures) in evaluations(reader, run, told)? {
                    let of = run.spec.planned_epochs();
                    lines.push(format!("{} epoch {epoch}/{of}{figures}", run.id));
                    seen.evaluated = epoch;
                }
            }
            let old_state = std::mem::replace(&mut seen.state, state.clone());
            if state != old_state {
                lines.push(match run.state.outcome() {
                    None => format!("{} {state}", run.id),
                    Some(outcome) => {
                        let why = outcome.why().map(|w| format!(": {w}")).unwrap_or_default();
                        let figures = measured(run, &tested(run.spec.task));
                        let wrong = run.flags.iter().map(|flag| format!(" {}", flag.sentence()));
                        let wrong: String = wrong.collect();
                        format!("{} {state} in {}{figures}{why}{wrong}", run.id, ls::elapsed(run))
                    }
                });
            }
        }
        Ok(lines)
    }
}

/// The evaluations after `told`, each with its own figures. An epoch has ended only once it was judged: its
/// steps are reported before that.
fn evaluations(reader: &Reader, run: &Run, told: f64) -> Result<Vec<(f64, String)>, CliError> {
    let mut curves: Vec<(&str, Curve)> = Vec::new();
    for metric in [train::LOSS, train::ACC, val::LOSS, run.spec.task.score()[0]] {
        curves.push((metric, reader.curve(run.id, metric, 0)?));
    }
    let judged = curves.iter().filter(|(name, _)| name.starts_with("val/"));
    let mut epochs: Vec<f64> =
        judged.flat_map(|(_, curve)| curve.epoch.iter().copied()).filter(|e| *e > told).collect();
    epochs.sort_by(f64::total_cmp);
    epochs.dedup();
    let figures = |epoch: f64| {
        let words = curves.iter().filter_map(|(name, curve)| {
            let at = curve.epoch.iter().rposition(|e| *e == epoch)?;
            Some(format!("  {name} {}", figures::value(*curve.value.get(at)?)))
        });
        words.collect::<String>()
    };
    Ok(epochs.into_iter().map(|epoch| (epoch, figures(epoch))).collect())
}

/// What is told of a test: the loss, the score, and what is usual beside it.
fn tested(task: Task) -> Vec<&'static str> {
    let beside = match task {
        Task::Classify | Task::Lm | Task::Multilabel => test::F1,
        Task::Regress => test::SPEARMAN,
        Task::Tag => test::STRICT_F1,
    };
    vec![test::LOSS, task.score()[1], beside]
}

fn measured(run: &Run, metrics: &[&str]) -> String {
    let known = metrics.iter().filter_map(|m| run.last.get(*m).map(|x| (m, x)));
    let words: Vec<String> = known.map(|(m, x)| format!("  {m} {}", figures::value(*x))).collect();
    words.concat()
}

/// One line per run, the live ones first, and a line for the rest.
fn bars(runs: &[Run]) -> Vec<String> {
    let mut order: Vec<&Run> = runs.iter().collect();
    order.sort_by_key(|r| (rank(r), r.id));
    let mut lines: Vec<String> = order.iter().take(BARS).map(|run| bar(run)).collect();
    if runs.len() > 1 {
        let ended = runs.iter().filter(|r| r.state.outcome().is_some()).count();
        lines.push(format!("{ended} of {} ended. Ctrl-C stops waiting, not the runs.", runs.len()));
    }
    lines
}

/// With more runs than bars, those that train matter most.
fn rank(run: &Run) -> u8 {
    match &run.state {
        state if state.is_live() => 0,
        RunState::Ended(Outcome::Done) => 3,
        RunState::Ended(_) => 1,
        _ if run.desired == Desired::Hold => 4,
        _ => 2,
    }
}

fn bar(run: &Run) -> String {
    const WIDTH: usize = 20;
    let trained = run.epoch / f64::from(run.spec.planned_epochs().max(1));
    let share = run.testing().unwrap_or(trained).clamp(0.0, 1.0);
    let full = (share * WIDTH as f64) as usize;
    let metrics = match run.state {
        RunState::Ended(_) => measured(run, &[test::LOSS, run.spec.task.score()[1]]),
        _ => measured(run, &[train::STEP_LOSS, val::LOSS, run.spec.task.score()[0]]),
    };
    format!(
        "{:<5} {:<8} [{}{}] {:>7}  {:>7}  {}{metrics}",
        run.id,
        ls::state(run).text,
        "#".repeat(full),
        ".".repeat(WIDTH - full),
        ls::progress(run),
        ls::elapsed(run),
        run.name
    )
}

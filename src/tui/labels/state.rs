//! What a run is doing, in a glyph, a word and a colour; how far it is and how long it will take.

use ratatui::style::Style;

use crate::spec::metrics::train;
use crate::spec::{Desired, Outcome, RunState};
use crate::store::{Counts, Millis, Run};
use crate::tui::theme::Theme;

/// Glyph, word and colour; the glyph and the word say it all without the colour.
pub fn label(run: &Run, theme: &Theme) -> (char, &'static str, Style) {
    match (&run.state, run.desired) {
        (RunState::Queued, Desired::Hold) => ('◇', "held", theme.warn),
        (RunState::Stopping, _)
        | (RunState::Queued | RunState::Starting | RunState::Running, Desired::Stop) => {
            ('◌', "stopping", theme.test)
        }
        (RunState::Queued, Desired::Run) => ('○', "queued", theme.dim),
        (RunState::Starting | RunState::Running, Desired::Hold) => ('◌', "holding", theme.warn),
        (RunState::Starting, Desired::Run) => ('◌', "starting", theme.val),
        (RunState::Running, Desired::Run) => ('●', "running", theme.val),
        (RunState::Ended(outcome), _) => match outcome {
            Outcome::Done => ('✓', "done", theme.good),
            Outcome::Failed { .. } => ('✗', "failed", theme.bad),
            Outcome::Lost { .. } => ('✗', "lost", theme.bad),
            Outcome::Stopped => ('■', "stopped", theme.test),
            Outcome::Pruned { .. } => ('■', "pruned", theme.test),
        },
    }
}

/// Counts that are not 0: glyph with number, word, colour.
pub fn tallies(c: &Counts, theme: &Theme) -> Vec<(String, &'static str, Style)> {
    [
        (c.live, '●', "running", theme.val),
        (c.queued, '○', "queued", theme.dim),
        (c.held, '◇', "held", theme.warn),
        (c.done, '✓', "done", theme.good),
        (c.failed, '✗', "failed", theme.bad),
        (c.stopped, '■', "stopped", theme.test),
    ]
    .into_iter()
    .filter(|(n, ..)| *n > 0)
    .map(|(n, glyph, word, style)| (format!("{glyph} {n}"), word, style))
    .collect()
}

/// Epochs a run is to train.
pub fn epochs(run: &Run) -> u32 {
    run.facts
        .as_ref()
        .map(|f| f.epochs)
        .filter(|e| *e > 0)
        .unwrap_or(run.spec.planned_epochs())
        .max(1)
}

/// From 0 to 1.
pub fn progress(run: &Run) -> f64 {
    (run.epoch / f64::from(epochs(run))).clamp(0.0, 1.0)
}

/// Milliseconds a live run will still take: the rows left at its present speed, else the share of
/// time that the share of epochs took.
pub fn eta(run: &Run) -> Option<Millis> {
    if run.state != RunState::Running {
        return None;
    }
    let left = f64::from(epochs(run)) - run.epoch;
    let rows = run.facts.as_ref().map_or(0, |f| f.rows[0]);
    if let Some(speed) = run.last.get(train::EXAMPLES_PER_S).filter(|s| **s > 0.0 && rows > 0) {
        return Some((left * rows as f64 / speed * 1000.0) as Millis);
    }
    let took = (run.last_event? - run.started?) as f64;
    (run.attempt == 1 && run.epoch > 0.0).then(|| (took * left / run.epoch) as Millis)
}

/// Milliseconds between the first start and the end, or the last sign of life.
pub fn took(run: &Run) -> Option<Millis> {
    let until = run.ended.filter(|_| !run.state.is_live()).or(run.last_event)?;
    Some(until - run.started?)
}

/// Epochs as `2.4/3`, or `3/3`.
pub fn epoch_words(run: &Run) -> String {
    let n = epochs(run);
    if run.epoch.fract() < 0.05 || !run.state.is_live() {
        format!("{:.0}/{n}", run.epoch.floor())
    } else {
        format!("{:.1}/{n}", run.epoch)
    }
}

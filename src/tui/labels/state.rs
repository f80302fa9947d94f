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
        (RunState::Running, Desired::Run) if run.testing().is_some() => {
            ('●', "testing", theme.test)
        }
        (RunState::Starting, Desired::Run) => ('◌', "starting", theme.val),
        (RunState::Running, Desired::Run) => ('●', "running", theme.val),
        (RunState::Ended(outcome), _) => match outcome {
            // It ended well, and something is wrong all the same.
            Outcome::Done if !run.flags.is_empty() => ('!', "done", theme.warn),
            Outcome::Done => ('✓', "done", theme.good),
            Outcome::Failed { .. } => ('✗', "failed", theme.bad),
            Outcome::Lost { .. } => ('✗', "lost", theme.bad),
            Outcome::Stopped => ('■', "stopped", theme.test),
            Outcome::Pruned(_) => ('■', "pruned", theme.test),
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

/// From 0 to 1: of the epochs, and once they are done, of the test rows.
pub fn progress(run: &Run) -> f64 {
    run.testing().unwrap_or_else(|| trained(run))
}

/// The share of the epochs that is done.
pub fn trained(run: &Run) -> f64 {
    (run.epoch / f64::from(epochs(run))).clamp(0.0, 1.0)
}

/// Milliseconds a live run will still take: the epochs that are left with their evaluations, and the test.
///
/// A row costs what the trainer says of its speed, or what the share of the time says that the share of the epochs
/// took. To judge a row costs what an epoch took besides its train rows; before the first epoch is over a third of
/// what it costs to learn from it, since the way back costs about twice the way there (Kaplan et al., "Scaling laws
/// for neural language models", 2020, section 2.1).
pub fn eta(run: &Run) -> Option<Millis> {
    if run.state != RunState::Running {
        return None;
    }
    let rows = run.facts.as_ref().map_or([0.0; 3], |facts| facts.rows.map(|n| n as f64));
    let [train, val, test] = rows;
    let took = run.device_time.filter(|ms| *ms > 0 && run.epoch > 0.0);
    let per_epoch = took.map(|ms| ms as f64 / run.epoch);
    let speed = run.last.get(train::EXAMPLES_PER_S).filter(|s| **s > 0.0 && train > 0.0);
    let learning = match (speed, per_epoch) {
        (Some(speed), _) => 1000.0 / speed,
        (None, Some(epoch)) if train > 0.0 => epoch / (train + val / 3.0),
        // Without rows nothing is known of the test either.
        (None, Some(epoch)) => return Some((epoch * left(run)) as Millis),
        (None, None) => return None,
    };
    let judging = match per_epoch.filter(|_| run.epoch >= 1.0 && run.attempt == 1 && val > 0.0) {
        Some(epoch) => ((epoch - train * learning) / val).clamp(learning / 10.0, learning),
        None => learning / 3.0,
    };
    let left = left(run);
    let untested = 1.0 - run.testing().unwrap_or(0.0);
    let all = left * train * learning + (left.ceil() * val + untested * test) * judging;
    Some(all as Millis)
}

/// Epochs that are left to train; none once the test has begun, however early that was.
fn left(run: &Run) -> f64 {
    if run.testing().is_some() { 0.0 } else { (f64::from(epochs(run)) - run.epoch).max(0.0) }
}

/// Epochs as `2.4/3`, or `3/3`; how much of the test rows is done.
pub fn epoch_words(run: &Run) -> String {
    if let Some(share) = run.testing() {
        return format!("test {:.0}%", (share * 100.0).floor());
    }
    let n = epochs(run);
    if run.epoch.fract() < 0.05 || !run.state.is_live() {
        format!("{:.0}/{n}", run.epoch.floor())
    } else {
        format!("{:.1}/{n}", run.epoch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Pass, Split};
    use crate::tui::fixtures::trained;

    #[test]
    fn the_time_left_holds_evaluations_and_the_test() {
        let mut run = trained(1, RunState::Running, 1.0);
        // 4,459 rows at 100 a second, then 557 that take 10 s: 55 s an epoch.
        run.last.insert(train::EXAMPLES_PER_S.into(), 100.0);
        run.device_time = Some(44_590 + 5_570);
        let seconds = |run: &Run| eta(run).unwrap() / 1000;
        assert_eq!(seconds(&run), 2 * 50 + 5);
        run.epoch = 3.0;
        run.device_time = Some(3 * 50_160);
        assert_eq!(seconds(&run), 5, "the test is left");
        run.pass = Some(Pass { split: Split::Test, share: 0.8 });
        assert_eq!(seconds(&run), 1);
        assert_eq!((epoch_words(&run).as_str(), progress(&run)), ("test 80%", 0.8));
        // A killed attempt resumed: the clock holds work that was done twice.
        (run.attempt, run.epoch, run.pass) = (2, 2.0, None);
        run.device_time = Some(1_000_000);
        assert_eq!(seconds(&run), 48, "44.59 s to learn, 3.7 s to judge");
    }

    #[test]
    fn a_run_that_went_wrong_is_done_with_a_mark() {
        let mut run = trained(1, RunState::Ended(Outcome::Done), 3.0);
        run.flags.push(crate::spec::Flag::Diverged);
        let theme = Theme::new(false, crate::tui::theme::Depth::Mono);
        let (glyph, word, _) = label(&run, &theme);
        assert_eq!((glyph, word), ('!', "done"));
    }
}

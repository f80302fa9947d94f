use crate::analysis::sweeps::Setting;
use crate::tui::background::{SweepFacts, SweepQuestion};
use crate::tui::screen::moved;
use crate::tui::snapshot::Snapshot;
use crate::tui::view::View;

/// What is asked of the sweep in view.
pub fn question(view: &View, snap: &Snapshot) -> Option<SweepQuestion> {
    let sweep = view.sweep.sweep?;
    let live = snap.live.iter().filter(|run| run.sweep == Some(sweep));
    let c = &snap.counts;
    let steps = live.map(|run| run.step + 1).sum::<u64>() + c.done + c.failed + c.stopped;
    Some(SweepQuestion { sweep, steps })
}

/// The answer to what the view asks, or to what it asked a moment ago.
pub fn answer<'a>(snap: &'a Snapshot, view: &View) -> Option<&'a Result<SweepFacts, String>> {
    let (question, facts) = snap.answers.sweep.as_ref()?;
    (Some(question.sweep) == view.sweep.sweep).then_some(facts.as_ref())
}

/// The settings of the sweep in view, best first.
pub fn all<'a>(view: &View, snap: &'a Snapshot) -> &'a [Setting] {
    let facts = answer(snap, view).and_then(|facts| facts.as_ref().ok());
    facts.map_or(&[], |facts| facts.report.settings.as_slice())
}

/// The setting under the cursor.
pub fn here<'a>(view: &View, snap: &'a Snapshot) -> Option<&'a Setting> {
    all(view, snap).get(view.sweep.cursor)
}

/// Moves the cursor.
pub fn step(view: &mut View, snap: &Snapshot, by: isize) {
    view.sweep.cursor = moved(view.sweep.cursor, by, all(view, snap).len());
}

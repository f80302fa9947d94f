//! Keys of the sweep screen.

use crate::spec::RunId;
use crate::tui::screens;
use crate::tui::snapshot::Snapshot;
use crate::tui::view::{Screen, View};

/// Shows the sweep of the run that keys act on; without one, the sweep that was shown last.
pub fn show(view: &mut View, snap: &Snapshot) {
    let run = view.targets(snap).first().and_then(|id| super::find(snap, *id));
    if let Some(sweep) = run.and_then(|run| run.sweep)
        && view.sweep.sweep != Some(sweep)
    {
        view.sweep.sweep = Some(sweep);
        (view.sweep.cursor, view.sweep.axis) = (0, 0);
    }
    super::go(Screen::Sweep, view);
}

/// The first run of the setting under the cursor.
pub fn here(view: &View, snap: &Snapshot) -> Option<RunId> {
    let facts = screens::sweep::answer(snap, view)?.as_ref().ok()?;
    facts.report.settings.get(view.sweep.cursor)?.runs.first().copied()
}

/// Moves the cursor.
pub fn walk(view: &mut View, snap: &Snapshot, by: isize) {
    let facts = screens::sweep::answer(snap, view).and_then(|facts| facts.as_ref().ok());
    let last = facts.map_or(0, |facts| facts.report.settings.len()).saturating_sub(1);
    view.sweep.cursor = view.sweep.cursor.saturating_add_signed(by).min(last);
}

/// Marks all runs of the setting under the cursor, to compare them.
pub fn mark(view: &mut View, snap: &Snapshot) {
    let facts = screens::sweep::answer(snap, view).and_then(|facts| facts.as_ref().ok());
    let Some(setting) = facts.and_then(|facts| facts.report.settings.get(view.sweep.cursor)) else {
        return;
    };
    let runs = setting.runs.clone();
    let marks = &mut view.runs.marks;
    if runs.iter().all(|id| marks.contains(id)) {
        marks.retain(|id| !runs.contains(id));
    } else {
        marks.extend(runs);
    }
    walk(view, snap, 1);
}

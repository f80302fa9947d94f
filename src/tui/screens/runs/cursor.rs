use super::preview::regions;
use crate::spec::RunId;
use crate::tui::layout::{parts, scrolled};
use crate::tui::screen::moved;
use crate::tui::snapshot::Snapshot;
use crate::tui::view::{ScreenId, View};

/// Rows of the table that fit.
pub fn page(view: &View, snap: &Snapshot) -> usize {
    let (table, _) = regions(parts(view.area, snap).body, view);
    usize::from(table.height.saturating_sub(2))
}

/// Moves the cursor.
pub fn step(view: &mut View, snap: &Snapshot, by: isize) {
    view.move_to_row(moved(view.runs.cursor, by, snap.list.count()), snap);
}

/// The runs of the row under the cursor.
pub fn here(view: &View, snap: &Snapshot) -> Vec<RunId> {
    match &snap.list.groups {
        Some(groups) => {
            groups.get(view.runs.cursor).map(|g| g.members.to_vec()).unwrap_or_default()
        }
        None => snap.list.ids.get(view.runs.cursor).copied().into_iter().collect(),
    }
}

/// Marks the runs of the row under the cursor, or drops their marks, and goes on to the next row.
pub fn mark(view: &mut View, snap: &Snapshot) {
    view.toggle_marks(&here(view, snap));
    step(view, snap, 1);
}

/// True if rows in view are not loaded.
pub fn lacks_rows(view: &View, snap: &Snapshot) -> bool {
    let last = snap.list.count().saturating_sub(1);
    let end = view.runs.top + page(view, snap);
    let edges = [view.runs.top, end.saturating_sub(1).min(last)];
    snap.list.groups.is_none()
        && !snap.list.ids.is_empty()
        && edges.iter().any(|at| snap.list.row(*at).is_none())
}

/// Keeps the cursor on its run, and in view.
pub fn settle(view: &mut View, snap: &Snapshot) {
    let only = view.runs.only.as_ref().map(|(_, ids)| ids);
    // A list that answers an older question says nothing of where the cursor belongs.
    let answered = snap.list.listing == view.listing() && snap.list.only.as_ref() == only;
    let here = snap.list.ids.get(view.runs.cursor).copied();
    let mut lost = false;
    if answered
        && snap.list.groups.is_none()
        && let Some(at) = view.runs.at.filter(|at| here != Some(*at))
    {
        // The cursor stays on its run when others come and go above it.
        match snap.list.ids.iter().position(|id| *id == at) {
            Some(found) => {
                // The row keeps its place on the screen as far as the list allows.
                view.runs.top = (view.runs.top + found).saturating_sub(view.runs.cursor);
                view.runs.cursor = found;
                view.runs.queued = None;
            }
            // One that was just queued is not in the list yet.
            None => lost = !snap.list.complete || view.runs.queued == Some(at),
        }
    }
    let (count, page) = (snap.list.count(), page(view, snap));
    view.runs.cursor = view.runs.cursor.min(count.saturating_sub(1));
    view.runs.top = scrolled(view.runs.top, view.runs.cursor, page, count);
    if snap.list.groups.is_some() {
        view.runs.at = None;
    } else if answered && !lost {
        view.runs.at = snap.list.ids.get(view.runs.cursor).copied();
    }
    // The other screens show the run under the cursor of the list.
    let follows = view.screen == ScreenId::RUNS || view.open.is_none();
    if let Some(at) = view.runs.at.filter(|_| follows) {
        view.show(at);
    }
}

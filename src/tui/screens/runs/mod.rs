//! The table of all runs, or of groups of them.

mod cells;
pub mod choices;
pub mod columns;
mod cursor;
mod filter;
mod groups;
mod keys;
mod list;
mod measured;
mod pictures;
pub mod preview;
mod welcome;

use ratatui::layout::Rect;

use super::compare;
use crate::spec::RunId;
use crate::tui::background::Question;
use crate::tui::canvas::{Canvas, Target};
use crate::tui::keys::{Action, Keymap};
use crate::tui::layout::parts;
use crate::tui::query::Query;
use crate::tui::screen::{About, Click, Screen};
use crate::tui::snapshot::{GroupBy, Snapshot};
use crate::tui::view::View;

/// The table of all runs, or of groups of them.
pub struct Runs;

impl Screen for Runs {
    fn about(&self) -> &'static About {
        &keys::ABOUT
    }

    fn targets(&self, view: &View, snap: &Snapshot) -> Vec<RunId> {
        if view.runs.marks.is_empty() {
            cursor::here(view, snap)
        } else {
            view.runs.marks.iter().copied().collect()
        }
    }

    /// The run under the cursor, for its preview.
    fn query(&self, view: &View, query: &mut Query) {
        query.disk = view.wants_disk();
        query.at = view.wanted_epochs();
        if preview::shows_run(view) {
            query.run = view.open;
            (query.curves, query.near, query.log) = (true, 0, preview::LOG);
        }
    }

    /// The curves of the marked runs, for their preview; what an empty board has to begin with.
    fn question(&self, view: &View, snap: &Snapshot) -> Option<Question> {
        if welcome::is_shown(view, snap) {
            Some(Question::Start(view.runs.begun))
        } else if preview::shows_marks(view) {
            compare::question(view, snap).map(Question::Compare)
        } else {
            None
        }
    }

    /// An empty board's beginning has one key.
    fn offers(&self, action: &Action, view: &View, snap: &Snapshot) -> bool {
        !welcome::is_shown(view, snap) || *action == keys::OPEN
    }

    fn lacks_rows(&self, view: &View, snap: &Snapshot) -> bool {
        cursor::lacks_rows(view, snap)
    }

    fn prepare(&self, snap: &Snapshot) {
        measured::measured(snap);
    }

    fn settle(&self, view: &mut View, snap: &Snapshot) {
        cursor::settle(view, snap);
    }

    fn step(&self, view: &mut View, snap: &Snapshot, by: isize) {
        if welcome::is_shown(view, snap) {
            welcome::turn(view, snap, by);
        } else {
            cursor::step(view, snap, by);
        }
    }

    fn page(&self, view: &View, snap: &Snapshot) -> usize {
        cursor::page(view, snap)
    }

    /// Out of marks, an opened group, a filter, folding.
    fn back(&self, view: &mut View, snap: &Snapshot) {
        if !view.runs.marks.is_empty() {
            view.runs.marks.clear();
        } else if view.runs.only.take().is_some() {
            view.move_to_row(0, snap);
        } else if !view.runs.filter.is_empty() {
            view.filter_to("");
        } else {
            view.runs.group = GroupBy::None;
        }
    }

    fn click(&self, target: &Target, _: u16, view: &mut View, snap: &Snapshot) -> Click {
        match target {
            Target::Row(row) if welcome::is_shown(view, snap) => {
                view.runs.step = Some(*row);
                return Click::Same(&keys::OPEN);
            }
            Target::Row(row) if view.runs.cursor == *row => return Click::Same(&keys::OPEN),
            Target::Row(row) => view.move_to_row(*row, snap),
            Target::Mark(row) => {
                view.move_to_row(*row, snap);
                cursor::mark(view, snap);
                view.move_to_row(*row, snap);
            }
            Target::Title(column) => {
                let area = preview::regions(parts(view.area, snap).body, view).0;
                let shown = columns::shown(snap, view, area).placed;
                let sort = shown.get(*column).and_then(|p| columns::sort(&p.column.kind));
                if let Some(sort) = sort {
                    choices::sort_by(sort, view);
                }
            }
            _ => return Click::Nothing,
        }
        Click::Done
    }

    /// An empty board's beginning.
    fn is_ready_without_database(&self) -> bool {
        true
    }

    /// The table, and over it what helps to type a query.
    fn draw(&self, canvas: &mut Canvas, area: Rect, snap: &Snapshot, view: &View, _: &Keymap) {
        let room = preview::regions(area, view);
        let (table, picture) = if snap.list.ids.is_empty() { (area, None) } else { room };
        list::draw(canvas, table, snap, view);
        if let Some(place) = picture {
            pictures::draw(canvas, place, snap, view);
        }
        filter::help(canvas, area, snap, view);
    }
}

//! The table of all runs, or of groups of them.

mod cells;
pub mod choices;
mod cursor;
mod filter;
mod groups;
mod keys;
mod list;
mod welcome;

use ratatui::layout::Rect;

use crate::spec::RunId;
use crate::tui::canvas::{Canvas, Target};
use crate::tui::keys::Keymap;
use crate::tui::screen::{About, Click, Screen};
use crate::tui::snapshot::{GroupBy, Snapshot};
use crate::tui::view::View;

pub use cursor::move_to;
pub use welcome::WELCOME;

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

    fn lacks_rows(&self, view: &View, snap: &Snapshot) -> bool {
        cursor::lacks_rows(view, snap)
    }

    fn settle(&self, view: &mut View, snap: &Snapshot) {
        cursor::settle(view, snap);
    }

    fn step(&self, view: &mut View, snap: &Snapshot, by: isize) {
        cursor::step(view, snap, by);
    }

    fn page(&self, view: &View, snap: &Snapshot) -> usize {
        cursor::page(view.area, snap)
    }

    /// Out of marks, an opened group, a filter, folding.
    fn back(&self, view: &mut View, snap: &Snapshot) {
        if !view.runs.marks.is_empty() {
            view.runs.marks.clear();
        } else if view.runs.only.take().is_some() {
            cursor::move_to(0, view, snap);
        } else if !view.runs.filter.is_empty() {
            view.filter_to("");
        } else {
            view.runs.group = GroupBy::None;
        }
    }

    fn click(&self, target: &Target, _: u16, view: &mut View, snap: &Snapshot) -> Click {
        match target {
            Target::Row(row) if view.runs.cursor == *row => return Click::Same(&keys::OPEN),
            Target::Row(row) => cursor::move_to(*row, view, snap),
            Target::Mark(row) => {
                cursor::move_to(*row, view, snap);
                cursor::mark(view, snap);
                cursor::move_to(*row, view, snap);
            }
            Target::Title(column) => {
                let choices = choices::sort_choices(snap);
                if let Some((_, sort)) = choices.into_iter().nth(*column) {
                    choices::sort_by(sort, view);
                }
            }
            _ => return Click::Nothing,
        }
        Click::Done
    }

    /// The table, and over it what helps to type a query.
    fn draw(&self, canvas: &mut Canvas, area: Rect, snap: &Snapshot, view: &View, _: &Keymap) {
        list::draw(canvas, area, snap, view);
        filter::help(canvas, area, snap, view);
    }
}

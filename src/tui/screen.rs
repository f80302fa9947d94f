//! What a screen is: its keys, what it asks of the other threads, and how it looks.

use ratatui::layout::Rect;

use super::background::Question;
use super::canvas::{Canvas, Target};
use super::keys::{Action, Keymap};
use super::query::Query;
use super::snapshot::Snapshot;
use super::view::{ScreenId, View};
use crate::spec::RunId;

/// What came of a click.
#[derive(Debug, PartialEq)]
pub enum Click {
    /// It means nothing here.
    Nothing,
    /// The view has changed.
    Done,
    /// The same as this action.
    Same(&'static Action),
}

/// What a screen is called, how it is reached, and its keys.
#[derive(Debug)]
pub struct About {
    /// Its name, which no other screen has.
    pub id: ScreenId,
    /// Its name as people read it.
    pub title: &'static str,
    /// The action that leads to it from everywhere; a screen that has one has a tab.
    pub tab: Option<&'static Action>,
    /// The screen whose tab is lit while this one is shown.
    pub under: ScreenId,
    /// Its actions, in the order of help.
    pub keys: &'static [&'static [&'static Action]],
}

/// A screen. All it keeps is in the [`View`]; `draw` changes nothing.
pub trait Screen: Sync {
    /// What it is called, how it is reached, and its keys.
    fn about(&self) -> &'static About;

    /// Called before it is gone to by its tab or its action, with the runs that keys acted on there.
    fn enter(&self, _view: &mut View, _snap: &Snapshot, _targets: &[RunId]) {}

    /// The runs that keys act on: the marked ones, else the one under the cursor.
    fn targets(&self, _view: &View, _snap: &Snapshot) -> Vec<RunId> {
        Vec::new()
    }

    /// What the loader thread has to bring besides the list.
    fn query(&self, _view: &View, _query: &mut Query) {}

    /// What the background thread has to find out.
    fn question(&self, _view: &View, _snap: &Snapshot) -> Option<Question> {
        None
    }

    /// Whether an action does anything on what is shown; the key line leaves out what does not.
    fn offers(&self, _action: &Action, _view: &View, _snap: &Snapshot) -> bool {
        true
    }

    /// True if rows that it shows are not loaded.
    fn lacks_rows(&self, _view: &View, _snap: &Snapshot) -> bool {
        false
    }

    /// Finds out of rows that come into view next what drawing them will ask.
    fn prepare(&self, _snap: &Snapshot) {}

    /// Brings cursors and scroll positions back inside what there is; after each key and each answer, whichever
    /// screen is shown.
    fn settle(&self, _view: &mut View, _snap: &Snapshot) {}

    /// Moves the cursor so many rows down.
    fn step(&self, view: &mut View, snap: &Snapshot, by: isize);

    /// Rows of a page.
    fn page(&self, view: &View, _snap: &Snapshot) -> usize {
        usize::from(view.area.height.saturating_sub(8))
    }

    /// Moves so many pages down.
    fn turn(&self, view: &mut View, snap: &Snapshot, by: isize) {
        let rows = self.page(view, snap).max(1) as isize;
        self.step(view, snap, by * rows);
    }

    /// One step back: inside of the screen, then out of it.
    fn back(&self, view: &mut View, _snap: &Snapshot) {
        view.go(ScreenId::RUNS);
    }

    /// What a click does on what [`Screen::draw`] put there, so many columns from its left edge.
    fn click(&self, _target: &Target, _at: u16, _view: &mut View, _snap: &Snapshot) -> Click {
        Click::Nothing
    }

    /// True if it can be drawn before there is a database.
    fn is_ready_without_database(&self) -> bool {
        false
    }

    /// Draws it, and says what clicks hit.
    fn draw(&self, canvas: &mut Canvas, area: Rect, snap: &Snapshot, view: &View, keymap: &Keymap);
}

/// A click on a row: the first puts the cursor there, the second does what enter does.
pub fn click_row(cursor: &mut usize, row: usize, open: &'static Action) -> Click {
    if *cursor == row {
        return Click::Same(open);
    }
    *cursor = row;
    Click::Done
}

/// A cursor moved so many rows, kept inside the list.
pub fn moved(cursor: usize, by: isize, count: usize) -> usize {
    cursor.saturating_add_signed(by).min(count.saturating_sub(1))
}

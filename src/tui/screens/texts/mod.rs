//! The texts behind a cell of the confusion matrix, highest loss first; one of them in full.

mod list;

use ratatui::layout::Rect;

use crate::spec::RunId;
use crate::tui::background::{Filter, Question};
use crate::tui::canvas::{Canvas, Target};
use crate::tui::command::{Command, Effect};
use crate::tui::keys::Does::{Act, Set};
use crate::tui::keys::{Action, Keymap, OF_RUNS, actions};
use crate::tui::query::Query;
use crate::tui::screen::{About, Click, Screen, click_row, moved};
use crate::tui::snapshot::Snapshot;
use crate::tui::view::{ScreenId, View};

/// The texts behind a cell of the confusion matrix.
pub struct Texts;

static ABOUT: About = About {
    id: ScreenId::TEXTS,
    title: "Texts",
    tab: None,
    under: ScreenId::CONFUSION,
    keys: &[&[&OPEN, &BEFORE, &NEXT, &OTHER_ROWS, &EXPORT], OF_RUNS],
};

actions! {
    OPEN "text" "enter", "text or list", "The whole text, or the list",
        Set(|view, _| (view.texts.full, view.texts.scroll) = (!view.texts.full, 0));
    BEFORE "text-back" "left", "", "The text before", Set(|view, snap| walk(view, snap, -1));
    NEXT "text-on" "right", "", "The next text", Set(|view, snap| walk(view, snap, 1));
    OTHER_ROWS "other-rows" "f", "other rows",
        "The cell, all mistakes, wrong in all marked runs, won or lost against the first",
        Set(|view, _| {
            let next = match view.texts.filter {
                Filter::Cell(..) => Filter::Wrong,
                Filter::Wrong => Filter::WrongInAll,
                Filter::WrongInAll => Filter::Won,
                Filter::Won => Filter::Lost,
                Filter::Lost => Filter::Cell(view.pass.class, view.pass.column),
            };
            view.list_texts(next, view.texts.against, view.texts.from);
        });
    EXPORT "export-texts" "E", "export", "Write these rows to a CSV file in exports/",
        Act(|view, snap| {
            let question = list::question(view, snap)?;
            view.tell("writing the rows");
            Some(Effect::Do(Command::Texts(question)))
        });
}

/// Another text.
fn walk(view: &mut View, snap: &Snapshot, by: isize) {
    let count = list::answer(snap, view).map_or(0, |texts| texts.rows.len());
    view.texts.cursor = moved(view.texts.cursor, by, count);
    view.texts.scroll = 0;
}

impl Screen for Texts {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn offers(&self, _: &Action, view: &View, _: &Snapshot) -> bool {
        view.open.is_some()
    }

    fn targets(&self, view: &View, _: &Snapshot) -> Vec<RunId> {
        view.open.into_iter().collect()
    }

    fn query(&self, view: &View, query: &mut Query) {
        query.run = view.open;
    }

    fn question(&self, view: &View, snap: &Snapshot) -> Option<Question> {
        list::question(view, snap).map(Question::Texts)
    }

    fn step(&self, view: &mut View, snap: &Snapshot, by: isize) {
        if view.texts.full {
            view.texts.scroll = view.texts.scroll.saturating_add_signed(by).min(100_000);
        } else {
            walk(view, snap, by);
        }
    }

    fn back(&self, view: &mut View, _: &Snapshot) {
        if view.texts.full {
            view.texts.full = false;
        } else {
            view.go(view.texts.from);
        }
    }

    fn click(&self, target: &Target, _: u16, view: &mut View, _: &Snapshot) -> Click {
        match target {
            Target::Row(row) => click_row(&mut view.texts.cursor, *row, &OPEN),
            _ => Click::Nothing,
        }
    }

    fn draw(&self, canvas: &mut Canvas, area: Rect, snap: &Snapshot, view: &View, _: &Keymap) {
        list::draw(canvas, area, snap, view);
    }
}

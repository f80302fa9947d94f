//! Keys of the confusion matrix's cells and of the texts behind them.

use super::Effect;
use crate::analysis::confusion::Matrix;
use crate::tui::effects::Command;
use crate::tui::screens;
use crate::tui::snapshot::Snapshot;
use crate::tui::study::Filter;
use crate::tui::view::{Notice, Screen, View};

/// Moves the cell under the cursor along its row.
pub fn column(view: &mut View, snap: &Snapshot, by: isize) {
    let last = view.class_count(snap).saturating_sub(1);
    view.pass.column = view.pass.column.saturating_add_signed(by).min(last);
    screens::confusion::scroll(view, snap);
}

/// To the mistake that is next in frequency after the one under the cursor; round and round.
pub fn next_mistake(view: &mut View, snap: &Snapshot) {
    let Some(confusion) = view.confusion(snap) else { return };
    let mistakes = Matrix::new(confusion).mistakes(usize::MAX);
    let here = (view.pass.class, view.pass.column);
    let at = mistakes.iter().position(|m| (m.truth, m.predicted) == here).map_or(0, |at| at + 1);
    if let Some(next) = mistakes.get(at).or_else(|| mistakes.first()) {
        (view.pass.class, view.pass.column) = (next.truth, next.predicted);
        screens::confusion::scroll(view, snap);
    }
}

/// The texts of the cell under the cursor.
pub fn of_cell(view: &mut View) {
    (view.texts.against, view.texts.from) = (None, view.screen);
    show(Filter::Cell(view.pass.class, view.pass.column), view);
}

/// The texts of all mistakes.
pub fn mistakes(view: &mut View) {
    (view.texts.against, view.texts.from) = (None, view.screen);
    show(Filter::Wrong, view);
}

pub fn show(filter: Filter, view: &mut View) {
    view.texts.filter = filter;
    (view.texts.cursor, view.texts.full, view.texts.scroll) = (0, false, 0);
    super::go(Screen::Texts, view);
}

/// Other rows of the same pass.
pub fn other_rows(view: &mut View) {
    let next = match view.texts.filter {
        Filter::Cell(..) => Filter::Wrong,
        Filter::Wrong => Filter::WrongInAll,
        Filter::WrongInAll => Filter::Won,
        Filter::Won => Filter::Lost,
        Filter::Lost => Filter::Cell(view.pass.class, view.pass.column),
    };
    show(next, view);
}

/// One text in full, or the list.
pub fn open(view: &mut View) {
    view.texts.full = !view.texts.full;
    view.texts.scroll = 0;
}

/// Another text.
pub fn walk(view: &mut View, snap: &Snapshot, by: isize) {
    let count = screens::texts::answer(snap, view).map_or(0, |texts| texts.rows.len());
    view.texts.cursor = view.texts.cursor.saturating_add_signed(by).min(count.saturating_sub(1));
    view.texts.scroll = 0;
}

/// All rows of the list, as a file.
pub fn export(view: &mut View, snap: &Snapshot) -> Option<Effect> {
    let question = view.texts_question(snap)?;
    view.notice = Some(Notice { text: "writing the rows".into(), bad: false });
    Some(Effect::Do(Command::Texts(question)))
}

use crossterm::event::{KeyCode, KeyEvent};
use ratatui::layout::Rect;

use super::frame::over;
use crate::tui::canvas::{Canvas, Target};
use crate::tui::screens::runs::choices::{group_choices, sort_by, sort_choices};
use crate::tui::screens::sweep::over;
use crate::tui::snapshot::Snapshot;
use crate::tui::view::{Popup, View};

/// What a key does in a list.
enum Listed {
    At(usize),
    Taken,
    Left,
}

fn listed(key: KeyEvent, at: usize, count: usize) -> Listed {
    let last = count.saturating_sub(1);
    Listed::At(match key.code {
        KeyCode::Up | KeyCode::Char('k') => at.saturating_sub(1),
        KeyCode::Down | KeyCode::Tab | KeyCode::Char('j' | 'g') => (at + 1).min(last),
        KeyCode::PageUp => at.saturating_sub(10),
        KeyCode::PageDown => (at + 10).min(last),
        KeyCode::Home => 0,
        KeyCode::End => last,
        KeyCode::Enter => return Listed::Taken,
        _ => return Listed::Left,
    })
}

/// Takes a key in the list of what rows can be sorted by.
pub fn press_sort(key: KeyEvent, at: usize, view: &mut View, snap: &Snapshot) {
    let choices = sort_choices(snap, view);
    let count = choices.len();
    let to = match key.code {
        KeyCode::Up | KeyCode::Char('k') => (at + count).saturating_sub(1) % count.max(1),
        KeyCode::Down | KeyCode::Char('j' | 's') | KeyCode::Tab => (at + 1) % count.max(1),
        KeyCode::Home => 0,
        KeyCode::End => count.saturating_sub(1),
        KeyCode::Enter => {
            if let Some((_, sort)) = choices.into_iter().nth(at) {
                sort_by(sort, view);
            }
            return;
        }
        KeyCode::Char('S') => {
            view.runs.descending = !view.runs.descending;
            at
        }
        _ => return,
    };
    view.popup = Some(Popup::Sort(to));
}

/// Takes a key in the list of what rows can be folded by.
pub fn press_group(key: KeyEvent, at: usize, view: &mut View, snap: &Snapshot) {
    let choices = group_choices(snap);
    match listed(key, at, choices.len()) {
        Listed::At(to) => view.popup = Some(Popup::Group(to)),
        Listed::Taken => {
            if let Some((_, by)) = choices.get(at) {
                view.runs.group = *by;
                (view.runs.cursor, view.runs.top) = (0, 0);
            }
        }
        Listed::Left => {}
    }
}

/// Takes a key in the list of saved queries.
pub fn press_views(key: KeyEvent, at: usize, view: &mut View) {
    match listed(key, at, view.views.len()) {
        Listed::At(to) => view.popup = Some(Popup::Views(to)),
        Listed::Taken => {
            if let Some(query) = view.views.values().nth(at).cloned() {
                view.filter_to(&query);
                (view.runs.cursor, view.runs.top, view.runs.at) = (0, 0, None);
            }
        }
        Listed::Left => {}
    }
}

/// Takes a key in the list of what a scatter plot may have as an axis: first x, then y.
pub fn press_over(key: KeyEvent, (upright, at): (bool, usize), view: &mut View, snap: &Snapshot) {
    let choices = over::choices(view, snap);
    match listed(key, at, choices.len()) {
        Listed::At(to) => view.popup = Some(Popup::Over(upright, to)),
        Listed::Taken => {
            let chosen = choices.get(at).cloned();
            let [x, y] = &mut view.sweep.over;
            *(if upright { y } else { x }) = chosen;
            if !upright {
                let [_, y] = over::axes(view, snap);
                let at = choices.iter().position(|column| Some(column) == y.as_ref());
                view.popup = Some(Popup::Over(true, at.unwrap_or(0)));
            }
        }
        Listed::Left => {}
    }
}

/// What a scatter plot may have as an axis.
pub fn axis(
    canvas: &mut Canvas,
    area: Rect,
    (upright, at): (bool, usize),
    snap: &Snapshot,
    view: &View,
) {
    let [x, y] = over::axes(view, snap);
    let now = if upright { y } else { x };
    let row =
        |column| (over::label(&column), if Some(&column) == now.as_ref() { "now" } else { "" });
    let rows: Vec<(String, &str)> = over::choices(view, snap).into_iter().map(row).collect();
    let title = if upright { "y axis" } else { "x axis" };
    list(canvas, area, (44, title, "enter takes it"), &rows, at);
}

/// What rows can be sorted by.
pub fn sort(canvas: &mut Canvas, area: Rect, at: usize, snap: &Snapshot, view: &View) {
    let way = if view.runs.descending { "▾ high first" } else { "▴ low first" };
    let row = |(name, sort)| (name, if sort == view.runs.sort { way } else { "" });
    let rows: Vec<(String, &str)> = sort_choices(snap, view).into_iter().map(row).collect();
    list(canvas, area, (40, "sort by", "enter sorts, S turns"), &rows, at);
}

/// What rows can be folded by.
pub fn group(canvas: &mut Canvas, area: Rect, at: usize, snap: &Snapshot, view: &View) {
    let row = |(name, by)| (name, if by == view.runs.group { "now" } else { "" });
    let rows: Vec<(String, &str)> = group_choices(snap).into_iter().map(row).collect();
    list(canvas, area, (40, "group by", "enter folds"), &rows, at);
}

/// Saved queries.
pub fn views(canvas: &mut Canvas, area: Rect, at: usize, view: &View) {
    let rows: Vec<(String, &str)> =
        view.views.iter().map(|(name, query)| (name.clone(), query.as_str())).collect();
    if rows.is_empty() {
        let inner = over(canvas, area, 64, 4, "saved views", "esc leaves");
        let dim = canvas.theme.dim;
        canvas.put(inner.x, inner.y, inner.width, "None yet: type a query with / first,", dim);
        canvas.put(inner.x, inner.y + 1, inner.width, "then save it with ctrl-s.", dim);
        return;
    }
    list(canvas, area, (70, "saved views", "enter shows it"), &rows, at);
}

fn list(
    canvas: &mut Canvas,
    area: Rect,
    (width, title, aside): (u16, &str, &str),
    rows: &[(String, &str)],
    at: usize,
) {
    let inner = over(canvas, area, width, rows.len() as u16 + 2, title, aside);
    let theme = canvas.theme;
    let page = usize::from(inner.height);
    let first = at.saturating_sub(page.saturating_sub(1));
    for (line, (i, (name, words))) in rows.iter().enumerate().skip(first).take(page).enumerate() {
        let y = inner.y + line as u16;
        let row = Rect::new(inner.x - 1, y, inner.width + 2, 1);
        canvas.hit(row, Target::Choice(i));
        if i == at {
            canvas.tint(row, theme.selected);
        }
        let end = canvas.put(inner.x, y, inner.width, name, theme.text);
        let room = inner.right().saturating_sub(end + 2);
        canvas.put_right(inner.right(), y, room, words, theme.dim);
    }
}

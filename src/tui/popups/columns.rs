use crossterm::event::{KeyCode, KeyEvent};
use ratatui::layout::Rect;

use super::frame::over;
use crate::board::ALL_RUNS;
use crate::spec::keys::KEYS;
use crate::spec::metrics::heading;
use crate::spec::{ChosenColumn, ListColumn};
use crate::tui::canvas::{Canvas, Target};
use crate::tui::command::{Command, Effect};
use crate::tui::layout::scrolled;
use crate::tui::screens::runs::columns::natural_width;
use crate::tui::snapshot::Snapshot;
use crate::tui::view::{ColumnsPopup, Popup, View};
use crate::tui::widgets::typed::typed;

/// What it is called in the list.
fn label(column: &ListColumn) -> String {
    match column {
        ListColumn::Best(metric) => format!("best {}", heading(metric)),
        ListColumn::Last(metric) if metric.starts_with("test/") => heading(metric),
        ListColumn::Last(metric) if column.at_epoch().is_none() => {
            format!("last {}", heading(metric))
        }
        _ => column.to_string(),
    }
}

/// What stands in it.
fn about(column: &ListColumn) -> &'static str {
    match column {
        ListColumn::Key(name) => {
            KEYS.iter().find(|key| key.name == *name).map_or("", |key| key.help)
        }
        ListColumn::Curve => "loss so far",
        ListColumn::Time => "time on a device",
        ListColumn::Disk => "size of its folder",
        ListColumn::Speed => "examples a second",
        ListColumn::Flags => "what went wrong",
        ListColumn::Created => "when it was queued",
        ListColumn::Site => "where it runs",
        _ => "",
    }
}

/// The rows whose name contains what is typed.
fn matching(popup: &ColumnsPopup) -> Vec<usize> {
    let words = popup.line.text().trim().to_lowercase();
    let has = |column: &ListColumn| {
        label(column).to_lowercase().contains(&words) || column.to_string().contains(&words)
    };
    let rows = popup.rows.iter().enumerate();
    rows.filter(|(_, (chosen, _))| has(&chosen.column)).map(|(at, _)| at).collect()
}

/// Takes a key.
pub fn press(
    key: KeyEvent,
    mut popup: ColumnsPopup,
    view: &mut View,
    snap: &Snapshot,
) -> Option<Effect> {
    let name = view.columns_name().to_owned();
    let found = matching(&popup);
    let row = found.get(popup.at).copied();
    match key.code {
        KeyCode::Esc => {
            match popup.before {
                Some(before) => drop(view.columns.insert(name, before)),
                None => drop(view.columns.remove(&name)),
            }
            return None;
        }
        KeyCode::Enter => {
            let text = ChosenColumn::text(view.columns.get(&name).map_or(&[], Vec::as_slice));
            return Some(Effect::Do(Command::SaveColumns(name, text)));
        }
        KeyCode::Char('=') => {
            view.columns.remove(&name);
            view.runs.left = 0;
            return Some(Effect::Do(Command::SaveColumns(name, String::new())));
        }
        KeyCode::Up => popup.at = popup.at.saturating_sub(1),
        KeyCode::Down | KeyCode::Tab => {
            popup.at = (popup.at + 1).min(found.len().saturating_sub(1));
        }
        KeyCode::Left | KeyCode::Right => {
            if let Some(to) = row.and_then(|row| shift(&mut popup, row, key.code == KeyCode::Right))
            {
                popup.at = matching(&popup).iter().position(|at| *at == to).unwrap_or(popup.at);
            }
        }
        KeyCode::Char(' ') => {
            if let Some((_, shown)) = row.and_then(|row| popup.rows.get_mut(row)) {
                *shown = !*shown;
            }
        }
        KeyCode::Char(sign @ ('+' | '-')) => {
            if let Some((chosen, _)) = row.and_then(|row| popup.rows.get_mut(row)) {
                let natural = || natural_width(&chosen.column, snap, view);
                let now = chosen.width.unwrap_or_else(natural);
                let to = if sign == '+' { now + 1 } else { now.saturating_sub(1) };
                chosen.width = Some(to.clamp(1, 200));
            }
        }
        _ => {
            if popup.line.key(key) {
                popup.at = 0;
                offer(&mut popup);
            }
            view.popup = Some(Popup::Columns(popup));
            return None;
        }
    }
    if matches!(key.code, KeyCode::Left | KeyCode::Right | KeyCode::Char(_)) {
        let shown = popup.rows.iter().filter(|(_, shown)| *shown);
        view.columns.insert(name, shown.map(|(chosen, _)| chosen.clone()).collect());
    }
    view.popup = Some(Popup::Columns(popup));
    None
}

/// Offers a figure at the end of an epoch once it is typed, as `val/acc@3`.
fn offer(popup: &mut ColumnsPopup) {
    popup.rows.retain(|(chosen, shown)| *shown || chosen.column.at_epoch().is_none());
    let typed = ListColumn::read(popup.line.text().trim()).ok();
    let Some(column) = typed.filter(|column| column.at_epoch().is_some()) else { return };
    if popup.rows.iter().all(|(chosen, _)| chosen.column != column) {
        popup.rows.push((ChosenColumn { column, width: None }, false));
    }
}

/// Moves a shown column past its neighbour in the table; its new row.
fn shift(popup: &mut ColumnsPopup, row: usize, right: bool) -> Option<usize> {
    let shown = |at: &usize| popup.rows.get(*at).is_some_and(|(_, shown)| *shown);
    let to = match (shown(&row), right) {
        (false, _) => return None,
        (true, true) => (row + 1..popup.rows.len()).find(shown)?,
        (true, false) => (0..row).rev().find(shown)?,
    };
    let moved = popup.rows.remove(row);
    popup.rows.insert(to, moved);
    Some(to)
}

/// All columns: those that are shown in their order, then all others.
pub fn draw(canvas: &mut Canvas, area: Rect, popup: &ColumnsPopup, view: &View) {
    let theme = canvas.theme;
    let found = matching(popup);
    let title = match view.columns_name() {
        ALL_RUNS => "columns".to_owned(),
        name => format!("columns of {name}"),
    };
    let height = (found.len() as u16).clamp(6, 18) + 6;
    let inner = over(canvas, area, 72, height, &title, "enter keeps, esc leaves");
    let x = canvas.put(inner.x, inner.y, 2, "› ", theme.accent);
    typed(canvas, x, inner.y, inner.width.saturating_sub(2), &popup.line);
    let keys = [
        ("space", " shows or hides  "),
        ("← →", " move  "),
        ("+ -", " width  "),
        ("=", " automatic  "),
    ];
    let pieces: Vec<_> =
        keys.iter().flat_map(|(key, does)| [(*key, theme.accent), (*does, theme.dim)]).collect();
    canvas.pieces(inner.x, inner.bottom().saturating_sub(1), inner.width, &pieces);
    if found.is_empty() {
        canvas.put(
            inner.x,
            inner.y + 2,
            inner.width,
            "No column has this name; val/acc@3 is a figure at the end of epoch 3.",
            theme.dim,
        );
    }
    let page = usize::from(inner.height.saturating_sub(4));
    let top = scrolled(popup.at.saturating_sub(page / 2), popup.at, page, found.len());
    for (line, (i, row)) in found.iter().enumerate().skip(top).take(page).enumerate() {
        let Some((chosen, shown)) = popup.rows.get(*row) else { continue };
        let y = inner.y + 2 + line as u16;
        let place = Rect::new(inner.x - 1, y, inner.width + 2, 1);
        canvas.hit(place, Target::Choice(i));
        if i == popup.at {
            canvas.tint(place, theme.selected);
        }
        let (glyph, style) = if *shown { ("✓", theme.good) } else { ("·", theme.dim) };
        canvas.put(inner.x, y, 2, glyph, style);
        let words = if *shown { theme.text } else { theme.dim };
        let end = canvas.put(inner.x + 2, y, 30, &label(&chosen.column), words);
        let width = chosen.width.map(|width| format!("{width} wide")).unwrap_or_default();
        let right = canvas.put_right(inner.right(), y, 9, &width, theme.accent);
        let from = (inner.x + 24).max(end + 2);
        let room = right.saturating_sub(from + 1);
        canvas.put(from, y, room, about(&chosen.column), theme.dim);
    }
}

use ratatui::layout::Rect;

use super::over;
use crate::tui::canvas::{Canvas, Target};
use crate::tui::snapshot::Snapshot;
use crate::tui::view::{View, group_choices};

/// What rows can be folded by.
pub fn group(canvas: &mut Canvas, area: Rect, at: usize, snap: &Snapshot, view: &View) {
    let rows: Vec<(String, String)> = group_choices(snap)
        .into_iter()
        .map(|(name, by)| {
            (name, if by == view.runs.group { "now".to_owned() } else { String::new() })
        })
        .collect();
    list(canvas, area, (40, "group by", ""), &rows, at);
}

/// Saved queries.
pub fn views(canvas: &mut Canvas, area: Rect, at: usize, view: &View) {
    let rows: Vec<(String, String)> =
        view.views.iter().map(|(name, query)| (name.clone(), query.clone())).collect();
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
    rows: &[(String, String)],
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

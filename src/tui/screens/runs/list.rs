use ratatui::layout::Rect;

use super::columns::{self, Shown};
use super::{cells, filter, groups, welcome};
use crate::spec::ListColumn;
use crate::tui::canvas::{Canvas, Target};
use crate::tui::snapshot::Snapshot;
use crate::tui::text;
use crate::tui::view::View;
use crate::tui::widgets::message::message;
use crate::tui::widgets::table::Placed;

/// Draws the table.
pub fn draw(canvas: &mut Canvas, area: Rect, snap: &Snapshot, view: &View) {
    let r = &view.runs;
    let nothing = snap.list.ids.is_empty() && snap.list.complete;
    if welcome::is_shown(view, snap) {
        return welcome::draw(canvas, area, snap, view);
    }
    // The line stays where nothing narrows the list: rows that moved with the first mark would be missed by the
    // second click.
    let line = Rect { height: 1, ..area };
    let area = Rect { y: area.y + 1, height: area.height - 1, ..area };
    if snap.list.groups.is_some() || nothing {
        filter::draw(canvas, line, (0, 0), snap, view);
    }
    if let Some(groups) = &snap.list.groups {
        return groups::draw(canvas, area, groups, view);
    }
    if nothing {
        let words = ["No run matches.", "", "esc shows all runs again."];
        return message(canvas, area, &words);
    }
    let Shown { placed: columns, before, after } = columns::shown(snap, view, area);
    filter::draw(canvas, line, (before, after), snap, view);
    let with_note = !columns.iter().any(|p| p.column.kind == ListColumn::Note);
    titles(canvas, area, &columns, view);
    let top = area.y + 1;
    for line in 0..area.height.saturating_sub(1) {
        let at = r.top + usize::from(line);
        let Some(id) = snap.list.ids.get(at) else { break };
        let y = top + line;
        let row = Rect::new(area.x, y, area.width, 1);
        canvas.row(row, at, at == r.cursor);
        canvas.hit(Rect { width: 2, ..row }, Target::Mark(at));
        if r.marks.contains(id) {
            canvas.dot(area.x + 1, y, '◆', canvas.theme.accent);
        }
        match snap.list.row(at) {
            Some(run) => {
                for p in &columns {
                    let at = Rect::new(area.x + 2 + p.x, y, p.width, 1);
                    cells::draw(canvas, at, &p.column.kind, run, snap, with_note);
                }
            }
            // Not loaded yet: the row fills in within a blink.
            None => {
                canvas.put(area.x + 2, y, 12, &format!("{id} …"), canvas.theme.faint);
            }
        }
    }
    position(canvas, area, snap, view);
}

fn titles(canvas: &mut Canvas, area: Rect, shown: &[Placed<ListColumn>], view: &View) {
    let theme = canvas.theme;
    for (i, p) in shown.iter().enumerate() {
        let sort = columns::sort(&p.column.kind);
        let sorted = sort.as_ref() == Some(&view.runs.sort);
        let (style, arrow) = match (sorted, view.runs.descending) {
            (true, true) => (theme.accent, "▾"),
            (true, false) => (theme.accent, "▴"),
            (false, _) => (theme.dim, ""),
        };
        let words = format!("{}{arrow}", text::fit(&p.column.title, usize::from(p.width)));
        let x = area.x + 2 + p.x;
        if p.column.right {
            // The arrow may hang over into the gap, so that numbers and title still align.
            let hang = u16::from(sorted);
            canvas.put_right(x + p.width + hang, area.y, p.width + hang, &words, style);
        } else {
            canvas.put(x, area.y, p.width + 1, &words, style);
        }
        if sort.is_some() {
            canvas.hit(Rect::new(x, area.y, p.width, 1), Target::Title(i));
        }
    }
}

/// A thin thumb at the right edge, where there is more than a page.
fn position(canvas: &mut Canvas, area: Rect, snap: &Snapshot, view: &View) {
    let rows = area.height.saturating_sub(1);
    let count = snap.list.count();
    if count <= usize::from(rows) || rows == 0 || area.width == 0 {
        return;
    }
    let size = (usize::from(rows) * usize::from(rows) / count).max(1) as u16;
    let most = count - usize::from(rows);
    let at = (view.runs.top.min(most) * usize::from(rows - size) / most) as u16;
    for i in 0..size {
        canvas.dot(area.right() - 1, area.y + 1 + at + i, '▐', canvas.theme.faint);
    }
}

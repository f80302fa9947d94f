use ratatui::layout::Rect;

use super::frame::over;
use crate::tui::canvas::Canvas;
use crate::tui::figures;
use crate::tui::snapshot::Snapshot;
use crate::tui::text;
use crate::tui::view::View;

/// What went wrong since the dashboard was opened, the last first, in full.
pub fn draw(canvas: &mut Canvas, area: Rect, top: usize, snap: &Snapshot, view: &View) {
    let width = 92.min(area.width.saturating_sub(4));
    let room = usize::from(width.saturating_sub(4 + 11));
    let mut lines: Vec<(String, String)> = Vec::new();
    for (at, words) in view.errors.iter().rev() {
        let age = format!("{} ago", figures::span(snap.now - at));
        for (i, part) in text::wrap(words, room).into_iter().enumerate() {
            lines.push((if i == 0 { age.clone() } else { String::new() }, part));
        }
    }
    let height = (lines.len() as u16).max(1) + 2;
    let inner = over(canvas, area, width, height, "what went wrong", "any other key closes");
    let theme = canvas.theme;
    if lines.is_empty() {
        canvas.put(inner.x, inner.y, inner.width, "Nothing so far.", theme.dim);
    }
    let page = usize::from(inner.height);
    let top = top.min(lines.len().saturating_sub(page));
    for (line, (age, words)) in lines.iter().skip(top).take(page).enumerate() {
        let y = inner.y + line as u16;
        canvas.put_right(inner.x + 9, y, 9, age, theme.dim);
        canvas.put(inner.x + 11, y, inner.width.saturating_sub(11), words, theme.text);
    }
}

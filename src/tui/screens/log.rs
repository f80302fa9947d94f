//! The log of the open run, in full.

use ratatui::layout::Rect;

use crate::tui::canvas::Canvas;
use crate::tui::figures;
use crate::tui::snapshot::Snapshot;
use crate::tui::text;
use crate::tui::view::View;

/// Lines that fit.
pub fn page(area: Rect) -> usize {
    usize::from(area.height.saturating_sub(6))
}

/// Draws a title and as many lines as fit.
pub fn draw(canvas: &mut Canvas, area: Rect, snap: &Snapshot, view: &View) {
    let theme = canvas.theme;
    let log = snap.log.as_ref().filter(|log| Some(log.run) == view.open);
    let Some(log) = log else {
        return super::popups::message(canvas, area, &["reading the log".to_owned()]);
    };
    let x = area.x + 1;
    let end = canvas.put(x, area.y, area.width, &log.path, theme.strong);
    let cut = if log.cut { ", its end" } else { "" };
    let count = format!("{} lines{cut}", figures::whole(log.lines.len() as u64));
    canvas.put(end + 2, area.y, area.width, &count, theme.dim);
    let (words, style) = match view.log_up {
        0 => ("● following".to_owned(), theme.val),
        n => (format!("{} below, f follows", figures::whole(n as u64)), theme.dim),
    };
    canvas.put_right(area.right() - 1, area.y, area.width / 2, &words, style);
    let body =
        Rect { x, y: area.y + 2, width: area.width - 2, height: area.height.saturating_sub(2) };
    if log.lines.is_empty() {
        canvas.put(x, body.y, body.width, "The trainer has printed nothing yet.", theme.dim);
    }
    lines(canvas, body, &log.lines, view.log_up);
}

/// Draws the lines that end `up` lines above the last one, wrapped, at the top of the area if there
/// are few of them.
pub fn lines(canvas: &mut Canvas, area: Rect, lines: &[String], up: usize) {
    let page = usize::from(area.height);
    let mut shown: Vec<String> = Vec::new();
    for line in lines.iter().rev().skip(up) {
        if shown.len() >= page {
            break;
        }
        let mut parts = text::wrap(line, usize::from(area.width));
        if parts.is_empty() {
            parts.push(String::new());
        }
        shown.extend(parts.into_iter().rev());
    }
    shown.truncate(page);
    for (i, line) in shown.iter().rev().enumerate() {
        let bad = ["error", "panic", "traceback", "nan loss", "out of memory"];
        let lower = line.to_lowercase();
        let style = if bad.iter().any(|w| lower.contains(w)) {
            canvas.theme.bad
        } else {
            canvas.theme.text
        };
        canvas.put(area.x, area.y + i as u16, area.width, line, style);
    }
}

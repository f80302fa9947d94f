use ratatui::layout::Rect;

use crate::tui::canvas::Canvas;
use crate::tui::text;

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

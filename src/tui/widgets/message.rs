use ratatui::layout::Rect;

use crate::tui::canvas::Canvas;
use crate::tui::text;

/// What a screen of one run says while none is open.
pub const NO_RUN: &str = "No run is open; choose one on the runs screen.";

/// Lines in the middle of an area. Those that begin with two spaces are commands.
pub fn message(canvas: &mut Canvas, area: Rect, lines: &[impl AsRef<str>]) {
    let theme = canvas.theme;
    let room = area.width.saturating_sub(4);
    let widest = lines.iter().map(|l| text::width(l.as_ref())).max().unwrap_or(0) as u16;
    let x = area.x + area.width.saturating_sub(widest.min(room)) / 2;
    let mut y = area.y + area.height.saturating_sub(lines.len() as u16) / 3;
    for (i, line) in lines.iter().map(AsRef::as_ref).enumerate() {
        let style = match i {
            0 => theme.strong,
            _ if line.starts_with("  ") => theme.accent,
            _ => theme.dim,
        };
        for part in text::wrap(line, usize::from(room)) {
            if y < area.bottom() {
                canvas.put(x, y, room, &part, style);
            }
            y += 1;
        }
        y += u16::from(line.is_empty());
    }
}

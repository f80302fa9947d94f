use ratatui::style::Modifier;

use crate::tui::canvas::Canvas;
use crate::tui::line::Line;
use crate::tui::text;

/// A line being typed, with a block where the next character goes; returns the column behind it.
pub fn typed(canvas: &mut Canvas, x: u16, y: u16, width: u16, line: &Line) -> u16 {
    let (head, tail) = line.split();
    let selected = if line.is_selected() { Modifier::REVERSED } else { Modifier::empty() };
    // A long line is seen from its end.
    let head = text::fit_end(head, usize::from(width.saturating_sub(1))).into_owned();
    let at = canvas.put(x, y, width, &head, canvas.theme.strong.add_modifier(selected));
    let mut chars = tail.chars();
    let under = chars.next().map_or(" ".to_owned(), String::from);
    let block = canvas.theme.text.add_modifier(Modifier::REVERSED);
    let end = canvas.put(at, y, (x + width).saturating_sub(at), &under, block);
    canvas.put(end, y, (x + width).saturating_sub(end), chars.as_str(), canvas.theme.strong)
}

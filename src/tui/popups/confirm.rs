use crossterm::event::{KeyCode, KeyEvent};
use ratatui::layout::Rect;

use super::frame::over;
use crate::tui::canvas::{Canvas, Target};
use crate::tui::command::{Command, Effect};
use crate::tui::text;
use crate::tui::view::{Popup, View};

/// Takes a key: a yes does it, a no does not.
pub fn press(key: KeyEvent, question: String, command: Command, view: &mut View) -> Option<Effect> {
    match key.code {
        KeyCode::Char('y' | 'Y') | KeyCode::Enter => {
            view.runs.marks.clear();
            Some(Effect::Do(command))
        }
        KeyCode::Char('n' | 'N' | 'q') | KeyCode::Esc => None,
        _ => {
            view.popup = Some(Popup::Confirm(question, command));
            None
        }
    }
}

/// Draws the question.
pub fn draw(canvas: &mut Canvas, area: Rect, question: &str) {
    let theme = canvas.theme;
    let width = (text::width(question) as u16 + 6).clamp(34, 76);
    let lines = text::wrap(question, usize::from(width.min(area.width.saturating_sub(4)) - 4));
    let inner = over(canvas, area, width, lines.len() as u16 + 4, "sure?", "");
    for (i, line) in lines.iter().enumerate() {
        canvas.put(inner.x, inner.y + i as u16, inner.width, line, theme.strong);
    }
    let y = inner.bottom().saturating_sub(1);
    let pieces =
        [("y", theme.accent), (" yes   ", theme.dim), ("n", theme.accent), (" no", theme.dim)];
    canvas.pieces(inner.x, y, inner.width, &pieces);
    canvas.hit(Rect::new(inner.x, y, 7, 1), Target::Press(KeyCode::Char('y')));
    canvas.hit(Rect::new(inner.x + 7, y, 6, 1), Target::Press(KeyCode::Char('n')));
}

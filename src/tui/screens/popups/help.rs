use ratatui::layout::Rect;
use ratatui::style::Style;

use super::over;
use crate::tui::canvas::Canvas;
use crate::tui::draw::key_name;
use crate::tui::keys::Keymap;
use crate::tui::theme::Theme;
use crate::tui::view::View;

/// All keys of this screen, then those of every screen, from the table.
pub fn draw(canvas: &mut Canvas, area: Rect, top: usize, view: &View, keymap: &Keymap) {
    let lines = lines(view, keymap);
    let wanted = lines.len() as u16 + 2;
    let inner = over(canvas, area, 92, wanted, "keys", "any other key closes");
    let page = usize::from(inner.height);
    let most = lines.len().saturating_sub(page);
    let top = top.min(most);
    for (i, line) in lines.iter().skip(top).take(page).enumerate() {
        let y = inner.y + i as u16;
        match line {
            HelpLine::Title(title) => {
                canvas.put(inner.x, y, inner.width, title, canvas.theme.strong);
            }
            HelpLine::Key(keys, what) => {
                let (accent, text) = styles(canvas.theme);
                canvas.put_right(inner.x + 16, y, 16, keys, accent);
                canvas.put(inner.x + 18, y, inner.width.saturating_sub(18), what, text);
            }
            HelpLine::Empty => {}
        }
    }
    let more = most - top;
    if more > 0 {
        let words = format!(" {more} more ↓ ");
        canvas.put_right(inner.right(), inner.bottom(), 14, &words, canvas.theme.dim);
    }
}

fn styles(theme: &Theme) -> (Style, Style) {
    (theme.accent, theme.text)
}

enum HelpLine {
    Title(String),
    Key(String, &'static str),
    Empty,
}

fn lines(view: &View, keymap: &Keymap) -> Vec<HelpLine> {
    let mut lines = vec![HelpLine::Title(view.screen.title().to_owned())];
    for own in [true, false] {
        if !own {
            lines.push(HelpLine::Empty);
            lines.push(HelpLine::Title("Everywhere".into()));
        }
        for (binding, keys) in keymap.rows() {
            if binding.is_on(view.screen) && binding.on.is_empty() != own {
                let keys: Vec<String> = keys.iter().map(|k| key_name(k)).collect();
                lines.push(HelpLine::Key(keys.join(" "), binding.help));
            }
        }
    }
    lines
}

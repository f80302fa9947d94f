use crossterm::event::{KeyCode, KeyEvent};
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::frame::over;
use crate::tui::canvas::Canvas;
use crate::tui::keys::{Bound, Keymap, key_name};
use crate::tui::screens;
use crate::tui::theme::Theme;
use crate::tui::view::View;

/// The line at the top after a key; `None` closes it.
pub fn press(key: KeyEvent, top: usize) -> Option<usize> {
    Some(match key.code {
        KeyCode::Up | KeyCode::Char('k') => top.saturating_sub(1),
        KeyCode::Down | KeyCode::Char('j') => top + 1,
        KeyCode::PageUp => top.saturating_sub(10),
        KeyCode::PageDown | KeyCode::Char(' ') => top + 10,
        KeyCode::Home => 0,
        _ => return None,
    })
}

/// So many keys of this screen stand before all others.
const FIRST: usize = 10;

/// The keys of this screen that one needs first, its others, then those of every screen, from the table.
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
    Title(&'static str),
    Key(String, &'static str),
    Empty,
}

fn lines(view: &View, keymap: &Keymap) -> Vec<HelpLine> {
    let line = |bound: &Bound| {
        let keys: Vec<String> = bound.shown.iter().map(|key| key_name(key)).collect();
        HelpLine::Key(keys.join(" "), bound.action.help)
    };
    let own = keymap.own(view.screen);
    let is_first = |bound: &&Bound| !bound.action.hint.is_empty();
    let first: Vec<&Bound> = own.iter().filter(is_first).take(FIRST).collect();
    let mut lines = vec![HelpLine::Title(screens::of(view.screen).about().title)];
    lines.extend(first.iter().map(|bound| line(bound)));
    let others: Vec<&Bound> =
        own.iter().filter(|bound| first.iter().all(|f| f.action != bound.action)).collect();
    if !others.is_empty() {
        lines.extend([HelpLine::Empty, HelpLine::Title("More here")]);
        lines.extend(others.into_iter().map(line));
    }
    lines.extend([HelpLine::Empty, HelpLine::Title("Everywhere")]);
    lines.extend(keymap.everywhere().iter().map(line));
    lines
}

use crossterm::event::{KeyCode, KeyEvent};
use ratatui::layout::Rect;

use super::frame::over;
use crate::tui::canvas::{Canvas, Target};
use crate::tui::command::Effect;
use crate::tui::keys::{Action, Keymap, PALETTE, key_name};
use crate::tui::line::Line;
use crate::tui::perform::perform;
use crate::tui::snapshot::Snapshot;
use crate::tui::view::{Popup, View};
use crate::tui::widgets::typed::typed;

/// Takes a key.
pub fn press(
    key: KeyEvent,
    mut line: Line,
    at: usize,
    view: &mut View,
    snap: &Snapshot,
    keymap: &Keymap,
) -> Option<Effect> {
    let found = matching(line.text(), view, keymap);
    let to = match key.code {
        KeyCode::Esc => return None,
        KeyCode::Enter => return found.get(at).and_then(|action| perform(action, view, snap)),
        KeyCode::Up => at.saturating_sub(1),
        KeyCode::Down | KeyCode::Tab => (at + 1).min(found.len().saturating_sub(1)),
        _ => {
            if line.key(key) {
                0
            } else {
                at
            }
        }
    };
    view.popup = Some(Popup::Palette(line, to));
    None
}

/// The actions of the screen whose name or help contains the letters in order, best first.
pub fn matching(words: &str, view: &View, keymap: &Keymap) -> Vec<&'static Action> {
    let words = words.trim().to_lowercase();
    let all = keymap.own(view.screen).iter().chain(keymap.everywhere());
    let mut found: Vec<(usize, &Action)> = all
        .map(|bound| bound.action)
        .filter(|action| **action != PALETTE)
        .filter_map(|action| {
            let distance = gaps(action.name, &words)
                .or_else(|| action.help.to_lowercase().contains(&words).then_some(1000))?;
            Some((distance, action))
        })
        .collect();
    found.sort_by_key(|(distance, _)| *distance);
    found.into_iter().map(|(_, action)| action).collect()
}

/// Characters skipped to find the letters in order; `None` if they are not there.
fn gaps(name: &str, letters: &str) -> Option<usize> {
    let (mut skipped, mut rest) = (0, name.chars());
    for letter in letters.chars().filter(|c| !c.is_whitespace()) {
        skipped += rest.by_ref().position(|c| c == letter)?;
    }
    Some(skipped)
}

/// Draws the line and what matches it.
pub fn draw(canvas: &mut Canvas, area: Rect, line: &Line, at: usize, view: &View, keymap: &Keymap) {
    let theme = canvas.theme;
    let found = matching(line.text(), view, keymap);
    let rows = found.len().clamp(1, 14) as u16;
    let inner = over(canvas, area, 74, rows + 4, "commands", "enter does it");
    let x = canvas.put(inner.x, inner.y, 2, ": ", theme.accent);
    typed(canvas, x, inner.y, inner.width.saturating_sub(2), line);
    if found.is_empty() {
        canvas.put(inner.x, inner.y + 2, inner.width, "No command has these letters.", theme.dim);
    }
    let page = usize::from(inner.height.saturating_sub(2));
    let first = at.saturating_sub(page.saturating_sub(1));
    for (line, (i, action)) in found.iter().enumerate().skip(first).take(page).enumerate() {
        let y = inner.y + 2 + line as u16;
        canvas.hit(Rect::new(inner.x - 1, y, inner.width + 2, 1), Target::Choice(i));
        if i == at {
            canvas.tint(Rect::new(inner.x - 1, y, inner.width + 2, 1), theme.selected);
        }
        canvas.put(inner.x, y, 15, action.name, theme.text);
        canvas.put(inner.x + 16, y, inner.width.saturating_sub(26), action.help, theme.dim);
        let key = key_name(keymap.key_of(action));
        canvas.put_right(inner.right(), y, 9, &key, theme.accent);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::tui::screens::keymap;

    #[test]
    fn commands_are_found_by_their_letters() {
        let (view, map) = (View::default(), keymap(&BTreeMap::new()).unwrap());
        let best = |words: &str| matching(words, &view, &map).first().map(|b| b.name);
        assert_eq!(best("sto"), Some("stop"));
        assert_eq!(best("ret"), Some("retry"));
        assert_eq!(best("marka"), Some("mark-all"));
        assert_eq!(best("checkpoint"), Some("resume"));
        assert_eq!(best("zzz"), None);
        assert!(matching("", &view, &map).len() > 20);
    }
}

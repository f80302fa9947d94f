use crossterm::event::{KeyCode, KeyEvent};
use ratatui::layout::Rect;

use super::frame::over;
use crate::tui::canvas::{Canvas, Target};
use crate::tui::command::Effect;
use crate::tui::keys::{Action, Keymap, PALETTE, key_name};
use crate::tui::line::Line;
use crate::tui::perform::perform;
use crate::tui::snapshot::Snapshot;
use crate::tui::verbs::{Candidate, Verb, candidates, verb_of, words};
use crate::tui::view::{Popup, View};
use crate::tui::widgets::typed::typed;

/// A line of the list.
enum Item<'a> {
    /// Does it.
    Action(&'static Action),
    /// Begins a line of the command line.
    Verb(&'a Verb),
    /// Goes on with it.
    Word(Candidate),
}

/// What the line may mean: actions, then verbs; once it begins with a verb, how it goes on.
fn items<'a>(words: &str, view: &'a View, snap: &Snapshot, keymap: &Keymap) -> Vec<Item<'a>> {
    if let Some(verb) = verb_of(words, &view.verbs) {
        return candidates(words, verb, snap).into_iter().map(Item::Word).collect();
    }
    let words = words.trim();
    let (named, others): (Vec<_>, Vec<_>) = matching(words, view, keymap)
        .into_iter()
        .partition(|action| action.name.starts_with(words));
    let verbs = view.verbs.iter().filter(|verb| verb.name.starts_with(words)).map(Item::Verb);
    let actions = |found: Vec<&'static Action>| found.into_iter().map(Item::Action);
    actions(named).chain(verbs).chain(actions(others)).collect()
}

/// Takes a key.
pub fn press(
    key: KeyEvent,
    mut line: Line,
    at: usize,
    view: &mut View,
    snap: &Snapshot,
    keymap: &Keymap,
) -> Option<Effect> {
    let found = items(line.text(), view, snap, keymap);
    let chosen = found.get(at);
    let to = match (key.code, chosen) {
        (KeyCode::Esc, _) => return None,
        (KeyCode::Enter, _) if verb_of(line.text(), &view.verbs).is_some() => {
            match words(line.text()) {
                Ok(words) => return Some(Effect::Verb(words, true)),
                Err(why) => view.refuse(why),
            }
            at
        }
        (KeyCode::Enter, Some(Item::Action(action))) => return perform(action, view, snap),
        (KeyCode::Enter | KeyCode::Tab, Some(Item::Verb(verb))) => {
            line = Line::new(&format!("{} ", verb.name));
            0
        }
        (KeyCode::Tab, Some(Item::Word((word, _)))) => {
            let (before, _) = line.split();
            let start = before.rfind(' ').map_or(0, |at| before[..=at].chars().count());
            let space = if word.ends_with(['=', '/']) { "" } else { " " };
            line.complete(start, &format!("{word}{space}"));
            0
        }
        (KeyCode::Enter, None) => at,
        (KeyCode::Up, _) => at.saturating_sub(1),
        (KeyCode::Down | KeyCode::Tab, _) => (at + 1).min(found.len().saturating_sub(1)),
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
pub fn draw(
    canvas: &mut Canvas,
    area: Rect,
    (line, at): (&Line, usize),
    snap: &Snapshot,
    view: &View,
    keymap: &Keymap,
) {
    let theme = canvas.theme;
    let found = items(line.text(), view, snap, keymap);
    let verb = verb_of(line.text(), &view.verbs);
    let rows = found.len().clamp(1, 14) as u16;
    let keys = if verb.is_some() { "tab completes, enter runs it" } else { "enter does it" };
    let inner = over(canvas, area, 74, rows + 4, "commands", keys);
    let x = canvas.put(inner.x, inner.y, 2, ": ", theme.accent);
    typed(canvas, x, inner.y, inner.width.saturating_sub(2), line);
    match verb {
        Some(verb) => {
            let words = format!("tuneboard {} {}", verb.name, verb.usage);
            canvas.put(inner.x, inner.y + 1, inner.width, &words, theme.dim);
        }
        None if found.is_empty() => {
            let words = "No command has these letters.";
            canvas.put(inner.x, inner.y + 2, inner.width, words, theme.dim);
        }
        None => {}
    }
    let page = usize::from(inner.height.saturating_sub(2));
    let first = at.saturating_sub(page.saturating_sub(1));
    for (line, (i, item)) in found.iter().enumerate().skip(first).take(page).enumerate() {
        let y = inner.y + 2 + line as u16;
        canvas.hit(Rect::new(inner.x - 1, y, inner.width + 2, 1), Target::Choice(i));
        if i == at {
            canvas.tint(Rect::new(inner.x - 1, y, inner.width + 2, 1), theme.selected);
        }
        let (name, help, key) = match item {
            Item::Action(action) => (action.name, action.help, key_name(keymap.key_of(action))),
            Item::Verb(verb) => (verb.name.as_str(), verb.about.as_str(), "tuneboard".to_owned()),
            Item::Word((word, help)) => (word.as_str(), help.as_str(), String::new()),
        };
        let end = canvas.put(inner.x, y, 30, name, theme.text).max(inner.x + 15);
        let right = canvas.put_right(inner.right(), y, 9, &key, theme.accent);
        canvas.put(end + 1, y, right.saturating_sub(end + 2), help, theme.dim);
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

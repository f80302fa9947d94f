//! Keys while something lies over the screen: help, commands, questions, a line to type.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::act::{Effect, act};
use super::effects::Command;
use super::keys::{Action, Binding, Keymap};
use super::line::Line;
use super::screens::runs::{sort_by, sort_choices};
use super::snapshot::Snapshot;
use super::view::{Pick, Popup, Prompt, View, group_choices};

/// Takes a key; the popup closes unless it is put back.
pub fn press(key: KeyEvent, view: &mut View, snap: &Snapshot, keymap: &Keymap) -> Option<Effect> {
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    if control && key.code == KeyCode::Char('c') {
        return Some(Effect::Quit);
    }
    match view.popup.take()? {
        Popup::Help(top) => {
            view.popup = scrolled_help(key, top).map(Popup::Help);
            None
        }
        Popup::Confirm(question, command) => match key.code {
            KeyCode::Char('y' | 'Y') | KeyCode::Enter => {
                view.runs.marks.clear();
                Some(Effect::Do(command))
            }
            KeyCode::Char('n' | 'N' | 'q') | KeyCode::Esc => None,
            _ => {
                view.popup = Some(Popup::Confirm(question, command));
                None
            }
        },
        Popup::Sort(at) => sort(key, at, view, snap),
        Popup::Group(at) => {
            let choices = group_choices(snap);
            match listed(key, at, choices.len()) {
                Listed::At(to) => view.popup = Some(Popup::Group(to)),
                Listed::Taken => {
                    if let Some((_, by)) = choices.get(at) {
                        view.runs.group = *by;
                        (view.runs.cursor, view.runs.top) = (0, 0);
                    }
                }
                Listed::Left => {}
            }
            None
        }
        Popup::Views(at) => {
            match listed(key, at, view.views.len()) {
                Listed::At(to) => view.popup = Some(Popup::Views(to)),
                Listed::Taken => {
                    if let Some(query) = view.views.values().nth(at).cloned() {
                        view.filter_to(&query);
                        (view.runs.cursor, view.runs.top, view.runs.at) = (0, 0, None);
                    }
                }
                Listed::Left => {}
            }
            None
        }
        Popup::Palette(line, at) => palette(key, line, at, view, snap, keymap),
        Popup::Prompt(prompt, line) => typed(key, prompt, line, view, snap),
        Popup::Pick(pick) => picked(key, pick, view, snap),
    }
}

/// What a key does in a list.
enum Listed {
    At(usize),
    Taken,
    Left,
}

fn listed(key: KeyEvent, at: usize, count: usize) -> Listed {
    let last = count.saturating_sub(1);
    Listed::At(match key.code {
        KeyCode::Up | KeyCode::Char('k') => at.saturating_sub(1),
        KeyCode::Down | KeyCode::Tab | KeyCode::Char('j' | 'g') => (at + 1).min(last),
        KeyCode::PageUp => at.saturating_sub(10),
        KeyCode::PageDown => (at + 10).min(last),
        KeyCode::Home => 0,
        KeyCode::End => last,
        KeyCode::Enter => return Listed::Taken,
        _ => return Listed::Left,
    })
}

/// Takes a click on a line.
pub fn choose(at: usize, view: &mut View, snap: &Snapshot, keymap: &Keymap) -> Option<Effect> {
    match &mut view.popup {
        Some(Popup::Sort(row) | Popup::Palette(_, row) | Popup::Group(row) | Popup::Views(row)) => {
            *row = at;
        }
        Some(Popup::Prompt(Prompt::Filter, _)) => {
            view.runs.candidate = at;
            return press(KeyCode::Tab.into(), view, snap, keymap);
        }
        Some(Popup::Pick(pick)) if pick.at != at => {
            // The first click shows what is in it, the second takes it.
            pick.at = at;
            return None;
        }
        _ => {}
    }
    press(KeyCode::Enter.into(), view, snap, keymap)
}

fn picked(key: KeyEvent, mut pick: Pick, view: &mut View, snap: &Snapshot) -> Option<Effect> {
    let names = pick.names(snap);
    let typed = pick.line.text().trim();
    let chosen = names.get(pick.at).copied().unwrap_or(typed).replace(',', "\\,");
    match key.code {
        KeyCode::Esc => return None,
        KeyCode::Enter | KeyCode::Tab => {
            if let Some(form) = view.form.as_mut().filter(|_| !chosen.is_empty()) {
                let before = form.text(pick.row).to_owned();
                let adds = key.code == KeyCode::Tab && !before.is_empty();
                let words = if adds { format!("{before},{chosen}") } else { chosen };
                form.set(pick.row, &words);
            }
            if key.code == KeyCode::Enter {
                return None;
            }
        }
        KeyCode::Up => pick.at = pick.at.saturating_sub(1),
        KeyCode::Down => pick.at = (pick.at + 1).min(names.len().saturating_sub(1)),
        _ => {
            if pick.line.key(key) {
                pick.at = 0;
            }
        }
    }
    view.popup = Some(Popup::Pick(pick));
    None
}

/// Takes pasted text; false where there is no line to type.
pub fn paste(text: &str, view: &mut View) -> bool {
    match &mut view.popup {
        Some(Popup::Prompt(prompt, line)) => {
            line.insert(text);
            if *prompt == Prompt::Filter {
                let words = line.text().to_owned();
                view.filter_to(&words);
            }
            true
        }
        Some(Popup::Pick(pick)) => {
            pick.line.insert(text);
            pick.at = 0;
            true
        }
        Some(Popup::Palette(line, at)) => {
            line.insert(text);
            *at = 0;
            true
        }
        _ => false,
    }
}

fn scrolled_help(key: KeyEvent, top: usize) -> Option<usize> {
    Some(match key.code {
        KeyCode::Up | KeyCode::Char('k') => top.saturating_sub(1),
        KeyCode::Down | KeyCode::Char('j') => top + 1,
        KeyCode::PageUp => top.saturating_sub(10),
        KeyCode::PageDown | KeyCode::Char(' ') => top + 10,
        KeyCode::Home => 0,
        _ => return None,
    })
}

fn sort(key: KeyEvent, at: usize, view: &mut View, snap: &Snapshot) -> Option<Effect> {
    let choices = sort_choices(snap);
    let count = choices.len();
    let to = match key.code {
        KeyCode::Up | KeyCode::Char('k') => (at + count).saturating_sub(1) % count.max(1),
        KeyCode::Down | KeyCode::Char('j' | 's') | KeyCode::Tab => (at + 1) % count.max(1),
        KeyCode::Home => 0,
        KeyCode::End => count.saturating_sub(1),
        KeyCode::Enter => {
            if let Some((_, sort)) = choices.into_iter().nth(at) {
                sort_by(sort, view);
            }
            return None;
        }
        KeyCode::Char('S') => {
            view.runs.descending = !view.runs.descending;
            at
        }
        _ => return None,
    };
    view.popup = Some(Popup::Sort(to));
    None
}

fn palette(
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
        KeyCode::Enter => return found.get(at).and_then(|b| act(b.action, view, snap)),
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
pub fn matching(words: &str, view: &View, keymap: &Keymap) -> Vec<&'static Binding> {
    let words = words.trim().to_lowercase();
    let mut found: Vec<(usize, &Binding)> = keymap
        .rows()
        .map(|(binding, _)| binding)
        .filter(|b| b.is_on(view.screen) && b.action != Action::Palette)
        .filter_map(|b| {
            let name = b.name.to_lowercase();
            let distance = gaps(&name, &words)
                .or_else(|| b.help.to_lowercase().contains(&words).then_some(1000))?;
            Some((distance, b))
        })
        .collect();
    found.sort_by_key(|(distance, _)| *distance);
    found.into_iter().map(|(_, b)| b).collect()
}

/// Characters skipped to find the letters in order; `None` if they are not there.
fn gaps(name: &str, letters: &str) -> Option<usize> {
    let (mut skipped, mut rest) = (0, name.chars());
    for letter in letters.chars().filter(|c| !c.is_whitespace()) {
        skipped += rest.by_ref().position(|c| c == letter)?;
    }
    Some(skipped)
}

fn typed(
    key: KeyEvent,
    prompt: Prompt,
    mut line: Line,
    view: &mut View,
    snap: &Snapshot,
) -> Option<Effect> {
    match (key.code, &prompt) {
        (KeyCode::Esc, Prompt::Filter) => {
            view.filter_to("");
            return None;
        }
        (KeyCode::Tab, Prompt::Filter) => view.take_candidate(&mut line, snap),
        (KeyCode::BackTab, Prompt::Filter) => view.next_candidate(&line, snap),
        // The list can be walked while the filter is typed.
        (KeyCode::Down | KeyCode::Up, Prompt::Filter) => {
            let way = if key.code == KeyCode::Up { Action::Up } else { Action::Down };
            act(way, view, snap);
        }
        (KeyCode::Enter, Prompt::Filter | Prompt::Class) | (KeyCode::Esc, _) => return None,
        (KeyCode::Enter, Prompt::Tags(ids)) => {
            let mut tags: Vec<String> = Vec::new();
            for tag in line.text().split([' ', ',']).filter(|t| !t.is_empty()) {
                if !tags.iter().any(|t| t == tag) {
                    tags.push(tag.to_owned());
                }
            }
            view.runs.marks.clear();
            return Some(Effect::Do(Command::Tags(ids.clone(), tags)));
        }
        // The next line is edited with the same hand.
        (
            KeyCode::Enter | KeyCode::Tab | KeyCode::BackTab | KeyCode::Down | KeyCode::Up,
            Prompt::Field(row),
        ) => {
            if let Some(form) = &mut view.form {
                form.set(*row, line.text());
            }
            match key.code {
                KeyCode::Up | KeyCode::BackTab => drop(act(Action::Up, view, snap)),
                KeyCode::Enter => {}
                _ => drop(act(Action::Down, view, snap)),
            }
            return None;
        }
        (KeyCode::Char('g'), Prompt::Field(row))
            if key.modifiers.contains(KeyModifiers::CONTROL) =>
        {
            if let Some(form) = &mut view.form {
                form.set(*row, line.text());
            }
            return act(Action::Launch, view, snap);
        }
        (KeyCode::Enter, Prompt::SweepName) => {
            let pairs = view.form.as_ref().map(|form| form.pairs(&snap.defaults));
            let name = line.text().trim().to_owned();
            return pairs.map(|pairs| Effect::Do(Command::SaveSweep(name, pairs)));
        }
        (KeyCode::Enter, Prompt::Name(id)) => {
            let name = line.text().trim().to_owned();
            return (!name.is_empty()).then_some(Effect::Do(Command::Rename(*id, name)));
        }
        (KeyCode::Enter, Prompt::ViewName) => {
            let (name, query) = (line.text().trim().to_owned(), view.runs.filter.clone());
            return Some(Effect::Do(Command::SaveView(name, query)));
        }
        // A longer note is written where people write.
        (KeyCode::Char('o'), Prompt::Note(id)) if key.modifiers.contains(KeyModifiers::CONTROL) => {
            return Some(Effect::Editor(*id, line.text().to_owned()));
        }
        (KeyCode::Enter, Prompt::Note(id)) => {
            return Some(Effect::Do(Command::Note(*id, line.text().trim().to_owned())));
        }
        _ => {
            line.key(key);
        }
    }
    match prompt {
        Prompt::Filter if view.runs.filter != line.text() => view.filter_to(line.text()),
        Prompt::Class => {
            let wanted = line.text().to_lowercase();
            let labels = view.confusion(snap).map(|c| c.labels.as_slice()).unwrap_or_default();
            let begins = labels.iter().position(|l| l.to_lowercase().starts_with(&wanted));
            let found =
                begins.or_else(|| labels.iter().position(|l| l.to_lowercase().contains(&wanted)));
            if let Some(class) = found {
                (view.pass.class, view.pass.column) = (class, class);
                super::screens::confusion::scroll(view, snap);
            }
        }
        _ => {}
    }
    view.popup = Some(Popup::Prompt(prompt, line));
    None
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn commands_are_found_by_their_letters() {
        let (view, map) = (View::default(), Keymap::new(&BTreeMap::new()).unwrap());
        let best = |words: &str| matching(words, &view, &map).first().map(|b| b.name);
        assert_eq!(best("sto"), Some("stop"));
        assert_eq!(best("ret"), Some("retry"));
        assert_eq!(best("marka"), Some("mark-all"));
        assert_eq!(best("checkpoint"), Some("resume"));
        assert_eq!(best("zzz"), None);
        assert!(matching("", &view, &map).len() > 20);
    }
}

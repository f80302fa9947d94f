use std::collections::BTreeMap;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::action::Action;
use crate::spec::nearest;
use crate::tui::error::TuiError;
use crate::tui::view::ScreenId;

/// An action with the keys it has here.
#[derive(Debug, Clone)]
pub struct Bound {
    /// The action.
    pub action: &'static Action,
    /// Its keys, as shown.
    pub shown: Vec<String>,
    keys: Vec<Key>,
}

type Key = (KeyCode, KeyModifiers);

impl Bound {
    fn new(action: &'static Action, own: &BTreeMap<String, String>) -> Result<Self, TuiError> {
        let text = own.get(action.name).map_or(action.keys, String::as_str);
        let shown: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
        let read = |name: &String| {
            read_key(name)
                .ok_or_else(|| TuiError::Key { action: action.name.to_owned(), key: name.clone() })
        };
        let keys = shown.iter().map(read).collect::<Result<_, _>>()?;
        Ok(Self { action, shown, keys })
    }
}

/// The actions of each screen with their keys, the user's own among them.
#[derive(Debug, Clone)]
pub struct Keymap {
    screens: Vec<(ScreenId, Vec<Bound>)>,
    everywhere: Vec<Bound>,
}

impl Keymap {
    /// These actions, with `[tui] keys` in place of their own keys.
    ///
    /// # Errors
    /// An action or a key that does not exist.
    pub fn new(
        own: &BTreeMap<String, String>,
        screens: &[(ScreenId, Vec<&'static Action>)],
        everywhere: &[&'static Action],
    ) -> Result<Self, TuiError> {
        let names = || screens.iter().flat_map(|(_, actions)| actions).chain(everywhere);
        for name in own.keys() {
            if !names().any(|action| action.name == name) {
                let nearest = nearest(name, names().map(|action| action.name));
                return Err(TuiError::Action { name: name.clone(), nearest });
            }
        }
        let bind = |actions: &[&'static Action]| -> Result<Vec<Bound>, TuiError> {
            actions.iter().map(|action| Bound::new(action, own)).collect()
        };
        let screens = screens.iter().map(|(id, actions)| Ok((*id, bind(actions)?)));
        let screens = screens.collect::<Result<_, TuiError>>()?;
        Ok(Self { screens, everywhere: bind(everywhere)? })
    }

    /// What the key does on the screen; a screen's own keys go before those of all screens.
    pub fn action(&self, screen: ScreenId, event: KeyEvent) -> Option<&'static Action> {
        let key = normal(event.code, event.modifiers);
        let mut bound = self.own(screen).iter().chain(&self.everywhere);
        bound.find(|bound| bound.keys.contains(&key)).map(|bound| bound.action)
    }

    /// The actions that the screen does not share with all others, in the order of help.
    pub fn own(&self, screen: ScreenId) -> &[Bound] {
        let found = self.screens.iter().find(|(id, _)| *id == screen);
        found.map_or(&[], |(_, bound)| bound.as_slice())
    }

    /// The actions of every screen, in the order of help.
    pub fn everywhere(&self) -> &[Bound] {
        &self.everywhere
    }

    /// The first key of an action, as shown.
    pub fn key_of(&self, action: &Action) -> &str {
        let mut all = self.screens.iter().flat_map(|(_, bound)| bound).chain(&self.everywhere);
        let found = all.find(|bound| bound.action == action);
        found.and_then(|bound| bound.shown.first()).map_or("", String::as_str)
    }
}

/// A key's name as the key line and help write it.
pub fn key_name(key: &str) -> String {
    match key {
        "left" => "←".into(),
        "right" => "→".into(),
        "up" => "↑".into(),
        "down" => "↓".into(),
        _ => key.to_owned(),
    }
}

/// Reads `x`, `S`, `space`, `ctrl-l`, `shift-tab`, `f5`.
fn read_key(name: &str) -> Option<Key> {
    let (mut rest, mut mods) = (name, KeyModifiers::NONE);
    loop {
        let (prefix, tail) = match rest.split_once('-') {
            Some((prefix, tail)) if !tail.is_empty() => (prefix, tail),
            _ => break,
        };
        mods |= match prefix {
            "ctrl" => KeyModifiers::CONTROL,
            "alt" => KeyModifiers::ALT,
            "shift" => KeyModifiers::SHIFT,
            _ => return None,
        };
        rest = tail;
    }
    let code = match rest {
        "enter" => KeyCode::Enter,
        "esc" => KeyCode::Esc,
        "space" => KeyCode::Char(' '),
        "tab" => KeyCode::Tab,
        "backspace" => KeyCode::Backspace,
        "del" => KeyCode::Delete,
        "up" => KeyCode::Up,
        "down" => KeyCode::Down,
        "left" => KeyCode::Left,
        "right" => KeyCode::Right,
        "pgup" => KeyCode::PageUp,
        "pgdn" => KeyCode::PageDown,
        "home" => KeyCode::Home,
        "end" => KeyCode::End,
        _ => {
            let mut chars = rest.chars();
            match (chars.next(), chars.next()) {
                (Some(c), None) if !c.is_control() => KeyCode::Char(c),
                (Some('f'), Some(_)) => KeyCode::F(rest.get(1..)?.parse().ok()?),
                _ => return None,
            }
        }
    };
    Some(normal(code, mods))
}

/// Terminals report Shift with capitals or not, and Shift-Tab in two ways: one form for each.
fn normal(code: KeyCode, mods: KeyModifiers) -> Key {
    let mods = mods & (KeyModifiers::CONTROL | KeyModifiers::ALT | KeyModifiers::SHIFT);
    match code {
        KeyCode::Char(c) if mods.contains(KeyModifiers::CONTROL) => {
            (KeyCode::Char(c.to_ascii_lowercase()), mods - KeyModifiers::SHIFT)
        }
        KeyCode::Char(c) => (KeyCode::Char(c), mods - KeyModifiers::SHIFT),
        KeyCode::BackTab => (KeyCode::Tab, mods | KeyModifiers::SHIFT),
        code => (code, mods),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::screens::{TABLE, keymap};

    fn press(
        map: &Keymap,
        screen: ScreenId,
        code: KeyCode,
        mods: KeyModifiers,
    ) -> Option<&'static str> {
        map.action(screen, KeyEvent::new(code, mods)).map(|action| action.name)
    }

    #[test]
    fn every_key_reads_and_none_means_two_things_on_one_screen() {
        let map = keymap(&BTreeMap::new()).unwrap();
        let mut names: BTreeMap<&str, &str> = BTreeMap::new();
        for screen in TABLE.iter().map(|screen| screen.about().id) {
            for bound in [map.own(screen), map.everywhere()] {
                let mut seen = BTreeMap::new();
                for (action, keys) in bound.iter().map(|bound| (bound.action, &bound.shown)) {
                    for key in keys {
                        let before = seen.insert(key, action.name);
                        assert_eq!(before, None, "{key} on {screen:?}");
                    }
                    let help = names.entry(action.name).or_insert(action.help);
                    assert_eq!(*help, action.help, "two actions are named {}", action.name);
                }
            }
        }
    }

    #[test]
    fn shifted_and_plain_reports_of_a_key_are_the_same() {
        let map = keymap(&BTreeMap::new()).unwrap();
        for mods in [KeyModifiers::NONE, KeyModifiers::SHIFT] {
            assert_eq!(press(&map, ScreenId::RUNS, KeyCode::Char('S'), mods), Some("reverse"));
            assert_eq!(
                press(&map, ScreenId::RUNS, KeyCode::BackTab, mods),
                Some("previous-screen")
            );
        }
        assert_eq!(
            press(&map, ScreenId::RUNS, KeyCode::Char('l'), KeyModifiers::CONTROL),
            Some("redraw")
        );
        assert_eq!(
            press(&map, ScreenId::RUN, KeyCode::Char('-'), KeyModifiers::NONE),
            Some("smooth-less")
        );
        assert_eq!(
            press(&map, ScreenId::CONFUSION, KeyCode::Char('n'), KeyModifiers::NONE),
            Some("normalise")
        );
        assert_eq!(
            press(&map, ScreenId::RUNS, KeyCode::Char('n'), KeyModifiers::NONE),
            Some("note")
        );
    }

    #[test]
    fn own_keys_replace_those_of_the_table() {
        let own = BTreeMap::from([("stop".to_owned(), "ctrl-x f8".to_owned())]);
        let map = keymap(&own).unwrap();
        assert_eq!(press(&map, ScreenId::RUNS, KeyCode::Char('x'), KeyModifiers::NONE), None);
        assert_eq!(
            press(&map, ScreenId::RUNS, KeyCode::Char('x'), KeyModifiers::CONTROL),
            Some("stop")
        );
        assert_eq!(press(&map, ScreenId::RUNS, KeyCode::F(8), KeyModifiers::NONE), Some("stop"));
        assert_eq!(map.key_of(crate::tui::keys::OF_RUNS[0]), "ctrl-x");
        for (name, key) in [("stopp", "x"), ("stop", "hyper-x"), ("stop", "wheel")] {
            let own = BTreeMap::from([(name.to_owned(), key.to_owned())]);
            let error = keymap(&own).unwrap_err().to_string();
            assert!(error.contains(name) && error.contains("stop"), "{error}");
        }
    }
}

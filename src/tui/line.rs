//! One line of typed text.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// A text and the place in it where typing goes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Line {
    text: String,
    at: usize,
    /// The whole text is selected: what is typed takes its place.
    selected: bool,
}

impl Line {
    /// A line with the place behind its text.
    pub fn new(text: &str) -> Self {
        Self { text: text.to_owned(), at: text.len(), selected: false }
    }

    /// A line whose text is replaced by what is typed; a key that moves in it keeps it.
    pub fn selected(text: &str) -> Self {
        Self { selected: !text.is_empty(), ..Self::new(text) }
    }

    /// Whether the next character takes the place of the whole text.
    pub fn is_selected(&self) -> bool {
        self.selected
    }

    /// Drops the text if it is selected; true if there was one.
    fn replace(&mut self) -> bool {
        let selected = std::mem::take(&mut self.selected);
        if selected {
            self.text.clear();
            self.at = 0;
        }
        selected
    }

    /// What was typed.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The text before the place, and behind it.
    pub fn split(&self) -> (&str, &str) {
        (self.text.get(..self.at).unwrap_or_default(), self.text.get(self.at..).unwrap_or_default())
    }

    /// Puts words in place of what stands between a place, in characters, and the place where one types.
    pub fn complete(&mut self, start: usize, words: &str) {
        let from = self.text.char_indices().nth(start).map_or(self.text.len(), |(at, _)| at);
        let words = super::text::clean(words);
        let from = from.min(self.at);
        self.text.replace_range(from..self.at, &words);
        self.at = from + words.len();
    }

    /// Inserts pasted text, on one line.
    pub fn insert(&mut self, words: &str) {
        self.replace();
        let words = super::text::clean(words);
        self.text.insert_str(self.at, &words);
        self.at += words.len();
    }

    /// Takes a key; false if it means nothing here.
    pub fn key(&mut self, key: KeyEvent) -> bool {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            // One more value of a list goes behind those that are there.
            KeyCode::Char(',') if !control => self.selected = false,
            KeyCode::Char(_) if !control => {
                self.replace();
            }
            KeyCode::Backspace | KeyCode::Delete if self.replace() => return true,
            _ => self.selected = false,
        }
        match key.code {
            KeyCode::Char('u') if control => {
                self.text.drain(..self.at);
                self.at = 0;
            }
            KeyCode::Char('w') if control => {
                let (head, _) = self.split();
                let kept = head.trim_end().rfind(' ').map_or(0, |space| space + 1);
                self.text.drain(kept..self.at);
                self.at = kept;
            }
            KeyCode::Char('a') if control => self.at = 0,
            KeyCode::Char('e') if control => self.at = self.text.len(),
            KeyCode::Char(_) if control => return false,
            KeyCode::Char(c) => {
                self.text.insert(self.at, c);
                self.at += c.len_utf8();
            }
            KeyCode::Backspace => {
                let before = self.before();
                self.text.drain(before..self.at);
                self.at = before;
            }
            KeyCode::Delete => {
                let behind = self.behind();
                self.text.drain(self.at..behind);
            }
            KeyCode::Left => self.at = self.before(),
            KeyCode::Right => self.at = self.behind(),
            KeyCode::Home => self.at = 0,
            KeyCode::End => self.at = self.text.len(),
            _ => return false,
        }
        true
    }

    fn before(&self) -> usize {
        self.split().0.char_indices().next_back().map_or(0, |(at, _)| at)
    }

    fn behind(&self) -> usize {
        self.at + self.split().1.chars().next().map_or(0, char::len_utf8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_edited_by_whole_characters() {
        let mut line = Line::new("héllo wörld");
        let mut press = |code, mods| line.key(KeyEvent::new(code, mods));
        press(KeyCode::Char('w'), KeyModifiers::CONTROL);
        press(KeyCode::Char('你'), KeyModifiers::NONE);
        press(KeyCode::Left, KeyModifiers::NONE);
        press(KeyCode::Backspace, KeyModifiers::NONE);
        assert_eq!(line.split(), ("héllo", "你"));
        line.key(KeyEvent::new(KeyCode::Home, KeyModifiers::NONE));
        line.key(KeyEvent::new(KeyCode::Right, KeyModifiers::NONE));
        line.key(KeyEvent::new(KeyCode::Delete, KeyModifiers::NONE));
        line.insert("\u{1b}[31mx\n");
        assert_eq!(line.text(), "hx llo你");
    }

    #[test]
    fn typing_replaces_a_selected_text_and_moving_keeps_it() {
        let press = |codes: &[KeyCode]| {
            let mut line = Line::selected("128");
            for code in codes {
                line.key(KeyEvent::from(*code));
            }
            line.text().to_owned()
        };
        let (three, two) = (KeyCode::Char('3'), KeyCode::Char('2'));
        assert_eq!(press(&[three, two]), "32");
        assert_eq!(press(&[KeyCode::Right, three]), "1283");
        assert_eq!(press(&[KeyCode::Backspace, two]), "2");
        assert_eq!(press(&[KeyCode::Char(','), two]), "128,2");
        assert_eq!(press(&[]), "128");
        let mut line = Line::selected("128");
        line.insert("64");
        assert_eq!(line.text(), "64");
    }
}

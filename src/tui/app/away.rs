//! What other programs do in the dashboard's terminal.

use std::fs;
use std::path::Path;

use super::App;
use crate::runner;
use crate::spec::RunId;
use crate::tui::command::{Command, Notice};
use crate::tui::error::TuiError;
use crate::tui::screens;
use crate::tui::terminal::{self, Tty};

impl App {
    /// Leaves the terminal to a program, given the board's folder, and comes back.
    fn away<T>(&mut self, tty: &mut Tty, program: impl FnOnce(&Path) -> T) -> Result<T, TuiError> {
        self.gate.close();
        terminal::restore();
        let done = program(&self.root);
        let back = tty.enter_again();
        self.gate.open();
        back.map_err(TuiError::Terminal)?;
        self.view.area = tty.area();
        Ok(done)
    }

    /// The user's editor; writes the note that comes of it.
    pub(super) fn edit(&mut self, id: RunId, text: &str, tty: &mut Tty) -> Result<(), TuiError> {
        match self.away(tty, |_| runner::edit(text, &format!("{id}.md")))? {
            Ok(Some(note)) if note.trim_end() != text.trim_end() => {
                let _ = self.commands.send(Command::Note(id, note.trim_end().to_owned()));
            }
            Ok(Some(_)) => {}
            Ok(None) => {
                self.view.refuse("The editor did not end well; the note stays as it was.");
            }
            Err(error) => self.view.refuse(error.to_string()),
        }
        Ok(())
    }

    /// A test of learning rates, whose bounds the form takes.
    pub(super) fn find_rate(&mut self, pairs: Vec<String>, tty: &mut Tty) -> Result<(), TuiError> {
        let out = self.root.join("runs").join(format!(".rates-{}.json", std::process::id()));
        let mut words = vec!["lr-find".to_owned()];
        words.extend(pairs);
        words.extend(["--out".to_owned(), out.display().to_string()]);
        let is_well = self.verb(&words, true, tty)?;
        let found = fs::read_to_string(&out);
        let _ = fs::remove_file(&out);
        if let (true, Ok(found)) = (is_well, found) {
            screens::launch::rates_found(&mut self.view, &found);
        }
        Ok(())
    }

    /// A verb of the command line; true if it ended well.
    pub(super) fn verb(
        &mut self,
        words: &[String],
        waits: bool,
        tty: &mut Tty,
    ) -> Result<bool, TuiError> {
        let done = self.away(tty, |root| runner::verb(root, words, waits))?;
        self.view.runs.begun += 1;
        self.view.runs.step = None;
        match &done {
            Ok(true) => {}
            Ok(false) => {
                let text = format!("`tuneboard {}` did not end well.", words.join(" "));
                self.view.notice = Some(Notice::bad(text));
            }
            Err(error) => self.view.refuse(error.to_string()),
        }
        Ok(matches!(done, Ok(true)))
    }
}

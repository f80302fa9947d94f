//! What lies over a screen and takes the keys.

use crate::spec::keys::KEYS;
use crate::spec::{ChosenColumn, RunId};
use crate::tui::background::{Choices, Which, expanded};
use crate::tui::command::Command;
use crate::tui::form::Row;
use crate::tui::line::Line;
use crate::tui::snapshot::Snapshot;

/// What lies over a screen and takes the keys.
#[derive(Debug, Clone, PartialEq)]
pub enum Popup {
    /// All keys; the number of lines scrolled.
    Help(usize),
    /// Actions by name; the row.
    Palette(Line, usize),
    /// What went wrong; the number of lines scrolled.
    Errors(usize),
    /// What to sort by; the row.
    Sort(usize),
    /// What to fold rows by; the row.
    Group(usize),
    /// Which columns the runs screen has.
    Columns(ColumnsPopup),
    /// The axes of a scatter plot: whether it is the upright one, and the row.
    Over(bool, usize),
    /// The sites; the row.
    Sites(usize),
    /// Saved queries; the row.
    Views(usize),
    /// A question and what a yes does.
    Confirm(String, Command),
    /// A line to edit.
    Prompt(Prompt, Line),
    /// A list of models or data files to choose from.
    Pick(Pick),
}

/// What a typed line is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Prompt {
    /// The words of the filter, applied while typing.
    Filter,
    /// The tags of these runs.
    Tags(Vec<RunId>),
    /// The note of a run.
    Note(RunId),
    /// The name of a run.
    Name(RunId),
    /// The name under which the query is saved.
    ViewName,
    /// The class to go to.
    Class,
    /// The key of the launch form to go to.
    Key,
    /// A line of the launch form.
    Field(Row),
    /// The name under which the launch form is saved.
    SweepName,
}

/// The list in which columns are chosen.
#[derive(Debug, Clone, PartialEq)]
pub struct ColumnsPopup {
    /// What is typed: part of a name.
    pub line: Line,
    /// The row under the cursor, among those that match.
    pub at: usize,
    /// All columns there are, and whether each is shown; they stand in the table in this order.
    pub rows: Vec<(ChosenColumn, bool)>,
    /// What was chosen before.
    pub before: Option<Vec<ChosenColumn>>,
}

/// A list of models or data files, narrowed by what is typed.
#[derive(Debug, Clone, PartialEq)]
pub struct Pick {
    /// The line of the form it is for.
    pub row: Row,
    /// What is listed.
    pub which: Which,
    /// What is typed: part of a name, or a path of one's own.
    pub line: Line,
    /// The line under the cursor.
    pub at: usize,
}

impl Pick {
    /// The names that contain what is typed.
    pub fn names<'a>(&self, snap: &'a Snapshot) -> Vec<&'a str> {
        let words = expanded(self.line.text().trim()).to_lowercase();
        let choices = snap.answers.choices.as_deref().filter(|known| known.which == self.which);
        let names = choices.map(Choices::names).unwrap_or_default();
        let mut names: Vec<&str> =
            names.into_iter().filter(|name| name.to_lowercase().contains(&words)).collect();
        // The column that would be found by itself goes first.
        names.sort_by_key(|name| self.found(snap) != Some(*name));
        names
    }

    /// The column that is found if none is named.
    pub fn found<'a>(&self, snap: &'a Snapshot) -> Option<&'a str> {
        let choices = snap.answers.choices.as_deref().filter(|_| self.which == Which::Columns)?;
        let profile = choices.profile.as_ref()?.1.as_ref().ok()?;
        match self.key() {
            "label" => profile.label_column.as_deref(),
            "text" => Some(profile.text_column.as_str()),
            _ => None,
        }
    }

    /// The key that it is for.
    pub fn key(&self) -> &'static str {
        match self.row {
            Row::Key(i) => KEYS.get(i).map_or("", |key| key.name),
            _ => "",
        }
    }
}

//! What a key asks for outside of the view.

use crate::spec::{RunId, Sweep, SweepId};
use crate::store::Move;
use crate::tui::background::TextsQuestion;
use crate::tui::preview::Preview;

/// What a key asks for outside of the view.
#[derive(Debug, PartialEq)]
pub enum Effect {
    /// Leave.
    Quit,
    /// Change the board.
    Do(Command),
    /// Take the mouse, or give it back, as the view now says.
    Mouse,
    /// Draw everything.
    Redraw,
    /// Write the screen to a file.
    Picture,
    /// Dark or light.
    Theme,
    /// Find out how far away the terminal is.
    Measure,
    /// Back to the shell.
    Suspend,
    /// Do a verb of the command line in the terminal; true if its words are to be read before the dashboard is back.
    Verb(Vec<String>, bool),
    /// Look for a learning rate with these pairs of a run, and put its bounds into the form.
    FindRate(Vec<String>),
    /// Edit a run's note in the user's editor, beginning with this text.
    Editor(RunId, String),
}

/// A change.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// End these runs.
    Stop(Vec<RunId>),
    /// Keep these runs in the queue.
    Hold(Vec<RunId>),
    /// Let these runs go on.
    Resume(Vec<RunId>),
    /// Train these runs again from the start.
    Retry(Vec<RunId>),
    /// Give these runs, which wait, another place in the queue.
    Move(Vec<RunId>, Move),
    /// Give these runs these tags, and no others.
    Tags(Vec<RunId>, Vec<String>),
    /// Write a run's note.
    Note(RunId, String),
    /// Hide these runs, or show those that are hidden.
    Archive(Vec<RunId>),
    /// Give this sweep so many trials more.
    Extend(SweepId, u32),
    /// Queue runs.
    Launch(Box<Order>),
    /// Give a run another name.
    Rename(RunId, String),
    /// Throw these runs away; they can be brought back.
    Trash(Vec<RunId>),
    /// Take back the last change of tags, notes, names, the archive or the trash.
    Undo,
    /// Add a query to `config.toml`.
    SaveView(String, String),
    /// Keep in `config.toml` where the preview stands.
    SavePreview(Preview),
    /// Keep in `config.toml` the columns of the runs screen for this view.
    SaveColumns(String, String),
    /// Add a sweep to `config.toml`.
    SaveSweep(String, Vec<(String, String)>),
    /// Start no more runs at a site (true), or let them start again; these, which are there, are held.
    HoldSite(String, bool, Vec<RunId>),
    /// Write a screen, drawn as SVG, under this name.
    Picture(String, String),
    /// Write the rows behind a list of texts.
    Texts(TextsQuestion),
}

impl Command {
    /// The runs that it does the same to.
    pub fn runs(&self) -> Option<&[RunId]> {
        match self {
            Self::Stop(ids)
            | Self::Hold(ids)
            | Self::Resume(ids)
            | Self::Retry(ids)
            | Self::Move(ids, _)
            | Self::Tags(ids, _)
            | Self::Archive(ids)
            | Self::Trash(ids) => Some(ids),
            _ => None,
        }
    }

    /// The same for other runs.
    pub fn with_runs(mut self, runs: Vec<RunId>) -> Self {
        match &mut self {
            Self::Stop(ids)
            | Self::Hold(ids)
            | Self::Resume(ids)
            | Self::Retry(ids)
            | Self::Move(ids, _)
            | Self::Tags(ids, _)
            | Self::Archive(ids)
            | Self::Trash(ids) => *ids = runs,
            _ => {}
        }
        self
    }
}

/// Runs to be queued.
#[derive(Debug, Clone, PartialEq)]
pub struct Order {
    /// All of them; one without axes.
    pub sweep: Sweep,
    /// The run that it is a clone of, with changes or without.
    pub like: Option<RunId>,
}

/// A line that tells what came of a key or a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// One sentence.
    pub text: String,
    /// True if it did not work.
    pub bad: bool,
    /// True if it stays until somebody has read it.
    pub sticks: bool,
}

impl Notice {
    /// It worked.
    pub fn good(text: impl Into<String>) -> Self {
        Self { text: text.into(), bad: false, sticks: false }
    }

    /// It did not work, and nobody may be looking.
    pub fn bad(text: impl Into<String>) -> Self {
        Self { text: text.into(), bad: true, sticks: true }
    }
}

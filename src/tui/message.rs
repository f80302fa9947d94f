//! What the UI thread hears from the other threads.

use std::sync::Arc;

use crossterm::event::Event;

use super::background::Answers;
use super::command::Notice;
use super::snapshot::Snapshot;
use crate::spec::RunId;

/// What the UI thread hears.
#[derive(Debug)]
pub enum Message {
    /// A key, a click, pasted text, a new size.
    Input(Event),
    /// A snapshot.
    Loaded {
        /// What there is to see.
        snap: Box<Snapshot>,
        /// Why it comes.
        why: Why,
        /// Dropped with the message: the loader sees how many nobody has taken.
        token: Arc<()>,
    },
    /// What came of a command.
    Told(Notice),
    /// Runs were queued; the first of them.
    Launched(RunId, Notice),
    /// A query was saved under a name.
    ViewSaved(String, String, Notice),
    /// What the background thread has found out so far.
    Answered(Box<Answers>),
    /// SIGTSTP.
    Suspend,
    /// SIGTERM or SIGINT.
    Quit,
    /// The terminal is gone.
    Hangup,
    /// A thread ended by a panic.
    Fault(&'static str),
}

/// Why a snapshot comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// It answers a query: somebody waits for it.
    Asked,
    /// It tells of a change on the board.
    Changed,
    /// It brings rows that are not in view yet: the frame that shows them will draw them.
    Ahead,
}

impl Why {
    /// Of what was looked for because somebody asked, or because time had passed.
    pub fn of(asked: bool) -> Self {
        if asked { Self::Asked } else { Self::Changed }
    }
}

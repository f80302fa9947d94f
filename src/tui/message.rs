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
    /// A snapshot; `asked` if it answers a query, not if it tells of a change on the board.
    Loaded {
        /// What there is to see.
        snap: Box<Snapshot>,
        /// Somebody waits for it.
        asked: bool,
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

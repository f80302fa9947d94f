//! The dashboard: what runs are doing, live, in a terminal.
//!
//! ```text
//! terminal events --\                                  /-> load     the loader thread reads SQLite and logs
//! signals ----------+-> app: View + Snapshot -> draw   +-> effects  wishes, tags and notes are written
//! snapshots --------/                                  \-> terminal bytes, only when cells changed
//! ```
//! The UI thread owns all state and never waits for the database. `draw` is pure: the same
//! [`snapshot::Snapshot`], [`view::View`] and theme give the same cells; there is no clock in it.

mod act;
mod app;
mod canvas;
mod draw;
mod effects;
mod figures;
mod filter;
mod form;
mod input;
mod keys;
mod line;
mod load;
mod log_file;
mod picture;
mod popup;
mod query;
mod screens;
mod snapshot;
mod study;
mod terminal;
mod text;
mod theme;
mod view;
mod widgets;

#[cfg(test)]
mod fixtures;

use std::io;

use thiserror::Error;

pub use app::run;

/// Why the dashboard cannot start or had to end.
#[derive(Debug, Error)]
pub enum TuiError {
    /// Standard output or input is no terminal.
    #[error("The dashboard needs a terminal; `tuneboard ls` prints the runs anywhere.")]
    NoTerminal,
    /// The terminal refused a setting, or went away.
    #[error("The terminal cannot be used: {0}.")]
    Terminal(#[source] io::Error),
    /// A name under `[tui] keys` that is no action.
    #[error("config.toml, [tui] keys: there is no action `{name}`{}.", did_you_mean(.nearest.as_deref()))]
    Action {
        /// As written.
        name: String,
        /// The closest that exists.
        nearest: Option<String>,
    },
    /// A key that does not read as one.
    #[error(
        "config.toml, [tui] keys: `{key}` of `{action}` is no key; keys are written like x, S, space, f5, ctrl-x."
    )]
    Key {
        /// The action.
        action: String,
        /// As written.
        key: String,
    },
    /// A thread of the dashboard ended by a fault of ours.
    #[error("The dashboard lost its {0} thread, which is a fault in tuneboard; runs go on.")]
    Fault(&'static str),
}

fn did_you_mean(nearest: Option<&str>) -> String {
    nearest.map(|n| format!("; did you mean `{n}`?")).unwrap_or_default()
}

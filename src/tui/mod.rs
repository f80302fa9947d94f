//! The dashboard: what runs are doing, live, in a terminal.
//!
//! ```text
//! terminal events --\                                      /-> load        the loader thread reads SQLite and logs
//! signals ----------+-> app: View + Snapshot -> draw       +-> background  data sets, predictions and comparisons are read
//! snapshots --------/                                      +-> effects     states, tags and notes are written
//!                                                          \-> terminal bytes, only when cells changed
//! ```
//! The UI thread owns all state and never waits for the database. `draw` is pure: the same
//! [`snapshot::Snapshot`], [`view::View`] and theme give the same cells; there is no clock in it.
//!
//! Modules import only what stands above them here:
//!
//! ```text
//! text theme figures error line form allowed preview named scroll link   no state, or state of their own
//! background snapshot query verbs              what threads find out, and what they are asked
//! view command message                         what the user has set, and what is asked of threads
//! keys canvas layout widgets labels            actions and their keys; what screens are drawn with
//! screen screens                               the trait, a folder for each screen, and their table
//! perform popups events draw                   keys and clicks, what lies over a screen, the whole frame
//! load effects input terminal app              threads and the loop
//! ```
//! To add a screen, see [`screens`].

mod allowed;
mod app;
mod background;
mod canvas;
mod command;
mod draw;
mod effects;
mod error;
mod events;
mod figures;
mod form;
mod input;
mod keys;
mod labels;
mod layout;
mod line;
mod link;
mod load;
mod log_file;
mod message;
mod named;
mod perform;
mod picture;
mod popups;
mod preview;
mod query;
mod screen;
mod screens;
mod scroll;
mod snapshot;
mod terminal;
mod text;
mod theme;
mod verbs;
mod view;
mod widgets;

#[cfg(test)]
mod fixtures;

pub use app::run;
pub use error::TuiError;
pub use link::Link;
pub use verbs::Verb;

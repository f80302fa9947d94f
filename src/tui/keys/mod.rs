//! Actions and their keys. An action is a row that says all of itself; help, the key line, the command palette and
//! `[tui] keys` come from the rows. A screen's own rows are in its folder, here are those of several screens.

mod action;
mod everywhere;
mod keymap;
mod of_runs;
mod shared;

pub(in crate::tui) use action::actions;
pub use action::{Action, Does};
pub use everywhere::{AFTER_TABS, BEFORE_TABS, DOWN, ERRORS, PALETTE, UP};
pub use keymap::{Bound, Keymap, key_name};
pub use of_runs::{OF_RUNS, OF_RUNS_BUT_NOTE, RESUME, RETRY, asked};
pub use shared::{COMPARE, EPOCH_NEXT, EPOCH_PREV, MISTAKES, OPEN, SPLIT, SWEEP};

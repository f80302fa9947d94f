//! One folder per screen, and their table.
//!
//! To add a screen, touch two files:
//!
//! 1. `screens/NAME/mod.rs`: a `struct` without fields that implements [`Screen`]. It has to say `about` (id, title,
//!    tab, keys), `step` (what up and down do) and `draw`. Everything else has a default: what it asks of the loader
//!    and of the background thread, which runs its keys act on, clicks, pages, the way back.
//! 2. Here: `pub mod NAME;` and a row of [`TABLE`]. Tabs stand in the order of the rows.
//!
//! Its actions are rows of `actions!` in its folder: name, keys, word in the key line, help, and what happens. The key
//! line, help, the command palette, the mouse and `[tui] keys` of `config.toml` know them at once. A screen whose
//! `about.tab` is an action with [`Does::Go`](super::keys::Does::Go) has a tab and is reached from everywhere.
//! Actions that several screens share are in [`keys`](super::keys), among them `OF_RUNS`: all that can be done to runs.
//!
//! What a screen has to remember is a struct in `view/screens.rs`, a field of [`View`]. What takes longer than a
//! frame is a [`Question`](super::background::Question) to the background thread, whose answer comes with a
//! later snapshot. `draw` reads the snapshot and the view, and changes nothing.
//!
//! The tests of `screens/tests.rs` draw every screen of the table at odd sizes, twice, and with hostile
//! text; give a new screen snapshots of its own there. A new tab shows in the header of every snapshot: look at one,
//! then accept them all with `cargo insta accept`.

pub mod compare;
pub mod confusion;
pub mod launch;
pub mod log;
pub mod queue;
pub mod run;
pub mod runs;
pub mod sweep;
pub mod texts;

use std::collections::BTreeMap;

use super::error::TuiError;
use super::keys::{AFTER_TABS, Action, BEFORE_TABS, Keymap};
use super::query::Query;
use super::screen::Screen;
use super::snapshot::Snapshot;
use super::view::{ScreenId, View};

/// Every screen; those with a tab in the order of the tabs.
pub static TABLE: &[&dyn Screen] = &[
    &runs::Runs,
    &run::Run,
    &confusion::Confusion,
    &queue::Queue,
    &launch::Launch,
    &compare::Compare,
    &sweep::Sweep,
    &log::Log,
    &texts::Texts,
];

/// The screen with this id.
pub fn of(id: ScreenId) -> &'static dyn Screen {
    TABLE.iter().copied().find(|screen| screen.about().id == id).unwrap_or(&runs::Runs)
}

/// The screens that have a tab.
pub fn tabs() -> impl Iterator<Item = &'static dyn Screen> {
    TABLE.iter().copied().filter(|screen| screen.about().tab.is_some())
}

/// Goes to a screen by its tab or by its action.
pub fn enter(id: ScreenId, view: &mut View, snap: &Snapshot) {
    let targets = of(view.screen).targets(view, snap);
    of(id).enter(view, snap, &targets);
    view.go(id);
}

/// Goes so many tabs to the right, round and round.
pub fn turn(view: &mut View, snap: &Snapshot, by: isize) {
    let tabs: Vec<ScreenId> = tabs().map(|screen| screen.about().id).collect();
    let at = tabs.iter().position(|id| *id == view.screen).unwrap_or(1) as isize;
    let next = (at + by).rem_euclid(tabs.len().max(1) as isize) as usize;
    if let Some(id) = tabs.get(next) {
        enter(*id, view, snap);
    }
}

/// What the loader has to bring for this view.
pub fn query(view: &View) -> Query {
    let mut query = view.query();
    of(view.screen).query(view, &mut query);
    query
}

/// Brings cursors and scroll positions of all screens back inside what there is.
pub fn settle(view: &mut View, snap: &Snapshot) {
    for screen in TABLE {
        screen.settle(view, snap);
    }
}

/// The keys of all screens, with `[tui] keys` in place of their own.
///
/// # Errors
/// An action or a key that does not exist.
pub fn keymap(own: &BTreeMap<String, String>) -> Result<Keymap, TuiError> {
    let of_screens: Vec<(ScreenId, Vec<&'static Action>)> =
        TABLE.iter().map(|screen| screen.about()).map(|a| (a.id, a.keys.concat())).collect();
    let tabs: Vec<&'static Action> = tabs().filter_map(|screen| screen.about().tab).collect();
    Keymap::new(own, &of_screens, &[BEFORE_TABS, &tabs, AFTER_TABS].concat())
}

#[cfg(test)]
mod tests;

//! One run: curves, what it is, its confusion matrix, its log or last words.
//!
//! ```text
//! r42 lr=5e-5 epochs=3   ● running ━━━━╸── 2.3/3 1m20 left
//! cuda:0  bf16  22.7M weights  512 examples/s
//! ╭ loss ────────────────╮╭ spec ────────╮
//! │                      ││              │
//! ├ accuracy ────────────┤├ confusion ───┤
//! │                      ││              │
//! ╰──────────────────────╯╰──────────────╯
//! ╭ log ─────────────────────────────────╮
//! ```

mod axis;
pub mod curves;
mod facts;
mod keys;
mod last_words;
mod panels;
mod rates;
mod regions;

use ratatui::layout::Rect;

use crate::spec::RunId;
use crate::tui::canvas::{Canvas, Target};
use crate::tui::keys::{Action, Keymap};
use crate::tui::query::Query;
use crate::tui::screen::{About, Click, Screen, moved};
use crate::tui::snapshot::Snapshot;
use crate::tui::view::{ScreenId, View};

/// One run.
pub struct Run;

impl Screen for Run {
    fn about(&self) -> &'static About {
        &keys::ABOUT
    }

    fn offers(&self, _: &Action, view: &View, _: &Snapshot) -> bool {
        view.open.is_some()
    }

    fn targets(&self, view: &View, _: &Snapshot) -> Vec<RunId> {
        view.open.into_iter().collect()
    }

    fn query(&self, view: &View, query: &mut Query) {
        query.run = view.open;
        query.curves = view.open.is_some();
        query.log = u64::MAX;
    }

    /// To a neighbour in the list.
    fn step(&self, view: &mut View, snap: &Snapshot, by: isize) {
        let ids = &snap.list.ids;
        let at = ids.iter().position(|id| Some(*id) == view.open).unwrap_or(view.runs.cursor);
        let to = moved(at, by, ids.len());
        if let Some(id) = ids.get(to).copied() {
            if snap.list.groups.is_none() {
                view.move_to_row(to, snap);
            }
            view.show(id);
        }
    }

    fn back(&self, view: &mut View, _: &Snapshot) {
        if view.run.read.take().is_none() {
            view.go(ScreenId::RUNS);
        }
    }

    fn click(&self, target: &Target, at: u16, view: &mut View, _: &Snapshot) -> Click {
        match target {
            Target::Plot => view.run.read = Some(at),
            _ => return Click::Nothing,
        }
        Click::Done
    }

    fn draw(&self, canvas: &mut Canvas, area: Rect, snap: &Snapshot, view: &View, keymap: &Keymap) {
        panels::draw(canvas, area, snap, view, keymap);
    }
}

//! The confusion matrix: heat and numbers, the most frequent mistakes, figures of each class.

mod entities;
mod keys;
mod matrix;
mod others;
mod scores;
mod side;
mod together;

use ratatui::layout::Rect;

use crate::spec::RunId;
use crate::store::Split;
use crate::tui::background::Question;
use crate::tui::canvas::{Canvas, Target};
use crate::tui::keys::{Action, Keymap};
use crate::tui::query::Query;
use crate::tui::screen::{About, Click, Screen, moved};
use crate::tui::snapshot::Snapshot;
use crate::tui::view::{ScreenId, View};

pub use matrix::find_class;

/// The confusion matrix.
pub struct Confusion;

impl Screen for Confusion {
    fn about(&self) -> &'static About {
        &keys::ABOUT
    }

    fn offers(&self, _: &Action, view: &View, _: &Snapshot) -> bool {
        view.open.is_some() || view.together().is_some()
    }

    /// Comes to a setting from a folded row, else to the open run.
    fn enter(&self, view: &mut View, snap: &Snapshot, targets: &[RunId]) {
        if view.screen == ScreenId::CONFUSION {
            return;
        }
        view.pass.together = together::chosen(view, snap, targets);
        if view.pass.together.is_some() {
            view.pass.split = Split::Test;
            (view.pass.class, view.pass.column) = (0, 0);
            (view.pass.top, view.pass.left) = (0, 0);
        }
    }

    fn targets(&self, view: &View, _: &Snapshot) -> Vec<RunId> {
        match view.together() {
            Some(together) => together.runs.to_vec(),
            None => view.open.into_iter().collect(),
        }
    }

    fn query(&self, view: &View, query: &mut Query) {
        query.run = view.open;
    }

    fn question(&self, view: &View, snap: &Snapshot) -> Option<Question> {
        if let Some(question) = together::question(view, snap) {
            return Some(Question::Together(question));
        }
        let wanted = view.pass.scores || matrix::has_none(view, snap);
        scores::question(view, snap).filter(|_| wanted).map(Question::Scores)
    }

    fn step(&self, view: &mut View, snap: &Snapshot, by: isize) {
        view.pass.class = moved(view.pass.class, by, view.class_count(snap));
        matrix::scroll(view, snap);
    }

    fn back(&self, view: &mut View, _: &Snapshot) {
        if view.pass.scores {
            view.pass.scores = false;
        } else if let Some(together) = view.pass.together.take() {
            view.go(together.from);
        } else {
            view.go(ScreenId::RUN);
        }
    }

    fn click(&self, target: &Target, _: u16, view: &mut View, snap: &Snapshot) -> Click {
        match *target {
            Target::Class(class) => (view.pass.class, view.pass.column) = (class, class),
            Target::Cell(truth, predicted)
                if (view.pass.class, view.pass.column) == (truth, predicted) =>
            {
                return Click::Same(&keys::TEXTS);
            }
            Target::Cell(truth, predicted) => {
                (view.pass.class, view.pass.column) = (truth, predicted);
            }
            Target::Epoch(at) => {
                let (epochs, _) = view.epochs(snap);
                view.pass.epoch = epochs.get(at).copied().filter(|_| at + 1 < epochs.len());
                return Click::Done;
            }
            _ => return Click::Nothing,
        }
        matrix::scroll(view, snap);
        Click::Done
    }

    fn draw(&self, canvas: &mut Canvas, area: Rect, snap: &Snapshot, view: &View, _: &Keymap) {
        matrix::draw(canvas, area, snap, view);
    }
}

//! The launch form: keys at the left; at the right what they make, cost and repeat, the learning rate
//! over the run, and what the key under the cursor takes.
//!
//! ```text
//! ╭ clone of r12 ────────────╮╭ 6 runs ──────────────╮
//! │ ▾ experiment             ││ lr ×3, seed ×2       │
//! │   model     minilm       ││ about 2m10 each      │
//! │ ◆ lr        1e-5,2e-5  ×3│├ learning rate ───────┤
//! │ ▸ data                   ││ ⢀⠔⠑⠒⠤⣀               │
//! │ ▶ launch 6 runs          │├ lr ──────────────────┤
//! ╰──────────────────────────╯╰──────────────────────╯
//! ```

mod about;
mod edit;
mod facts;
mod fields;
mod keys;
mod rate;

use ratatui::layout::{Constraint, Layout, Rect};

use crate::spec::RunId;
use crate::spec::keys::KEYS;
use crate::tui::background::Question;
use crate::tui::canvas::{Canvas, Target};
use crate::tui::form::{Checked, Form, Row};
use crate::tui::keys::Keymap;
use crate::tui::screen::{About, Click, Screen, click_row, moved};
use crate::tui::snapshot::Snapshot;
use crate::tui::view::View;

pub use edit::rates_found;
pub use keys::LAUNCH;

/// The launch form.
pub struct Launch;

impl Screen for Launch {
    fn about(&self) -> &'static About {
        &keys::ABOUT
    }

    /// Shows the form as it was left, or an empty one.
    fn enter(&self, view: &mut View, snap: &Snapshot, _: &[RunId]) {
        view.form.get_or_insert_with(|| Form::new(&snap.defaults));
    }

    fn question(&self, view: &View, _: &Snapshot) -> Option<Question> {
        let sweep = view.form.as_ref()?.check(view.draft()).sweep?;
        Some(Question::Form(Box::new(sweep)))
    }

    fn step(&self, view: &mut View, _: &Snapshot, by: isize) {
        if let Some(form) = &mut view.form {
            form.cursor = moved(form.cursor, by, form.rows().len());
        }
    }

    fn click(&self, target: &Target, _: u16, view: &mut View, _: &Snapshot) -> Click {
        match (target, &mut view.form) {
            (Target::Row(row), Some(form)) => click_row(&mut form.cursor, *row, &keys::EDIT),
            _ => Click::Nothing,
        }
    }

    /// The first run of a board is launched where there is no database yet.
    fn is_ready_without_database(&self) -> bool {
        true
    }

    fn draw(&self, canvas: &mut Canvas, area: Rect, snap: &Snapshot, view: &View, _: &Keymap) {
        let Some(form) = &view.form else { return };
        let checked = told(form.check(view.draft()), snap);
        let width = (area.width * 45 / 100).clamp(40, 76);
        let [left, side] =
            Layout::horizontal([Constraint::Length(width), Constraint::Fill(1)]).areas(area);
        fields::draw(canvas, left, form, &checked, view);
        let facts_rows = if area.height > 30 { 11 } else { 8 };
        let about_rows = if area.height > 30 { 9 } else { 6 };
        let [facts, rate, about] = Layout::vertical([
            Constraint::Length(facts_rows),
            Constraint::Fill(1),
            Constraint::Length(about_rows),
        ])
        .areas(side);
        facts::draw(canvas, facts, snap, &checked);
        rate::draw(canvas, rate, snap, &checked);
        about::draw(canvas, about, snap, form, &checked);
    }
}

/// The form with what only the board can tell of it: what would be refused stands at its key, and there is no run.
fn told(mut checked: Checked, snap: &Snapshot) -> Checked {
    let facts = snap.answers.form.as_deref();
    let problem = facts.filter(|facts| Some(&facts.sweep) == checked.sweep.as_ref());
    if let Some((key, why)) = problem.and_then(|facts| facts.problem.clone())
        && let Some(at) = KEYS.iter().position(|known| known.name == key)
    {
        checked.wrong.push((Row::Key(at), why));
        checked.sweep = None;
    }
    checked
}

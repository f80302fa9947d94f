//! Two to eight runs side by side: who they are and whether they differ by more than chance, their
//! curves, and tables of keys, figures, classes and confusion: as many as there is room for.
//!
//! ```text
//! 1 ● r12 lr=1e-5   baseline   0.9713
//! 2 ● r14 lr=5e-5              0.9588 ▼-0.0125   may be noise, p=0.42 over 3+3 seeds, n=558
//! ╭ val/loss ───────────╮╭ keys that differ ────────────╮
//! ```

pub mod curves;
pub mod ink;
mod keys;
mod legend;
mod marked;
mod tables;

use ratatui::layout::{Constraint, Layout, Rect};

use self::ink::WIDE;
use self::marked::here;
pub use self::marked::{answer, compared, question};
use crate::analysis::compare::MAX_RUNS;
use crate::spec::RunId;
use crate::spec::metrics::val;
use crate::tui::background::Question;
use crate::tui::canvas::{Canvas, Target};
use crate::tui::keys::{Action, Keymap, OPEN};
use crate::tui::screen::{About, Click, Screen, click_row, moved};
use crate::tui::screens::sweep;
use crate::tui::snapshot::Snapshot;
use crate::tui::view::{Charts, ScreenId, View};
use crate::tui::widgets::message::message;

/// The marked runs side by side.
pub struct Compare;

impl Screen for Compare {
    fn about(&self) -> &'static About {
        &keys::ABOUT
    }

    fn enter(&self, view: &mut View, snap: &Snapshot, _: &[RunId]) {
        if view.screen == ScreenId::SWEEP && view.runs.marks.is_empty() {
            view.toggle_marks(&sweep::best_two(view, snap));
        }
        let count = view.runs.marks.len();
        if count > MAX_RUNS {
            view.tell(format!(
                "{count} runs are marked; the first {MAX_RUNS} are drawn, all count as seeds of their settings."
            ));
        }
    }

    /// One run is compared with nothing.
    fn offers(&self, _: &Action, view: &View, _: &Snapshot) -> bool {
        compared(view).len() > 1
    }

    fn targets(&self, view: &View, _: &Snapshot) -> Vec<RunId> {
        here(view).into_iter().collect()
    }

    fn question(&self, view: &View, snap: &Snapshot) -> Option<Question> {
        question(view, snap).map(Question::Compare)
    }

    fn step(&self, view: &mut View, _: &Snapshot, by: isize) {
        view.compare.cursor = moved(view.compare.cursor, by, compared(view).len());
    }

    /// Its cursor has eight places at most; pages are those of the table.
    fn turn(&self, view: &mut View, _: &Snapshot, by: isize) {
        view.compare.top = view.compare.top.saturating_add_signed(8 * by);
    }

    fn click(&self, target: &Target, _: u16, view: &mut View, _: &Snapshot) -> Click {
        match target {
            Target::Row(row) => click_row(&mut view.compare.cursor, *row, &OPEN),
            _ => Click::Nothing,
        }
    }

    fn draw(&self, canvas: &mut Canvas, area: Rect, snap: &Snapshot, view: &View, _: &Keymap) {
        draw(canvas, area, snap, view);
    }
}

/// Draws the marked runs.
fn draw(canvas: &mut Canvas, area: Rect, snap: &Snapshot, view: &View) {
    let ids = compared(view);
    if ids.len() < 2 {
        let words = [
            "Mark two to eight runs with space, then press C.",
            "",
            "On the runs screen, the marks stand at the left of each row; a click there marks, too.",
        ];
        return message(canvas, area, &words);
    }
    let Some(compared) = answer(view, snap) else {
        return message(canvas, area, &["comparing"]);
    };
    let compared = match compared {
        Ok(compared) => compared,
        Err(why) => return message(canvas, area, std::slice::from_ref(why)),
    };
    let rows = (compared.runs.len() as u16 + 1).min(area.height / 2);
    let [legend_area, body] =
        Layout::vertical([Constraint::Length(rows), Constraint::Fill(1)]).areas(area);
    legend::draw(canvas, legend_area, compared, view);
    let left = if body.width >= WIDE { 45 } else { 42 };
    let [charts, table] =
        Layout::horizontal([Constraint::Percentage(left), Constraint::Fill(1)]).areas(body);
    let score = compared.runs.first().map_or(val::ACC, |run| run.spec.task.score()[0]);
    let each = match view.compare.charts {
        Charts::Overlaid => None,
        Charts::EachLoss => Some(val::LOSS),
        Charts::EachScore => Some(score),
    };
    if let Some(metric) = each {
        curves::each(canvas, charts, compared, metric, view);
    } else if charts.height >= 16 {
        let [above, below] =
            Layout::vertical([Constraint::Fill(1), Constraint::Fill(1)]).areas(charts);
        curves::draw(canvas, above, compared, val::LOSS, view);
        curves::draw(canvas, below, compared, score, view);
    } else {
        curves::draw(canvas, charts, compared, val::LOSS, view);
    }
    tables::draw(canvas, table, compared, view);
}

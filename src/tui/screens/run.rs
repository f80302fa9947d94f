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

mod curves;
mod facts;
mod rates;
mod words;

use ratatui::layout::{Constraint, Layout, Rect};

use super::{log, state};
use crate::analysis::confusion::Matrix;
use crate::spec::Outcome;
use crate::tui::canvas::{Canvas, Target};
use crate::tui::draw::parts;
use crate::tui::keys::{Action, Keymap};
use crate::tui::snapshot::{Detail, Snapshot};
use crate::tui::view::View;
use crate::tui::widgets::curve::Chart;
use crate::tui::widgets::heat::Heat;

/// From this width on, curves get the left and everything else the right.
const WIDE: u16 = 110;

struct Regions {
    title: Rect,
    loss: Rect,
    accuracy: Rect,
    /// The spec, or a failed run's last words.
    spec: Rect,
    confusion: Rect,
    log: Rect,
}

fn regions(area: Rect, failed: bool) -> Regions {
    let [title, body] = Layout::vertical([Constraint::Length(2), Constraint::Fill(1)]).areas(area);
    if area.width >= WIDE {
        let log_height = (area.height / 5).clamp(4, 9);
        let [main, log] =
            Layout::vertical([Constraint::Fill(1), Constraint::Length(log_height)]).areas(body);
        let [left, right] =
            Layout::horizontal([Constraint::Fill(62), Constraint::Fill(38)]).areas(main);
        let [loss, accuracy] =
            Layout::vertical([Constraint::Fill(55), Constraint::Fill(45)]).areas(left);
        let [spec, confusion] =
            Layout::vertical([Constraint::Fill(1), Constraint::Fill(1)]).areas(right);
        Regions { title, loss, accuracy, spec, confusion, log }
    } else {
        let [charts, low] =
            Layout::vertical([Constraint::Fill(54), Constraint::Fill(46)]).areas(body);
        let [loss, accuracy] =
            Layout::horizontal([Constraint::Fill(1), Constraint::Fill(1)]).areas(charts);
        let none = Rect { width: 0, height: 0, ..low };
        if failed {
            return Regions { title, loss, accuracy, spec: low, confusion: none, log: none };
        }
        let [spec, confusion] =
            Layout::horizontal([Constraint::Fill(1), Constraint::Fill(1)]).areas(low);
        Regions { title, loss, accuracy, spec, confusion, log: none }
    }
}

/// Keeps the reading cursor inside the plot.
pub fn settle_reading(view: &mut View) {
    let area = Rect { height: 40, ..view.area };
    let body = parts(area, &Snapshot::default()).body;
    let loss = regions(body, false).loss;
    let plot = Chart::plot(Rect::new(0, 0, loss.width.saturating_sub(4), 9));
    view.run.read = view.run.read.map(|at| at.min(plot.width.saturating_sub(1)));
}

/// Draws the open run.
pub fn draw(canvas: &mut Canvas, area: Rect, snap: &Snapshot, view: &View, keymap: &Keymap) {
    let Some(detail) = view.detail(snap) else {
        let words = match view.open {
            None => "No run is open; choose one on the runs screen.".to_owned(),
            Some(id) if snap.detail.is_none() && snap.list.complete => {
                format!("{id} does not exist any more.")
            }
            Some(id) => format!("opening {id}"),
        };
        return super::popups::message(canvas, area, &[words]);
    };
    let outcome = detail.run.state.outcome();
    let failed = matches!(outcome, Some(Outcome::Failed { .. } | Outcome::Lost { .. }));
    let parts = regions(area, failed);
    facts::title(canvas, parts.title, detail, snap);
    curves::draw(canvas, parts.loss, parts.accuracy, detail, view);
    if failed {
        words::draw(canvas, parts.spec, detail, keymap);
    } else {
        facts::spec(canvas, parts.spec, detail, snap);
    }
    confusion(canvas, parts.confusion, detail, snap, view);
    let inner = canvas.panel(parts.log, "log", "o in full");
    if let Some(log) = snap.log.as_ref().filter(|log| log.run == detail.run.id) {
        if log.lines.is_empty() {
            canvas.put(inner.x, inner.y, inner.width, "nothing printed", canvas.theme.dim);
        }
        log::lines(canvas, inner, &log.lines, 0);
    }
}

fn confusion(canvas: &mut Canvas, area: Rect, detail: &Detail, snap: &Snapshot, view: &View) {
    let (epochs, at) = view.epochs(snap);
    let title = match at.and_then(|i| epochs.get(i)) {
        Some(epoch) => {
            format!("confusion, {} epoch {epoch}/{}", view.pass.split, state::epochs(&detail.run))
        }
        None => "confusion".to_owned(),
    };
    let aside = if epochs.len() > 1 { "← → epoch" } else { "" };
    let inner = canvas.panel(area, &title, aside);
    let Some(confusion) = view.confusion(snap) else {
        let words = if epochs.is_empty() { "comes with the first epoch" } else { "reading" };
        canvas.put(inner.x, inner.y, inner.width, words, canvas.theme.dim);
        return;
    };
    let matrix = Matrix::new(confusion);
    let wide = usize::from(inner.width.saturating_sub(12)) / 4 < matrix.len();
    let heat = Heat {
        matrix: &matrix,
        labels: &confusion.labels,
        by: view.pass.normalise,
        cursor: None,
        first: (0, 0),
        overview: wide,
    };
    heat.draw(canvas, inner);
    // In small it is a way to the large one.
    canvas.hit(area, Target::Do(Action::GoConfusion));
}

use ratatui::layout::Rect;

use super::regions::regions;
use super::{curves, facts, last_words, rates};
use crate::analysis::confusion::Matrix;
use crate::spec::Outcome;
use crate::tui::canvas::{Canvas, Target};
use crate::tui::keys::Keymap;
use crate::tui::labels::state;
use crate::tui::screens::log;
use crate::tui::snapshot::{Detail, Snapshot};
use crate::tui::view::{ScreenId, View};
use crate::tui::widgets::heat::Heat;
use crate::tui::widgets::message::{NO_RUN, message};

/// Draws the open run.
pub fn draw(canvas: &mut Canvas, area: Rect, snap: &Snapshot, view: &View, keymap: &Keymap) {
    let Some(detail) = view.detail(snap) else {
        let words = match view.open {
            None => NO_RUN.to_owned(),
            Some(id) if snap.detail.is_none() && snap.list.complete => {
                format!("{id} does not exist any more.")
            }
            Some(id) => format!("opening {id}"),
        };
        return message(canvas, area, &[words]);
    };
    let outcome = detail.run.state.outcome();
    let failed = matches!(outcome, Some(Outcome::Failed { .. } | Outcome::Lost { .. }));
    let parts = regions(area, failed);
    facts::title(canvas, parts.title, detail, snap);
    let range = curves::range(detail, view.run.x);
    curves::loss(canvas, parts.loss, range, detail, view);
    // Learning rates take the place of accuracies where they are asked for.
    let below = if view.run.rates { rates::draw } else { curves::accuracy };
    below(canvas, parts.accuracy, range, detail, view);
    if failed {
        last_words::draw(canvas, parts.spec, detail, keymap);
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
    canvas.hit(area, Target::Go(ScreenId::CONFUSION));
}

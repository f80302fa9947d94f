//! Keys of the compare screen.

use crate::spec::RunId;
use crate::store::Split;
use crate::tui::snapshot::Snapshot;
use crate::tui::study::Filter;
use crate::tui::view::{Notice, Panel, Screen, View};

/// Shows the marked runs side by side.
pub fn show(view: &mut View) {
    let count = view.runs.marks.len();
    if count > crate::analysis::compare::MAX_RUNS {
        let most = crate::analysis::compare::MAX_RUNS;
        let text = format!("{count} runs are marked; the first {most} are compared.");
        view.notice = Some(Notice { text, bad: false });
    }
    super::go(Screen::Compare, view);
}

/// The run under the cursor.
pub fn here(view: &View) -> Option<RunId> {
    view.compared().get(view.compare.cursor).copied()
}

/// Measures the others against the run under the cursor.
pub fn baseline(view: &mut View) {
    if let Some(id) = here(view) {
        view.compare.baseline = Some(id);
        view.compare.cursor = 0;
    }
}

/// Leaves the run under the cursor out.
pub fn drop_run(view: &mut View) {
    if let Some(id) = here(view) {
        view.runs.marks.remove(&id);
        walk(view, 0);
    }
}

/// Moves the cursor.
pub fn walk(view: &mut View, by: isize) {
    let last = view.compared().len().saturating_sub(1);
    view.compare.cursor = view.compare.cursor.saturating_add_signed(by).min(last);
}

/// The next table.
pub fn panel(view: &mut View) {
    view.compare.panel = match view.compare.panel {
        Panel::Keys => Panel::Best,
        Panel::Best => Panel::Last,
        Panel::Last => Panel::Classes,
        Panel::Classes => Panel::Confusion,
        Panel::Confusion => Panel::Keys,
    };
    view.compare.top = 0;
}

/// The texts that the run under the cursor gets right and the baseline wrong, or the other way round:
/// of the test rows, which both were tested on.
pub fn flips(view: &mut View, snap: &Snapshot) {
    let compared = view.compared();
    let (Some(base), Some(own)) = (compared.first().copied(), here(view)) else { return };
    if base == own {
        let text = "Choose another run than the baseline first.".into();
        view.notice = Some(Notice { text, bad: true });
        return;
    }
    view.show(own);
    view.pass.split = Split::Test;
    view.pass.epoch = None;
    view.texts.against = Some(base);
    super::texts::show(Filter::Won, view);
    view.texts.from = Screen::Compare;
    view.settle(snap);
}

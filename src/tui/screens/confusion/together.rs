//! A setting in the place of a run: its held-out folds, or its seeds, as one matrix.

use ratatui::layout::Rect;

use super::side;
use crate::analysis::confusion::Matrix;
use crate::spec::RunId;
use crate::tui::background::TogetherQuestion;
use crate::tui::canvas::Canvas;
use crate::tui::screens::sweep;
use crate::tui::snapshot::Snapshot;
use crate::tui::view::{ScreenId, Together, View};

/// The setting that is come from: the folded row under the cursor of the runs, or that of a sweep, with all its runs.
pub fn chosen(view: &View, snap: &Snapshot, targets: &[RunId]) -> Option<Together> {
    let from = view.screen;
    let (name, runs) = if from == ScreenId::RUNS {
        let group = snap.list.groups.as_ref()?.get(view.runs.cursor)?;
        // Marks go first where keys act on runs.
        (group.label.clone(), view.runs.marks.is_empty().then(|| targets.to_vec())?)
    } else if from == ScreenId::SWEEP {
        sweep::setting(view, snap)?
    } else {
        return None;
    };
    (runs.len() > 1).then(|| Together { name, runs: runs.into(), from })
}

/// What is asked of the setting in view.
pub fn question(view: &View, snap: &Snapshot) -> Option<TogetherQuestion> {
    let c = &snap.counts;
    let runs = view.together()?.runs.clone();
    Some(TogetherQuestion { runs, split: view.pass.split, ended: c.done + c.failed + c.stopped })
}

/// Which runs, and what they say at once.
pub fn title(canvas: &mut Canvas, area: Rect, heading: &str, matrix: Option<&Matrix>, view: &View) {
    let theme = canvas.theme;
    let (x, end) = (area.x + 1, area.right().saturating_sub(1));
    let right = side::figures_of(canvas, area, matrix);
    let name = view.together().map_or("", |together| together.name.as_str());
    canvas.put(x, area.y, right.saturating_sub(x + 2), name, theme.strong);
    let at = canvas.put(x, area.y + 1, 8, &view.pass.split.to_string(), theme.val) + 2;
    canvas.put(at, area.y + 1, end.saturating_sub(at), heading, theme.text);
}

use crate::analysis::compare::MAX_RUNS;
use crate::spec::RunId;
use crate::tui::background::{CompareQuestion, Compared};
use crate::tui::snapshot::Snapshot;
use crate::tui::view::View;

/// Runs beyond those that are drawn, which count as seeds of their settings.
const MAX_SEEDS: usize = 56;

/// The runs of the compare screen, the baseline first.
pub fn compared(view: &View) -> Vec<RunId> {
    let mut ids: Vec<RunId> = view.runs.marks.iter().copied().take(MAX_RUNS).collect();
    if let Some(at) = ids.iter().position(|id| Some(*id) == view.compare.baseline) {
        let baseline = ids.remove(at);
        ids.insert(0, baseline);
    }
    ids
}

/// How the runs of the compare screen are set against each other.
pub fn question(view: &View, snap: &Snapshot) -> Option<CompareQuestion> {
    let runs = compared(view);
    if runs.len() < 2 {
        return None;
    }
    let live = snap.live.iter().filter(|run| runs.contains(&run.id));
    let steps = live.map(|run| run.step + 1).sum();
    let buckets = usize::from(view.area.width).max(80).next_multiple_of(40);
    // Further seeds of their settings count, though they have no colour left.
    let more = view.runs.marks.iter().copied().filter(|id| !runs.contains(id));
    let seeds = more.take(MAX_SEEDS).collect();
    Some(CompareQuestion { runs, seeds, buckets, steps })
}

/// The run under the cursor.
pub fn here(view: &View) -> Option<RunId> {
    compared(view).get(view.compare.cursor).copied()
}

/// The answer to what the view asks, or the one of a moment ago, while runs train.
pub fn answer<'a>(view: &View, snap: &'a Snapshot) -> Option<&'a Result<Compared, String>> {
    let (asked, answer) = snap.answers.compared.as_ref()?;
    (asked.runs == compared(view)).then_some(answer.as_ref())
}

use super::marked::{compared, here};
use crate::store::Split;
use crate::tui::background::Filter;
use crate::tui::keys::Does::{Act, Go, Set};
use crate::tui::keys::{Action, OF_RUNS, OPEN, actions};
use crate::tui::screen::{About, moved};
use crate::tui::view::{Charts, Panel, ScreenId, View};

/// What this screen is.
pub static ABOUT: About = About {
    id: ScreenId::COMPARE,
    title: "Compare",
    tab: Some(&GO),
    under: ScreenId::COMPARE,
    keys: &[&[&OPEN, &BASELINE, &NEXT_PANEL, &ALL_KEYS, &FLIPS, &CHARTS, &UNMARK], OF_RUNS],
};

actions! {
    BASELINE "baseline" "b", "baseline", "Measure the others against this run", Act(|view, _| {
        view.compare.baseline = Some(here(view)?);
        view.compare.cursor = 0;
        None
    });
    NEXT_PANEL "next-table" "v", "table", "Keys, best and last figures, classes, confusion",
        Set(|view, _| {
            view.compare.panel = view.compare.panel.next();
            view.compare.top = 0;
        });
    ALL_KEYS "all-keys" "a", "all keys", "All keys, or only those that differ", Set(|view, _| {
        view.compare.panel = Panel::Keys;
        view.compare.all_keys = !view.compare.all_keys;
    });
    CHARTS "charts" "m", "", "Curves over each other, or a panel for each run: its loss, its score",
        Set(|view, _| {
            view.compare.charts = match view.compare.charts {
                Charts::Overlaid => Charts::EachLoss,
                Charts::EachLoss => Charts::EachScore,
                Charts::EachScore => Charts::Overlaid,
            };
        });
    FLIPS "flips" "f", "flips", "The texts that this run gets right and the baseline wrong",
        Set(|view, _| flips(view));
    UNMARK "unmark" "space", "", "Leave the run out", Act(|view, _| {
        view.runs.marks.remove(&here(view)?);
        view.compare.cursor = moved(view.compare.cursor, 0, compared(view).len());
        None
    });
    GO "go-compare" "6", "", "The marked runs side by side", Go(ScreenId::COMPARE);
}

/// The texts that the run under the cursor gets right and the baseline wrong, or the other way round:
/// of the test rows, which both were tested on.
fn flips(view: &mut View) {
    let (Some(base), Some(own)) = (compared(view).first().copied(), here(view)) else { return };
    if base == own {
        view.refuse("Choose another run than the baseline first.");
        return;
    }
    view.show(own);
    view.pass.split = Split::Test;
    view.pass.epoch = None;
    view.list_texts(Filter::Won, Some(base), ScreenId::COMPARE);
}

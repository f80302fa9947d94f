use super::matrix::scroll;
use crate::analysis::confusion::Matrix;
use crate::tui::background::Filter;
use crate::tui::keys::Does::{Go, Set};
use crate::tui::keys::{
    Action, COMPARE, EPOCH_NEXT, EPOCH_PREV, MISTAKES, OF_RUNS_BUT_NOTE, SPLIT, actions,
};
use crate::tui::screen::{About, moved};
use crate::tui::snapshot::Snapshot;
use crate::tui::view::{Prompt, ScreenId, View};

/// What this screen is.
pub static ABOUT: About = About {
    id: ScreenId::CONFUSION,
    title: "Confusion",
    tab: Some(&GO),
    under: ScreenId::CONFUSION,
    keys: &[
        &[&TEXTS, &MISTAKES, &NEXT_MISTAKE, &COMPARE, &EPOCH_PREV, &EPOCH_NEXT, &NORMALISE, &SPLIT],
        &[&JUMP, &COLUMN_LEFT, &COLUMN_RIGHT, &SCORES, &LOWER, &HIGHER, &OVERVIEW],
        OF_RUNS_BUT_NOTE,
    ],
};

actions! {
    TEXTS "texts" "enter", "texts", "The texts of the cell", Set(|view, _| {
        let filter = Filter::Cell(view.pass.class, view.pass.column);
        view.list_texts(filter, None, ScreenId::CONFUSION);
    });
    NEXT_MISTAKE "next-mistake" "m", "next", "To the next most frequent mistake",
        Set(next_mistake);
    NORMALISE "normalise" "n", "normalise", "Counts, or shares of the row, the column or all",
        Set(|view, _| view.pass.normalise = view.pass.normalise.next());
    JUMP "jump" "/", "find class", "Go to the class with this name",
        Set(|view, _| view.prompt(Prompt::Class, ""));
    COLUMN_LEFT "column-left" "< ,", "", "The cell to the left",
        Set(|view, snap| column(view, snap, -1));
    COLUMN_RIGHT "column-right" "> .", "", "The cell to the right",
        Set(|view, snap| column(view, snap, 1));
    SCORES "probabilities" "p", "probabilities",
        "Reliability, ROC, precision and recall instead of the matrix; of taggers their entities",
        Set(|view, _| view.pass.scores = !view.pass.scores);
    LOWER "threshold-down" "[", "", "A lower threshold of the second of two classes",
        Set(|view, _| view.pass.threshold = view.pass.threshold.saturating_sub(1));
    HIGHER "threshold-up" "]", "", "A higher threshold",
        Set(|view, _| view.pass.threshold = (view.pass.threshold + 1).min(100));
    OVERVIEW "overview" "z", "overview", "The whole matrix as a picture, or with its numbers",
        Set(|view, _| view.pass.overview = !view.pass.overview);
    GO "go-confusion" "3", "", "The confusion matrix of the open run, or of a folded row", Go(ScreenId::CONFUSION);
}

/// Moves the cell under the cursor along its row.
fn column(view: &mut View, snap: &Snapshot, by: isize) {
    view.pass.column = moved(view.pass.column, by, view.class_count(snap));
    scroll(view, snap);
}

/// To the mistake that is next in frequency after the one under the cursor; round and round.
fn next_mistake(view: &mut View, snap: &Snapshot) {
    let Some(confusion) = view.confusion(snap) else { return };
    let mistakes = Matrix::new(confusion).mistakes(usize::MAX);
    let here = (view.pass.class, view.pass.column);
    let at = mistakes.iter().position(|m| (m.truth, m.predicted) == here).map_or(0, |at| at + 1);
    if let Some(next) = mistakes.get(at).or_else(|| mistakes.first()) {
        (view.pass.class, view.pass.column) = (next.truth, next.predicted);
        scroll(view, snap);
    }
}

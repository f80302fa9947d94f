use ratatui::layout::Rect;

use super::regions::regions;
use crate::tui::keys::Does::{Go, Set};
use crate::tui::keys::{
    Action, COMPARE, EPOCH_NEXT, EPOCH_PREV, MISTAKES, OF_RUNS, SPLIT, SWEEP, actions,
};
use crate::tui::layout::parts;
use crate::tui::screen::About;
use crate::tui::snapshot::Snapshot;
use crate::tui::view::{SMOOTHING, ScreenId, View, XAxis};
use crate::tui::widgets::curve::Chart;

/// What this screen is.
pub static ABOUT: About = About {
    id: ScreenId::RUN,
    title: "Run",
    tab: Some(&GO),
    under: ScreenId::RUN,
    keys: &[
        &[
            &CONFUSION,
            &MISTAKES,
            &COMPARE,
            &SWEEP,
            &LOG_Y,
            &RATES,
            &X_AXIS,
            &SMOOTH_LESS,
            &SMOOTH_MORE,
        ],
        &[&READ_LEFT, &READ_RIGHT, &EPOCH_PREV, &EPOCH_NEXT, &LOG, &SPLIT],
        OF_RUNS,
    ],
};

actions! {
    CONFUSION "confusion" "enter", "confusion", "Open the confusion matrix",
        Go(ScreenId::CONFUSION);
    LOG_Y "log-scale" "l", "log scale", "Losses on a logarithmic or linear axis",
        Set(|view, _| view.run.log_y = !view.run.log_y);
    RATES "rates" "y", "rates", "Learning rates by layer group in place of accuracies",
        Set(|view, _| view.run.rates = !view.run.rates);
    X_AXIS "x-axis" "a", "axis", "Curves over steps, epochs or time", Set(|view, _| {
        view.run.read = None;
        view.run.x = match view.run.x {
            XAxis::Epoch => XAxis::Step,
            XAxis::Step => XAxis::Time,
            XAxis::Time => XAxis::Epoch,
        };
    });
    SMOOTH_LESS "smooth-less" "-", "", "Smooth the curves less",
        Set(|view, _| view.run.smooth = view.run.smooth.saturating_sub(1));
    SMOOTH_MORE "smooth-more" "+ =", "smooth", "Smooth the curves more",
        Set(|view, _| view.run.smooth = (view.run.smooth + 1).min(SMOOTHING.len() - 1));
    READ_LEFT "read-left" "[", "", "Read the values under a cursor, moving left",
        Set(|view, _| read_at(view, view.run.read.unwrap_or(u16::MAX).saturating_sub(1)));
    READ_RIGHT "read-right" "]", "read", "Read the values under a cursor, moving right",
        Set(|view, _| read_at(view, view.run.read.map_or(0, |at| at.saturating_add(1))));
    LOG "log" "o", "log", "Show the log in full, or back", Set(|view, _| {
        view.log_up = 0;
        view.go(ScreenId::LOG);
    });
    GO "go-run" "2", "", "The open run", Go(ScreenId::RUN);
}

/// Puts the reading cursor on a column, inside the plot.
fn read_at(view: &mut View, column: u16) {
    let area = Rect { height: 40, ..view.area };
    let body = parts(area, &Snapshot::default()).body;
    let loss = regions(body, false).loss;
    let plot = Chart::plot(Rect::new(0, 0, loss.width.saturating_sub(4), 9));
    view.run.read = Some(column.min(plot.width.saturating_sub(1)));
}

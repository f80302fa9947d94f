//! The log of the open run, in full.

mod lines;

use ratatui::layout::Rect;

use crate::spec::RunId;
use crate::tui::canvas::Canvas;
use crate::tui::figures;
use crate::tui::keys::Does::{Go, Set};
use crate::tui::keys::{Action, Keymap, OF_RUNS, actions};
use crate::tui::query::Query;
use crate::tui::screen::{About, Screen};
use crate::tui::snapshot::Snapshot;
use crate::tui::view::{ScreenId, View};
use crate::tui::widgets::message::{NO_RUN, message};

pub use lines::lines;

/// The log of the open run.
pub struct Log;

static ABOUT: About = About {
    id: ScreenId::LOG,
    title: "Log",
    tab: None,
    under: ScreenId::RUN,
    keys: &[&[&CLOSE, &FOLLOW], OF_RUNS],
};

actions! {
    CLOSE "log-close" "o", "back", "Back to the run", Go(ScreenId::RUN);
    FOLLOW "follow" "f", "follow", "Follow new lines", Set(|view, _| view.log_up = 0);
}

impl Screen for Log {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn offers(&self, _: &Action, view: &View, _: &Snapshot) -> bool {
        view.open.is_some()
    }

    fn targets(&self, view: &View, _: &Snapshot) -> Vec<RunId> {
        view.open.into_iter().collect()
    }

    fn query(&self, view: &View, query: &mut Query) {
        query.run = view.open;
        query.log = u64::MAX;
    }

    fn step(&self, view: &mut View, snap: &Snapshot, by: isize) {
        let lines = snap.log.as_ref().map_or(0, |log| log.lines.len());
        let most = lines.saturating_sub(usize::from(view.area.height.saturating_sub(6)));
        view.log_up = view.log_up.saturating_add_signed(by.saturating_neg()).min(most);
    }

    fn back(&self, view: &mut View, _: &Snapshot) {
        view.go(ScreenId::RUN);
    }

    fn draw(&self, canvas: &mut Canvas, area: Rect, snap: &Snapshot, view: &View, _: &Keymap) {
        draw(canvas, area, snap, view);
    }
}

/// Draws a title and as many lines as fit.
fn draw(canvas: &mut Canvas, area: Rect, snap: &Snapshot, view: &View) {
    let theme = canvas.theme;
    let log = snap.log.as_ref().filter(|log| Some(log.run) == view.open);
    let Some(log) = log else {
        return message(
            canvas,
            area,
            &[if view.open.is_none() { NO_RUN } else { "reading the log" }],
        );
    };
    let x = area.x + 1;
    let end = canvas.put(x, area.y, area.width, &log.path, theme.strong);
    let cut = if log.cut { ", its end" } else { "" };
    let count = format!("{} lines{cut}", figures::whole(log.lines.len() as u64));
    canvas.put(end + 2, area.y, area.width, &count, theme.dim);
    let (words, style) = match view.log_up {
        0 => ("● following".to_owned(), theme.val),
        n => (format!("{} below, f follows", figures::whole(n as u64)), theme.dim),
    };
    canvas.put_right(area.right() - 1, area.y, area.width / 2, &words, style);
    let body =
        Rect { x, y: area.y + 2, width: area.width - 2, height: area.height.saturating_sub(2) };
    if log.lines.is_empty() {
        canvas.put(x, body.y, body.width, "The trainer has printed nothing yet.", theme.dim);
    }
    lines(canvas, body, &log.lines, view.log_up);
}

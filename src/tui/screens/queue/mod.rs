//! Devices with the runs on them, and the queue in the order in which it starts.

mod devices;
mod forecast;
mod list;

use ratatui::layout::{Constraint, Layout, Rect};

use crate::spec::RunId;
use crate::tui::canvas::{Canvas, Target};
use crate::tui::keys::Does::Go;
use crate::tui::keys::{Action, Keymap, OF_RUNS, OPEN, actions};
use crate::tui::query::Query;
use crate::tui::screen::{About, Click, Screen, click_row, moved};
use crate::tui::snapshot::Snapshot;
use crate::tui::view::{ScreenId, View};

/// Queue and devices.
pub struct Queue;

static ABOUT: About = About {
    id: ScreenId::QUEUE,
    title: "Queue",
    tab: Some(&GO),
    under: ScreenId::QUEUE,
    keys: &[&[&OPEN], OF_RUNS],
};

actions! {
    GO "go-queue" "4", "", "Queue and devices", Go(ScreenId::QUEUE);
}

impl Screen for Queue {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn targets(&self, view: &View, snap: &Snapshot) -> Vec<RunId> {
        let rows = snap.live.iter().chain(snap.queue.iter());
        rows.map(|r| r.id).nth(view.queue).into_iter().collect()
    }

    fn query(&self, _: &View, query: &mut Query) {
        query.queue = true;
    }

    fn settle(&self, view: &mut View, snap: &Snapshot) {
        self.step(view, snap, 0);
    }

    fn step(&self, view: &mut View, snap: &Snapshot, by: isize) {
        view.queue = moved(view.queue, by, snap.live.len() + snap.queue.len());
    }

    fn click(&self, target: &Target, _: u16, view: &mut View, _: &Snapshot) -> Click {
        match target {
            Target::Row(row) => click_row(&mut view.queue, *row, &OPEN),
            _ => Click::Nothing,
        }
    }

    fn draw(&self, canvas: &mut Canvas, area: Rect, snap: &Snapshot, view: &View, _: &Keymap) {
        let wanted = (devices::lines(snap).max(1) as u16 + 3).min(area.height / 2);
        let [above, below] =
            Layout::vertical([Constraint::Length(wanted), Constraint::Fill(1)]).areas(area);
        devices::draw(canvas, above, snap);
        list::draw(canvas, below, snap, view);
    }
}

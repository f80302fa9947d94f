//! Devices with the runs on them, the queue in the order in which it starts, and the live curves.

mod devices;
mod forecast;
mod list;
mod wall;
mod why;

use ratatui::layout::{Constraint, Layout, Rect};

use super::runs::preview;
use crate::spec::RunId;
use crate::store::Move;
use crate::tui::allowed;
use crate::tui::canvas::{Canvas, Target};
use crate::tui::command::{Command, Effect};
use crate::tui::keys::Does::{Act, Go, Set, ToRuns};
use crate::tui::keys::{Action, Keymap, OF_RUNS, OPEN, actions};
use crate::tui::preview::Preview;
use crate::tui::query::Query;
use crate::tui::screen::{About, Click, Screen, click_row, moved};
use crate::tui::snapshot::Snapshot;
use crate::tui::view::{Popup, ScreenId, View};

/// Queue and devices.
pub struct Queue;

static ABOUT: About = About {
    id: ScreenId::QUEUE,
    title: "Queue",
    tab: Some(&GO),
    under: ScreenId::QUEUE,
    keys: &[&[&OPEN, &MOVE_UP, &MOVE_DOWN, &MOVE_FIRST, &SITES, &WALL], OF_RUNS],
};

actions! {
    MOVE_UP "queue-up" "K", "up", "Start it before the run in front of it",
        ToRuns(|ids, _, _| Some(Effect::Do(Command::Move(ids, Move::Up)))), if allowed::wait;
    MOVE_DOWN "queue-down" "J", "", "Start it after the next run",
        ToRuns(|ids, _, _| Some(Effect::Do(Command::Move(ids, Move::Down)))), if allowed::wait;
    MOVE_FIRST "queue-first" "T", "to the top", "Start it before all others that wait",
        ToRuns(|ids, _, _| Some(Effect::Do(Command::Move(ids, Move::First)))), if allowed::wait;
    SITES "sites" "S", "sites", "Hold a site, so that no more runs start there, or drain it",
        Set(|view, _| view.popup = Some(Popup::Sites(0)));
    WALL "wall" "z", "", "The curves of the running runs below the list, beside it, or not at all",
        Act(|view, _| Some(preview::next(view)));
    GO "go-queue" "4", "", "Queue and devices", Go(ScreenId::QUEUE);
}

impl Screen for Queue {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn targets(&self, view: &View, snap: &Snapshot) -> Vec<RunId> {
        view.queue_at.filter(|at| row(snap, view.queue) == Some(*at)).into_iter().collect()
    }

    fn query(&self, view: &View, query: &mut Query) {
        query.queue = true;
        query.wall = view.runs.preview != Preview::None;
    }

    fn settle(&self, view: &mut View, snap: &Snapshot) {
        let rows = snap.live.iter().chain(snap.queue.iter());
        let place = view.queue_at.and_then(|at| rows.map(|run| run.id).position(|id| id == at));
        view.queue = moved(place.unwrap_or(view.queue), 0, snap.live.len() + snap.queue.len());
        // A run that has left takes the cursor with it: the next key must not hit its neighbour.
        if view.queue_at.is_none() {
            view.queue_at = row(snap, view.queue);
        }
    }

    fn step(&self, view: &mut View, snap: &Snapshot, by: isize) {
        view.queue = moved(view.queue, by, snap.live.len() + snap.queue.len());
        view.queue_at = row(snap, view.queue);
    }

    fn click(&self, target: &Target, _: u16, view: &mut View, snap: &Snapshot) -> Click {
        let Target::Row(place) = target else { return Click::Nothing };
        let click = click_row(&mut view.queue, *place, &OPEN);
        view.queue_at = row(snap, view.queue);
        click
    }

    fn draw(&self, canvas: &mut Canvas, area: Rect, snap: &Snapshot, view: &View, _: &Keymap) {
        let wanted = (devices::lines(snap).max(1) as u16 + 3).min(area.height / 2);
        let [above, below] =
            Layout::vertical([Constraint::Length(wanted), Constraint::Fill(1)]).areas(area);
        devices::draw(canvas, above, snap);
        let (list, wall) = wall::regions(below, snap, view);
        list::draw(canvas, list, snap, view);
        if let Some(place) = wall {
            wall::draw(canvas, place, snap, view);
        }
    }
}

/// The run in a row of the queue: live ones first.
fn row(snap: &Snapshot, at: usize) -> Option<RunId> {
    snap.live.iter().chain(snap.queue.iter()).map(|run| run.id).nth(at)
}

//! Does what an action says.

use super::command::Effect;
use super::keys::{Action, Does};
use super::screens;
use super::snapshot::Snapshot;
use super::view::View;

/// Does what an action says on the screen in view.
pub fn perform(action: &Action, view: &mut View, snap: &Snapshot) -> Option<Effect> {
    let screen = screens::of(view.screen);
    match action.does {
        Does::Set(set) => set(view, snap),
        Does::Act(act) => return act(view, snap),
        Does::ToRuns(act) => {
            let ids = screen.targets(view, snap);
            return if ids.is_empty() { None } else { act(ids, view, snap) };
        }
        Does::Go(id) => screens::enter(id, view, snap),
        Does::Tab(by) => screens::turn(view, snap, by),
        Does::Step(by) => screen.step(view, snap, by),
        Does::Page(by) => screen.turn(view, snap, by),
        Does::Back => screen.back(view, snap),
    }
    None
}

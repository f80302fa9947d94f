//! Does what an action says.

use super::command::{Command, Effect};
use super::keys::{Action, Does, asked};
use super::screens;
use super::snapshot::Snapshot;
use super::view::View;
use crate::spec::RunId;

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
        Does::Repeat => return repeat(view, snap),
    }
    None
}

/// Does to the run under the cursor, or to the next one if it was done to this, what was done last.
fn repeat(view: &mut View, snap: &Snapshot) -> Option<Effect> {
    let screen = screens::of(view.screen);
    let Some(last) = view.repeat.clone() else {
        view.refuse("Nothing to repeat yet: this does to the next run what was done to the last.");
        return None;
    };
    let done = last.runs().unwrap_or_default();
    if view.runs.marks.iter().any(|id| done.contains(id)) {
        view.runs.marks.clear();
    }
    let is_done = |ids: &[RunId]| ids.iter().any(|id| done.contains(id));
    if is_done(&screen.targets(view, snap)) {
        screen.step(view, snap, 1);
        screens::settle(view, snap);
    }
    let ids = screen.targets(view, snap);
    let Some(first) = ids.first().copied().filter(|_| !is_done(&ids)) else {
        view.refuse("There is no next run.");
        return None;
    };
    let mut command = last.with_runs(ids);
    if let (Command::Tags(_, tags), Some(run)) = (&mut command, snap.run(first)) {
        let own = run.tags.iter().filter(|tag| !tags.contains(tag)).cloned();
        *tags = own.collect::<Vec<_>>().into_iter().chain(std::mem::take(tags)).collect();
    }
    asked(command, view, snap)
}

/// Keeps what is done to runs, so that it can be done to the next; of tags, those that are new.
pub fn record(effect: Option<&Effect>, view: &mut View, snap: &Snapshot) {
    let Some(Effect::Do(command)) = effect else { return };
    let Some(first) = command.runs().and_then(<[_]>::first).copied() else { return };
    let mut command = command.clone();
    if let (Command::Tags(_, tags), Some(run)) = (&mut command, snap.run(first)) {
        tags.retain(|tag| !run.tags.contains(tag));
    }
    view.repeat = Some(command);
}

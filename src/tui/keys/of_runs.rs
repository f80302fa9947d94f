use super::action::Does::{Act, Repeat, ToRuns};
use super::action::{Action, actions};
use crate::spec::RunId;
use crate::tui::allowed;
use crate::tui::command::{Command, Effect};
use crate::tui::form::Form;
use crate::tui::snapshot::Snapshot;
use crate::tui::view::{Popup, Prompt, ScreenId, View};

/// What can be done to runs, on every screen that has some.
pub static OF_RUNS: &[&Action] = &[
    &STOP, &HOLD, &RESUME, &RETRY, &CLONE, &TAG, &NOTE, &RENAME, &TRASH, &UNDO, &ARCHIVE, &REPEAT,
];
/// The same, where `n` is taken.
pub static OF_RUNS_BUT_NOTE: &[&Action] =
    &[&STOP, &HOLD, &RESUME, &RETRY, &CLONE, &TAG, &RENAME, &TRASH, &UNDO, &ARCHIVE];

actions! {
    STOP "stop" "x", "stop", "Save and end the run", ToRuns(|ids, view, snap| {
        asked(Command::Stop(ids), view, snap)
    }), if allowed::stop;
    HOLD "hold" "h", "hold", "Keep it in the queue; a running one saves and makes room",
        ToRuns(|ids, _, _| {
            Some(Effect::Do(Command::Hold(ids)))
        }), if allowed::hold;
    RESUME "resume" "r", "resume", "Go on: from the last checkpoint, or out of hold",
        ToRuns(|ids, _, _| {
            Some(Effect::Do(Command::Resume(ids)))
        }), if |run| allowed::go_on(run) || allowed::resume(run);
    RETRY "retry" "R", "", "Train again from the start", ToRuns(|ids, view, snap| {
        asked(Command::Retry(ids), view, snap)
    });
    CLONE "clone" "c", "clone", "Open the launch form with the spec of the run",
        ToRuns(|ids, view, snap| {
            view.form = Some(Form::of(first(&ids, snap)?));
            view.go(ScreenId::LAUNCH);
            None
        });
    TAG "tag" "t", "", "Edit the tags of the run", ToRuns(|ids, view, snap| {
        let tags = first(&ids, snap).map(|run| run.tags.join(" "));
        view.prompt(Prompt::Tags(ids), &tags.unwrap_or_default());
        None
    });
    NOTE "note" "n", "", "Edit the note of the run", ToRuns(|ids, view, snap| {
        let id = *ids.first()?;
        let note = first(&ids, snap).map(|run| run.note.clone()).unwrap_or_default();
        if note.contains('\n') {
            // A line cannot hold it.
            return Some(Effect::Editor(id, note));
        }
        view.prompt(Prompt::Note(id), &note);
        None
    });
    RENAME "rename" "F", "", "Edit the name of the run", ToRuns(|ids, view, snap| {
        let name = first(&ids, snap).map(|run| run.name.clone()).unwrap_or_default();
        view.prompt(Prompt::Name(*ids.first()?), &name);
        None
    });
    TRASH "trash" "D del", "", "Throw the run away; undo brings it back", ToRuns(|ids, view, snap| {
        asked(Command::Trash(ids), view, snap)
    });
    UNDO "undo" "Z", "", "Take back the last change of tags, notes, names or the archive",
        Act(|_, _| {
            Some(Effect::Do(Command::Undo))
        });
    ARCHIVE "archive" "A", "", "Hide the run from lists, or show it again", ToRuns(|ids, _, _| {
        Some(Effect::Do(Command::Archive(ids)))
    });
    REPEAT "repeat" ".", "", "Do to the next run what was done last", Repeat;
}

fn first<'a>(ids: &[RunId], snap: &'a Snapshot) -> Option<&'a crate::store::Run> {
    snap.run(*ids.first()?)
}

/// The command, after a question where it cannot be taken back.
pub fn asked(command: Command, view: &mut View, snap: &Snapshot) -> Option<Effect> {
    let verb = match command {
        Command::Stop(ref ids) => {
            let has_ended = |id: &RunId| snap.run(*id).is_some_and(|run| !allowed::stop(run));
            if ids.iter().all(has_ended) {
                view.refuse("Nothing to stop: what has ended stays as it is.");
                return None;
            }
            "Stop"
        }
        Command::Retry(_) => "Train again from the start",
        Command::Trash(_) => "Throw away",
        command => return Some(Effect::Do(command)),
    };
    let question = match command.runs()? {
        [id] => match snap.run(*id) {
            Some(run) => format!("{verb}: {id} {}?", run.name),
            None => format!("{verb}: {id}?"),
        },
        [first, others @ ..] => format!("{verb}: {first} and {} more?", others.len()),
        [] => return None,
    };
    view.popup = Some(Popup::Confirm(question, command));
    None
}

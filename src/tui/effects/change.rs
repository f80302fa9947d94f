use crate::spec::{Desired, RunId};
use crate::store::{Move, Run, Store, StoreError};
use crate::tui::allowed;
use crate::tui::command::Command;

/// Changes rows of the database, and says what came of it.
pub fn change(store: &mut Store, command: Command) -> Result<String, StoreError> {
    Ok(match command {
        Command::Stop(ids) => {
            let ids = pick(store, &ids, allowed::stop)?;
            store.set_desired(&ids, Desired::Stop)?;
            said(&ids, "will save and end", "Nothing to stop: the run has ended.")
        }
        Command::Hold(ids) => {
            let ids = pick(store, &ids, allowed::hold)?;
            store.set_desired(&ids, Desired::Hold)?;
            said(&ids, "held; r lets it go on", "Nothing to hold: the run has ended or is held.")
        }
        Command::Resume(ids) => {
            let waiting = pick(store, &ids, allowed::go_on)?;
            let ended = pick(store, &ids, allowed::resume)?;
            store.set_desired(&waiting, Desired::Run)?;
            store.requeue(&ended, false)?;
            let all = [waiting, ended].concat();
            said(&all, "will go on", "Nothing to resume: the run is done or under way.")
        }
        Command::Retry(ids) => {
            let ids = pick(store, &ids, |run| run.state.outcome().is_some())?;
            store.requeue(&ids, true)?;
            said(&ids, "queued again from the start", "Only a run that has ended can be retried.")
        }
        Command::Move(ids, to) => {
            let moved = store.move_in_queue(&ids, to)?;
            let place = match to {
                Move::First => "at the top of the queue",
                Move::Last => "at the end of the queue",
                Move::Up => "one up",
                Move::Down => "one down",
            };
            said(&moved, place, "It stands there already.")
        }
        Command::Tags(ids, tags) => {
            for id in &ids {
                store.set_tags(*id, &tags)?;
            }
            said(&ids, "tagged", "")
        }
        Command::Note(id, note) => {
            store.set_note(id, &note)?;
            said(&[id], "noted", "")
        }
        Command::Rename(id, name) => {
            store.rename(id, &name)?;
            said(&[id], "renamed; Z takes it back", "")
        }
        Command::Archive(ids) => {
            let runs = store.reader().runs(&ids)?;
            let hide = runs.iter().any(|run| !run.archived);
            store.set_archived(&ids, hide)?;
            let hidden = "archived; H shows archived runs, Z takes it back";
            said(&ids, if hide { hidden } else { "back in the list" }, "")
        }
        // The others do not change rows, or need more than the store.
        _ => String::new(),
    })
}

/// The runs that the change is allowed for, as they are now.
fn pick(
    store: &Store,
    ids: &[RunId],
    allows: impl Fn(&Run) -> bool,
) -> Result<Vec<RunId>, StoreError> {
    let runs = store.reader().runs(ids)?;
    Ok(runs.iter().filter(|run| allows(run)).map(|run| run.id).collect())
}

/// What came of a change of these runs, in one sentence.
pub fn said(ids: &[RunId], what: &str, none: &str) -> String {
    match ids {
        [] => none.to_owned(),
        [id] => format!("{id}: {what}."),
        [first, ..] => format!("{first} and {} more: {what}.", ids.len() - 1),
    }
}

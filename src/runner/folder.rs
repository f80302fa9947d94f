//! The runner's files in a run's folder: `spec.toml` for the trainer; `meta.json` for `reindex` and the next
//! runner; `out.log` with what the trainer prints; `beat` with the last heartbeat of a run on a cluster.
//! Everything else there is the trainer's.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::board::Board;
use crate::spec::{Desired, Outcome, Part, Placement, RunId, Sweep, SweepId};
use crate::store::{Millis, NewSweep, Run};

use super::clock::now;
use super::lock::try_lock;
use super::slots::LOCAL;

/// What the events file does not say of a run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Meta {
    /// For people.
    pub name: String,
    /// Words the user had put on it when it was last started.
    pub tags: Vec<String>,
    /// What the user had written about it by then.
    pub note: String,
    /// When it was queued.
    pub created: Millis,
    /// The sweep it belongs to.
    pub sweep: Option<MetaSweep>,
    /// What part it has in it.
    pub part: Part,
    /// The last attempt, 1 for the first.
    pub attempt: u32,
    /// Where that was put.
    pub placement: Option<Placement>,
    /// Names the attempt on another machine, so that it is never started there twice.
    pub ticket: String,
    /// How often the runner resumed it since it last completed an epoch.
    pub resumes: u32,
    /// The epochs that were complete when it last did so.
    pub resumed_at: u32,
    /// What the user wanted when it ended.
    #[serde(rename = "wish")]
    pub desired: Option<Desired>,
    /// How it ended.
    pub outcome: Option<Outcome>,
    /// When that was written down.
    pub settled: Option<Millis>,
}

/// The sweep of a run, whole: the first folder that is found makes it again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct MetaSweep {
    /// Its number.
    pub id: SweepId,
    /// For people.
    pub name: String,
    /// What was queued.
    pub sweep: Sweep,
}

impl MetaSweep {
    /// The sweep under its number.
    pub(super) fn new(id: SweepId, known: NewSweep) -> Self {
        Self { id, name: known.name, sweep: known.sweep }
    }
}

/// Where a run's [`Meta`] lies.
pub(super) fn meta_file(board: &Board, id: RunId) -> std::path::PathBuf {
    board.run(id).join("meta.json")
}

impl Meta {
    /// As last written; a missing or foreign file is an empty one.
    pub(super) fn read(board: &Board, id: RunId) -> Self {
        let text = fs::read(meta_file(board, id)).unwrap_or_default();
        serde_json::from_slice(&text).unwrap_or_default()
    }

    /// Replaces the file at once.
    pub(super) fn write(&self, board: &Board, id: RunId) -> io::Result<()> {
        let mut text = serde_json::to_vec_pretty(self)?;
        text.push(b'\n');
        replace(&meta_file(board, id), &text)
    }
}

/// Writes a file so that a reader, and a crash, sees the old or the new text and nothing between.
pub(super) fn replace(path: &Path, text: &[u8]) -> io::Result<()> {
    let beside = path.with_extension("part");
    let mut file = File::create(&beside)?;
    file.write_all(text)?;
    file.sync_all()?;
    fs::rename(&beside, path)
}

/// Why a run does not take over what is at work in its folder.
const FOREIGN: &str = "a trainer works there for a run that this board no longer has; end that process, \
                       then retry";

/// Makes the folder ready for the next attempt of `run` and gives its locked `out.log`; `None` if its
/// trainer is still at work in there. The lock goes to the trainer with its stdout, so it ends with it.
pub(super) fn prepare(
    board: &Board,
    run: &Run,
    placement: &Placement,
    sweep: Option<MetaSweep>,
) -> io::Result<Option<File>> {
    let folder = board.run(run.id);
    fs::create_dir_all(&folder)?;
    let locked = try_lock(&board.out_log(run.id))?;
    let old = Meta::read(board, run.id);
    // Another board's run of this number, left by a database that is gone.
    let has_meta = old.created != 0;
    let has_left = has_meta || run.attempt == 0 && fs::exists(board.events(run.id))?;
    let is_foreign = has_left && old.created != run.created;
    let mut log = match locked {
        Some(log) => log,
        None if is_foreign => return Err(io::Error::other(FOREIGN)),
        None => return Ok(None),
    };
    if is_foreign {
        // Not ours to delete.
        fs::rename(&folder, board.runs().join(format!("{}.old-{}", run.id, old.created)))?;
        drop(log);
        return prepare(board, run, placement, sweep);
    }
    let mut meta = Meta {
        name: run.name.clone(),
        tags: run.tags.clone(),
        note: run.note.clone(),
        created: run.created,
        sweep,
        part: run.part,
        placement: Some(placement.clone()),
        ..Meta::default()
    };
    if run.attempt > 0 {
        meta.resumes = old.resumes;
        meta.resumed_at = old.resumed_at;
    } else if fs::exists(board.events(run.id))? {
        clear(board, run.id)?;
        log.set_len(0)?;
    }
    meta.attempt = run.attempt + 1;
    meta.ticket = format!("{}-{:x}", meta.attempt, now());
    meta.write(board, run.id)?;
    replace(&board.spec_file(run.id), run.spec.to_toml().as_bytes())?;
    if placement.site != LOCAL {
        // A copy of the log over there, which says so itself.
        if meta.attempt == 1 {
            log.set_len(0)?;
        }
    } else if meta.attempt > 1 {
        writeln!(log, "--- attempt {} ---", meta.attempt)?;
    }
    Ok(Some(log))
}

/// True while a process holds the run's `out.log`, be it on another machine.
pub(super) fn is_in_use(board: &Board, id: RunId) -> bool {
    let path = board.out_log(id);
    path.exists() && try_lock(&path).is_ok_and(|lock| lock.is_none())
}

/// Removes what earlier attempts reported and saved.
fn clear(board: &Board, id: RunId) -> io::Result<()> {
    // The events go last: until they are gone, a cut-off clearing is begun anew.
    for folder in [board.checkpoints(id), board.predictions(id)] {
        match fs::remove_dir_all(folder) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
    }
    fs::remove_file(board.events(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The word that every `meta.json` has had.
    #[test]
    fn a_desired_state_is_stored_as_a_wish() {
        let meta = Meta { desired: Some(Desired::Hold), ..Meta::default() };
        assert_eq!(serde_json::to_value(&meta).unwrap()["wish"], "hold");
    }
}

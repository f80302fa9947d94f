//! The database made anew from the folders of the runs.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::board::Board;
use crate::events::{Ending, Tail};
use crate::spec::{Outcome, RunId, RunSpec, RunState, Wish};
use crate::store::{Listing, NewRun, NewSweep, Reader, Run, Store, StoreError};

use super::clock::now;
use super::error::{Result, RunnerError};
use super::folder::{Meta, MetaSweep};
use super::lock::Lock;
use super::process::find_trainer;
use super::text::last_lines;

/// What [`reindex`] did.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Reindexed {
    /// Runs in the new database.
    pub runs: usize,
    /// Folders that could not be taken in, each with its reason.
    pub skipped: Vec<(RunId, String)>,
    /// Where the old database lies now, if there was one.
    pub old: Option<PathBuf>,
}

/// Bytes of events per transaction.
const BATCH: u64 = 16 << 20;

/// Makes the database anew from `runs/*/{spec.toml,meta.json,events.jsonl}`. What people wrote, and
/// runs that have not started yet, are taken from the old database as far as it can be read; it is kept
/// beside the new one.
///
/// # Errors
/// [`RunnerError::Busy`] while a runner is at work; otherwise what the new database refuses, and then
/// the old one stays in its place.
pub fn reindex(board: &Board) -> Result<Reindexed> {
    board.check_trust()?;
    let path = board.runner_lock();
    let Some(_lock) = Lock::take(&path).map_err(RunnerError::io(&path))? else {
        return Err(RunnerError::Busy(board.root().to_path_buf()));
    };
    rebuild(board)
}

/// [`reindex`] by whoever holds the runner's lock.
pub(super) fn rebuild(board: &Board) -> Result<Reindexed> {
    let known = remembered(&board.database());
    let fresh = board.runs().join("board.db.new");
    for file in files(&fresh) {
        if file.exists() {
            fs::remove_file(&file).map_err(RunnerError::io(&file))?;
        }
    }
    let mut done = Reindexed::default();
    let mut store = Store::open(&fresh)?;
    let mut ids = folders(board)?;
    ids.extend(known.keys().filter(|id| !board.run(**id).exists()).copied());
    ids.sort_unstable();
    for id in ids {
        match take_in(board, &mut store, id, known.get(&id)) {
            Ok(()) => {
                done.runs += 1;
                if known.get(&id).is_some_and(|known| known.trashed) {
                    store.trash(&[id])?;
                }
            }
            // Such a database serves nobody.
            Err(Trouble::Store(e)) => return Err(e.into()),
            Err(Trouble::Folder(why)) => done.skipped.push((id, why)),
        }
    }
    // Closing folds the write-ahead log into the file.
    drop(store);
    done.old = swap(&board.database(), &fresh)?;
    Ok(done)
}

/// Why a run could not be taken in.
enum Trouble {
    Store(StoreError),
    Folder(String),
}

impl From<StoreError> for Trouble {
    fn from(e: StoreError) -> Self {
        Self::Store(e)
    }
}

/// A run of the old database, with its sweep.
struct Known {
    run: Run,
    sweep: Option<MetaSweep>,
    /// It lay in the trash.
    trashed: bool,
}

/// What can still be read of the old database.
fn remembered(database: &Path) -> BTreeMap<RunId, Known> {
    let read = || -> std::result::Result<Vec<Known>, StoreError> {
        let reader = Reader::open(database)?;
        let mut ids = reader.ids(&Listing { archived: true, ..Listing::default() })?;
        let trash = reader.ids(&Listing { trash: true, ..Listing::default() })?;
        ids.extend(&trash);
        let with_sweep = |run: Run| {
            let sweep = match run.sweep {
                Some(id) => reader.sweep(id)?.map(|sweep| MetaSweep::new(id, sweep)),
                None => None,
            };
            let trashed = trash.contains(&run.id);
            Ok(Known { run, sweep, trashed })
        };
        reader.runs(&ids)?.into_iter().map(with_sweep).collect()
    };
    read().unwrap_or_default().into_iter().map(|known| (known.run.id, known)).collect()
}

/// The runs that have a folder.
fn folders(board: &Board) -> Result<Vec<RunId>> {
    let path = board.runs();
    let entries = fs::read_dir(&path).map_err(RunnerError::io(&path))?.flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    // `7` and `r07` read as ids too, but are nobody's folders.
    let ids =
        names.filter_map(|name| name.parse().ok().filter(|id: &RunId| id.to_string() == name));
    Ok(ids.collect())
}

/// Puts one run into the new database.
fn take_in(
    board: &Board,
    store: &mut Store,
    id: RunId,
    known: Option<&Known>,
) -> std::result::Result<(), Trouble> {
    let meta = Meta::read(board, id);
    let old = known.map(|known| &known.run);
    let spec = spec(board, id, old).map_err(Trouble::Folder)?;
    let wish = old.map(|run| run.wish).or(meta.wish).unwrap_or(Wish::Run);
    let name = match old {
        Some(run) => run.name.clone(),
        None if meta.name.is_empty() => id.to_string(),
        None => meta.name.clone(),
    };
    let created = old.map_or(meta.created, |run| run.created);
    let created = if created == 0 { now() } else { created };
    let sweep = known.map_or(meta.sweep.as_ref(), |known| known.sweep.as_ref());
    let sweep = sweep.map(|s| (s.id, NewSweep { name: s.name.clone(), sweep: s.sweep.clone() }));
    let new = NewRun { name, spec, wish };
    store.adopt(id, &new, created, sweep.as_ref().map(|(id, sweep)| (*id, sweep)))?;
    store.set_tags(id, old.map_or(&meta.tags, |run| &run.tags))?;
    store.set_note(id, old.map_or(&meta.note, |run| &run.note))?;
    store.set_archived(&[id], old.is_some_and(|run| run.archived))?;
    if old.is_some_and(|run| run.state == RunState::Queued && run.attempt == 0) {
        // Never started, or to be started anew: what its folder may hold will be cleared.
        return Ok(());
    }
    let process = find_trainer(board.root(), id);
    if let Some(placement) = &meta.placement {
        store.lease(id, meta.attempt, placement, process.as_ref())?;
    }
    let events = board.events(id);
    let mut tail = Tail::at(0);
    loop {
        let from = tail.offset;
        let batch = tail.read(&events, BATCH);
        let batch = batch.map_err(|e| Trouble::Folder(format!("{}: {e}", events.display())))?;
        store.ingest(id, from, &batch)?;
        if !batch.more {
            break;
        }
    }
    if process.is_none() {
        let said = store.ending(id)?;
        store.set_state(id, &state(board, id, old, &meta, said))?;
    }
    Ok(())
}

fn spec(board: &Board, id: RunId, old: Option<&Run>) -> std::result::Result<RunSpec, String> {
    if let Some(run) = old {
        return Ok(run.spec.clone());
    }
    let path = board.spec_file(id);
    let text = fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    RunSpec::from_toml(&text).map_err(|e| format!("{}: {e}", path.display()))
}

/// The state of a run that no process works on. A queue that can still be read counts most, then what
/// the runner wrote at the run's end, then what the trainer said.
fn state(
    board: &Board,
    id: RunId,
    old: Option<&Run>,
    meta: &Meta,
    said: Option<(Ending, String)>,
) -> RunState {
    let before = old.map(|run| &run.state);
    let wish = old.map(|run| run.wish).or(meta.wish);
    if before == Some(&RunState::Queued) {
        return RunState::Queued;
    }
    if let Some(outcome) = meta.outcome.as_ref().or(before.and_then(RunState::outcome)) {
        return RunState::Ended(outcome.clone());
    }
    RunState::Ended(match said {
        Some((Ending::Done, _)) => Outcome::Done,
        Some((Ending::Failed, why)) => {
            Outcome::Failed { why, last_lines: last_lines(&board.out_log(id), 20) }
        }
        // It was live, and goes on from its last checkpoint.
        _ if before.is_some() || wish == Some(Wish::Hold) => return RunState::Queued,
        Some((Ending::Stopped, _)) => Outcome::Stopped,
        None => Outcome::Lost {
            why: "It had not ended when the board was rebuilt, and its process is gone; \
                  `tuneboard resume` goes on from its last checkpoint."
                .to_owned(),
        },
    })
}

/// Puts the new database in the old one's place, and the old one beside it.
fn swap(database: &Path, fresh: &Path) -> Result<Option<PathBuf>> {
    let aside = database.with_extension(format!("db.bak-{}", now()));
    let mut old = None;
    for (from, to) in files(database).iter().zip(files(&aside)) {
        if from.exists() {
            fs::rename(from, &to).map_err(RunnerError::io(from))?;
            old = Some(aside.clone());
        }
    }
    for (from, to) in files(fresh).iter().zip(files(database)) {
        if from.exists() {
            fs::rename(from, to).map_err(RunnerError::io(from))?;
        }
    }
    Ok(old)
}

/// A database and the files that SQLite keeps beside it.
fn files(database: &Path) -> [PathBuf; 3] {
    ["", "-wal", "-shm"].map(|suffix| {
        let mut name = database.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    })
}

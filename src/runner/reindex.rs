//! The database made anew from the folders of the runs.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use crate::board::Board;
use crate::events::{Ending, Tail};
use crate::spec::{Desired, Outcome, Part, RunId, RunSpec, RunState, SweepId};
use crate::store::{
    History, Listing, NewRun, NewSweep, Noted, Reader, Salvaged, Store, StoreError, history,
};

use super::clock::now;
use super::error::{Result, RunnerError};
use super::folder::{Meta, meta_file};
use super::lock::Lock;
use super::process::find_trainer;
use super::text::last_lines;

/// What [`reindex`] did.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Reindexed {
    /// Runs in the new database.
    pub runs: usize,
    /// Runs that could not be taken in, each with its reason.
    pub skipped: Vec<(RunId, String)>,
    /// What of the old database, or of the journal, could not be read; a sentence each.
    pub unread: Vec<String>,
    /// Where the old database lies now, if there was one.
    pub old: Option<PathBuf>,
}

/// Bytes of events per transaction.
const BATCH: u64 = 16 << 20;
/// So many numbers beyond the last run that is known of are looked for in a damaged database.
const BEYOND: u32 = 1_000;

/// Makes the database anew from `runs/*/{spec.toml,meta.json,events.jsonl}`. What people wrote, and
/// runs that have not started yet, are taken from the old database, row by row, as far as it can be read,
/// and where it cannot from the journal beside it. The old database is kept beside the new one.
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
    let mut done = Reindexed::default();
    let mut ids = folders(board)?;
    let known = Memory::of(board, &ids, &mut done.unread);
    let fresh = board.runs().join("board.db.new");
    for file in files(&fresh) {
        if file.exists() {
            fs::remove_file(&file).map_err(RunnerError::io(&file))?;
        }
    }
    let mut store = Store::open(&fresh)?.without_journal();
    ids.extend(known.runs.keys().copied());
    ids.sort_unstable();
    ids.dedup();
    let gone = known.lost.iter().filter(|id| ids.binary_search(id).is_err());
    let why = "its row cannot be read, and neither a folder nor the journal tells of it";
    done.skipped.extend(gone.map(|id| (*id, why.to_owned())));
    for id in ids {
        match take_in(board, &mut store, id, &known) {
            Ok(()) => {
                done.runs += 1;
                if known.runs.get(&id).is_some_and(|run| run.noted.trashed == Some(true)) {
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
    Store::open(&board.database())?.begin_journal()?;
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

/// What is known besides the folders.
#[derive(Default)]
struct Memory {
    runs: BTreeMap<RunId, Salvaged>,
    sweeps: BTreeMap<SweepId, NewSweep>,
    /// Runs whose rows cannot be read.
    lost: Vec<RunId>,
}

impl Memory {
    /// From the old database, and where that is silent from the journal. `unread` gets what was found
    /// wrong.
    fn of(board: &Board, folders: &[RunId], unread: &mut Vec<String>) -> Self {
        let history = history(&board.database()).unwrap_or_else(|e| {
            unread.push(format!("The journal cannot be read: {e}."));
            History::default()
        });
        if history.passed_over > 0 {
            let many = history.passed_over;
            unread.push(format!("{many} lines of the journal are none and were passed over."));
        }
        let mut memory = Self { sweeps: history.sweeps, ..Self::default() };
        let last = folders.iter().chain(history.runs.keys()).max().copied();
        match Reader::open(&board.database()) {
            Ok(reader) => memory.read(&reader, last, unread),
            Err(StoreError::NotFound(_)) => {}
            Err(e) => unread.push(format!("Nothing of the old database can be read: {e}")),
        }
        for (id, noted) in history.runs {
            if noted.purged && !memory.runs.contains_key(&id) {
                continue;
            }
            let run = memory.runs.entry(id).or_default();
            run.noted = std::mem::take(&mut run.noted).or(noted);
        }
        memory
    }

    /// Row by row: one that cannot be read costs no other.
    fn read(&mut self, reader: &Reader, last: Option<RunId>, unread: &mut Vec<String>) {
        let ids = |trash| reader.ids(&Listing { archived: true, trash, ..Listing::default() });
        let listed = ids(false).and_then(|mut all| {
            all.extend(ids(true)?);
            Ok(all)
        });
        let last = last.max(reader.last_run());
        let ids = match listed {
            Ok(ids) if reader.is_sound() => ids,
            // No list of a damaged database can be believed: each number is asked for.
            _ => {
                let end = last.map_or(0, |last| last.0).saturating_add(BEYOND);
                (1..=end).map(RunId).collect()
            }
        };
        let (mut lost, mut damaged) = (Vec::new(), Vec::new());
        for id in ids {
            match reader.salvage(id) {
                Ok(Some(run)) => {
                    damaged.extend(run.damaged.then_some(id));
                    self.runs.insert(id, run);
                }
                Err(_) if last.is_some_and(|last| id <= last) => lost.push(id),
                Ok(None) | Err(_) => {}
            }
        }
        let rest = "what their folders and the journal tell stands in for it";
        self.lost.clone_from(&lost);
        for (ids, what) in [(lost, "The rows"), (damaged, "Parts of the rows")] {
            if let (Some(first), Some(end)) = (ids.first(), ids.last()) {
                let many = ids.len();
                unread.push(format!(
                    "{what} of {many} runs ({first} to {end}) cannot be read in the old database; {rest}."
                ));
            }
        }
        let sweeps: BTreeSet<SweepId> =
            self.runs.values().filter_map(|run| run.noted.sweep).collect();
        for id in sweeps {
            match reader.sweep(id) {
                Ok(Some(sweep)) => drop(self.sweeps.insert(id, sweep)),
                Ok(None) => {}
                Err(_) => unread.push(format!("Sweep {id} cannot be read in the old database.")),
            }
        }
    }
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
    known: &Memory,
) -> std::result::Result<(), Trouble> {
    let meta = Meta::read(board, id);
    let old = known.runs.get(&id).cloned().unwrap_or_default();
    let noted = &old.noted;
    let spec = spec(board, id, noted).map_err(Trouble::Folder)?;
    let desired = noted.desired.or(meta.desired).unwrap_or(Desired::Run);
    let own = Some(&meta.name).filter(|name| !name.is_empty());
    let name = noted.name.as_ref().or(own).cloned().unwrap_or_else(|| id.to_string());
    let created = noted.created.unwrap_or(meta.created);
    let created = if created == 0 { now() } else { created };
    let sweep = noted.sweep.and_then(|id| Some((id, known.sweeps.get(&id)?.clone())));
    let sweep = sweep.or_else(|| {
        let meta = meta.sweep.as_ref()?;
        Some((meta.id, NewSweep { name: meta.name.clone(), sweep: meta.sweep.clone() }))
    });
    let new = NewRun { name, spec, desired };
    store.adopt(id, &new, created, sweep.as_ref().map(|(id, sweep)| (*id, sweep)))?;
    store.set_tags(id, noted.tags.as_ref().unwrap_or(&meta.tags))?;
    store.set_note(id, noted.note.as_ref().unwrap_or(&meta.note))?;
    store.set_archived(&[id], noted.archived == Some(true))?;
    store.set_part(id, part(&old, &meta), None)?;
    if is_waiting(board, id, &old, &meta) {
        if let Some(place) = noted.place {
            store.set_place(id, place)?;
        }
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
        let state = state(board, id, &old, &meta, said);
        store.set_state(id, &state)?;
        let settled = old.settled.or(meta.settled).filter(|_| state.outcome().is_some());
        store.set_part(id, part(&old, &meta), settled)?;
    }
    Ok(())
}

/// What part a run has in its sweep. One that was pruned and put back into the queue, as the journal alone
/// may know, was let go on.
fn part(old: &Salvaged, meta: &Meta) -> Part {
    let was_pruned = matches!(meta.outcome, Some(Outcome::Pruned(_)));
    match old.part {
        Some(part) => part,
        None if was_pruned && old.noted.queued.is_some_and(|queued| queued > meta.created) => {
            Part::Spared
        }
        None => meta.part,
    }
}

/// True for a run that has never started, or that was put back into the queue from the start.
fn is_waiting(board: &Board, id: RunId, old: &Salvaged, meta: &Meta) -> bool {
    match &old.state {
        Some(state) => *state == RunState::Queued && old.attempt == 0,
        None => meta.attempt == 0 && !board.events(id).exists(),
    }
}

fn spec(board: &Board, id: RunId, noted: &Noted) -> std::result::Result<RunSpec, String> {
    if let Some(spec) = &noted.spec {
        return Ok(spec.clone());
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
    old: &Salvaged,
    meta: &Meta,
    said: Option<(Ending, String)>,
) -> RunState {
    let before = old.state.as_ref();
    let desired = old.noted.desired.or(meta.desired);
    if before == Some(&RunState::Queued) {
        return RunState::Queued;
    }
    let ended = fs::metadata(meta_file(board, id)).and_then(|meta| meta.modified()).ok();
    let ended = ended.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let ended = ended.map_or(0, |time| time.as_millis() as i64);
    if before.is_none() && old.noted.queued.is_some_and(|queued| queued > ended) {
        // The database is gone; the journal knows that it was to go on.
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
        _ if before.is_some() || desired == Some(Desired::Hold) => return RunState::Queued,
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

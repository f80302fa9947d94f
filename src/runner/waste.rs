//! Files of ended runs that nothing needs any more: what a done run was told not to keep, the checkpoints of a pruned
//! one that was to keep none, and of all but the best runs of a sweep, what killed processes left half-written.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::PathBuf;

use crate::board::Board;
use crate::board::disk::bytes_below;
use crate::spec::{Keep, Outcome, Plan, RunId, RunState, turned};
use crate::store::{Reader, Run, StoreError};

use super::folder::is_in_use;

/// A file or folder that can go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waste {
    /// Whose it is.
    pub run: RunId,
    /// Where.
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
    /// What it is, for people.
    pub what: String,
}

/// What can go of these runs. `keep` stands in for the key of that name. Nothing of a run that can still be resumed
/// goes but what was left half-written, and nothing that another run is to start from. A pruned run that is to keep
/// nothing gives up its checkpoints, too: it was stopped for good, and resumed it begins again.
///
/// # Errors
/// What the database refuses.
pub fn waste(
    board: &Board,
    reader: &Reader,
    runs: &[Run],
    keep: Option<Keep>,
) -> Result<Vec<Waste>, StoreError> {
    let beaten = beaten(reader, runs)?;
    let mut found = Vec::new();
    for run in runs.iter().filter(|run| run.state.outcome().is_some()) {
        if is_in_use(board, run.id) {
            continue;
        }
        let folder = board.checkpoints(run.id);
        let mut put = |path: PathBuf, what: String| {
            let bytes = bytes_below(&path);
            if path.exists() {
                found.push(Waste { run: run.id, path, bytes, what });
            }
        };
        let keep = keep.unwrap_or(run.spec.keep);
        let is_spent = match run.state.outcome() {
            Some(Outcome::Done) => true,
            Some(Outcome::Pruned(_)) => keep == Keep::None,
            _ => false,
        };
        if is_spent {
            let (best, last) = (folder.join("best").is_dir(), folder.join("last").is_dir());
            let needed = is_awaited(reader, run.id)?;
            let keep = match keep {
                _ if needed => Keep::Best,
                _ if beaten.contains(&run.id) => Keep::None,
                keep => keep,
            };
            for name in keep.drops(best, last) {
                put(folder.join(&name), format!("checkpoints/{name}"));
            }
        }
        for (folder, ending) in [(folder, ".tmp-"), (board.predictions(run.id), ".tmp")] {
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                let name = entry.file_name().to_string_lossy().into_owned();
                if name.contains(ending) {
                    put(entry.path(), format!("{name}, left half-written"));
                }
            }
        }
    }
    Ok(found)
}

/// Deletes it.
///
/// # Errors
/// What the file system refuses.
pub fn remove(waste: &Waste) -> io::Result<()> {
    let gone = if waste.path.is_dir() {
        fs::remove_dir_all(&waste.path)
    } else {
        fs::remove_file(&waste.path)
    };
    match gone {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}

/// True if a run that has not ended starts from this one.
fn is_awaited(reader: &Reader, id: RunId) -> Result<bool, StoreError> {
    let children = reader.runs(&reader.children(id)?)?;
    Ok(children.iter().any(|child| child.state.outcome().is_none()))
}

/// The done runs of sweeps that keep only their best ones, but for those.
fn beaten(reader: &Reader, runs: &[Run]) -> Result<BTreeSet<RunId>, StoreError> {
    let sweeps: BTreeSet<_> = runs.iter().filter_map(|run| run.sweep).collect();
    let mut beaten = BTreeSet::new();
    for id in sweeps {
        let known = reader.sweep(id)?;
        let Some(sweep) = known.map(|known| known.sweep) else { continue };
        let (Some(kept), plan) = (sweep.keep_best, sweep.plan) else { continue };
        let mut done = reader.trials(id)?;
        done.retain(|run| run.state == RunState::Ended(Outcome::Done));
        done.sort_by(|a, b| by_score(a, b, &plan));
        beaten.extend(done.iter().skip(kept as usize).map(|run| run.id));
    }
    Ok(beaten)
}

/// The best on the val rows first; those without a score last.
fn by_score(a: &Run, b: &Run, plan: &Plan) -> Ordering {
    let rank = |run: &Run| {
        // The test rows choose nothing.
        let metric = plan.metric_of(&run.spec);
        let best = run.best.get(metric).copied().filter(|x| x.is_finite());
        best.map_or(f64::INFINITY, |x| turned(metric, x))
    };
    rank(a).total_cmp(&rank(b)).then(a.id.cmp(&b.id))
}

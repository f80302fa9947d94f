use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use crate::board::Board;
use crate::runner;
use crate::spec::RunState;
use crate::store::{Listing, Reader, Run, RunnerInfo, SiteInfo, Sort, StoreError};
use crate::tui::query::Query;
use crate::tui::snapshot::{RunnerState, Snapshot};

/// Queued runs read for the queue screen.
const QUEUE: usize = 200;
/// Ended runs read for forecasts.
const RECENT: usize = 12;

/// What is known before the database is.
pub fn empty(board: &Board) -> Snapshot {
    let root = board.root().display().to_string();
    let home = std::env::var("HOME").unwrap_or_default();
    let short = root.strip_prefix(&home).filter(|_| home.len() > 1).map(|tail| format!("~{tail}"));
    Snapshot {
        root: short.unwrap_or(root),
        defaults: Arc::new(board.config.defaults.clone()),
        sites: Arc::new(board.sites().into_iter().map(|(name, _)| unasked(name)).collect()),
        ..Snapshot::default()
    }
}

/// Device and inode of a file; `None` if there is none.
pub fn identity(path: &Path) -> Option<(u64, u64)> {
    fs::metadata(path).ok().map(|m| (m.dev(), m.ino()))
}

/// Reads what headers and the queue screen show; true if any of it differs.
pub fn read(
    (reader, board): (&Reader, &Board),
    query: &Query,
    changed: bool,
    asked: bool,
    snap: &mut Snapshot,
) -> Result<bool, StoreError> {
    let mut differs = false;
    // A runner that is killed changes nothing in the database: it has to be looked for.
    differs |= put(&mut snap.runner, runner_state(reader.runner()?.as_ref()));
    differs |= put(&mut snap.held, Arc::new(board.held_sites()));
    let lost = match snap.runner {
        RunnerState::Alive => BTreeSet::new(),
        _ => runner::Doubts::read(reader)?.lost().clone(),
    };
    differs |= put(&mut snap.lost, Arc::new(lost));
    if changed {
        differs |= put(&mut snap.counts, reader.counts()?);
        differs |= put(&mut snap.slots, Arc::new(reader.slots()?));
        let sites = told(&snap.sites, &reader.sites()?);
        differs |= put(&mut snap.sites, Arc::new(sites));
    }
    if changed || (query.queue && asked) {
        let waiting = if query.queue { QUEUE } else { 1 };
        let open = reader.open_runs(waiting)?;
        let (live, mut queue): (Vec<Run>, Vec<Run>) =
            open.into_iter().partition(|run| run.state.is_live());
        queue.retain(|run| run.state == RunState::Queued);
        differs |= put(&mut snap.live, Arc::new(live));
        if query.queue {
            differs |= put(&mut snap.queue, Arc::new(queue));
            differs |= put(&mut snap.recent, Arc::new(done_lately(reader)?));
        }
    }
    Ok(differs)
}

fn unasked(name: String) -> SiteInfo {
    SiteInfo { name, ..SiteInfo::default() }
}

/// The sites of the config with what the runner last said of them.
fn told(sites: &[SiteInfo], known: &[SiteInfo]) -> Vec<SiteInfo> {
    let told = |site: &SiteInfo| known.iter().find(|info| info.name == site.name).cloned();
    sites.iter().map(|site| told(site).unwrap_or_else(|| unasked(site.name.clone()))).collect()
}

fn put<T: PartialEq>(slot: &mut T, new: T) -> bool {
    let differs = *slot != new;
    *slot = new;
    differs
}

fn runner_state(info: Option<&RunnerInfo>) -> RunnerState {
    match info {
        None => RunnerState::Absent,
        Some(info) if runner::alive(info) => RunnerState::Alive,
        Some(_) => RunnerState::Gone,
    }
}

fn done_lately(reader: &Reader) -> Result<Vec<Run>, StoreError> {
    let listing = Listing {
        states: vec!["done".to_owned()],
        sort: Sort::Id,
        descending: true,
        ..Listing::default()
    };
    reader.runs(&reader.first_ids(&listing, RECENT)?)
}

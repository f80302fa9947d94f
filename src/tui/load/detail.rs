use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;
use std::time::SystemTime;

use crate::board::Board;
use crate::dataset::predictions;
use crate::spec::RunId;
use crate::store::{Reader, Split, StoreError};
use crate::tui::log_file;
use crate::tui::query::Query;
use crate::tui::snapshot::{Detail, Log, Passes, Snapshot};

/// What of the open run was read, so that only what changed is read again.
#[derive(Debug, Default)]
pub struct DetailLoader {
    run: Option<RunId>,
    curves: bool,
    buckets: usize,
    pass: Option<(Split, Option<u32>, usize)>,
    log: Option<(RunId, u64, u64, Option<SystemTime>)>,
}

impl DetailLoader {
    /// Reads the open run, its curves, confusion counts and log; true if any of it differs.
    pub fn read(
        &mut self,
        reader: &Reader,
        board: &Board,
        query: &Query,
        changed: bool,
        snap: &mut Snapshot,
    ) -> Result<bool, StoreError> {
        let Some(id) = query.run else {
            self.run = None;
            return Ok(false);
        };
        let other = self.run.replace(id) != Some(id);
        let wider = query.curves && (!self.curves || self.buckets != query.buckets);
        let mut differs = false;
        if other || changed || wider {
            self.curves = query.curves;
            self.buckets = query.buckets;
            differs |= read_detail((reader, board), query, id, snap)?;
        }
        let pass = Some((query.pass.0, query.pass.1, query.near));
        let scrubbed = std::mem::replace(&mut self.pass, pass) != pass;
        if other || changed || scrubbed {
            differs |= read_passes(reader, query, id, changed, snap)?;
        }
        if query.log > 0 {
            differs |= self.read_log(board, id, query.log, snap);
        }
        Ok(differs)
    }

    fn read_log(&mut self, board: &Board, id: RunId, bytes: u64, snap: &mut Snapshot) -> bool {
        let path = board.out_log(id);
        let meta = fs::metadata(&path).ok();
        let mark = meta.map(|m| (id, bytes, m.len(), m.modified().ok()));
        if mark == self.log && snap.log.as_ref().is_some_and(|log| log.run == id) {
            return false;
        }
        self.log = mark;
        let (lines, cut) = log_file::tail(&path, bytes).unwrap_or_default();
        let path = path.strip_prefix(board.root()).unwrap_or(&path).display().to_string();
        let log = Some(Arc::new(Log { run: id, lines, cut, path }));
        let differs = snap.log != log;
        snap.log = log;
        differs
    }
}

fn read_detail(
    (reader, board): (&Reader, &Board),
    query: &Query,
    id: RunId,
    snap: &mut Snapshot,
) -> Result<bool, StoreError> {
    let Some(run) = reader.run(id)? else {
        return Ok(snap.detail.take().is_some());
    };
    let old = snap.detail.as_ref().filter(|d| d.run.id == id);
    if old.is_some_and(|d| d.run == run && (!query.curves || !d.curves.is_empty()))
        && old.is_some_and(|d| d.buckets == query.buckets || !query.curves)
    {
        return Ok(false);
    }
    let mut curves = BTreeMap::new();
    if query.curves {
        for metric in reader.metrics(id)? {
            let curve = reader.curve(id, &metric, query.buckets)?;
            curves.insert(metric, curve);
        }
    } else if let Some(old) = old {
        curves.clone_from(&old.curves);
    }
    let mut passes = reader.confusions(id)?;
    if passes.is_empty() {
        // Passes of tasks without classes are known by their predictions.
        let files = predictions::passes(&board.predictions(id));
        passes = files
            .into_iter()
            .filter_map(|(split, epoch, _)| Some((split.parse().ok()?, epoch)))
            .collect();
    }
    let buckets = if query.curves { query.buckets } else { 0 };
    snap.detail = Some(Arc::new(Detail { run, curves, buckets, passes }));
    Ok(true)
}

/// Reads the pass in view and its neighbours; drops those far away.
fn read_passes(
    reader: &Reader,
    query: &Query,
    id: RunId,
    changed: bool,
    snap: &mut Snapshot,
) -> Result<bool, StoreError> {
    let Some(detail) = snap.detail.as_ref().filter(|d| d.run.id == id) else { return Ok(false) };
    let (split, epoch) = query.pass;
    let epochs: Vec<u32> =
        detail.passes.iter().filter(|(s, _)| *s == split).map(|(_, e)| *e).collect();
    let at = match epoch {
        Some(epoch) => epochs.iter().position(|e| *e == epoch),
        None => epochs.len().checked_sub(1),
    };
    let mut passes = std::mem::take(&mut snap.passes);
    if passes.run != Some(id) {
        passes = Passes { run: Some(id), ..Passes::default() };
    }
    let before = passes.counts.clone();
    if let Some(at) = at {
        let first = at.saturating_sub(query.near);
        let near = epochs.get(first..(at + query.near + 1).min(epochs.len())).unwrap_or_default();
        passes.counts.retain(|(s, e), _| *s == split && near.contains(e));
        for (i, epoch) in near.iter().enumerate() {
            // A resumed run reports epochs again, so the one in view is read again when data changed.
            let again = changed && first + i == at;
            if (again || !passes.counts.contains_key(&(split, *epoch)))
                && let Some(counts) = reader.confusion(id, split, Some(*epoch))?
            {
                passes.counts.insert((split, *epoch), Arc::new(counts));
            }
        }
    }
    let differs = passes.counts != before;
    snap.passes = passes;
    Ok(differs)
}

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::spec::metrics::{train, val};
use crate::store::{Reader, StoreError};
use crate::tui::query::Query;
use crate::tui::snapshot::{Detail, Snapshot};

/// Live runs whose curves are brought.
const MOST: usize = 16;
/// Their curves are read at most this often: a wall is looked at, not read.
const EVERY: Duration = Duration::from_secs(1);
/// The curves of each.
const DRAWN: [&str; 3] = [train::STEP_LOSS, train::LOSS, val::LOSS];

/// What of the live runs' curves was read.
#[derive(Debug, Default)]
pub struct WallLoader {
    stale: bool,
    read: Option<Instant>,
}

impl WallLoader {
    /// Brings the curves of all live runs, while they are shown; true if any differs.
    pub fn read(
        &mut self,
        reader: &Reader,
        query: &Query,
        changed: bool,
        snap: &mut Snapshot,
    ) -> Result<bool, StoreError> {
        let shown: Vec<_> = snap.wall.iter().map(|detail| detail.run.id).collect();
        let live = || snap.live.iter().take(MOST);
        let others = !live().map(|run| run.id).eq(shown);
        self.stale |= changed || others;
        let waits = !others && self.read.is_some_and(|read| read.elapsed() < EVERY);
        if !query.wall || !self.stale || waits {
            return Ok(false);
        }
        (self.stale, self.read) = (false, Some(Instant::now()));
        let mut wall = Vec::new();
        for run in live() {
            let mut curves = BTreeMap::new();
            for metric in DRAWN {
                let curve = reader.curve(run.id, metric, query.buckets)?;
                if !curve.value.is_empty() {
                    curves.insert(metric.to_owned(), curve);
                }
            }
            let (run, buckets, passes) = (run.clone(), query.buckets, Vec::new());
            wall.push(Detail { run, curves, buckets, passes });
        }
        let wall = Arc::new(wall);
        let differs = snap.wall != wall;
        snap.wall = wall;
        Ok(differs)
    }
}

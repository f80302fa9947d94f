use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::board::{Board, disk};
use crate::spec::RunId;
use crate::tui::query::Query;
use crate::tui::snapshot::Snapshot;

/// The folders of live runs grow: they are measured again after this time.
const LIVE: Duration = Duration::from_secs(3);
/// Those of runs at rest shrink when somebody clears them.
const AT_REST: Duration = Duration::from_secs(30);
/// As long as this at most is measured in one go; the rest follows with the next look.
const SLICE: Duration = Duration::from_millis(20);

/// When the folder of each run was measured.
#[derive(Debug, Default)]
pub struct DiskLoader(BTreeMap<RunId, Instant>);

impl DiskLoader {
    /// Measures the folders of the loaded rows, while a column shows them; true if any size differs.
    pub fn read(&mut self, board: &Board, query: &Query, snap: &mut Snapshot) -> bool {
        if !query.disk {
            return false;
        }
        let began = Instant::now();
        let mut new = Vec::new();
        for run in snap.list.rows.iter() {
            if began.elapsed() > SLICE {
                break;
            }
            let age = if run.state.is_live() { LIVE } else { AT_REST };
            if self.0.get(&run.id).is_some_and(|measured| measured.elapsed() < age) {
                continue;
            }
            let bytes = disk::bytes_below(&board.run(run.id));
            self.0.insert(run.id, Instant::now());
            if snap.disk.get(&run.id) != Some(&bytes) {
                new.push((run.id, bytes));
            }
        }
        if new.is_empty() {
            return false;
        }
        Arc::make_mut(&mut snap.disk).extend(new);
        true
    }
}

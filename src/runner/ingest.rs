use std::fs;

use crate::events::{Event, Kind, PEAK_MEMORY, Tail};
use crate::spec::{RunId, RunState};

use super::run::Runner;
use super::{Result, RunnerError};

/// Bytes of one run's events per transaction. A run that reported gigabytes while no runner was there
/// must not hold up the others' rows for seconds.
const BATCH: u64 = 4 << 20;

impl Runner<'_> {
    /// Takes in what live trainers have reported.
    pub(super) fn ingest(&mut self) -> Result<()> {
        self.each_live(|runner, id| runner.ingest_batch(id).map(drop))
    }

    /// Takes in all that a trainer has reported.
    pub(super) fn ingest_rest(&mut self, id: RunId) -> Result<()> {
        while self.ingest_batch(id)? {}
        Ok(())
    }

    /// Takes in at most [`BATCH`] bytes. True if there may be more.
    fn ingest_batch(&mut self, id: RunId) -> Result<bool> {
        let Some(live) = self.live.get_mut(&id) else { return Ok(false) };
        let path = self.board.events(id);
        let length = fs::metadata(&path).map_or(0, |m| m.len());
        if length < live.offset && live.is_elsewhere() {
            // A power cut over there took what had been read. The file is the truth.
            self.store.forget(id)?;
            live.offset = 0;
        }
        if length <= live.offset {
            return Ok(false);
        }
        let from = live.offset;
        let batch = Tail::at(from).read(&path, BATCH).map_err(RunnerError::io(&path))?;
        if batch.offset == from {
            return Ok(false);
        }
        self.store.ingest(id, from, &batch)?;
        live.offset = batch.offset;
        // A peak may let others in beside this run.
        let tells = |event: &Event| matches!(&event.kind, Kind::Eval { values, .. } if values.contains_key(PEAK_MEMORY));
        self.replan |= live.placement.device != "cpu" && batch.events.iter().any(tells);
        let starting = live.run.state == RunState::Starting;
        if let Some(foreign) = batch.foreign.first() {
            self.note(&format!(
                "{id}: passed over {} lines of its events file; at byte {}: {}",
                batch.foreign.len(),
                foreign.offset,
                foreign.why
            ));
        }
        if starting && !batch.events.is_empty() {
            self.enter(id, RunState::Running)?;
        }
        Ok(batch.more)
    }
}

use std::fs;
use std::time::{Duration, Instant};

use crate::events::{Event, EventKind, PEAK_MEMORY, Split, Tail};
use crate::spec::{Outcome, RunId, RunState};

use super::error::{Result, RunnerError};
use super::process::{Signal, signal_group};
use super::state::Runner;

/// Bytes of one run's events per transaction. A run that reported gigabytes while no runner was there
/// must not hold up the others' rows for seconds.
const BATCH: u64 = 4 << 20;
/// One tick reads events for so long at most; the runs that it leaves out come first in the next one. A
/// request to stop waits no longer than this.
const ROUND: Duration = Duration::from_millis(250);
/// A run whose events file has so many lines that are no events is ended: honest ones have a torn line
/// for each time they were killed.
const MOST_JUNK: u64 = 10_000;
/// The same for an events file of so many bytes.
const MOST_BYTES: u64 = (1 << 30) + (1 << 20);

impl Runner<'_> {
    /// Takes in what live trainers have reported, as far as one round goes.
    pub(super) fn ingest(&mut self) -> Result<()> {
        let start = Instant::now();
        let first = self.left_out.take();
        let mut ids: Vec<RunId> = self.live.keys().copied().collect();
        let at = first.map_or(0, |first| ids.partition_point(|id| *id < first));
        ids.rotate_left(at);
        let mut done = Ok(());
        for id in ids {
            if start.elapsed() > ROUND {
                self.left_out = Some(id);
                break;
            }
            // One that fails does not keep the others waiting.
            done = done.and(self.ingest_batch(id).map(drop));
        }
        done
    }

    /// Takes in at most [`BATCH`] bytes. True if there may be more.
    pub(super) fn ingest_batch(&mut self, id: RunId) -> Result<bool> {
        let Some(live) = self.live.get_mut(&id) else { return Ok(false) };
        if live.flood.is_some() {
            return Ok(false);
        }
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
        live.junk += batch.junk;
        live.flood = flood(live.junk, length);
        // A peak may let others in beside this run.
        let tells = |event: &Event| matches!(&event.kind, EventKind::Eval { values, .. } if values.contains_key(PEAK_MEMORY));
        self.replan |= live.placement.device != "cpu" && batch.events.iter().any(tells);
        let starting = live.run.state == RunState::Starting;
        let is_news =
            live.run.sweep.is_some() && batch.events.iter().any(|e| is_evaluation(&e.kind));
        if let Some(foreign) = batch.foreign.first() {
            self.note(&format!(
                "{id}: passed over {} lines of its events file; at byte {}: {}",
                batch.passed_over, foreign.offset, foreign.why
            ));
        }
        if starting && !batch.events.is_empty() {
            self.enter(id, RunState::Running)?;
        }
        if is_news {
            self.judge(id)?;
        }
        Ok(batch.more)
    }

    /// Ends a run whose events file is no longer one. A site that will not end it does not keep it
    /// alive here.
    pub(super) fn end_flood(&mut self, id: RunId) {
        let Some(live) = self.live.get_mut(&id) else { return };
        let Some(why) = live.flood.clone() else { return };
        if live.is_elsewhere() {
            let placement = live.placement.clone();
            live.outcome = Some(Outcome::Failed { why, last_lines: String::new() });
            self.end_elsewhere(id, &placement);
        } else if !live.killed && live.exit.is_none() {
            if let Some(process) = &live.process {
                let _ = signal_group(process, Signal::Kill);
            }
            live.killed = true;
            self.note(&format!("{id}: killed: {why}"));
        }
    }
}

/// A look at the val rows.
fn is_evaluation(event: &EventKind) -> bool {
    match event {
        EventKind::Eval { split, .. } => *split == Split::Val,
        EventKind::Metrics { values, .. } => values.keys().any(|name| name.starts_with("val/")),
        _ => false,
    }
}

fn flood(junk: u64, length: u64) -> Option<String> {
    let what = if junk > MOST_JUNK {
        format!("more than {MOST_JUNK} lines of its events file are no events")
    } else if length > MOST_BYTES {
        format!("its events file has more than {} MiB", MOST_BYTES >> 20)
    } else {
        return None;
    };
    Some(format!("It was ended because {what}; the file was read no further."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_honest_run_floods_nobody() {
        assert_eq!(flood(MOST_JUNK, MOST_BYTES), None);
        assert!(flood(MOST_JUNK + 1, 0).unwrap().contains("10000 lines"));
        assert!(flood(0, MOST_BYTES + 1).unwrap().contains("1025 MiB"));
    }
}

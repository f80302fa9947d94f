//! The runner's side of a run's life.

use rusqlite::{OptionalExtension, params};

use super::run::now;
use super::{Millis, Process, Reader, Run, Store, StoreError, rows};
use crate::events::Ending;
use crate::spec::{Placement, RunId, RunState};

impl Reader {
    /// How the last attempt ended, and why, as the trainer reported it; `None` while an attempt is alive, or
    /// if it vanished before it could report.
    pub fn ending(&self, id: RunId) -> super::Result<Option<(Ending, String)>> {
        let row = self.ask(|db| {
            db.prepare_cached("SELECT ending, coalesce(ending_why, '') FROM run WHERE id = ?1")?
                .query_row([id.0], |r| Ok((r.get::<_, Option<String>>(0)?, r.get(1)?)))
                .optional()
        })?;
        let (ending, why) = row.ok_or(StoreError::NoRun(id))?;
        Ok(ending.and_then(|word| word.parse().ok()).map(|ending| (ending, why)))
    }

    /// The process that a live run was last seen as.
    pub fn process(&self, id: RunId) -> super::Result<Option<Process>> {
        let row = self.ask(|db| {
            db.prepare_cached("SELECT process FROM run WHERE id = ?1")?
                .query_row([id.0], |r| rows::json(r, "process"))
                .optional()
        })?;
        row.ok_or(StoreError::NoRun(id))
    }

    /// Every run that has not ended, and every stopped one that is desired to run (it was resumed while
    /// it was stopping): live ones first, then the queue in order. At most `limit` of those that wait.
    pub fn open_runs(&self, limit: usize) -> super::Result<Vec<Run>> {
        self.ask(|db| {
            let mut query = db.prepare_cached(
                "SELECT id, class FROM run INDEXED BY run_open
                 WHERE state IN ('queued', 'starting', 'running', 'stopping')
                   OR (state = 'stopped' AND wish = 'run')
                 ORDER BY class <> 2, class, turn, id",
            )?;
            let mut found = query.query(())?;
            let (mut runs, mut waiting) = (Vec::new(), 0);
            while waiting < limit
                && let Some(row) = found.next()?
            {
                waiting += usize::from(row.get::<_, i64>(1)? != 2);
                runs.extend(rows::read(db, RunId(row.get(0)?))?);
            }
            Ok(runs)
        })
    }

    /// Queued runs that are to be stopped, wherever they stand in the queue.
    pub fn unwanted(&self) -> super::Result<Vec<RunId>> {
        self.ask(|db| {
            db.prepare_cached(
                // The first two lines are the index's own condition; without it SQLite cannot use it.
                "SELECT id FROM run INDEXED BY run_open
                 WHERE (state IN ('queued', 'starting', 'running', 'stopping')
                   OR (state = 'stopped' AND wish = 'run'))
                   AND state = 'queued' AND wish = 'stop' ORDER BY class, id",
            )?
            .query_map((), |row| row.get(0).map(RunId))?
            .collect()
        })
    }
}

impl Store {
    /// Every run that has not ended, and every ended run that is desired again; see
    /// [`Reader::open_runs`], which a tick over a long queue should call.
    pub fn unfinished(&self) -> super::Result<Vec<Run>> {
        self.reader.open_runs(usize::MAX)
    }

    /// As [`Reader::ending`].
    pub fn ending(&self, id: RunId) -> super::Result<Option<(Ending, String)>> {
        self.reader.ending(id)
    }

    /// Starting: the placement, attempt number and, once known, the process. How an earlier
    /// attempt ended is dropped; if this attempt has already reported events, the run stays `Running`.
    pub fn lease(
        &mut self,
        id: RunId,
        attempt: u32,
        placement: &Placement,
        process: Option<&Process>,
    ) -> super::Result<()> {
        let placement = serde_json::to_string(placement).unwrap_or_default();
        let process = process.and_then(|p| serde_json::to_string(p).ok());
        self.change_runs(&[id], None, |tx, id| {
            tx.prepare_cached(
                "UPDATE run SET ending = NULL, ending_why = NULL, ending_at = NULL
                 WHERE id = ?1 AND attempt < ?2",
            )?
            .execute((id.0, attempt))?;
            tx.prepare_cached(
                "UPDATE run SET placement = ?3, process = ?4, outcome = NULL, ended = NULL,
                   state = CASE WHEN attempt >= ?2 AND state IN ('running', 'stopping') THEN state
                           ELSE 'starting' END,
                   attempt = max(attempt, ?2) WHERE id = ?1",
            )?
            .execute(params![id.0, attempt, placement, process])
        })
    }

    /// The process that a live run was last seen as; see [`Reader::process`].
    pub fn process(&self, id: RunId) -> super::Result<Option<Process>> {
        self.reader.process(id)
    }

    /// Sets what a run is doing. The end time is the time of its last event, so that a rebuilt database holds
    /// the same; a run that never reported anything ends now.
    pub fn set_state(&mut self, id: RunId, state: &RunState) -> super::Result<()> {
        self.settle(id, state, None)
    }

    /// The same of a run whose end became known at a later time than that of its last event.
    pub fn settle(
        &mut self,
        id: RunId,
        state: &RunState,
        known: Option<Millis>,
    ) -> super::Result<()> {
        let (word, outcome) = rows::state_columns(state);
        let ended = matches!(state, RunState::Ended(_)).then(now);
        self.change_runs(&[id], None, |tx, id| {
            tx.prepare_cached(
                "UPDATE run SET state = ?2, outcome = ?3,
                   ended = CASE WHEN ?4 IS NULL THEN NULL
                           ELSE coalesce(ending_at, last_event, ?4) END,
                   settled = ?5,
                   process = CASE WHEN ?4 IS NULL AND ?2 <> 'queued' THEN process END
                 WHERE id = ?1",
            )?
            .execute(params![id.0, word, outcome, ended, known])
        })
    }
}

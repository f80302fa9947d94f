//! What a search needs to know of its sweep, and where its next trial goes.

use rusqlite::OptionalExtension;

use super::enqueue::Row;
use super::{Millis, NewRun, Reader, Run, Store};
use crate::spec::metrics::higher_is_better;
use crate::spec::search::tpe::State;
use crate::spec::{Desired, Outcome, RunId, RunSpec, RunState, Strategy, SweepId};

impl Reader {
    /// The sweeps behind this one whose runs are chosen one after the other.
    pub fn searches(&self, after: SweepId) -> super::Result<Vec<SweepId>> {
        self.ask(|db| {
            let sql = "SELECT id, json_extract(sweep, '$.strategy') FROM sweep
                       WHERE id > ?1 AND json_type(sweep, '$.strategy') = 'object' ORDER BY id";
            let mut query = db.prepare_cached(sql)?;
            let mut rows = query.query([after.0])?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                let strategy = serde_json::from_str::<Strategy>(row.get_ref(1)?.as_str()?);
                if strategy.is_ok_and(|strategy| strategy.start().is_some()) {
                    found.push(SweepId(row.get(0)?));
                }
            }
            Ok(found)
        })
    }

    /// Every run of a sweep in the order in which they were queued, archived ones and those in the trash
    /// included.
    pub fn trials(&self, sweep: SweepId) -> super::Result<Vec<Run>> {
        let ids: Vec<RunId> = self.ask(|db| {
            let mut query = db.prepare_cached("SELECT id FROM run WHERE sweep = ?1 ORDER BY id")?;
            query.query_map([sweep.0], |row| Ok(RunId(row.get(0)?)))?.collect()
        })?;
        self.runs(&ids)
    }
}

impl Store {
    /// Adds a run to a sweep that has `before` runs; `None` if it has another number of runs by now.
    ///
    /// # Errors
    /// What SQLite refuses; nothing was queued then.
    pub fn extend(
        &mut self,
        sweep: SweepId,
        before: usize,
        run: &NewRun,
        created: Millis,
    ) -> super::Result<Option<RunId>> {
        let row = Row::of(run);
        self.change(|tx| {
            let count: Option<u32> = tx
                .prepare_cached("SELECT count(*) FROM run WHERE sweep = ?1")?
                .query_row([sweep.0], |row| row.get(0))
                .optional()?;
            if count.unwrap_or(0) as usize != before {
                return Ok(None);
            }
            row.insert(tx, None, Some(sweep), created).map(Some)
        })
    }
}

/// The runs of a search as it knew them at that time: what had not ended by then was under way.
pub fn trials_at(runs: &[Run], at: Millis) -> Vec<(RunSpec, State)> {
    let known = runs.iter().filter(|run| run.created <= at);
    known.map(|run| (run.spec.clone(), state(run, at))).collect()
}

fn state(run: &Run, at: Millis) -> State {
    let RunState::Ended(outcome) = &run.state else { return State::Running };
    if run.ended.is_none_or(|ended| ended > at) {
        return State::Running;
    }
    let value = value(run);
    match outcome {
        Outcome::Done => State::Complete(value),
        // As bad as can be: settings that fail are not to be tried again.
        Outcome::Failed { .. } | Outcome::Lost { .. } => State::Complete(f64::NAN),
        Outcome::Pruned { .. } | Outcome::Stopped => {
            State::Pruned((!value.is_nan()).then_some((run.epoch, value)))
        }
    }
}

/// The figure that a search goes by, turned so that less is better; NaN where there is none.
fn value(run: &Run) -> f64 {
    let [name, _] = run.spec.task.score();
    let sign = if higher_is_better(name) { -1.0 } else { 1.0 };
    run.best.get(name).map_or(f64::NAN, |value| sign * value)
}

/// True for a search that waits for its user: who stopped or held runs of it lets it go on with them, not
/// without.
pub fn rests(runs: &[Run]) -> bool {
    let goes_on =
        |run: &Run| run.desired == Desired::Run && !matches!(run.state, RunState::Ended(_));
    let is_stopped = |run: &Run| {
        run.desired == Desired::Hold || matches!(run.state, RunState::Ended(Outcome::Stopped))
    };
    !runs.iter().any(goes_on) && runs.iter().any(is_stopped)
}

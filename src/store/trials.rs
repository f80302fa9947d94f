//! What a search needs to know of its sweep, and where its next trial goes.

use rusqlite::Transaction;

use super::enqueue::Row;
use super::run::now;
use super::{Millis, NewRun, NewSweep, Reader, Run, Store, journal};
use crate::spec::search::tpe::State;
use crate::spec::{
    Desired, Outcome, Part, Plan, RunId, RunSpec, RunState, Sweep, SweepId, Until, turned,
};

impl Reader {
    /// The sweeps behind this one that the runner has to look after, since their later runs follow from those
    /// before; and those that were amended after that change.
    pub fn searches(&self, after: SweepId, change: i64) -> super::Result<Vec<(SweepId, i64)>> {
        self.ask(|db| {
            let sql = "SELECT id, amended, sweep FROM sweep WHERE id > ?1
                       UNION ALL
                       SELECT id, amended, sweep FROM sweep WHERE amended > ?2 AND id <= ?1";
            let mut query = db.prepare_cached(sql)?;
            let mut rows = query.query((after.0, change))?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                let sweep = serde_json::from_str::<Sweep>(row.get_ref(2)?.as_str()?);
                if sweep.is_ok_and(|sweep| sweep.is_looked_after()) {
                    found.push((SweepId(row.get(0)?), row.get(1)?));
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
    /// Adds runs to a sweep that has `before` runs; `None` if it has another number of runs by now.
    ///
    /// # Errors
    /// What SQLite refuses; nothing was queued then.
    pub fn extend(
        &mut self,
        sweep: SweepId,
        before: usize,
        runs: &[NewRun],
        part: Part,
        created: Millis,
    ) -> super::Result<Option<Vec<RunId>>> {
        let rows: Vec<Row> = runs.iter().map(Row::of).collect();
        self.change(|tx| {
            if runs_of(tx, sweep)? != before {
                return Ok(None);
            }
            let mut ids = Vec::with_capacity(rows.len());
            for row in &rows {
                let id = row.insert(tx, None, Some(sweep), created)?;
                tx.prepare_cached("UPDATE run SET part = ?2 WHERE id = ?1")?
                    .execute((id.0, part.number()))?;
                ids.push(id);
            }
            Ok(Some(ids))
        })
    }

    /// Writes a sweep anew, since other things are planned for it than before, and adds runs; nothing is
    /// changed, and `None` comes back, if the sweep has not `before` runs.
    ///
    /// # Errors
    /// What SQLite refuses.
    pub fn amend(
        &mut self,
        id: SweepId,
        new: &NewSweep,
        before: usize,
        runs: &[NewRun],
    ) -> super::Result<Option<Vec<RunId>>> {
        let json = serde_json::to_string(&new.sweep).unwrap_or_default();
        let rows: Vec<Row> = runs.iter().map(Row::of).collect();
        let now = now();
        self.change_noted(|tx| {
            if runs_of(tx, id)? != before {
                return Ok((None, Vec::new()));
            }
            tx.prepare_cached(
                "UPDATE sweep SET sweep = ?2, amended = (SELECT max(amended) + 1 FROM sweep) WHERE id = ?1",
            )?
            .execute((id.0, &json))?;
            let ids = rows.iter().map(|row| row.insert(tx, None, Some(id), now));
            let ids = ids.collect::<rusqlite::Result<Vec<_>>>()?;
            let mut noted = vec![journal::sweep(id, new)];
            noted.extend(journal::queued(Some(id), now, &ids, runs));
            Ok((Some(ids), noted))
        })
    }
}

fn runs_of(tx: &Transaction, sweep: SweepId) -> rusqlite::Result<usize> {
    let sql = "SELECT count(*) FROM run WHERE sweep = ?1";
    tx.prepare_cached(sql)?.query_row([sweep.0], |row| Ok(row.get::<_, u32>(0)? as usize))
}

impl Run {
    /// What a run of a sweep with this plan is ranked by ([`Plan::ranked_by`]).
    pub fn value_by(&self, plan: &Plan) -> Option<f64> {
        let figures = if self.spec.folds > 0 { &self.last } else { &self.best };
        figures.get(&plan.ranked_by(&self.spec)).copied()
    }
}

/// The trials of a search as it knew them at that time: what had not ended by then was under way. Runs that
/// confirm a setting are none.
pub fn trials_at(runs: &[Run], plan: &Plan, at: Millis) -> Vec<(RunSpec, State)> {
    let known = runs.iter().filter(|run| run.created <= at && run.part != Part::Confirmation);
    known.map(|run| (run.spec.clone(), state(run, plan, at))).collect()
}

fn state(run: &Run, plan: &Plan, at: Millis) -> State {
    let RunState::Ended(outcome) = &run.state else { return State::Running };
    // What became known in the same millisecond may have been known or not: it counts as not known.
    if run.settled.or(run.ended).is_none_or(|known| known >= at) {
        return State::Running;
    }
    let metric = plan.metric_of(&run.spec);
    // NaN where there is none.
    let value = run.value_by(plan).map_or(f64::NAN, |value| turned(metric, value));
    match outcome {
        Outcome::Done => State::Complete(value),
        // As bad as can be: settings that fail are not to be tried again.
        Outcome::Failed { .. } | Outcome::Lost { .. } => State::Complete(f64::NAN),
        Outcome::Pruned(at) => {
            // Evaluations within an epoch are not among the best of a curve.
            let there = at.epoch.parse().ok().zip(at.value.parse().ok());
            let there = there.map(|(epoch, value): (f64, f64)| (epoch, turned(metric, value)));
            State::Pruned(there.or((!value.is_nan()).then_some((run.epoch, value))))
        }
        Outcome::Stopped => State::Pruned((!value.is_nan()).then_some((run.epoch, value))),
    }
}

/// The runs that are still to confirm the best settings of a sweep, by what was known of its runs at that time.
pub fn to_confirm(runs: &[Run], sweep: &Sweep, at: Millis) -> Vec<RunSpec> {
    let confirmed = runs.iter().filter(|run| run.part == Part::Confirmation);
    let confirmed: Vec<RunSpec> = confirmed.map(|run| run.spec.clone()).collect();
    sweep.confirmations(&trials_at(runs, &sweep.plan, at), &confirmed)
}

/// True once the time of a sweep is over, on the clock or on devices.
pub fn is_spent(runs: &[Run], until: Until, now: Millis) -> bool {
    let on_gpu =
        |run: &&Run| run.placement.as_ref().is_some_and(|place| place.device.starts_with("cuda"));
    let time = |gpu: bool| -> Millis {
        let runs = runs.iter().filter(|run| on_gpu(run) == gpu);
        runs.filter_map(|run| run.device_time).sum()
    };
    match until {
        Until::Wall(limit) => runs
            .iter()
            .filter_map(|run| run.started)
            .min()
            .is_some_and(|first| now - first >= limit),
        Until::Gpu(limit) => time(true) >= limit,
        Until::Cpu(limit) => time(false) >= limit,
    }
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

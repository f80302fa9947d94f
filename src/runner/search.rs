use std::time::{Duration, Instant};

use crate::spec::{Desired, Outcome, Part, RunId, RunState, Sweep, SweepId, name_in};
use crate::store::{self, NewRun, Run};

use super::clock::now;
use super::error::Result;
use super::state::Runner;

/// How often it is looked whether sweeps have had their time.
const TIMED: Duration = Duration::from_secs(2);

impl Runner<'_> {
    /// Learns of new searches. Called when somebody has written to the database: a user may have let a
    /// search go on, or given it more trials.
    pub(super) fn look_for_searches(&mut self) -> Result<()> {
        let known = &mut self.searches;
        known.resting.clear();
        known.full.clear();
        known.spent.clear();
        known.ladders.clear();
        known.timed = None;
        for (id, change) in
            self.store.reader().searches(self.searches.last, self.searches.change)?
        {
            self.searches.last = self.searches.last.max(id);
            self.searches.change = self.searches.change.max(change);
            if let Some(new) = self.store.reader().sweep(id)? {
                self.searches.open.insert(id, new.sweep);
            }
        }
        Ok(())
    }

    /// Does what is next for one of the searches: a trial, if a slot is free and nothing else waits for it,
    /// since a trial that is chosen later knows more; once all have ended, the runs that confirm the best.
    pub(super) fn search(&mut self) -> Result<()> {
        self.watch_the_time()?;
        if self.searches.open.len() == self.searches.resting.len() {
            return Ok(());
        }
        let rests = |id: &SweepId| self.searches.resting.contains(id);
        let ids: Vec<SweepId> =
            self.searches.open.keys().copied().filter(|id| !rests(id)).collect();
        for id in ids {
            if self.advance(id)? {
                break;
            }
        }
        Ok(())
    }

    fn has_free_slot(&self) -> bool {
        let waits = self.queue.values().any(|run| run.desired == Desired::Run);
        let slots = || self.published.here.iter().chain(&self.published.there);
        !waits && (self.live.is_empty() || slots().any(|slot| slot.run.is_none()))
    }

    /// Whether runs of a sweep wait or are under way.
    fn has_runs_of(&self, id: SweepId) -> bool {
        let live = self.live.values().map(|live| &live.run);
        self.more || self.queue.values().chain(live).any(|run| run.sweep == Some(id))
    }

    /// True if runs were queued.
    fn advance(&mut self, id: SweepId) -> Result<bool> {
        let Some(sweep) = self.searches.open.get(&id).cloned() else { return Ok(false) };
        let (spent, full) = (&self.searches.spent, &self.searches.full);
        let is_spent = spent.contains(&id);
        let proposes = sweep.strategy.start().is_some() && !is_spent && !full.contains(&id);
        if (proposes && !self.has_free_slot()) || (!proposes && self.has_runs_of(id)) {
            return Ok(false);
        }
        let runs = self.store.reader().trials(id)?;
        if store::rests(&runs) && !is_spent {
            self.searches.resting.insert(id);
            return Ok(false);
        }
        let trials = runs.iter().filter(|run| run.part != Part::Confirmation);
        if proposes && trials.clone().count() < sweep.planned() {
            return self.propose(id, &sweep, &runs);
        }
        self.searches.full.insert(id);
        if sweep.plan.confirm > 0 {
            if trials.clone().any(|run| run.state.outcome().is_none()) {
                return Ok(false);
            }
            return self.confirm(id, &sweep, &runs);
        }
        if sweep.plan.until.is_none() || trials.clone().all(|run| run.state.outcome().is_some()) {
            self.searches.open.remove(&id);
        }
        Ok(false)
    }

    /// Queues the next trial of a search.
    fn propose(&mut self, id: SweepId, sweep: &Sweep, runs: &[Run]) -> Result<bool> {
        let at = now();
        let history = store::trials_at(runs, &sweep.plan, at);
        let spec = match sweep.propose(history.len(), &history) {
            Ok(spec) => spec,
            Err(e) => {
                self.searches.open.remove(&id);
                self.note(&format!("{id} proposes no more trials: {e}"));
                return Ok(false);
            }
        };
        let new = NewRun { name: name_in(sweep, &spec), spec, desired: Desired::Run };
        let what = format!("trial {} of {}", history.len() + 1, sweep.planned());
        self.extend(id, runs, &[new], Part::Trial, &what, at)
    }

    /// Queues the best settings on fresh seeds, as far as that was not done.
    fn confirm(&mut self, id: SweepId, sweep: &Sweep, runs: &[Run]) -> Result<bool> {
        let at = now();
        let new = |spec| {
            let name = format!("{} seed={}", name_in(sweep, &spec), spec.seed);
            NewRun { name, spec, desired: Desired::Run }
        };
        let new: Vec<NewRun> = store::to_confirm(runs, sweep, at).into_iter().map(new).collect();
        if new.is_empty() {
            self.searches.open.remove(&id);
            return Ok(false);
        }
        self.extend(id, runs, &new, Part::Confirmation, "a confirmation", at)
    }

    fn extend(
        &mut self,
        id: SweepId,
        before: &[Run],
        new: &[NewRun],
        part: Part,
        what: &str,
        at: i64,
    ) -> Result<bool> {
        let added = self.store.extend(id, before.len(), new, part, at)?;
        let Some(added) = added else { return Ok(false) };
        let tags = before.first().map(|first| first.tags.clone()).unwrap_or_default();
        for (run, new) in added.iter().zip(new) {
            if !tags.is_empty() {
                self.store.set_tags(*run, &tags)?;
            }
            self.note(&format!("{id}: {run} is {what}, {}", new.name));
        }
        // The queue is read anew: our own writing does not show in the database's version.
        self.seen = None;
        Ok(true)
    }

    /// Ends the trials of sweeps that have had their time, as far as they have not started.
    fn watch_the_time(&mut self) -> Result<()> {
        let timed =
            self.searches.open.iter().filter(|(id, sweep)| {
                sweep.plan.until.is_some() && !self.searches.spent.contains(id)
            });
        let timed: Vec<_> = timed.filter_map(|(id, s)| Some((*id, s.plan.until?))).collect();
        if timed.is_empty() || self.searches.timed.is_some_and(|last| last.elapsed() < TIMED) {
            return Ok(());
        }
        self.searches.timed = Some(Instant::now());
        for (id, until) in timed {
            let runs = self.store.reader().trials(id)?;
            if !store::is_spent(&runs, until, now()) {
                continue;
            }
            self.searches.spent.insert(id);
            self.note(&format!("{id} has had its time ({until}): no further trial starts"));
            let waits = |run: &&Run| run.state == RunState::Queued && run.attempt == 0;
            let waiting: Vec<RunId> = runs.iter().filter(waits).map(|run| run.id).collect();
            for run in waiting {
                self.store.set_state(run, &RunState::Ended(Outcome::Stopped))?;
                self.queue.remove(&run);
            }
        }
        Ok(())
    }
}

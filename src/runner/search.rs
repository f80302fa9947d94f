use crate::spec::{Desired, SweepId, name_in};
use crate::store::{self, NewRun};

use super::clock::now;
use super::error::Result;
use super::state::Runner;

impl Runner<'_> {
    /// Learns of new searches. Called when somebody has written to the database: a user may have let a
    /// search go on.
    pub(super) fn look_for_searches(&mut self) -> Result<()> {
        self.searches.resting.clear();
        for id in self.store.reader().searches(self.searches.last)? {
            self.searches.last = id;
            if let Some(new) = self.store.reader().sweep(id)? {
                self.searches.open.insert(id, new.sweep);
            }
        }
        Ok(())
    }

    /// Queues the next trial of a search if a slot is free and nothing else waits for it: a trial that is
    /// chosen later knows more.
    pub(super) fn search(&mut self) -> Result<()> {
        if self.searches.open.len() == self.searches.resting.len() || !self.has_free_slot() {
            return Ok(());
        }
        let rests = |id: &SweepId| self.searches.resting.contains(id);
        let ids: Vec<SweepId> =
            self.searches.open.keys().copied().filter(|id| !rests(id)).collect();
        for id in ids {
            if self.propose(id)? {
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

    /// Queues the next trial of a search; false if it has all its trials or rests.
    fn propose(&mut self, id: SweepId) -> Result<bool> {
        let Some(sweep) = self.searches.open.get(&id) else { return Ok(false) };
        let trials = sweep.planned();
        let runs = self.store.reader().trials(id)?;
        if runs.len() >= trials {
            self.searches.open.remove(&id);
            return Ok(false);
        }
        if store::rests(&runs) {
            self.searches.resting.insert(id);
            return Ok(false);
        }
        let at = now();
        let spec = match sweep.propose(runs.len(), &store::trials_at(&runs, at)) {
            Ok(spec) => spec,
            Err(e) => {
                self.searches.open.remove(&id);
                self.note(&format!("{id} proposes no more trials: {e}"));
                return Ok(false);
            }
        };
        let new = NewRun { name: name_in(sweep, &spec), spec, desired: Desired::Run };
        let Some(run) = self.store.extend(id, runs.len(), &new, at)? else { return Ok(false) };
        let tags = runs.first().map(|first| first.tags.clone()).unwrap_or_default();
        if !tags.is_empty() {
            self.store.set_tags(run, &tags)?;
        }
        self.note(&format!("{id}: {run} is trial {} of {trials}, {}", runs.len() + 1, new.name));
        // The queue is read anew: our own writing does not show in the database's version.
        self.seen = None;
        Ok(true)
    }
}

use crate::spec::search::ladder::Evaluation;
use crate::spec::search::prune::Cut;
use crate::spec::{Desired, Outcome, Part, Plan, PrunedAt, RunId, RunSpec, short, turned};

use super::error::Result;
use super::searches::Watched;
use super::state::Runner;

impl Runner<'_> {
    /// Looks whether a live run has fallen behind the others of its sweep; then it is no longer wanted. What
    /// comes out follows from the events alone, so that a runner after this one comes to the same end.
    pub(super) fn judge(&mut self, id: RunId) -> Result<()> {
        let Some(live) = self.live.get(&id).filter(|live| live.cut.is_none()) else {
            return Ok(());
        };
        let Some(sweep) = live.run.sweep else { return Ok(()) };
        if !self.searches.ladders.contains_key(&sweep) {
            let watched = self.watched(sweep)?;
            self.searches.ladders.insert(sweep, watched);
        }
        let Some(Some(watched)) = self.searches.ladders.get_mut(&sweep) else { return Ok(()) };
        if live.run.part == Part::Confirmation {
            return Ok(());
        }
        let evaluations = self.store.reader().evaluations(&live.run, &watched.plan)?;
        watched.ladder.put(id, &watched.rule.climb(&evaluations));
        if live.run.part != Part::Trial || live.run.desired != Desired::Run {
            return Ok(());
        }
        let Some((rung, at, cut)) = watched.ladder.judge(&watched.rule, id) else { return Ok(()) };
        let pruned = pruned(&watched.plan, &live.run.spec, rung, &at, &cut);
        self.note(&format!("{id}: pruned: {}", pruned.why()));
        if let Some(live) = self.live.get_mut(&id) {
            live.cut = Some(Outcome::Pruned(pruned));
        }
        Ok(())
    }

    fn watched(&self, id: crate::spec::SweepId) -> Result<Option<Watched>> {
        let reader = self.store.reader();
        let Some(plan) = reader.sweep(id)?.map(|known| known.sweep.plan) else { return Ok(None) };
        let Some(rule) = plan.prune else { return Ok(None) };
        let ladder = reader.ladder(&reader.trials(id)?, &plan, &rule)?;
        Ok(Some(Watched { plan, rule, ladder }))
    }
}

/// What is told of a cut.
fn pruned(plan: &Plan, spec: &RunSpec, rung: u32, at: &Evaluation, cut: &Cut) -> PrunedAt {
    let metric = plan.metric_of(spec);
    // Turned twice, a value is what it was.
    let value = |x: f64| short(turned(metric, x));
    PrunedAt {
        rung,
        epoch: short((at.epoch * 1000.0).round() / 1000.0),
        metric: metric.to_owned(),
        value: value(at.mark.value),
        threshold: value(cut.threshold),
        rank: cut.rank as u32,
        of: cut.of as u32,
    }
}

//! The evaluations of runs, as the rungs of a search want them.

use std::collections::HashMap;

use super::{Reader, Run};
use crate::spec::metrics::val;
use crate::spec::search::ladder::{Evaluation, Ladder};
use crate::spec::search::prune::{Mark, Rule};
use crate::spec::{Part, Plan, turned};

impl Reader {
    /// Every look that a run had at the val rows, in the order in which it had them: what its sweep compares.
    pub fn evaluations(&self, run: &Run, plan: &Plan) -> super::Result<Vec<Evaluation>> {
        let metric = plan.metric_of(&run.spec);
        let curve = self.curve(run.id, metric, 0)?;
        let losses = if metric == val::LOSS {
            HashMap::new()
        } else {
            let losses = self.curve(run.id, val::LOSS, 0)?;
            losses.step.into_iter().zip(losses.value).collect()
        };
        let epochs = f64::from(run.spec.planned_epochs().max(1));
        let points = curve.step.iter().zip(&curve.epoch).zip(&curve.time).zip(&curve.value);
        let evaluation = |(((step, epoch), time), value): (((&u64, &f64), &i64), &f64)| {
            let loss = losses.get(step).copied().unwrap_or(f64::NAN);
            let value = turned(metric, *value);
            let loss = if metric == val::LOSS { value } else { loss };
            let mark = Mark { value, loss };
            Evaluation { time: *time, epoch: *epoch, share: epoch / epochs, mark }
        };
        Ok(points.map(evaluation).collect())
    }

    /// Who of these runs of a sweep was at which rung. Runs that confirm a setting are not on it.
    pub fn ladder(&self, runs: &[Run], plan: &Plan, rule: &Rule) -> super::Result<Ladder> {
        let mut ladder = Ladder::default();
        for run in runs.iter().filter(|run| run.part != Part::Confirmation) {
            ladder.put(run.id, &rule.climb(&self.evaluations(run, plan)?));
        }
        Ok(ladder)
    }
}

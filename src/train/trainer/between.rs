use tuneboard::events::{EventKind, Split};
use tuneboard::spec::EvalRows;

use super::{Flow, Trainer};
use crate::error::TrainError;
use crate::model::Memory;

impl Trainer<'_> {
    /// Evaluates the val rows, or a sample of them, if an evaluation is due after `step` steps of the
    /// epoch. The epoch goes on afterwards as if nothing had been: nothing random is drawn, and what
    /// batches carry on comes back.
    pub(super) fn judge_between(&mut self, step: u64) -> Result<Flow, TrainError> {
        let (every, epochs, per_epoch) =
            (self.spec.eval_every, self.spec.epochs, self.objective.steps());
        let done = self.state.step;
        // A run that was stopped right after an evaluation does not do it again.
        if !every.is_due(epochs, per_epoch, step, done) || self.state.evaluated == done {
            return Ok(Flow::Finished);
        }
        self.optimizer.settle()?;
        self.read_waiting()?;
        let mut values = self.step_values();
        let most = self.spec.most_val_rows(per_epoch);
        let carried = self.objective.memory().map(Memory::take);
        let outcome = self.evaluate(Split::Val, most)?;
        if let (Some(memory), Some(carried)) = (self.objective.memory(), carried) {
            memory.put(carried);
        }
        let Some(outcome) = outcome else { return Ok(Flow::Stopped) };
        self.state.evaluated = done;
        values.extend(outcome.values.iter().map(|(name, value)| (format!("val/{name}"), *value)));
        self.journal.write(EventKind::Metrics { epoch: self.epoch(), values })?;
        let decides = self.spec.eval_rows == EvalRows::All;
        let (epoch, value) = (self.state.epoch + 1, self.deciding(&outcome));
        if decides && self.decide(epoch, value, outcome.predictions.as_ref())? && self.may_save() {
            self.save()?;
        }
        self.meter.restart();
        Ok(Flow::Finished)
    }
}

use std::sync::atomic::Ordering;

use tch::Tensor;
use tuneboard::events::Level;

use super::meter::Measured;
use super::{Flow, Trainer};
use crate::error::TrainError;
use crate::model::Mode;
use crate::objective::{Learner, Stop};
use crate::optim::{self, Optimizer};
use crate::rng::{Purpose, seed_torch};

impl Trainer<'_> {
    /// Trains until the end of the current epoch, or until a stop is asked for.
    pub(super) fn train_epoch(&mut self) -> Result<Flow, TrainError> {
        let (stop, done) = (self.stop, self.state.step_in_epoch);
        let stop = || stop.load(Ordering::Relaxed);
        if !self.objective.begin(self.state.epoch, done, &Stop::new(&stop))? {
            return Ok(Flow::Stopped);
        }
        self.meter.restart();
        let flow = self.take_steps()?;
        self.optimizer.settle()?;
        self.report(true)?;
        Ok(flow)
    }

    fn take_steps(&mut self) -> Result<Flow, TrainError> {
        for index in self.state.step_in_epoch..self.objective.steps() {
            if self.stop_asked() {
                return Ok(Flow::Stopped);
            }
            if self.judge_between(index)? == Flow::Stopped {
                return Ok(Flow::Stopped);
            }
            if self.state.is_stuck(self.spec.early_stop) {
                return Ok(Flow::Stuck);
            }
            self.step(index)?;
            self.report(false)?;
        }
        Ok(Flow::Finished)
    }

    /// One optimiser step on the gradient of all its batches together.
    fn step(&mut self, index: u64) -> Result<(), TrainError> {
        self.enter_stage()?;
        let lr = self.rates.lr(self.state.step);
        let measured = self.learn(index, lr)?;
        self.meter.push(measured);
        Ok(())
    }

    /// The same at a rate that need not be the schedule's; gives what its passes gave.
    pub(super) fn learn(&mut self, index: u64, lr: f64) -> Result<Measured, TrainError> {
        let (gradients, measured) = loop {
            match self.gradients(index, lr) {
                Err(e) if e.is_out_of_memory() && self.can_halve() => self.halve()?,
                done => break done?,
            }
        };
        let clip = self.spec.clip;
        let scale = if clip > 0.0 { optim::clip(&gradients, clip)? } else { 1.0.into() };
        self.optimizer.step(&gradients, scale, lr)?;
        self.state.step += 1;
        self.state.step_in_epoch += 1;
        self.journal.step = self.state.step;
        Ok(measured)
    }

    /// Makes a new optimiser for the groups of the next step where a stage begins.
    fn enter_stage(&mut self) -> Result<(), TrainError> {
        let stage = self.rates.stage(self.state.step);
        if stage != self.stage {
            self.optimizer.settle()?;
            let parameters = self.objective.parameters();
            self.optimizer = Optimizer::new(&self.spec, parameters, stage.groups)?;
            self.stage = stage;
        }
        Ok(())
    }

    /// The gradients of a step, and what its passes gave.
    fn gradients(&mut self, index: u64, lr: f64) -> Result<(Vec<Tensor>, Measured), TrainError> {
        seed_torch(self.spec.seed, Purpose::Dropout, self.state.step);
        let mut learner = Learner::new(&mut self.optimizer, Mode::training(self.place.kind));
        let passes = self.objective.step(index, self.state.halvings, &mut learner)?;
        Ok((learner.finish(), Measured { step: self.state.step + 1, lr, passes }))
    }

    fn can_halve(&self) -> bool {
        self.spec.batch_size >> self.state.halvings > 1 && self.objective.can_halve()
    }

    /// Lets batches go through the network in twice as many parts from now on. Their gradients add up
    /// to the same step.
    fn halve(&mut self) -> Result<(), TrainError> {
        self.state.halvings += 1;
        let text = format!(
            "Memory did not suffice: batches of {} rows go through the network in {} parts from now \
             on; the steps stay the same.",
            self.spec.batch_size,
            1_u32 << self.state.halvings
        );
        self.journal.note(Level::Warning, text)
    }
}

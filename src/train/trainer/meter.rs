use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use tuneboard::events::{EventKind, Number};
use tuneboard::spec::Rates;
use tuneboard::spec::metrics::train;

use super::Trainer;
use crate::error::TrainError;
use crate::objective::Pass;

/// What one optimiser step gave. Nobody has looked at its numbers yet.
pub struct Measured {
    /// The step, counted from 1.
    pub step: u64,
    /// Its learning rate.
    pub lr: f64,
    /// Its passes.
    pub passes: Vec<Pass>,
}

/// Counts between two reports.
pub struct Meter {
    waiting: Vec<Measured>,
    /// Targets and tokens since the last report.
    targets: u64,
    tokens: u64,
    /// True if a step was read since the last report.
    is_fresh: bool,
    told: Instant,
    lap: Instant,
}

/// At most ten reports a second.
const BETWEEN_REPORTS: Duration = Duration::from_millis(100);

impl Default for Meter {
    fn default() -> Self {
        let now = Instant::now();
        Self { waiting: Vec::new(), targets: 0, tokens: 0, is_fresh: false, told: now, lap: now }
    }
}

impl Meter {
    /// Takes a step in.
    pub fn push(&mut self, measured: Measured) {
        self.waiting.push(measured);
    }

    /// Starts the clock. Time that is not spent on steps does not count.
    pub fn restart(&mut self) {
        *self = Self { waiting: std::mem::take(&mut self.waiting), ..Self::default() };
    }

    fn is_due(&self) -> bool {
        self.told.elapsed() >= BETWEEN_REPORTS
    }

    fn reset(&mut self) {
        (self.targets, self.tokens, self.is_fresh) = (0, 0, false);
        self.told = Instant::now();
    }

    /// Seconds since the last lap.
    fn lap(&mut self) -> f64 {
        let now = Instant::now();
        now.duration_since(std::mem::replace(&mut self.lap, now)).as_secs_f64()
    }
}

impl Trainer<'_> {
    /// Reads the losses of the steps that wait, and reports them at most ten times a second.
    pub(super) fn report(&mut self, at_once: bool) -> Result<(), TrainError> {
        // On a GPU, reading a loss waits for all work before it: it is done only when there is
        // something to report, so that the GPU never idles.
        let is_due = at_once || self.meter.is_due();
        if self.place.device.is_cuda() && !is_due {
            return Ok(());
        }
        self.read_waiting()?;
        if is_due && self.meter.is_fresh {
            let values = self.step_values();
            self.meter.reset();
            self.journal.write(EventKind::Metrics { epoch: self.epoch(), values })?;
        }
        Ok(())
    }

    /// Reads the losses of the steps that wait.
    pub(super) fn read_waiting(&mut self) -> Result<(), TrainError> {
        for measured in std::mem::take(&mut self.meter.waiting) {
            self.read(&measured)?;
        }
        self.state.tally.seconds += self.meter.lap();
        self.journal.console.step(self.state.step);
        Ok(())
    }

    /// Counts a step.
    fn read(&mut self, measured: &Measured) -> Result<(), TrainError> {
        let (mut sum, mut right) = (0.0, 0);
        let (mut targets, mut tokens) = (0, 0);
        for pass in &measured.passes {
            sum += pass.loss.f_double_value(&[])?;
            right += pass.right.f_int64_value(&[])?;
            targets += pass.targets;
            tokens += pass.tokens;
        }
        let loss = self.objective.step_loss(sum, targets);
        if !loss.mean.is_finite() {
            let Measured { step, lr, .. } = *measured;
            return Err(TrainError::Diverged { loss: loss.mean, step, lr });
        }
        let tally = &mut self.state.tally;
        tally.rows += targets;
        tally.tokens += tokens;
        tally.right += right as u64;
        tally.loss += loss.sum;
        tally.step_losses += loss.mean;
        self.state.smooth.push(loss.mean);
        self.meter.targets += targets;
        self.meter.tokens += tokens;
        self.meter.is_fresh = true;
        Ok(())
    }

    /// What is known of the steps so far; throughput only if there were any since the last report.
    pub(super) fn step_values(&self) -> BTreeMap<String, Number> {
        let last = self.state.step.saturating_sub(1);
        let mut values = BTreeMap::from([
            (train::STEP_LOSS.to_owned(), Number(self.state.smooth.value())),
            (train::STEP_LR.to_owned(), Number(self.rates.lr(last))),
        ]);
        values.extend(group_rates(&self.rates, last));
        if self.meter.is_fresh {
            let seconds = self.meter.told.elapsed().as_secs_f64();
            let rate = |count: u64| Number(count as f64 / seconds.max(1e-9));
            values.insert(train::STEP_TOKENS_PER_S.to_owned(), rate(self.meter.tokens));
            if self.objective.has_examples() {
                values.insert(train::STEP_EXAMPLES_PER_S.to_owned(), rate(self.meter.targets));
            }
        }
        if let Some(bytes) = self.place.memory() {
            values.insert(train::STEP_MEMORY.to_owned(), Number(bytes as f64));
        }
        values
    }

    /// Epochs done, with a fraction.
    pub(super) fn epoch(&self) -> f64 {
        let steps_per_epoch = self.rates.total() as f64 / f64::from(self.spec.epochs);
        f64::from(self.state.epoch) + self.state.step_in_epoch as f64 / steps_per_epoch
    }
}

/// The learning rate of each group of weights at step `step`, where they differ.
fn group_rates(rates: &Rates, step: u64) -> Vec<(String, Number)> {
    let groups = if rates.differ() { 0..rates.groups() } else { 0..0 };
    let rate = |group| {
        let name = format!("train/step_lr/{}", rates.name(group));
        (name, Number(rates.of_group(step, group)))
    };
    groups.map(rate).collect()
}

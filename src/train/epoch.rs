//! One epoch of training.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use tch::{Kind as Format, Reduction, Tensor};
use tuneboard::events::{Kind, Level, Number};

use crate::batch;
use crate::error::TrainError;
use crate::model::{Inputs, Mode};
use crate::optim;
use crate::report;
use crate::rng::{Purpose, seed_torch};
use crate::session::{Flow, Session, halved, place_weights};
use crate::state::Tally;

impl Session<'_> {
    /// Trains until the end of the current epoch, or until a stop is asked for.
    ///
    /// # Errors
    /// A loss that is no number, too little memory, a full disk.
    pub fn train_epoch(&mut self) -> Result<Flow, TrainError> {
        if !self.freeze()? {
            return Ok(Flow::Stopped);
        }
        if self.state.step_in_epoch == 0 {
            self.forget();
        }
        let (size, seed) = (self.spec.batch_size as usize, self.spec.seed);
        let batches = batch::training(&self.data.train, &self.tokens, size, seed, self.state.epoch);
        self.meter.restart();
        let flow = self.train_on(&batches)?;
        self.optimizer.settle()?;
        self.report(true)?;
        Ok(flow)
    }

    fn train_on(&mut self, batches: &[Vec<u32>]) -> Result<Flow, TrainError> {
        let mode = Mode::training(self.place.kind);
        let steps = batches.chunks(self.spec.accumulate as usize);
        for batches in steps.skip(self.state.step_in_epoch as usize) {
            if self.stop_asked() {
                return Ok(Flow::Stopped);
            }
            self.step(batches, mode)?;
            self.report(false)?;
        }
        Ok(Flow::Finished)
    }

    /// One optimiser step on the gradient of all `batches` together.
    fn step(&mut self, batches: &[Vec<u32>], mode: Mode) -> Result<(), TrainError> {
        self.enter_stage()?;
        let lr = self.rates.lr(self.state.step);
        let (mut gradients, measured) = loop {
            match self.gradients(batches, lr, mode) {
                Err(e) if e.is_out_of_memory() && self.can_halve() => self.halve()?,
                done => break done?,
            }
        };
        let clip = self.spec.clip;
        let scale = if clip > 0.0 { optim::clip(&mut gradients, clip)? } else { 1.0 };
        self.optimizer.step(&gradients, scale, lr)?;
        self.state.step += 1;
        self.state.step_in_epoch += 1;
        self.journal.step = self.state.step;
        self.meter.waiting.push(measured);
        Ok(())
    }

    /// The gradients of all `batches` together, and what they gave on the way.
    fn gradients(
        &mut self,
        batches: &[Vec<u32>],
        lr: f64,
        mode: Mode,
    ) -> Result<(Vec<Tensor>, Measured), TrainError> {
        seed_torch(self.spec.seed, Purpose::Dropout, self.state.step);
        let total: f64 = batches.iter().flatten().map(|row| self.class_weight(*row)).sum();
        let mut gradients = Vec::new();
        let mut measured = Measured { step: self.state.step + 1, lr, ..Measured::default() };
        let halvings = self.state.halvings;
        for rows in batches.iter().flat_map(|batch| parts(batch, halvings)) {
            let (loss, right) = self.forward(rows, total, mode)?;
            optim::accumulate(&mut gradients, self.optimizer.gradients(&loss)?)?;
            measured.batches.push((loss.f_detach()?, right));
            measured.rows += rows.len() as u64;
            measured.tokens += rows.iter().map(|r| self.tokens.count(*r)).sum::<u64>();
        }
        Ok((gradients, measured))
    }

    fn can_halve(&self) -> bool {
        // Rows that follow each other would carry what rows beside each other do.
        self.spec.batch_size >> self.state.halvings > 1 && self.model.network.memory().is_none()
    }

    /// A pass over texts begins: nothing is carried into it.
    pub(crate) fn forget(&self) {
        if let Some(memory) = self.model.network.memory() {
            memory.put(Vec::new());
        }
    }

    /// Lets batches go through the network in twice as many parts from now on. Their gradients add up
    /// to the same step.
    fn halve(&mut self) -> Result<(), TrainError> {
        self.state.halvings += 1;
        let text = halved(self.spec.batch_size, self.state.halvings);
        self.journal.note(Level::Warning, text)
    }

    /// Class scores of some rows.
    pub(crate) fn logits(&self, rows: &[u32], mode: Mode) -> Result<Tensor, TrainError> {
        if let Some(vectors) = &self.vectors {
            return self.model.network.logits(&vectors.of(rows)?, mode);
        }
        self.model.network.forward(&self.inputs(rows)?, mode)
    }

    /// The same, for rows that are learnt from.
    fn logits_to_learn(&mut self, rows: &[u32], mode: Mode) -> Result<Tensor, TrainError> {
        if self.vectors.is_some() {
            return self.logits(rows, mode);
        }
        let mut inputs = self.inputs(rows)?;
        self.optimizer.prepare(&mut inputs)?;
        self.model.network.forward(&inputs, mode)
    }

    fn inputs(&self, rows: &[u32]) -> Result<Inputs, TrainError> {
        let (padding, device) = (self.model.padding, self.place.device);
        batch::collate(rows.iter().copied(), &self.tokens, padding, device)
    }

    /// The batch's share of the loss, and how many of its rows were right. The share is such that
    /// shares of all batches of a step add up to PyTorch's weighted, smoothed mean cross-entropy.
    fn forward(
        &mut self,
        rows: &[u32],
        total: f64,
        mode: Mode,
    ) -> Result<(Tensor, Tensor), TrainError> {
        let device = self.place.device;
        let labels = self.labels(rows)?;
        let logits = self.logits_to_learn(rows, mode)?;
        let weights = place_weights(self.class_weights.as_deref(), device)?;
        let smoothing = self.spec.label_smoothing;
        let loss = logits
            .f_cross_entropy_loss(&labels, weights.as_ref(), Reduction::Sum, -100, smoothing)?
            .f_div_scalar(total)?;
        let right = logits.f_argmax(-1, false)?.f_eq_tensor(&labels)?.f_sum(Format::Int64)?;
        Ok((loss, right))
    }

    fn class_weight(&self, row: u32) -> f64 {
        let weights = self.class_weights.as_ref();
        let weight = weights.and_then(|w| w.get(self.label(row) as usize));
        weights.map_or(1.0, |_| f64::from(weight.copied().unwrap_or(0.0)))
    }

    /// Reads the losses of the steps that wait, and tells of them at most ten times a second.
    fn report(&mut self, at_once: bool) -> Result<(), TrainError> {
        // On a GPU, reading a loss waits for all work before it: it is done only when there is
        // something to tell, so that the GPU never idles.
        let is_due = at_once || self.meter.is_due();
        if self.place.device.is_cuda() && !is_due {
            return Ok(());
        }
        for measured in std::mem::take(&mut self.meter.waiting) {
            let (mut loss, mut right) = (0.0, 0);
            for (batch_loss, batch_right) in &measured.batches {
                loss += batch_loss.f_double_value(&[])?;
                right += batch_right.f_int64_value(&[])?;
            }
            if !loss.is_finite() {
                return Err(TrainError::Diverged { loss, step: measured.step, lr: measured.lr });
            }
            let tally = &mut self.state.tally;
            tally.rows += measured.rows;
            tally.tokens += measured.tokens;
            tally.right += right as u64;
            tally.loss += loss * measured.rows as f64;
            tally.step_losses += loss;
            self.state.smooth.push(loss);
            self.meter.rows += measured.rows;
            self.meter.tokens += measured.tokens;
            self.meter.lr = measured.lr;
            self.meter.fresh = true;
        }
        self.state.tally.seconds += self.meter.lap();
        self.journal.console.step(self.state.step);
        if is_due && self.meter.fresh {
            self.tell_metrics()?;
        }
        Ok(())
    }

    fn tell_metrics(&mut self) -> Result<(), TrainError> {
        let seconds = self.meter.told.elapsed().as_secs_f64();
        let rate = |count: u64| Number(count as f64 / seconds.max(1e-9));
        let mut values = BTreeMap::from([
            ("train/step_loss".to_owned(), Number(self.state.smooth.value())),
            ("train/step_lr".to_owned(), Number(self.meter.lr)),
            ("train/step_examples_per_s".to_owned(), rate(self.meter.rows)),
            ("train/step_tokens_per_s".to_owned(), rate(self.meter.tokens)),
        ]);
        // The step that `step_lr` belongs to: the last one that was measured.
        values.extend(report::group_rates(&self.rates, self.state.step.saturating_sub(1)));
        if let Some(bytes) = self.place.memory() {
            values.insert("train/step_memory_bytes".to_owned(), Number(bytes as f64));
        }
        let steps_per_epoch = self.rates.total() as f64 / f64::from(self.spec.epochs);
        let epoch = f64::from(self.state.epoch) + self.state.step_in_epoch as f64 / steps_per_epoch;
        self.meter.reset();
        self.journal.write(Kind::Metrics { epoch, values })
    }
}

/// A batch in `2^halvings` parts of like size, or as many as it has rows.
pub fn parts(batch: &[u32], halvings: u32) -> impl Iterator<Item = &[u32]> {
    batch.chunks(batch.len().div_ceil(1 << halvings).max(1))
}

/// What one optimiser step gave, as long as nobody has looked at it.
#[derive(Default)]
struct Measured {
    step: u64,
    lr: f64,
    rows: u64,
    tokens: u64,
    /// Loss share and right rows of each batch; reading them waits for the device.
    batches: Vec<(Tensor, Tensor)>,
}

/// Counts between two reports.
pub struct Meter {
    waiting: Vec<Measured>,
    rows: u64,
    tokens: u64,
    lr: f64,
    fresh: bool,
    told: Instant,
    lap: Instant,
}

/// At most ten reports a second.
const BETWEEN_REPORTS: Duration = Duration::from_millis(100);

impl Default for Meter {
    fn default() -> Self {
        let now = Instant::now();
        Self { waiting: Vec::new(), rows: 0, tokens: 0, lr: 0.0, fresh: false, told: now, lap: now }
    }
}

impl Meter {
    /// Time that was not spent on steps does not count.
    fn restart(&mut self) {
        *self = Self { waiting: std::mem::take(&mut self.waiting), ..Self::default() };
    }

    fn is_due(&self) -> bool {
        self.told.elapsed() >= BETWEEN_REPORTS
    }

    fn reset(&mut self) {
        (self.rows, self.tokens, self.fresh, self.told) = (0, 0, false, Instant::now());
    }

    /// Seconds since the last lap.
    fn lap(&mut self) -> f64 {
        let now = Instant::now();
        now.duration_since(std::mem::replace(&mut self.lap, now)).as_secs_f64()
    }
}

impl Tally {
    /// The train figures of an epoch: means over its own training passes, and throughput.
    pub fn values(&self) -> BTreeMap<String, Number> {
        let rows = self.rows as f64;
        BTreeMap::from([
            ("loss".to_owned(), Number(self.loss / rows)),
            ("acc".to_owned(), Number(self.right as f64 / rows)),
            ("examples_per_s".to_owned(), Number(rows / self.seconds)),
            ("tokens_per_s".to_owned(), Number(self.tokens as f64 / self.seconds)),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halved_batches_keep_every_row() {
        let batch: Vec<u32> = (0..7).collect();
        let sizes = |halvings| parts(&batch, halvings).map(<[u32]>::len).collect::<Vec<_>>();
        assert_eq!(sizes(0), [7]);
        assert_eq!(sizes(1), [4, 3]);
        assert_eq!(sizes(2), [2, 2, 2, 1]);
        assert_eq!(sizes(9), [1; 7]);
        assert_eq!(parts(&batch, 2).flatten().copied().collect::<Vec<_>>(), batch);
        assert_eq!(parts(&[], 1).count(), 0);
    }
}

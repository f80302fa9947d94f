//! Tables of which a step reads few rows, such as word embeddings.
//!
//! AdamW moves every row at every step: by its decay, and along what is left of older gradients. A row
//! that no step reads can wait: before it is next read, the steps that it missed are done in one go,
//! with the same arithmetic as in time.

use tch::Tensor;

use super::Slot;
use crate::error::TrainError;
use crate::native::{AdamStep, AdamTable, IdleStep};

/// So many steps are remembered before all rows catch up.
const MOST: usize = 4096;

/// How far the rows of one table have come.
pub struct Rows {
    /// Of each row: how many of `steps` it has done.
    done: Vec<i64>,
    /// Since all rows were last level.
    steps: Vec<IdleStep>,
}

impl Rows {
    /// All rows of a `[rows, width]` table are level.
    pub fn level(table: &Tensor) -> Self {
        let rows = table.size().first().map_or(0, |rows| *rows as usize);
        Self { done: vec![0; rows], steps: Vec::new() }
    }

    /// Does the steps that the rows `ids` have missed.
    ///
    /// # Errors
    /// What libtorch reports.
    pub fn catch_up(&mut self, table: AdamTable, mut ids: Vec<i64>) -> Result<(), TrainError> {
        let now = self.steps.len() as i64;
        ids.sort_unstable();
        ids.dedup();
        let behind = ids.into_iter().filter_map(|id| {
            let done = self.done.get(id as usize).copied()?;
            (done < now).then_some((id, done))
        });
        let (ids, done): (Vec<i64>, Vec<i64>) = behind.unzip();
        table.idle(&ids, &done, &self.steps)?;
        self.reached(&ids);
        Ok(())
    }

    /// Does all that any row has missed.
    ///
    /// # Errors
    /// What libtorch reports.
    pub fn settle(&mut self, table: AdamTable) -> Result<(), TrainError> {
        if !self.steps.is_empty() {
            self.catch_up(table, (0..self.done.len() as i64).collect())?;
            self.steps.clear();
            self.done.fill(0);
        }
        Ok(())
    }

    /// A step of the rows `ids`, which are not behind, along `gradient`; all others put it off.
    ///
    /// # Errors
    /// What libtorch reports.
    pub fn step(
        &mut self,
        table: AdamTable,
        ids: &[i64],
        gradient: &Tensor,
        lr: f64,
        step: AdamStep,
    ) -> Result<(), TrainError> {
        table.step(ids, gradient, lr, &step)?;
        self.steps.push(IdleStep { lr, step });
        self.reached(ids);
        Ok(())
    }

    /// True once it is time for all rows to catch up.
    pub fn is_full(&self) -> bool {
        self.steps.len() >= MOST
    }

    fn reached(&mut self, ids: &[i64]) {
        let now = self.steps.len() as i64;
        for id in ids {
            if let Some(done) = self.done.get_mut(*id as usize) {
                *done = now;
            }
        }
    }
}

impl Slot {
    /// The table that it is and how far its rows have come, if some may lag.
    pub(super) fn lagging(&mut self) -> Option<(AdamTable<'_>, &mut Rows)> {
        let rows = self.rows.as_mut()?;
        let (mean, square) = self.moments.as_ref()?;
        Some((AdamTable::new([&self.weight, mean, square], self.decay)?, rows))
    }

    /// A step along the gradient of some rows; all others put it off.
    ///
    /// # Errors
    /// What libtorch reports.
    pub(super) fn step_rows(
        &mut self,
        gradient: &Tensor,
        lr: f64,
        step: AdamStep,
    ) -> Result<(), TrainError> {
        let lr = lr * self.factor;
        self.rows.get_or_insert_with(|| Rows::level(&self.weight));
        let Some((table, rows)) = self.lagging() else {
            return Err(TrainError::Failed(format!("{} takes no gradients by row.", self.name)));
        };
        let ids: Vec<i64> = Vec::try_from(gradient.f_internal_indices()?.f_view([-1])?)?;
        rows.step(table, &ids, &gradient.f_internal_values()?, lr, step)?;
        if rows.is_full() { self.settle() } else { Ok(()) }
    }

    /// Does all that any row has missed.
    ///
    /// # Errors
    /// What libtorch reports.
    pub(super) fn settle(&mut self) -> Result<(), TrainError> {
        self.lagging().map_or(Ok(()), |(table, rows)| rows.settle(table))
    }
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind};
    use tuneboard::spec::RunSpec;

    use super::*;
    use crate::model::{Builder, Fresh, Inputs};
    use crate::optim::{self, Optimizer};
    use crate::rng;

    const WORDS: i64 = 50;

    /// A table that learns, and its optimiser.
    fn table(start: &Tensor) -> (Tensor, Optimizer) {
        let mut builder = Builder::new(None, "", 1.0, (Device::Cpu, Kind::Float));
        let table = builder.encoder("words", &[WORDS, 24], Fresh::Normal, 0).unwrap();
        tch::no_grad(|| table.shallow_clone().copy_(start));
        let spec = RunSpec { weight_decay: 0.1, ..RunSpec::default() };
        (table, Optimizer::new(&spec, &builder.parameters, 2).unwrap())
    }

    fn ids(from: i64, count: i64) -> Inputs {
        let ids: Vec<i64> = (0..count).map(|i| (from * 7 + i * i * from) % WORDS).collect();
        let ids = Tensor::from_slice(&ids).view([1, count]);
        Inputs { ids, mask: None, segments: None, positions: None, by_row: false, unpadded: None }
    }

    /// Steps 1 to `last`, each with two batches; gives the losses.
    fn learn(table: &Tensor, optimizer: &mut Optimizer, last: i64, by_row: bool) -> Vec<f64> {
        let mut losses = Vec::new();
        for step in 1..=last {
            let mut gradients = Vec::new();
            for part in 0..2 {
                let mut inputs = ids(step + 5 * part, 9);
                if by_row {
                    optimizer.prepare(&mut inputs).unwrap();
                }
                let read = Tensor::embedding(table, &inputs.ids, -1, false, inputs.by_row);
                let loss = (read.square() * (step as f64 / 3.0)).sin().sum(Kind::Float);
                losses.push(loss.double_value(&[]));
                let more = optimizer.gradients(&loss).unwrap();
                assert_eq!(more[0].is_sparse(), by_row);
                optim::accumulate(&mut gradients, more).unwrap();
            }
            optimizer.step(&gradients, 0.5, 0.01 * step as f64).unwrap();
        }
        losses
    }

    #[test]
    fn rows_that_catch_up_are_where_rows_in_time_are() {
        let _alone = rng::alone();
        let start = Tensor::randn([WORDS, 24], (Kind::Float, Device::Cpu));
        let ((late, mut lagging), (whole, mut dense)) = (table(&start), table(&start));
        assert_eq!(learn(&late, &mut lagging, 40, true), learn(&whole, &mut dense, 40, false));
        assert_ne!(late, whole);
        lagging.settle().unwrap();
        assert_eq!(late, whole);
        for ((name, late), (_, whole)) in lagging.state().iter().zip(dense.state()) {
            assert_eq!(*late, whole, "{name}");
        }
        assert_eq!(learn(&late, &mut lagging, 2, true), learn(&whole, &mut dense, 2, false));
        // Gradients of all rows may follow.
        lagging.settle().unwrap();
        assert_eq!(learn(&late, &mut lagging, 2, false), learn(&whole, &mut dense, 2, false));
    }
}

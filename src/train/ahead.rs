//! Batches that are made while the device computes.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use tch::Device;

use crate::batch::collate;
use crate::error::TrainError;
use crate::model::{Inputs, Padding};
use crate::tokenize::Tokens;

/// A thread that makes the batch that comes next. Where it was mistaken, or is gone, the batch is made on the spot.
pub struct Ahead {
    tokens: Arc<Tokens>,
    padding: Padding,
    device: Device,
    wishes: Sender<Vec<u32>>,
    made: Receiver<Result<Inputs, TrainError>>,
    /// The rows of the batch that is being made.
    pending: RefCell<Option<Vec<u32>>>,
}

impl Ahead {
    /// Of rows of `tokens`.
    pub fn new(tokens: Arc<Tokens>, padding: Padding, device: Device) -> Self {
        let ((wishes, wished), (give, made)) = (channel::<Vec<u32>>(), channel());
        let theirs = Arc::clone(&tokens);
        // Where no thread can be had, `wishes` finds no one to hear them.
        let _ = thread::Builder::new().name("batches".into()).spawn(move || {
            for rows in wished {
                let inputs = collate(rows.iter().copied(), &theirs, padding, device);
                if give.send(inputs).is_err() {
                    return;
                }
            }
        });
        Self { tokens, padding, device, wishes, made, pending: RefCell::default() }
    }

    /// The batch of `rows`, as [`collate`] makes it; `next` is expected to be asked for after it.
    ///
    /// # Errors
    /// What libtorch reports.
    pub fn take(&self, rows: &[u32], next: Option<&[u32]>) -> Result<Inputs, TrainError> {
        let pending = self.pending.take();
        let made = pending.as_ref().and_then(|_| self.made.recv().ok());
        let made = made.filter(|_| pending.as_deref() == Some(rows));
        if let Some(next) = next.map(<[u32]>::to_vec)
            && self.wishes.send(next.clone()).is_ok()
        {
            self.pending.replace(Some(next));
        }
        made.unwrap_or_else(|| {
            collate(rows.iter().copied(), &self.tokens, self.padding, self.device)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Side;

    #[test]
    fn batches_are_what_they_are_without_it_in_any_order() {
        let mut tokens = Tokens::default();
        for row in 0..12_u32 {
            tokens.push(&(0..=row % 5).map(|at| 10 * row + at).collect::<Vec<_>>());
        }
        let (tokens, padding) =
            (Arc::new(tokens), Padding { id: 9, side: Side::Right, length: None });
        let ahead = Ahead::new(Arc::clone(&tokens), padding, Device::Cpu);
        let batches: [&[u32]; 4] = [&[0, 4, 5], &[7], &[11, 2], &[3, 1, 8, 9]];
        // Also where another comes than was expected, and where nothing was.
        let asked = [(0, Some(1)), (1, Some(2)), (3, None), (2, Some(0)), (2, Some(3)), (3, None)];
        for (now, next) in asked {
            let rows = batches[now];
            let got = ahead.take(rows, next.map(|next: usize| batches[next])).unwrap();
            let want = collate(rows.iter().copied(), &tokens, padding, Device::Cpu).unwrap();
            assert_eq!(got.ids, want.ids);
            assert_eq!(got.mask, want.mask);
        }
        ahead.take(batches[0], Some(batches[1])).unwrap();
        drop(ahead);
    }
}

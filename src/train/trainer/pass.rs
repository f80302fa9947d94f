use std::cell::RefCell;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tuneboard::events::{EventKind, Split};

use super::Trainer;
use crate::error::TrainError;
use crate::journal::Journal;
use crate::objective::Stop;
use crate::outcome::Outcome;

/// A pass that is shorter is not worth a line.
const BETWEEN_LINES: Duration = Duration::from_secs(1);

/// Reports how far a pass is, at most once a second; the pass over the test rows from its start on, because
/// it is the last thing that a run does and belongs to no epoch.
struct Teller<'j> {
    journal: &'j mut Journal,
    split: Split,
    due: Instant,
    written: Result<(), TrainError>,
}

impl Teller<'_> {
    fn tell(&mut self, done: usize, rows: usize) {
        let now = Instant::now();
        if now < self.due || self.written.is_err() {
            return;
        }
        self.due = now + BETWEEN_LINES;
        let (split, done, rows) = (self.split, done as u64, rows as u64);
        self.written = self.journal.write(EventKind::Evaluating { split, done, rows });
    }
}

impl Trainer<'_> {
    /// One pass over a split, or over `most` rows of it; `None` if a stop was asked for first.
    pub(super) fn evaluate(
        &mut self,
        split: Split,
        most: Option<u64>,
    ) -> Result<Option<Outcome>, TrainError> {
        let stop = self.stop;
        let now = Instant::now();
        let due = if split == Split::Test { now } else { now + BETWEEN_LINES };
        let teller =
            RefCell::new(Teller { journal: &mut *self.journal, split, due, written: Ok(()) });
        let tell = |done, rows| teller.borrow_mut().tell(done, rows);
        let asked = || stop.load(Ordering::Relaxed);
        let outcome = self.objective.evaluate(split, most, &Stop::new(&asked).telling(&tell));
        teller.into_inner().written?;
        if split == Split::Val {
            self.state.tally.evaluating += now.elapsed().as_secs_f64();
        }
        outcome
    }
}

//! Where a run's time goes.

use super::{Millis, Run, Split};
use crate::spec::RunState;

impl Run {
    /// Milliseconds between its first event and its last in which it held no device: it was stopped, queued
    /// again or gone.
    pub fn stood_still(&self) -> Option<Millis> {
        let span = self.last_event? - self.started?;
        Some(span - self.device_time?).filter(|ms| *ms >= 1000)
    }

    /// How much of the test rows it has been judged by, from 0 to 1, while it does nothing else any more.
    pub fn testing(&self) -> Option<f64> {
        let pass = self.pass.filter(|pass| pass.split == Split::Test);
        pass.filter(|_| self.state == RunState::Running).map(|pass| pass.share)
    }
}

//! Which runs a command can change, by their state and by what is asked of them.

use crate::spec::{Desired, Outcome, RunState};
use crate::store::Run;

/// It has not ended.
pub fn stop(run: &Run) -> bool {
    run.state.outcome().is_none()
}

/// It has not ended, and nothing else is asked of it.
pub fn hold(run: &Run) -> bool {
    run.state.outcome().is_none() && run.desired == Desired::Run
}

/// It waits in the queue.
pub fn wait(run: &Run) -> bool {
    run.state == RunState::Queued
}

/// It waits because it was told to.
pub fn go_on(run: &Run) -> bool {
    run.state.outcome().is_none() && run.desired != Desired::Run
}

/// It ended before its end.
pub fn resume(run: &Run) -> bool {
    run.state.outcome().is_some_and(Outcome::is_resumable)
}

use crate::runner::exit::Exit;
use crate::spec::{Outcome, RunId};
use crate::store::{Millis, SiteState};

use super::job::HostInfo;

/// What a site's threads tell the runner.
#[derive(Debug)]
pub(in crate::runner) enum Update {
    /// What the host is and has.
    Info(HostInfo),
    /// Whether it answers, when it last did, and why it does not.
    State(SiteState, Option<Millis>, String),
    /// What lists say of a run beside its state; empty = nothing any more.
    Status(RunId, String),
    /// The run has left its slot; its results are being fetched.
    Freed(RunId),
    /// The run has ended there, and all that is to be fetched is here.
    Ended(RunId, Exit),
    /// The run is over, and not for its trainer to say how: it cannot be started there, or does not end.
    Over(RunId, Outcome),
    /// The scheduler has started it again by itself, so often.
    Restarts(RunId, u32),
    /// A line for the runner's log.
    Note(String),
}

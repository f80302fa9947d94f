use crate::runner::exit::Exit;
use crate::spec::RunId;
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
    /// The run cannot be started there, and why.
    Refused(RunId, String),
    /// The scheduler has started it again by itself, so often.
    Restarts(RunId, u32),
    /// A line for the runner's log.
    Note(String),
}

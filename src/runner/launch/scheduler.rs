//! Who starts and ends jobs on a host.

mod heartbeat;
pub(super) mod process;
pub(super) mod slurm;

use std::fmt::Debug;

use crate::board::{Board, Site};
use crate::runner::slots::Slot;

use super::call::CallError;
use super::host::{Host, Script};
use super::job::{HostInfo, JobStatus, ReadyJob, SubmitAnswer, Watch};

/// Who starts and ends jobs on a host. Every call blocks, and ends in bounded time.
pub(super) trait Scheduler: Debug + Send {
    /// What the host is and has.
    fn info(&mut self) -> Result<HostInfo, CallError>;
    /// Starts jobs, one answer for each. The same ticket is never started twice, so that a call whose
    /// answer was lost can be repeated.
    fn submit(&mut self, jobs: &[ReadyJob]) -> Result<Vec<SubmitAnswer>, CallError>;
    /// How many jobs one submission takes.
    fn batch_size(&self) -> usize;
    /// True if jobs that are ready at nearly the same time should go in one submission.
    fn gathers(&self) -> bool;
    /// Looks at all jobs in one call: passes signals on, brings states and new bytes.
    fn poll(&mut self, watches: &[Watch]) -> Result<Vec<JobStatus>, CallError>;
}

/// What is known of a scheduler before any host was asked: its row in [`super::kinds`].
#[derive(Debug)]
pub(in crate::runner) struct SchedulerKind {
    /// Its part of the script.
    pub(super) script: Script,
    /// The tools that a host must have.
    pub(super) tools: &'static [&'static str],
    /// Where jobs wait in a queue of its own; `None` if they run on devices of the host that we fill.
    pub queue: Option<Queue>,
    /// Makes one for a site.
    pub(super) open: fn(Board, Host, &Site) -> Box<dyn Scheduler>,
}

/// The slots of a site whose jobs wait in a queue of its own. They are no devices.
#[derive(Debug)]
pub(in crate::runner) struct Queue {
    /// All of them, as the config has them.
    pub slots: fn(&Site) -> Vec<Slot>,
    /// What such a slot is called for people.
    pub label: fn(&Site) -> String,
}

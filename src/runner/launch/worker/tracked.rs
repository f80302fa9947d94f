use std::time::Instant;

use crate::runner::exit::Exit;
use crate::runner::launch::job::{Job, ReadyJob};
use crate::runner::launch::transfer::Transfer;

/// A job counts as lost after so many polls in a row without it. A scheduler's word for it arrives before
/// an exit code that has to cross a shared disk, so it is checked more often.
const LOST: u32 = 2;
const LOST_BY_SCHEDULER: u32 = 10;

/// Where a job is on its way.
#[derive(Debug)]
pub(super) enum Stage {
    /// Its inputs are being copied.
    Copying,
    /// They are there.
    Ready(Box<ReadyJob>),
    /// It was submitted.
    Submitted,
    /// It has ended so, and its results are being fetched.
    Fetching(Exit),
}

/// A job that the worker looks after.
#[derive(Debug)]
pub(super) struct Tracked {
    /// As it was submitted.
    pub(super) job: Job,
    /// Where it is.
    pub(super) stage: Stage,
    /// Since when it is at this stage.
    pub(super) since: Instant,
    /// True once it may have been submitted.
    pub(super) tried: bool,
    /// True once it is to end.
    pub(super) end: bool,
    /// When the host was first asked to end it.
    pub(super) asked: Option<Instant>,
    /// In how many polls in a row it was lost.
    pub(super) lost: u32,
    /// How often the scheduler has started it again by itself.
    pub(super) restarts: u32,
    /// What lists say of it.
    pub(super) status: String,
    /// How often a transfer failed for a reason that is not the connection.
    pub(super) failures: u32,
    /// Not to be submitted before.
    pub(super) not_before: Option<Instant>,
    /// A transfer to be tried again when the host is back.
    pub(super) retry: Option<Box<Transfer>>,
}

impl Tracked {
    /// A job whose inputs are being copied.
    pub(super) fn new(job: Job) -> Self {
        Self {
            job,
            stage: Stage::Copying,
            since: Instant::now(),
            tried: false,
            end: false,
            asked: None,
            lost: 0,
            restarts: 0,
            status: String::new(),
            failures: 0,
            not_before: None,
            retry: None,
        }
    }

    /// Goes on to another stage.
    pub(super) fn enter(&mut self, stage: Stage) {
        (self.stage, self.since) = (stage, Instant::now());
    }

    /// True once the job has been lost long enough. `why` is the scheduler's word for it, if it has one.
    pub(super) fn is_gone(&self, why: &str) -> bool {
        let by_scheduler = !why.is_empty() && !self.end;
        self.lost >= if by_scheduler { LOST_BY_SCHEDULER } else { LOST }
    }

    /// True if it is to be submitted now.
    pub(super) fn is_due(&self) -> bool {
        let later = self.not_before.is_some_and(|time| Instant::now() < time);
        matches!(self.stage, Stage::Ready(_)) && !later
    }
}

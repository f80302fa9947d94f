use std::time::Instant;

use crate::runner::launch::freight::Cargo;
use crate::runner::launch::job::{Job, Ready};
use crate::runner::live::Exit;

/// A job is lost when it was seen so so often in a row; of one whose exit code has to cross a shared disk
/// it takes longer to be sure.
const LOST: (u32, u32) = (2, 10);

/// Where a job is on its way.
#[derive(Debug)]
pub(super) enum Stage {
    /// Its inputs are being brought there.
    Packing,
    /// They are there.
    Ready(Box<Ready>),
    /// It was submitted.
    Submitted,
    /// It has ended so, and its results are on their way.
    Fetching(Exit),
}

/// A job on its way.
#[derive(Debug)]
pub(super) struct Tracked {
    /// As it was submitted.
    pub(super) job: Job,
    /// Where it is.
    pub(super) stage: Stage,
    /// True once it may have been submitted.
    pub(super) tried: bool,
    /// True once it is to end.
    pub(super) end: bool,
    /// When the host was first told so.
    pub(super) told: Option<Instant>,
    /// Since when it is at this stage.
    pub(super) since: Instant,
    /// How often in a row it was seen lost.
    pub(super) lost: u32,
    /// How often the cluster has started it again by itself.
    pub(super) restarts: u32,
    /// What was last said of it.
    pub(super) remark: String,
    /// How often its results could not be fetched for a reason that is not the connection.
    pub(super) vain: u32,
    /// Not to be submitted before.
    pub(super) not_before: Option<Instant>,
    /// Cargo that is tried again when the host is back.
    pub(super) again: Option<Box<Cargo>>,
}

impl Tracked {
    /// A job whose inputs are on their way.
    pub(super) fn new(job: Job) -> Self {
        Self {
            job,
            stage: Stage::Packing,
            tried: false,
            end: false,
            told: None,
            since: Instant::now(),
            lost: 0,
            restarts: 0,
            remark: String::new(),
            vain: 0,
            not_before: None,
            again: None,
        }
    }

    /// Goes on to another stage.
    pub(super) fn enter(&mut self, stage: Stage) {
        (self.stage, self.since) = (stage, Instant::now());
    }

    /// True if it has been seen lost often enough.
    pub(super) fn is_gone(&self, why: &str) -> bool {
        let far = !why.is_empty() && !self.end;
        self.lost >= if far { LOST.1 } else { LOST.0 }
    }

    /// True if it is to be submitted now.
    pub(super) fn is_due(&self) -> bool {
        let later = self.not_before.is_some_and(|time| Instant::now() < time);
        matches!(self.stage, Stage::Ready(_)) && !later
    }
}

//! What a host is told of a run, and what it answers.

use std::collections::BTreeMap;
use std::fmt;

use crate::runner::exit::Exit;
use crate::spec::{Placement, RunId, RunSpec};
use crate::store::Millis;

use super::inputs::Input;

/// One attempt of one run, to be started or found again.
#[derive(Debug, Clone)]
pub(in crate::runner) struct Job {
    /// Its run.
    pub id: RunId,
    /// Its folder there: the same for all attempts of this run, and no other run's on any board.
    pub name: String,
    /// Names this attempt. Submitting the same ticket twice submits it once.
    pub ticket: String,
    /// 1 for the first, which clears what earlier ones left.
    pub attempt: u32,
    /// True if this runner has made the ticket: nobody can have submitted it before.
    pub new: bool,
    /// Its slot.
    pub placement: Placement,
    /// As queued.
    pub spec: RunSpec,
}

/// A job that can be submitted: its inputs lie there.
#[derive(Debug, Clone)]
pub(super) struct ReadyJob {
    /// Which.
    pub job: Job,
    /// Its spec as it is read there.
    pub spec: RunSpec,
    /// What it reads.
    pub inputs: Vec<Input>,
    /// The trainer that the config names; empty = the host's own choice.
    pub trainer: String,
}

/// What a host answers to a submission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum SubmitAnswer {
    /// It runs, or has run, under this ticket.
    Started,
    /// These contents are not there (any more).
    Missing(Vec<String>),
    /// Not now, and why.
    Later(String),
    /// It will not do, and why.
    Refused(String),
}

/// A job that is polled.
#[derive(Debug, Clone)]
pub(super) struct Watch {
    /// Its run.
    pub id: RunId,
    /// Its folder there.
    pub name: String,
    /// This attempt.
    pub ticket: String,
    /// Bytes of events that are here.
    pub events: u64,
    /// Bytes of log that are here.
    pub log: u64,
    /// `-`, `TERM` or `KILL`.
    pub signal: &'static str,
}

/// What a job is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum JobState {
    /// It never heard of this ticket.
    Unknown,
    /// Submitted; no process has been seen yet.
    Starting,
    /// With a scheduler of its own, under this number; that one's queue says what it does there.
    Away(String),
    /// It waits for its turn, and why.
    Waiting(String),
    /// At work.
    Alive,
    /// Said to be at work, but without a heartbeat since then.
    Silent(Millis),
    /// The host wrote down how it ended.
    Ended(Exit),
    /// Its process is gone and nobody wrote down how it ended; the scheduler's word for it, if it has one.
    Lost(String),
}

/// What one poll finds of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct JobStatus {
    /// What it is doing.
    pub state: JobState,
    /// Bytes of events and log that the host has.
    pub sizes: (u64, u64),
    /// New bytes of events, from where the watch said.
    pub events: Vec<u8>,
    /// New bytes of the log.
    pub log: Vec<u8>,
    /// How often the scheduler has started it again by itself.
    pub restarts: u32,
    /// Its last heartbeat, where it has any.
    pub beat: Option<Heartbeat>,
}

/// A heartbeat that a job leaves on the shared disk, another one every ten seconds. Only its change means
/// something; no clock is compared with another.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Heartbeat {
    /// Of which start by the scheduler, 0 for the first.
    pub restart: u32,
    /// Counts from 1; 0 until the trainer has been started.
    pub count: u64,
}

impl Heartbeat {
    /// From `RESTART.COUNT`.
    pub fn parse(text: &str) -> Option<Self> {
        let (restart, count) = text.split_once('.')?;
        Some(Self { restart: restart.parse().ok()?, count: count.parse().ok()? })
    }
}

impl fmt::Display for Heartbeat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.restart, self.count)
    }
}

/// A device of a host.
#[derive(Debug, Clone, Default, PartialEq)]
pub(in crate::runner) struct Device {
    /// For people.
    pub name: String,
    /// Bytes in use and in all.
    pub memory: Option<(u64, u64)>,
    /// Percent of time busy.
    pub busy: Option<f32>,
    /// Degrees Celsius.
    pub temperature: Option<u32>,
}

/// What a host is and has.
#[derive(Debug, Clone, Default, PartialEq)]
pub(in crate::runner) struct HostInfo {
    /// Facts by name, as the script gives them; cleaned.
    pub facts: BTreeMap<String, String>,
    /// Tools that were found.
    pub tools: Vec<String>,
    /// Its GPUs, in order.
    pub gpus: Vec<Device>,
}

impl HostInfo {
    /// One fact; empty if it is not known.
    pub fn fact(&self, name: &str) -> &str {
        self.facts.get(name).map_or("", String::as_str)
    }

    /// A fact that is a number.
    pub fn number(&self, name: &str) -> Option<u64> {
        self.fact(name).parse().ok()
    }
}

//! How bytes and commands get to a machine.

pub(super) mod local;
mod sessions;
pub(super) mod ssh;

use std::fmt::Debug;
use std::fs::File;
use std::process::Command;

use super::call::{CallError, Timeouts};

/// How bytes and commands get to a machine. It knows nothing of jobs.
pub(super) trait Transport: Debug + Send + Sync {
    /// Waits for the right to make a call that takes as long as `timeouts` say.
    ///
    /// # Errors
    /// There is no connection, or too many calls are under way.
    fn session(&self, timeouts: Timeouts) -> Result<Session, CallError>;
    /// The program that has a shell of that machine run `line`. Its standard streams are that
    /// command's; its exit code is that command's, or 255 if the connection broke.
    fn command(&self, line: &str) -> Command;
    /// Drops what is kept from call to call, after one that was not answered.
    fn reset(&self) {}
}

/// The right to make one call. Dropping it, or dying, gives it back.
#[derive(Debug, Default)]
pub(super) struct Session {
    /// The lock that stands for it, where calls are counted.
    _lock: Option<File>,
}

impl Session {
    /// A session that lasts as long as this lock is held.
    fn locked(lock: File) -> Self {
        Self { _lock: Some(lock) }
    }
}

//! At most so many ssh sessions to one host at a time, whatever sites, boards and commands want to go there.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use super::Session;
use crate::runner::launch::call::{CallError, Timeouts};
use crate::runner::launch::inputs::hex;

/// Sessions to a host; its sshd takes ten (`MaxSessions`).
const SESSIONS: usize = 8;
/// Of them, for copies: what takes hours must not keep questions waiting.
const COPIES: usize = 5;

/// The limit of one host: a lock file per session, in a folder of the user's own.
#[derive(Debug, Clone)]
pub(super) struct SessionLimit {
    folder: PathBuf,
    name: String,
}

impl SessionLimit {
    /// The limit of a machine, by whatever name it is called.
    pub(super) fn of(folder: &Path, machine: &str) -> Self {
        Self { folder: folder.to_path_buf(), name: hex(&Sha256::digest(machine.as_bytes())) }
    }

    /// The right to make the one connection that all sessions share; `None` if somebody else has made it,
    /// or tried, meanwhile. If many connect at once, each gets a connection, and sshd turns some of them
    /// away.
    pub(super) fn turn(&self) -> Result<Option<Session>, CallError> {
        let start = Instant::now();
        let path = self.folder.join(format!("{}.dial", self.name));
        let mut first = true;
        loop {
            if let Some(session) = hold(&path)? {
                return Ok(first.then_some(session));
            }
            if start.elapsed() > Timeouts::QUESTION.silent {
                return Ok(None);
            }
            first = false;
            thread::sleep(Duration::from_millis(15));
        }
    }

    /// Waits for a free session.
    ///
    /// # Errors
    /// None came free in time, or there are no locks here.
    pub(super) fn enter(&self, timeouts: Timeouts) -> Result<Session, CallError> {
        let start = Instant::now();
        let places = if timeouts.is_for_copies() { COPIES } else { SESSIONS };
        loop {
            for place in 0..places {
                // Questions begin at the end that copies cannot take.
                let place = if timeouts.is_for_copies() { place } else { SESSIONS - 1 - place };
                let path = self.folder.join(format!("{}.{place}", self.name));
                if let Some(session) = hold(&path)? {
                    return Ok(session);
                }
            }
            if start.elapsed() > timeouts.whole {
                let why = format!("All {SESSIONS} sessions to it are in use.");
                return Err(CallError::Local(why));
            }
            thread::sleep(Duration::from_millis(15));
        }
    }
}

/// Locks a file; `None` if somebody else has.
fn hold(path: &Path) -> Result<Option<Session>, CallError> {
    let wrong = |e| CallError::Local(format!("{}: {e}.", path.display()));
    let file = OpenOptions::new().create(true).append(true).open(path).map_err(wrong)?;
    match File::try_lock(&file) {
        Ok(()) => Ok(Some(Session::locked(file))),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(e)) => Err(wrong(e)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timeouts =
        Timeouts { silent: Duration::from_millis(50), whole: Duration::from_millis(50) };

    #[test]
    fn a_host_is_entered_eight_times_and_copies_leave_room_for_questions() {
        let dir = tempfile::tempdir().unwrap();
        let limit = SessionLimit::of(dir.path(), "box:22");
        let copies = Timeouts { whole: Duration::from_millis(50), ..Timeouts::COPY };
        let mut held: Vec<Session> = (0..COPIES).map(|_| limit.enter(copies).unwrap()).collect();
        assert!(limit.enter(copies).is_err());
        // Another process, or another site that names the same machine.
        let same = SessionLimit::of(dir.path(), "box:22");
        held.extend((COPIES..SESSIONS).map(|_| same.enter(NOW).unwrap()));
        let full = CallError::Local("All 8 sessions to it are in use.".into());
        assert_eq!(same.enter(NOW).unwrap_err(), full);
        assert!(SessionLimit::of(dir.path(), "box:2222").enter(NOW).is_ok());
        held.pop();
        assert!(limit.enter(NOW).is_ok());
    }
}

//! Locks that end with the process that holds them, however it ends.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use super::process::identify;

/// The right to be the one runner of a board. Dropping it, or dying, gives it back.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

/// A client that looks whether a runner is there holds the lock for some microseconds; a runner that
/// starts at that moment must not take it for another runner.
const PATIENCE: Duration = Duration::from_secs(1);

impl Lock {
    /// Takes the lock, or `None` if another runner has it.
    ///
    /// # Errors
    /// The file cannot be made, or the file system has no locks.
    pub(super) fn take(path: &Path) -> io::Result<Option<Self>> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match try_lock(path)? {
                Some(mut file) => {
                    // For whoever finds the lock held and asks whether its holder lives.
                    file.set_len(0)?;
                    write!(file, "{}", std::process::id())?;
                    return Ok(Some(Self { _file: file }));
                }
                None if Instant::now() >= deadline => return Ok(None),
                None => thread::sleep(Duration::from_millis(10)),
            }
        }
    }

    /// True if a living runner has it. A killed one lets go of it only when its last thread is gone,
    /// and another client may be looking: both are over soon, and are waited for.
    ///
    /// # Errors
    /// As [`Lock::take`].
    pub(super) fn is_held(path: &Path) -> io::Result<bool> {
        let deadline = Instant::now() + PATIENCE;
        while try_lock(path)?.is_none() {
            let holder = fs::read_to_string(path)?.parse().ok();
            if holder.and_then(identify).is_some() || Instant::now() >= deadline {
                return Ok(true);
            }
            thread::sleep(Duration::from_millis(10));
        }
        Ok(false)
    }
}

/// Opens the file for appending and locks it; `None` if somebody else has. The lock belongs to the
/// open file, so a child that inherits it keeps it, even when its parent dies.
pub(super) fn try_lock(path: &Path) -> io::Result<Option<File>> {
    let file = OpenOptions::new().create(true).append(true).open(path)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(e)) => Err(e),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        assert!(!Lock::is_held(&path).unwrap());
        let first = Lock::take(&path).unwrap();
        assert!(first.is_some());
        assert!(Lock::take(&path).unwrap().is_none());
        assert!(Lock::is_held(&path).unwrap());
        drop(first);
        assert!(Lock::take(&path).unwrap().is_some());
    }

    #[test]
    fn a_client_that_looks_is_no_runner() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let look = try_lock(&path).unwrap();
        thread::scope(|scope| {
            scope.spawn(|| {
                thread::sleep(PATIENCE / 4);
                drop(look);
            });
            assert!(Lock::take(&path).unwrap().is_some());
        });
    }

    #[test]
    fn a_folder_that_is_not_there_is_an_error() {
        assert!(Lock::take(Path::new("/nowhere/lock")).is_err());
    }
}

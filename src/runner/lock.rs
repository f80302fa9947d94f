//! Locks that end with the process that holds them, however it ends.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use crate::spec::printable;

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

/// Opens a file for appending that is its owner's alone: whoever can open a lock file can hold the lock.
pub(super) fn open_private(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().create(true).append(true).mode(0o600).open(path)?;
    let permissions = file.metadata()?.permissions();
    if permissions.mode() & 0o077 != 0 {
        // Of an earlier version. It may be somebody else's, whose business its mode is.
        let _ = file.set_permissions(fs::Permissions::from_mode(0o600));
    }
    Ok(file)
}

/// Opens the file for appending and locks it; `None` if somebody else has. The lock belongs to the
/// open file, so a child that inherits it keeps it, even when its parent dies.
pub(super) fn try_lock(path: &Path) -> io::Result<Option<File>> {
    let file = open_private(path)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(e)) => Err(e),
    }
}

/// The process of this machine that holds the lock on a file: `process 4711 (tuneboard)`; `None` if none
/// does.
pub(super) fn holder(path: &Path) -> Option<String> {
    let inode = fs::metadata(path).ok()?.ino();
    let locks = fs::read_to_string("/proc/locks").ok()?;
    // `1: FLOCK  ADVISORY  WRITE 4711 08:01:131 0 EOF`
    let of_file = |line: &&str| {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let is_flock = fields.get(1) == Some(&"FLOCK");
        let file = fields.get(5).and_then(|file| file.rsplit(':').next()?.parse::<u64>().ok());
        is_flock && file == Some(inode)
    };
    let line = locks.lines().find(of_file)?;
    // 0 and below: a process of another container.
    let pid: u32 = line.split_ascii_whitespace().nth(4)?.parse().ok().filter(|pid| *pid > 0)?;
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    Some(format!("process {pid} ({})", printable(name.trim(), 40)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_its_owners_alone_and_says_who_holds_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        fs::write(&path, "").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
        assert_eq!(holder(&path), None);
        let _lock = Lock::take(&path).unwrap().unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&path), 0o600);
        let holder = holder(&path).unwrap();
        assert!(holder.starts_with(&format!("process {} (", std::process::id())), "{holder}");
        let new = dir.path().join("new");
        open_private(&new).unwrap();
        assert_eq!(mode(&new), 0o600);
    }

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

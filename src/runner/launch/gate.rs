//! At most so many ssh sessions to one host at a time, whatever sites, boards and commands want to go there.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use super::call::{Patience, Trouble, converse};
use super::inputs::hex;

/// Sessions to a host; its sshd takes ten (`MaxSessions`).
const SESSIONS: usize = 8;
/// Of them, for copies: what takes hours must not keep questions waiting.
const COPIES: usize = 5;

/// The way in to one host: a lock file per session, in a folder of the user's own.
#[derive(Debug, Clone)]
pub(super) struct Gate {
    folder: PathBuf,
    name: String,
}

/// A session that may be held. Dropping it, or dying, gives it back.
#[derive(Debug)]
pub(super) struct Pass {
    _file: File,
}

impl Gate {
    /// The gate of a machine, by whatever name it is called.
    pub(super) fn of(folder: &Path, machine: &str) -> Self {
        Self { folder: folder.to_path_buf(), name: hex(&Sha256::digest(machine.as_bytes())) }
    }

    /// The right to make the one connection that all sessions share; `None` if somebody else has made it, or
    /// tried, meanwhile. Many who dial at once get a connection each, and sshd turns some of them away.
    pub(super) fn turn(&self) -> Result<Option<Pass>, Trouble> {
        let start = Instant::now();
        let path = self.folder.join(format!("{}.dial", self.name));
        let mut first = true;
        loop {
            if let Some(pass) = hold(&path)? {
                return Ok(first.then_some(pass));
            }
            if start.elapsed() > Patience::SHORT.silent {
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
    pub(super) fn enter(&self, patience: Patience) -> Result<Pass, Trouble> {
        let start = Instant::now();
        let places = if patience.is_for_copies() { COPIES } else { SESSIONS };
        loop {
            for place in 0..places {
                // Questions begin at the end that copies cannot take.
                let place = if patience.is_for_copies() { place } else { SESSIONS - 1 - place };
                let path = self.folder.join(format!("{}.{place}", self.name));
                if let Some(pass) = hold(&path)? {
                    return Ok(pass);
                }
            }
            if start.elapsed() > patience.whole {
                let why = format!("All {SESSIONS} sessions to it are in use.");
                return Err(Trouble::Here(why));
            }
            thread::sleep(Duration::from_millis(15));
        }
    }
}

/// Locks a file; `None` if somebody else has.
fn hold(path: &Path) -> Result<Option<Pass>, Trouble> {
    let wrong = |e| Trouble::Here(format!("{}: {e}.", path.display()));
    let file = OpenOptions::new().create(true).append(true).open(path).map_err(wrong)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(Pass { _file: file })),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(e)) => Err(wrong(e)),
    }
}

/// Name and port of the machine that `ssh` would call, so that two names of one machine count as one; what
/// it was called if `ssh` does not say.
pub(super) fn machine(mut ssh: Command, host: &str) -> String {
    ssh.args(["-G", "--", host]);
    let mut said = String::new();
    let heard = converse(
        ssh,
        Patience::SHORT,
        Box::new(|_| Ok(())),
        Box::new(|from: &mut dyn Read| {
            Ok(from.take(1 << 20).read_to_string(&mut said).map(drop)?)
        }),
    );
    let field = |name: &str| said.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    match (heard, field("hostname "), field("port ")) {
        (Ok(()), Some(name), Some(port)) => format!("{name}:{port}"),
        _ => host.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Patience =
        Patience { silent: Duration::from_millis(50), whole: Duration::from_millis(50) };

    #[test]
    fn a_host_is_entered_eight_times_and_copies_leave_room_for_questions() {
        let dir = tempfile::tempdir().unwrap();
        let gate = Gate::of(dir.path(), "box:22");
        let copies = Patience { whole: Duration::from_millis(50), ..Patience::LONG };
        let mut held: Vec<Pass> = (0..COPIES).map(|_| gate.enter(copies).unwrap()).collect();
        assert!(gate.enter(copies).is_err());
        // Another process, or another site that names the same machine.
        let same = Gate::of(dir.path(), "box:22");
        held.extend((COPIES..SESSIONS).map(|_| same.enter(NOW).unwrap()));
        let full = Trouble::Here("All 8 sessions to it are in use.".into());
        assert_eq!(same.enter(NOW).unwrap_err(), full);
        assert!(Gate::of(dir.path(), "box:2222").enter(NOW).is_ok());
        held.pop();
        assert!(gate.enter(NOW).is_ok());
    }

    #[test]
    fn a_machine_is_known_by_where_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let config = dir.path().join("config");
        std::fs::write(&config, "Host a b\n  HostName 192.0.2.7\n  Port 2222\n").unwrap();
        let ssh = || {
            let mut command = Command::new("ssh");
            command.arg("-F").arg(&config);
            command
        };
        if ssh().arg("-V").output().is_err() {
            return;
        }
        assert_eq!(machine(ssh(), "a"), "192.0.2.7:2222");
        assert_eq!(machine(ssh(), "me@b"), machine(ssh(), "a"));
    }
}

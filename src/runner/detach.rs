//! Starting a runner that outlives whoever starts it.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use crate::board::Board;

use super::error::{Result, RunnerError};
use super::lock::{Lock, holder, open_private};
use super::process::own_session;

/// Sees to it that a runner serves the board, and returns at once. Call it after the work is in the
/// queue: a runner that is about to leave looks there once more after it has let go of its lock.
///
/// # Errors
/// The lock file or the log cannot be opened, or no process can be started.
pub fn ensure(board: &Board) -> Result<()> {
    let exe = env::current_exe().ok().filter(|exe| exe.exists());
    // Replaced by a newer build while we run: the kernel still knows the old one.
    ensure_with(board, &exe.unwrap_or_else(|| PathBuf::from("/proc/self/exe")))
}

/// [`ensure`] for callers that are not `tuneboard` themselves, but know where it lies.
///
/// # Errors
/// As [`ensure`].
pub fn ensure_with(board: &Board, tuneboard: &Path) -> Result<()> {
    board.check_trust()?;
    let lock = board.runner_lock();
    if Lock::is_held(&lock).map_err(RunnerError::io(&lock))? {
        return Ok(());
    }
    let path = board.runner_log();
    let log = open_private(&path).map_err(RunnerError::io(&path))?;
    let mut command = Command::new(tuneboard);
    command
        .arg("runner")
        .arg("--board")
        .arg(board.root())
        .current_dir(board.root())
        .stdin(Stdio::null())
        .stdout(log.try_clone().map_err(RunnerError::io(&path))?)
        .stderr(log);
    own_session(&mut command);
    let mut child = command.spawn().map_err(RunnerError::io(tuneboard))?;
    // A dashboard may live longer than the runner, and must not keep its zombie.
    let _ = thread::Builder::new().spawn(move || child.wait());
    Ok(())
}

/// The process that holds the runner's lock on the board, in words: `process 4711 (tuneboard)`.
pub fn lock_holder(board: &Board) -> Option<String> {
    holder(&board.runner_lock())
}

//! Files here that are copies of files on a host, which only grow, and how much of them is wanted.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;

use crate::runner::launch::call::CallError;

/// Bytes of one run's events that are taken from a host. Honest runs stay far below.
pub(super) const MOST_EVENTS: u64 = 1 << 30;
/// The same for its log.
pub(super) const MOST_LOG: u64 = 64 << 20;

fn length(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |m| m.len())
}

/// From where on bytes are wanted: from nowhere, once there are too many.
pub(super) fn wanted(path: &Path, most: u64) -> u64 {
    let here = length(path);
    if here > most { u64::from(u32::MAX) << 20 } else { here }
}

/// Adds new bytes to a file that is a copy of one with `size` bytes. True if the copy is complete, or as
/// long as it may get.
pub(super) fn append(path: &Path, new: &[u8], size: u64, most: u64) -> Result<bool, CallError> {
    let here = length(path);
    let wrong = |e| CallError::Local(format!("{}: {e}.", path.display()));
    if size < here && here <= most {
        // A power cut took bytes that had been sent. The host's file is the truth.
        let file = OpenOptions::new().write(true).open(path).map_err(wrong)?;
        file.set_len(size).map_err(wrong)?;
        return Ok(true);
    }
    let room = most.saturating_sub(here).min(new.len() as u64) as usize;
    let mut file = None;
    if room > 0 {
        let mut open = OpenOptions::new().create(true).append(true).open(path).map_err(wrong)?;
        open.write_all(new.get(..room).unwrap_or_default()).map_err(wrong)?;
        file = Some(open);
    }
    if room < new.len() {
        let Some(mut file) = file else { return Ok(true) };
        file.write_all(b"\n--- too long: the rest was left on the host ---\n").map_err(wrong)?;
        return Ok(true);
    }
    Ok(here + room as u64 >= size.min(most))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_grows_shrinks_and_is_bounded() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("events.jsonl");
        assert!(append(&path, b"", 0, 100).unwrap());
        assert!(!append(&path, b"abc", 5, 100).unwrap());
        assert!(append(&path, b"de", 5, 100).unwrap());
        assert_eq!(fs::read(&path).unwrap(), b"abcde");
        assert!(append(&path, b"", 2, 100).unwrap());
        assert_eq!(fs::read(&path).unwrap(), b"ab");
        // A host without end.
        let mut whole = false;
        for _ in 0..20 {
            let here = length(&path);
            whole = append(&path, &[b'x'; 64], here + 1_000_000, 100).unwrap();
        }
        assert!(whole && length(&path) < 200, "{}", length(&path));
    }
}

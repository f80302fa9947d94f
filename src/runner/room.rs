//! Room on the disk of the runs. A full disk fails whatever is started on it, so the queue waits instead.

use std::fs;
use std::time::{Duration, Instant};

use crate::board::Board;
use crate::board::disk::free;
use crate::spec::{Desired, RunId};

use super::exit::Exit;
use super::state::Runner;
use super::verdict::End;

/// Bytes that must be free for a run to be started.
const LEFT_FREE: u64 = 64 << 20;
/// After a run has failed for want of room, so many more bytes than there were then.
const MORE: u64 = 256 << 20;
/// A runner that cannot write looks every few seconds at what its trainers came to.
const LATELY: Duration = Duration::from_secs(10);
/// A temporary file of ours that is older was left by a process that was killed.
const OLD: Duration = Duration::from_hours(1);

/// Whether a failure is the disk's, by the system's own words.
fn names_want_of_room(why: &str) -> bool {
    ["No space left on device", "Disk quota exceeded"].iter().any(|words| why.contains(words))
}

/// Bytes that must be free for a run to be started, as far as the environment does not say otherwise.
fn least() -> u64 {
    let said = std::env::var("TUNEBOARD_LEFT_FREE_MB").ok().and_then(|text| text.parse().ok());
    said.map_or(LEFT_FREE, |mib: u64| mib << 20)
}

fn is_full(board: &Board) -> bool {
    free(&board.runs()).is_some_and(|free| free < least())
}

impl Runner<'_> {
    /// Notes that the disk of the runs is full, if it is.
    pub(super) fn look_at_room(&mut self) {
        if is_full(self.board) {
            self.full = Some(Instant::now());
        }
    }

    /// Whether the disk has failed a run. One that found no room to say so ended without a word.
    pub(super) fn is_for_want_of_room(&self, end: &End, why: &str) -> bool {
        let was_full =
            || self.full.is_some_and(|full| full.elapsed() < LATELY) || is_full(self.board);
        let is_mute = end.said.is_none() && matches!(end.exit, Exit::Code(_));
        names_want_of_room(why) || (is_mute && was_full())
    }

    /// True while the disk has no room for another run; the log tells once, and again when there is.
    pub(super) fn waits_for_room(&mut self) -> bool {
        if !self.queue.values().any(|run| run.desired == Desired::Run) {
            return false;
        }
        let needed = self.needed.unwrap_or(0).max(least());
        let free = free(&self.board.runs()).unwrap_or(u64::MAX);
        let waits = free < needed;
        self.look_at_room();
        if waits != self.waits {
            self.note(&if waits {
                let (needed, free) = (needed >> 20, free >> 20);
                format!(
                    "the disk of runs/ is full: no run is started until {needed} MiB are free, \
                     {free} are"
                )
            } else {
                "there is room on the disk again".to_owned()
            });
        }
        self.waits = waits;
        if !waits {
            self.needed = None;
        }
        waits
    }

    /// A run has failed for want of room: the queue waits until there is clearly more. Where nothing is said of the
    /// reason and there is room by now, there is enough.
    pub(super) fn wants_room(&mut self, why: &str) {
        let is_short = names_want_of_room(why) || is_full(self.board);
        let free = free(&self.board.runs()).filter(|_| is_short);
        self.needed = free.map(|free| free.saturating_add(MORE));
    }

    /// Removes what a killed trainer has not finished writing: it will be written anew.
    pub(super) fn remove_half_written(&self, id: RunId) {
        for entry in fs::read_dir(self.board.predictions(id)).into_iter().flatten().flatten() {
            if entry.path().extension().is_some_and(|end| end == "tmp") {
                let _ = fs::remove_file(entry.path());
            }
        }
    }

    /// Removes what killed clients have not finished writing in the board's folder.
    pub(super) fn remove_left_over(&self) {
        for entry in fs::read_dir(self.board.root()).into_iter().flatten().flatten() {
            let path = entry.path();
            let is_temporary = path.extension().is_some_and(|end| end == "tmp");
            let name = entry.file_name().to_string_lossy().into_owned();
            let age =
                entry.metadata().and_then(|m| m.modified()).ok().and_then(|t| t.elapsed().ok());
            if name.starts_with("config.") && is_temporary && age.is_some_and(|age| age > OLD) {
                let _ = fs::remove_file(path);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_systems_words_are_known() {
        let full = std::io::Error::from_raw_os_error(libc::ENOSPC);
        assert!(names_want_of_room(&format!("x cannot be written: {full}.")));
        assert!(names_want_of_room(&std::io::Error::from_raw_os_error(libc::EDQUOT).to_string()));
        assert!(!names_want_of_room("The loss is NaN at step 15."));
    }
}

//! What a queue says of a job, checked against the job's heartbeats.

use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

use crate::board::Board;
use crate::runner::clock::now;
use crate::runner::launch::job::{Heartbeat, JobState, Watch};
use crate::spec::RunId;
use crate::store::Millis;

/// A job without a heartbeat for so long is not shown as at work: four are missing then.
const SILENT: Duration = Duration::from_secs(45);
/// A job with a heartbeat within so long lives, whatever the queue says.
const SURE: Duration = Duration::from_secs(15);

/// What the queue says of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum QueueState {
    /// It waits, and why.
    Pending(String),
    /// It is on a node, started again so often.
    Running(u32),
    /// It is over, or unknown, and in which words.
    Over(String),
    /// The queue cannot be read, and why.
    Unknown(String),
}

/// The last heartbeat of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LastBeat {
    /// Which.
    pub beat: Heartbeat,
    /// How long ago it was first seen.
    pub age: Duration,
    /// When that was.
    pub seen: Millis,
}

/// What a job that has not written its exit code is doing. The queue's word counts; heartbeats, or their
/// absence, only show where it cannot be true. A job that never had one is believed.
pub(super) fn state(queued: QueueState, last: Option<LastBeat>) -> JobState {
    let begun = last.filter(|last| last.beat.count > 0);
    let is_silent = begun.is_some_and(|last| last.age >= SILENT);
    match (queued, last) {
        // The node is booted, or prepared; an attempt before this one may have had heartbeats.
        (QueueState::Running(restarts), Some(last))
            if last.beat.count == 0 || last.beat.restart < restarts =>
        {
            JobState::Waiting("waiting: its node makes ready".to_owned())
        }
        (QueueState::Running(_) | QueueState::Unknown(_), Some(last)) if is_silent => {
            JobState::Silent(last.seen)
        }
        (QueueState::Running(_), _) => JobState::Alive,
        (QueueState::Pending(why) | QueueState::Unknown(why), _) => JobState::Waiting(why),
        // A node that is cut off from its cluster trains on.
        (QueueState::Over(why), Some(last)) if last.beat.count > 0 && last.age < SURE => {
            JobState::Waiting(format!("{why}, but its heartbeat goes on"))
        }
        (QueueState::Over(why), _) => JobState::Lost(why),
    }
}

/// When which heartbeat of each job was first seen, by this machine's clock alone.
#[derive(Debug)]
pub(super) struct Heartbeats {
    board: Board,
    known: BTreeMap<RunId, Known>,
}

#[derive(Debug)]
struct Known {
    ticket: String,
    beat: Heartbeat,
    moved: Instant,
    seen: Millis,
}

impl Heartbeats {
    pub(super) fn new(board: Board) -> Self {
        Self { board, known: BTreeMap::new() }
    }

    /// Takes in the heartbeat that a poll has brought; gives the last one that is known.
    pub(super) fn last(&mut self, watch: &Watch, beat: Option<Heartbeat>) -> Option<LastBeat> {
        let known = self.known.remove(&watch.id).filter(|known| known.ticket == watch.ticket);
        let known = known.or_else(|| self.stored(watch));
        let known = match (known, beat) {
            (Some(known), None) => known,
            (Some(known), Some(beat)) if known.beat == beat => known,
            (None, None) => return None,
            (_, Some(beat)) => self.moved(watch, beat),
        };
        let last = LastBeat { beat: known.beat, age: known.moved.elapsed(), seen: known.seen };
        self.known.insert(watch.id, known);
        Some(last)
    }

    /// Forgets all but these.
    pub(super) fn keep(&mut self, watches: &[Watch]) {
        self.known.retain(|id, _| watches.iter().any(|watch| watch.id == *id));
    }

    /// A new heartbeat. It is written down, so that the next runner does not take a job for alive that
    /// was dead already; where that fails, it does so for a while.
    fn moved(&self, watch: &Watch, beat: Heartbeat) -> Known {
        let _ = fs::write(self.board.beat(watch.id), format!("{} {beat}\n", watch.ticket));
        Known { ticket: watch.ticket.clone(), beat, moved: Instant::now(), seen: now() }
    }

    /// What was written down last.
    fn stored(&self, watch: &Watch) -> Option<Known> {
        let path = self.board.beat(watch.id);
        let text = fs::read_to_string(&path).ok()?;
        let (ticket, beat) = text.trim_end().split_once(' ')?;
        let beat = Heartbeat::parse(beat).filter(|_| ticket == watch.ticket)?;
        let age = fs::metadata(&path).ok()?.modified().ok()?.elapsed().unwrap_or_default();
        let moved = Instant::now().checked_sub(age)?;
        let seen = now() - age.as_millis() as Millis;
        Some(Known { ticket: ticket.to_owned(), beat, moved, seen })
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::time::SystemTime;

    use super::*;

    fn last(restart: u32, count: u64, seconds: u64) -> LastBeat {
        let age = Duration::from_secs(seconds);
        LastBeat { beat: Heartbeat { restart, count }, age, seen: 7 }
    }

    fn waits(why: &str) -> JobState {
        JobState::Waiting(why.to_owned())
    }

    #[test]
    fn a_running_job_without_heartbeats_is_silent() {
        assert_eq!(state(QueueState::Running(0), Some(last(0, 9, 3))), JobState::Alive);
        assert_eq!(state(QueueState::Running(0), Some(last(0, 9, 44))), JobState::Alive);
        assert_eq!(state(QueueState::Running(0), Some(last(0, 9, 45))), JobState::Silent(7));
        assert_eq!(state(QueueState::Running(0), Some(last(0, 9, 90_000))), JobState::Silent(7));
        // The count of restarts is read less often than the heartbeats.
        assert_eq!(state(QueueState::Running(0), Some(last(1, 1, 0))), JobState::Alive);
    }

    #[test]
    fn a_job_that_has_not_begun_or_never_had_a_heartbeat_is_not_silent() {
        let ready = waits("waiting: its node makes ready");
        assert_eq!(state(QueueState::Running(0), Some(last(0, 0, 900))), ready);
        assert_eq!(
            state(QueueState::Running(1), Some(last(0, 9, 900))),
            ready,
            "those of the attempt before"
        );
        assert_eq!(state(QueueState::Running(1), Some(last(1, 1, 0))), JobState::Alive);
        assert_eq!(state(QueueState::Running(0), None), JobState::Alive);
        assert_eq!(state(QueueState::Running(3), None), JobState::Alive);
    }

    #[test]
    fn the_queue_counts_for_more_than_heartbeats() {
        let priority = || QueueState::Pending("waiting: Priority".into());
        for last in [None, Some(last(0, 0, 900)), Some(last(0, 9, 0)), Some(last(0, 9, 900))] {
            assert_eq!(state(priority(), last), waits("waiting: Priority"));
        }
        let over = || QueueState::Over("Slurm ended it: NODE_FAIL".into());
        let lost = JobState::Lost("Slurm ended it: NODE_FAIL".into());
        for last in [None, Some(last(0, 0, 0)), Some(last(0, 9, 15)), Some(last(0, 9, 900))] {
            assert_eq!(state(over(), last), lost);
        }
    }

    #[test]
    fn a_job_with_heartbeats_is_not_lost() {
        let said = state(QueueState::Over("Slurm no longer knows it".into()), Some(last(0, 9, 10)));
        assert_eq!(said, waits("Slurm no longer knows it, but its heartbeat goes on"));
    }

    #[test]
    fn while_the_queue_does_not_answer_heartbeats_count() {
        let nothing = || QueueState::Unknown("Slurm does not answer: no route".into());
        let told = waits("Slurm does not answer: no route");
        assert_eq!(state(nothing(), Some(last(0, 9, 10))), told);
        assert_eq!(state(nothing(), Some(last(0, 9, 60))), JobState::Silent(7));
        assert_eq!(state(nothing(), Some(last(0, 0, 900))), told);
        assert_eq!(state(nothing(), None), told);
    }

    fn watch(ticket: &str) -> Watch {
        Watch {
            id: RunId(1),
            name: "r1".into(),
            ticket: ticket.into(),
            events: 0,
            log: 0,
            signal: "-",
        }
    }

    #[test]
    fn a_heartbeat_is_as_old_as_its_first_sight() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("runs/r1")).unwrap();
        fs::write(dir.path().join("config.toml"), "").unwrap();
        let board = Board::open(dir.path()).unwrap();
        let file = board.beat(RunId(1));
        let beat = |restart, count| Some(Heartbeat { restart, count });
        let later = |heartbeats: &mut Heartbeats| {
            let known = heartbeats.known.get_mut(&RunId(1)).unwrap();
            known.moved = known.moved.checked_sub(SILENT).unwrap();
        };
        let mut heartbeats = Heartbeats::new(board.clone());
        assert_eq!(heartbeats.last(&watch("a"), None), None);
        assert!(heartbeats.last(&watch("a"), beat(0, 3)).unwrap().age < SURE);
        later(&mut heartbeats);
        assert!(heartbeats.last(&watch("a"), beat(0, 3)).unwrap().age >= SILENT);
        // A poll that brought none proves nothing.
        assert_eq!(heartbeats.last(&watch("a"), None).unwrap().beat, beat(0, 3).unwrap());
        // Another one, be it of another start, is news.
        assert!(heartbeats.last(&watch("a"), beat(1, 1)).unwrap().age < SURE);
        // The next runner knows since when there was none.
        let past = SystemTime::now() - Duration::from_mins(5);
        File::options().write(true).open(&file).unwrap().set_modified(past).unwrap();
        let mut heartbeats = Heartbeats::new(board.clone());
        let old = heartbeats.last(&watch("a"), beat(1, 1)).unwrap();
        assert!(old.age >= Duration::from_mins(5) && old.seen < now() - 299_000, "{old:?}");
        assert!(heartbeats.last(&watch("a"), beat(1, 2)).unwrap().age < SURE);
        // Another attempt has heartbeats of its own, and jobs that are gone are forgotten.
        assert_eq!(heartbeats.last(&watch("b"), None), None);
        heartbeats.keep(&[]);
        assert!(heartbeats.known.is_empty());
        fs::write(&file, "\u{1b}[31m b 9.9.9\n").unwrap();
        assert_eq!(Heartbeats::new(board).last(&watch("b"), None), None);
    }
}

//! What Slurm says of a job, weighed against the signs of life that the job gives.

use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

use crate::board::Board;
use crate::runner::report::now;
use crate::spec::RunId;
use crate::store::Millis;

use super::job::{Beat, Doing, Watch};

/// Whoever has given no sign of life for so long is not shown as at work: four signs are missing then.
const SILENT: Duration = Duration::from_secs(45);
/// Whoever has given one within so long lives, whatever Slurm says.
const SURE: Duration = Duration::from_secs(15);

/// What the queue says of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Word {
    /// It waits, and why.
    Waits(String),
    /// It is on a node, started again so often.
    Runs(u32),
    /// It is over, or unknown, and in which words.
    Over(String),
    /// The queue cannot be read, and why.
    Nothing(String),
}

/// The last sign of life of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sign {
    /// Which.
    pub beat: Beat,
    /// How long ago it was first seen.
    pub age: Duration,
    /// When that was.
    pub seen: Millis,
}

/// What a job that has not written its exit code is doing. The queue's word counts; signs of life, or
/// that there are none, only say where it cannot be true. Who gives none at all is believed.
pub(super) fn weigh(word: Word, sign: Option<Sign>) -> Doing {
    let begun = sign.filter(|sign| sign.beat.count > 0);
    let is_silent = begun.is_some_and(|sign| sign.age >= SILENT);
    match (word, sign) {
        // The node is booted, or prepared; an attempt before this one may have given signs.
        (Word::Runs(restarts), Some(sign))
            if sign.beat.count == 0 || sign.beat.restart < restarts =>
        {
            Doing::Waiting("waiting: its node makes ready".to_owned())
        }
        (Word::Runs(_) | Word::Nothing(_), Some(sign)) if is_silent => Doing::Silent(sign.seen),
        (Word::Runs(_), _) => Doing::Alive,
        (Word::Waits(why) | Word::Nothing(why), _) => Doing::Waiting(why),
        // A node that is cut off from its cluster trains on.
        (Word::Over(why), Some(sign)) if sign.beat.count > 0 && sign.age < SURE => {
            Doing::Waiting(format!("{why}, but it gives signs of life"))
        }
        (Word::Over(why), _) => Doing::Lost(why),
    }
}

/// When which sign of life of each job was first seen, by this machine's clock alone.
#[derive(Debug)]
pub(super) struct Pulses {
    board: Board,
    known: BTreeMap<RunId, Pulse>,
}

#[derive(Debug)]
struct Pulse {
    ticket: String,
    beat: Beat,
    moved: Instant,
    seen: Millis,
}

impl Pulses {
    pub(super) fn new(board: Board) -> Self {
        Self { board, known: BTreeMap::new() }
    }

    /// Takes in what a look at a job has brought; gives the last sign of life that is known of it.
    pub(super) fn sign(&mut self, watch: &Watch, beat: Option<Beat>) -> Option<Sign> {
        let known = self.known.remove(&watch.id).filter(|known| known.ticket == watch.ticket);
        let known = known.or_else(|| self.stored(watch));
        let pulse = match (known, beat) {
            (Some(known), None) => known,
            (Some(known), Some(beat)) if known.beat == beat => known,
            (None, None) => return None,
            (_, Some(beat)) => self.moved(watch, beat),
        };
        let sign = Sign { beat: pulse.beat, age: pulse.moved.elapsed(), seen: pulse.seen };
        self.known.insert(watch.id, pulse);
        Some(sign)
    }

    /// Forgets all but these.
    pub(super) fn keep(&mut self, watches: &[Watch]) {
        self.known.retain(|id, _| watches.iter().any(|watch| watch.id == *id));
    }

    /// A new sign of life. It is written down, so that the next runner does not take a job for alive that
    /// was dead already; where that fails, it does so for a while.
    fn moved(&self, watch: &Watch, beat: Beat) -> Pulse {
        let _ = fs::write(self.board.beat(watch.id), format!("{} {beat}\n", watch.ticket));
        Pulse { ticket: watch.ticket.clone(), beat, moved: Instant::now(), seen: now() }
    }

    /// What was written down last.
    fn stored(&self, watch: &Watch) -> Option<Pulse> {
        let path = self.board.beat(watch.id);
        let text = fs::read_to_string(&path).ok()?;
        let (ticket, beat) = text.trim_end().split_once(' ')?;
        let beat = Beat::parse(beat).filter(|_| ticket == watch.ticket)?;
        let age = fs::metadata(&path).ok()?.modified().ok()?.elapsed().unwrap_or_default();
        let moved = Instant::now().checked_sub(age)?;
        let seen = now() - age.as_millis() as Millis;
        Some(Pulse { ticket: ticket.to_owned(), beat, moved, seen })
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::time::SystemTime;

    use super::*;

    fn sign(restart: u32, count: u64, seconds: u64) -> Sign {
        let age = Duration::from_secs(seconds);
        Sign { beat: Beat { restart, count }, age, seen: 7 }
    }

    fn waits(why: &str) -> Doing {
        Doing::Waiting(why.to_owned())
    }

    #[test]
    fn who_is_said_to_run_and_gives_no_sign_of_life_is_silent() {
        assert_eq!(weigh(Word::Runs(0), Some(sign(0, 9, 3))), Doing::Alive);
        assert_eq!(weigh(Word::Runs(0), Some(sign(0, 9, 44))), Doing::Alive);
        assert_eq!(weigh(Word::Runs(0), Some(sign(0, 9, 45))), Doing::Silent(7));
        assert_eq!(weigh(Word::Runs(0), Some(sign(0, 9, 90_000))), Doing::Silent(7));
        // The count of restarts is read less often than the signs.
        assert_eq!(weigh(Word::Runs(0), Some(sign(1, 1, 0))), Doing::Alive);
    }

    #[test]
    fn who_has_not_begun_or_never_gives_signs_is_not_silent() {
        let ready = waits("waiting: its node makes ready");
        assert_eq!(weigh(Word::Runs(0), Some(sign(0, 0, 900))), ready);
        assert_eq!(
            weigh(Word::Runs(1), Some(sign(0, 9, 900))),
            ready,
            "those of the attempt before"
        );
        assert_eq!(weigh(Word::Runs(1), Some(sign(1, 1, 0))), Doing::Alive);
        assert_eq!(weigh(Word::Runs(0), None), Doing::Alive);
        assert_eq!(weigh(Word::Runs(3), None), Doing::Alive);
    }

    #[test]
    fn the_queue_counts_for_more_than_signs_of_life() {
        let priority = || Word::Waits("waiting: Priority".into());
        for sign in [None, Some(sign(0, 0, 900)), Some(sign(0, 9, 0)), Some(sign(0, 9, 900))] {
            assert_eq!(weigh(priority(), sign), waits("waiting: Priority"));
        }
        let over = || Word::Over("Slurm ended it: NODE_FAIL".into());
        let lost = Doing::Lost("Slurm ended it: NODE_FAIL".into());
        for sign in [None, Some(sign(0, 0, 0)), Some(sign(0, 9, 15)), Some(sign(0, 9, 900))] {
            assert_eq!(weigh(over(), sign), lost);
        }
    }

    #[test]
    fn who_gives_signs_of_life_is_not_lost() {
        let said = weigh(Word::Over("Slurm no longer knows it".into()), Some(sign(0, 9, 10)));
        assert_eq!(said, waits("Slurm no longer knows it, but it gives signs of life"));
    }

    #[test]
    fn while_slurm_does_not_answer_signs_of_life_count() {
        let nothing = || Word::Nothing("Slurm does not answer: no route".into());
        let told = waits("Slurm does not answer: no route");
        assert_eq!(weigh(nothing(), Some(sign(0, 9, 10))), told);
        assert_eq!(weigh(nothing(), Some(sign(0, 9, 60))), Doing::Silent(7));
        assert_eq!(weigh(nothing(), Some(sign(0, 0, 900))), told);
        assert_eq!(weigh(nothing(), None), told);
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
    fn a_sign_of_life_is_as_old_as_its_first_sight() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("runs/r1")).unwrap();
        fs::write(dir.path().join("config.toml"), "").unwrap();
        let board = Board::open(dir.path()).unwrap();
        let file = board.beat(RunId(1));
        let beat = |restart, count| Some(Beat { restart, count });
        let later = |pulses: &mut Pulses| {
            let pulse = pulses.known.get_mut(&RunId(1)).unwrap();
            pulse.moved = pulse.moved.checked_sub(SILENT).unwrap();
        };
        let mut pulses = Pulses::new(board.clone());
        assert_eq!(pulses.sign(&watch("a"), None), None);
        assert!(pulses.sign(&watch("a"), beat(0, 3)).unwrap().age < SURE);
        later(&mut pulses);
        assert!(pulses.sign(&watch("a"), beat(0, 3)).unwrap().age >= SILENT);
        // A look that brought none proves nothing.
        assert_eq!(pulses.sign(&watch("a"), None).unwrap().beat, beat(0, 3).unwrap());
        // Another one, be it of another start, is news.
        assert!(pulses.sign(&watch("a"), beat(1, 1)).unwrap().age < SURE);
        // The next runner knows since when there was none.
        let past = SystemTime::now() - Duration::from_mins(5);
        File::options().write(true).open(&file).unwrap().set_modified(past).unwrap();
        let mut pulses = Pulses::new(board.clone());
        let old = pulses.sign(&watch("a"), beat(1, 1)).unwrap();
        assert!(old.age >= Duration::from_mins(5) && old.seen < now() - 299_000, "{old:?}");
        assert!(pulses.sign(&watch("a"), beat(1, 2)).unwrap().age < SURE);
        // Another attempt has signs of its own, and nobody remembers who is gone.
        assert_eq!(pulses.sign(&watch("b"), None), None);
        pulses.keep(&[]);
        assert!(pulses.known.is_empty());
        fs::write(&file, "\u{1b}[31m b 9.9.9\n").unwrap();
        assert_eq!(Pulses::new(board).sign(&watch("b"), None), None);
    }
}

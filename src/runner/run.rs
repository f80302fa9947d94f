use std::fmt;
use std::io;
use std::sync::mpsc::RecvTimeoutError;
use std::thread;
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::board::Board;
use crate::spec::Desired;
use crate::store::Run;

use super::clock::milliseconds;
use super::error::{Result, RunnerError};
use super::live::Wake;
use super::lock::Lock;
use super::reindex::rebuild;
use super::state::Runner;

/// How long new work, or an adopted trainer's end, may go unnoticed. A child's end wakes the runner.
const TICK: Duration = Duration::from_millis(100);

/// The pauses after an error: a full disk is not emptied by asking ten times a second. Whoever empties it sees true
/// states again within ten seconds.
const PAUSES: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(4));

/// Why a runner is no longer there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    /// Nothing was left to do.
    Idle,
    /// It got SIGTERM or SIGINT. The trainers go on; the next runner takes them over.
    Asked,
    /// Another one serves the board.
    Another,
    /// The board's folder was removed.
    Gone,
}

impl fmt::Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Idle => "Nothing is left to do.",
            Self::Asked => "The runner was asked to leave; the next one takes its runs over.",
            Self::Another => "Another runner serves this board.",
            Self::Gone => "The board's folder is gone.",
        })
    }
}

/// Serves the board until nothing is left to do: starts what is queued, writes down what is reported,
/// stops what is to be stopped. Returns at once if another runner does so already.
///
/// # Errors
/// The lock, the log or the database cannot be opened. Later errors are logged and tried again.
pub fn run(board: &Board) -> Result<Left> {
    board.check_trust()?;
    let path = board.runner_lock();
    let Some(mut lock) = Lock::take(&path).map_err(RunnerError::io(&path))? else {
        return Ok(Left::Another);
    };
    let mut runner = begin(board)?;
    runner.remove_left_over();
    loop {
        runner.note("signs on");
        let Some(left) = runner.serve() else {
            runner.note("board.db was deleted or replaced; starts over from what is there");
            drop(runner);
            if !board.database().exists() {
                // What the folders hold; a run that had never started has none.
                rebuild(board)?;
            }
            runner = begin(board)?;
            continue;
        };
        runner.note(&left.to_string());
        // Before the lock is free, lest it wipes out the next runner's name.
        if let Err(e) = runner.store.sign_off() {
            runner.note(&e.to_string());
        }
        drop(lock);
        // A client that queued work while the lock was held started no runner. It did so before this
        // look, so the look sees it.
        if matches!(left, Left::Asked | Left::Gone) || !runner.is_wanted()? {
            return Ok(left);
        }
        match Lock::take(&path).map_err(RunnerError::io(&path))? {
            Some(again) => lock = again,
            None => return Ok(Left::Another),
        }
    }
}

/// A runner that knows nothing yet, and is asked to leave by signals.
fn begin(board: &Board) -> Result<Runner<'_>> {
    let mut runner = Runner::new(board)?;
    runner.heed_signals().map_err(RunnerError::io(&board.runner_lock()))?;
    if let Err(e) = runner.store.begin_journal() {
        // A board of before; what is written from now on has its line all the same.
        runner.note(&e.to_string());
    }
    Ok(runner)
}

impl Runner<'_> {
    /// SIGTERM and SIGINT mean: leave. SIGHUP means nothing: the terminal that started us may die.
    fn heed_signals(&self) -> io::Result<()> {
        let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP])?;
        let waker = self.waker.clone();
        thread::Builder::new().name("signals".to_owned()).spawn(move || {
            for signal in signals.forever().filter(|signal| *signal != SIGHUP) {
                let _ = (signal, waker.send(Wake::Leave));
            }
        })?;
        Ok(())
    }

    /// Ticks until there is nothing to do, or until asked to leave; `None` once another database, or none,
    /// lies in the place of the one that was opened: its runs are not those that this runner knows.
    fn serve(&mut self) -> Option<Left> {
        self.published.sign_on();
        self.seen = None;
        let (patience, mut idle, mut pause) = (patience(), Instant::now(), TICK);
        loop {
            match self.tick() {
                Ok(()) => pause = TICK,
                // Not to be waited for: a folder of this name would be another board.
                Err(_) if !self.board.runs().is_dir() => return Some(Left::Gone),
                Err(_) if self.store.reader().is_replaced() => return None,
                Err(e) => {
                    let last = pause;
                    pause = (pause * 2).clamp(PAUSES.0, PAUSES.1);
                    self.seen = None;
                    self.look_at_room();
                    // What goes on for hours is told once.
                    if pause != last {
                        self.note(&format!("{e} The next try is in {:.1} s.", pause.as_secs_f32()));
                    }
                }
            }
            if self.has_work() || pause > TICK {
                idle = Instant::now();
            } else if idle.elapsed() >= patience {
                return Some(Left::Idle);
            }
            if self.sleep(pause) {
                return Some(Left::Asked);
            }
        }
    }

    /// Waits for something to happen, at most that long. True if asked to leave.
    fn sleep(&mut self, longest: Duration) -> bool {
        let mut wake = self.wakes.recv_timeout(longest);
        loop {
            match wake {
                Ok(Wake::Exited(id, exit)) => {
                    if let Some(live) = self.live.get_mut(&id) {
                        live.exit = Some(exit);
                    }
                }
                Ok(Wake::Site(name, update)) => self.heard(&name, update),
                Ok(Wake::Leave) => return true,
                // We hold a sender ourselves.
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return false,
            }
            wake = self.wakes.try_recv().map_err(|_| RecvTimeoutError::Timeout);
        }
    }

    /// True if a trainer lives or a run waits for a slot.
    fn has_work(&self) -> bool {
        let wanted = |run: &Run| run.desired == Desired::Run;
        !self.live.is_empty() || !self.unwanted.is_empty() || self.queue.values().any(wanted)
    }

    /// The same, asked of the database.
    fn is_wanted(&mut self) -> Result<bool> {
        // The first of those that wait is held only if all are.
        let first = self.store.reader().open_runs(1)?;
        if self.seen.is_some_and(|seen| self.store.reader().data_version().ok() != Some(seen)) {
            // A search may have got more trials.
            return Ok(true);
        }
        Ok(first.iter().any(|run| run.state.is_live() || run.desired != Desired::Hold))
    }
}

/// How long a runner without work stays, for the next command of the same user.
fn patience() -> Duration {
    milliseconds("TUNEBOARD_IDLE_MS", 3_000)
}

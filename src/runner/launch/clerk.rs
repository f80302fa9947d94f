//! The thread that serves one site: submits, polls, appends what is new to the run's files here, and
//! keeps calm while the host is away.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use crate::board::{Board, Fetch};
use crate::runner::live::{Exit, Wake};
use crate::runner::milliseconds;
use crate::runner::report::now;
use crate::spec::RunId;
use crate::store::{Millis, SiteState};

use super::Launcher;
use super::call::Trouble;
use super::desk::Report;
use super::freight::{Cargo, Delivered};
use super::job::{Answer, Doing, Job, Ready, Sight, Watch};

/// How often a host is asked what it is and has.
const LOOK: Duration = Duration::from_secs(15);
/// The pauses while a host is away: first and longest.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(1));
/// Jobs per submission.
const BATCH: usize = 50;
/// Bytes of one run's events and log that are taken from a host. Honest runs stay far below.
const MOST_EVENTS: u64 = 1 << 30;
const MOST_LOG: u64 = 64 << 20;
/// A job that was submitted and shows no process for so long is lost.
const START: Duration = Duration::from_mins(1);
/// A job is lost when it was seen so so often in a row; of one whose exit code has to cross a shared disk
/// it takes longer to be sure.
const LOST: (u32, u32) = (2, 10);
/// The pause after a site said: not now.
const LATER: Duration = Duration::from_secs(10);

/// What reaches the clerk.
#[derive(Debug)]
pub(super) enum Order {
    Submit(Box<Job>),
    End(RunId),
    Delivered(Delivered),
    Close,
}

/// Where a job is on its way.
#[derive(Debug)]
enum Stage {
    /// Its inputs are being brought there.
    Packing,
    /// They are there.
    Ready(Box<Ready>),
    /// It was submitted.
    Submitted,
    /// It has ended so, and its results are on their way.
    Fetching(Exit),
}

#[derive(Debug)]
struct Tracked {
    job: Job,
    stage: Stage,
    /// True once it may have been submitted.
    tried: bool,
    /// True once it is to end.
    end: bool,
    /// When the host was first told so.
    told: Option<Instant>,
    /// Since when it is at this stage.
    since: Instant,
    /// How often in a row it was seen lost.
    lost: u32,
    restarts: u32,
    remark: String,
    /// How often its results could not be fetched for a reason that is not the connection.
    vain: u32,
    /// Not to be submitted before.
    not_before: Option<Instant>,
    /// Cargo that is tried again when the host is back.
    again: Option<Box<Cargo>>,
}

impl Tracked {
    /// True if it has been seen lost often enough.
    fn is_gone(&self, why: &str) -> bool {
        let far = !why.is_empty() && !self.end;
        self.lost >= if far { LOST.1 } else { LOST.0 }
    }

    /// True if it is to be submitted now.
    fn is_due(&self) -> bool {
        let later = self.not_before.is_some_and(|time| Instant::now() < time);
        matches!(self.stage, Stage::Ready(_)) && !later
    }
}

/// Serves one site.
pub(super) struct Clerk {
    board: Board,
    name: String,
    fetch: Fetch,
    launcher: Box<dyn Launcher>,
    cargo: Sender<Cargo>,
    out: Sender<Wake>,
    jobs: BTreeMap<RunId, Tracked>,
    looked: Option<Instant>,
    polled: Option<Instant>,
    seen: Option<Millis>,
    state: SiteState,
    why: String,
    /// The pause after the last trouble, and when it is over.
    pause: Option<(Duration, Instant)>,
    interval: Duration,
    grace: Duration,
    open: bool,
}

impl Clerk {
    pub(super) fn new(
        board: Board,
        name: &str,
        fetch: Fetch,
        launcher: Box<dyn Launcher>,
        cargo: Sender<Cargo>,
        out: Sender<Wake>,
    ) -> Self {
        Self {
            board,
            name: name.to_owned(),
            fetch,
            launcher,
            cargo,
            out,
            jobs: BTreeMap::new(),
            looked: None,
            polled: None,
            seen: None,
            state: SiteState::Unasked,
            why: String::new(),
            pause: None,
            interval: milliseconds("TUNEBOARD_POLL_MS", 1_000),
            grace: milliseconds("TUNEBOARD_GRACE_MS", 60_000),
            open: true,
        }
    }

    /// Works until the desk is closed.
    pub(super) fn serve(mut self, inbox: Receiver<Order>) {
        while self.open {
            if !self.is_pausing() {
                match self.round() {
                    Ok(()) => self.is_up(),
                    Err(trouble) => self.is_in_trouble(&trouble),
                }
            }
            let mut order = inbox.recv_timeout(self.nap());
            loop {
                match order {
                    Ok(order) => self.heed(order),
                    Err(RecvTimeoutError::Timeout) => break,
                    Err(RecvTimeoutError::Disconnected) => return,
                }
                order = inbox.try_recv().map_err(|_| RecvTimeoutError::Timeout);
            }
        }
    }

    fn is_pausing(&self) -> bool {
        self.pause.is_some_and(|(_, over)| Instant::now() < over)
    }

    /// How long nothing needs to be done, unless an order comes.
    fn nap(&self) -> Duration {
        if let Some((_, over)) = self.pause {
            return over.saturating_duration_since(Instant::now());
        }
        if self.jobs.values().any(Tracked::is_due) {
            return Duration::ZERO;
        }
        let since = |last: Option<Instant>, pause: Duration| {
            last.map_or(Duration::ZERO, |last| pause.saturating_sub(last.elapsed()))
        };
        let look = since(self.looked, LOOK);
        let is_watched =
            |job: &Tracked| matches!(job.stage, Stage::Submitted) || job.not_before.is_some();
        if self.jobs.values().any(is_watched) {
            look.min(since(self.polled, self.interval))
        } else {
            look
        }
    }

    fn tell(&self, report: Report) {
        let _ = self.out.send(Wake::Site(self.name.clone(), report));
    }

    fn remark(&mut self, id: RunId, text: &str) {
        if let Some(tracked) = self.jobs.get_mut(&id)
            && tracked.remark != text
        {
            text.clone_into(&mut tracked.remark);
            self.tell(Report::Remark(id, text.to_owned()));
        }
    }

    fn heed(&mut self, order: Order) {
        match order {
            Order::Close => self.open = false,
            Order::Submit(job) => {
                let id = job.id;
                let tracked = Tracked {
                    job: (*job).clone(),
                    stage: Stage::Packing,
                    tried: false,
                    end: false,
                    told: None,
                    since: Instant::now(),
                    lost: 0,
                    restarts: 0,
                    remark: String::new(),
                    vain: 0,
                    not_before: None,
                    again: None,
                };
                self.jobs.insert(id, tracked);
                self.carry(id, Cargo::Inputs(job, Vec::new()));
            }
            Order::End(id) => {
                let Some(tracked) = self.jobs.get_mut(&id) else { return };
                tracked.end = true;
                let waits = matches!(tracked.stage, Stage::Packing | Stage::Ready(_));
                if waits && tracked.job.new && !tracked.tried {
                    // The host has never heard of it.
                    self.ended(id, Exit::Vanished);
                }
                self.polled = None;
            }
            Order::Delivered(Delivered::Progress(id, text)) => self.remark(id, &text),
            Order::Delivered(Delivered::Refused(id, why)) => self.refuse(id, why),
            Order::Delivered(Delivered::Ready(ready)) => {
                let id = ready.job.id;
                if let Some(tracked) = self.jobs.get_mut(&id) {
                    tracked.stage = Stage::Ready(ready);
                    self.remark(id, "");
                }
            }
            Order::Delivered(Delivered::Fetched(id)) => {
                if let Some(Stage::Fetching(exit)) = self.jobs.get(&id).map(|job| &job.stage) {
                    self.ended(id, *exit);
                }
            }
            Order::Delivered(Delivered::Failed(cargo, trouble)) => {
                self.undelivered(cargo, &trouble);
            }
        }
    }

    fn carry(&mut self, id: RunId, cargo: Cargo) {
        if self.cargo.send(cargo).is_err() {
            self.refuse(id, "The thread that copies files is gone.".to_owned());
        }
    }

    /// A copy did not go through. While the host is away it waits with everything else.
    fn undelivered(&mut self, cargo: Box<Cargo>, trouble: &Trouble) {
        let id = match &*cargo {
            Cargo::Inputs(job, _) | Cargo::Results(job, _) => job.id,
        };
        let Some(tracked) = self.jobs.get_mut(&id) else { return };
        if let Trouble::Away(_) = trouble {
            tracked.again = Some(cargo);
            self.is_in_trouble(trouble);
            return;
        }
        tracked.vain += 1;
        if tracked.vain < 3 {
            tracked.again = Some(cargo);
            self.pause = Some((PAUSES.0, Instant::now() + PAUSES.0));
        } else if let Stage::Fetching(exit) = tracked.stage {
            let note = format!(
                "{id}: its results stay on {} for now: {} `tuneboard sites fetch {id}` fetches them.",
                self.name,
                trouble.why()
            );
            self.tell(Report::Note(note));
            self.ended(id, exit);
        } else {
            self.refuse(
                id,
                format!("Its inputs cannot be copied to {}: {}", self.name, trouble.why()),
            );
        }
    }

    fn refuse(&mut self, id: RunId, why: String) {
        if self.jobs.remove(&id).is_some() {
            self.tell(Report::Refused(id, why));
        }
    }

    fn ended(&mut self, id: RunId, exit: Exit) {
        if self.jobs.remove(&id).is_some() {
            self.tell(Report::Ended(id, exit));
        }
    }

    fn is_up(&mut self) {
        let back = self.state != SiteState::Up;
        self.pause = None;
        if back {
            self.state = SiteState::Up;
            self.why.clear();
            self.tell(Report::State(SiteState::Up, self.seen, String::new()));
        }
        let again: Vec<(RunId, Box<Cargo>)> =
            self.jobs.iter_mut().filter_map(|(id, job)| Some((*id, job.again.take()?))).collect();
        for (id, cargo) in again {
            self.carry(id, *cargo);
        }
    }

    /// Waits longer each time. What runs there is not touched: unreachable is not dead.
    fn is_in_trouble(&mut self, trouble: &Trouble) {
        let pause = self.pause.map_or(PAUSES.0, |(last, _)| (last * 2).min(PAUSES.1));
        self.pause = Some((pause, Instant::now() + pause));
        if self.state != SiteState::Unreachable || self.why != trouble.why() {
            self.state = SiteState::Unreachable;
            trouble.why().clone_into(&mut self.why);
            self.tell(Report::State(SiteState::Unreachable, self.seen, self.why.clone()));
        }
    }

    /// One round of calls, each only if it is due.
    fn round(&mut self) -> Result<(), Trouble> {
        if self.looked.is_none_or(|last| last.elapsed() >= LOOK) {
            let look = self.launcher.look()?;
            self.looked = Some(Instant::now());
            self.seen = Some(now());
            self.tell(Report::Look(look));
            self.tell(Report::State(SiteState::Up, self.seen, String::new()));
        }
        self.submit()?;
        let due = self.polled.is_none_or(|last| last.elapsed() >= self.interval);
        if due && self.jobs.values().any(|job| matches!(job.stage, Stage::Submitted)) {
            self.poll()?;
        }
        Ok(())
    }

    fn submit(&mut self) -> Result<(), Trouble> {
        loop {
            let due = self.jobs.values().filter(|job| job.is_due());
            let ready = due.filter_map(|job| match &job.stage {
                Stage::Ready(ready) => Some((**ready).clone()),
                _ => None,
            });
            let batch: Vec<Ready> = ready.take(BATCH).collect();
            if batch.is_empty() {
                return Ok(());
            }
            for ready in &batch {
                if let Some(tracked) = self.jobs.get_mut(&ready.job.id) {
                    tracked.tried = true;
                }
            }
            let answers = self.launcher.submit(&batch)?;
            self.seen = Some(now());
            for (ready, answer) in batch.into_iter().zip(answers) {
                let id = ready.job.id;
                match answer {
                    Answer::Started => {
                        if let Some(tracked) = self.jobs.get_mut(&id) {
                            (tracked.stage, tracked.since) = (Stage::Submitted, Instant::now());
                        }
                        self.polled = None;
                    }
                    Answer::Missing(hashes) => {
                        if let Some(tracked) = self.jobs.get_mut(&id) {
                            tracked.stage = Stage::Packing;
                        }
                        self.carry(id, Cargo::Inputs(Box::new(ready.job), hashes));
                    }
                    Answer::Refused(why) => self.refuse(id, why),
                    Answer::Later(why) => {
                        if let Some(tracked) = self.jobs.get_mut(&id) {
                            tracked.not_before = Some(Instant::now() + LATER);
                        }
                        self.remark(id, &format!("waiting: {why}"));
                    }
                }
            }
        }
    }

    fn poll(&mut self) -> Result<(), Trouble> {
        let watched = self.jobs.values().filter(|job| matches!(job.stage, Stage::Submitted));
        let watches: Vec<Watch> = watched.map(|tracked| self.watch(tracked)).collect();
        let sights = self.launcher.poll(&watches)?;
        self.polled = Some(Instant::now());
        self.seen = Some(now());
        for (watch, sight) in watches.iter().zip(sights) {
            if watch.signal != "-"
                && let Some(tracked) = self.jobs.get_mut(&watch.id)
            {
                tracked.told = tracked.told.or(Some(Instant::now()));
            }
            self.take(watch, sight)?;
        }
        Ok(())
    }

    fn watch(&self, tracked: &Tracked) -> Watch {
        let id = tracked.job.id;
        let signal = match tracked.told {
            _ if !tracked.end => "-",
            Some(told) if told.elapsed() >= self.grace => "KILL",
            _ => "TERM",
        };
        Watch {
            id,
            name: tracked.job.name.clone(),
            ticket: tracked.job.ticket.clone(),
            events: wanted(&self.board.events(id), MOST_EVENTS),
            log: wanted(&self.board.out_log(id), MOST_LOG),
            signal,
        }
    }

    /// Writes down what is new of one job and decides what follows.
    fn take(&mut self, watch: &Watch, sight: Sight) -> Result<(), Trouble> {
        let id = watch.id;
        if let Some(tracked) = self.jobs.get_mut(&id)
            && sight.restarts > tracked.restarts
        {
            // Told before the new attempt's events can be read.
            tracked.restarts = sight.restarts;
            self.tell(Report::Restarts(id, sight.restarts));
        }
        let events = append(&self.board.events(id), &sight.events, sight.sizes.0, MOST_EVENTS)?;
        let log = append(&self.board.out_log(id), &sight.log, sight.sizes.1, MOST_LOG)?;
        let whole = events && log;
        if !whole {
            self.polled = None;
        }
        let Some(tracked) = self.jobs.get_mut(&id) else { return Ok(()) };
        tracked.lost = if matches!(sight.doing, Doing::Lost(_)) { tracked.lost + 1 } else { 0 };
        match sight.doing {
            // The answer to the submission was lost before it arrived, or the disk was wiped.
            Doing::Unknown => {
                tracked.stage = Stage::Packing;
                let job = Box::new(tracked.job.clone());
                self.carry(id, Cargo::Inputs(job, Vec::new()));
            }
            Doing::Starting if tracked.since.elapsed() >= START && whole => {
                self.ended(id, Exit::Vanished);
            }
            Doing::Alive | Doing::Away(_) => self.remark(id, ""),
            Doing::Waiting(why) => self.remark(id, &why),
            Doing::Lost(why) if whole && tracked.is_gone(&why) => {
                if !why.is_empty() {
                    self.tell(Report::Note(format!("{id}: {why}")));
                }
                self.ended(id, Exit::Vanished);
            }
            Doing::Ended(exit) if whole => self.fetch(id, exit),
            Doing::Starting | Doing::Lost(_) | Doing::Ended(_) => {}
        }
        Ok(())
    }

    /// Fetches what an ended job has made. Of one that was asked to end only the predictions: it will
    /// go on from its checkpoint over there.
    fn fetch(&mut self, id: RunId, exit: Exit) {
        let Some(tracked) = self.jobs.get_mut(&id) else { return };
        let folders: &[&str] = match self.fetch {
            Fetch::None => &[],
            Fetch::Predictions => &["predictions"],
            Fetch::All if tracked.end => &["predictions"],
            Fetch::All => &["checkpoints", "predictions"],
        };
        if folders.is_empty() {
            self.ended(id, exit);
            return;
        }
        tracked.stage = Stage::Fetching(exit);
        let job = Box::new(tracked.job.clone());
        self.tell(Report::Freed(id));
        self.remark(id, "fetching results");
        let folders = folders.iter().map(|f| (*f).to_owned()).collect();
        self.carry(id, Cargo::Results(job, folders));
    }
}

fn length(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |m| m.len())
}

/// From where on bytes are wanted: from nowhere, once there are too many.
fn wanted(path: &Path, most: u64) -> u64 {
    let here = length(path);
    if here > most { u64::from(u32::MAX) << 20 } else { here }
}

/// Adds new bytes to a file that is a copy of one with `size` bytes. True if the copy is complete, or as
/// long as it may get.
fn append(path: &Path, new: &[u8], size: u64, most: u64) -> Result<bool, Trouble> {
    let here = length(path);
    let wrong = |e| Trouble::Here(format!("{}: {e}.", path.display()));
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

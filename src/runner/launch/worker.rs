//! The thread that serves one site: it submits, polls, appends what is new to the run's files here, and
//! waits while the host is away.

mod append;
mod tracked;
mod transfers;

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use crate::board::{Board, Fetch};
use crate::runner::clock::{milliseconds, now};
use crate::runner::exit::Exit;
use crate::spec::{Outcome, RunId};
use crate::store::{Millis, SiteState, unreachable};

use super::call::CallError;
use super::job::{Job, JobState, JobStatus, ReadyJob, SubmitAnswer, Watch};
use super::scheduler::Scheduler;
use super::transfer::{Transfer, Transferred};
use super::update::Update;
use append::{MOST_EVENTS, MOST_LOG, append, wanted};
use tracked::{Stage, Tracked};

/// How often a host is asked what it is and has.
const LOOK: Duration = Duration::from_secs(15);
/// The pauses while a host is away: first and longest.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(1));
/// Jobs that are ready together are submitted together: once no further one has come for so long, and at
/// the latest when the first of them has waited so long.
const GATHER: (Duration, Duration) = (Duration::from_millis(300), Duration::from_secs(10));
/// A job that was submitted and has no process after so long is lost.
const START: Duration = Duration::from_mins(1);
/// The pause after a site said: not now.
const LATER: Duration = Duration::from_secs(10);

/// What reaches a worker.
#[derive(Debug)]
pub(super) enum Request {
    Submit(Box<Job>),
    End(RunId),
    Transferred(Transferred),
    Close,
}

/// Serves one site.
pub(super) struct Worker {
    board: Board,
    name: String,
    fetch: Fetch,
    scheduler: Box<dyn Scheduler>,
    transfers: Sender<Transfer>,
    tell: Box<dyn Fn(Update) + Send>,
    jobs: BTreeMap<RunId, Tracked>,
    looked: Option<Instant>,
    polled: Option<Instant>,
    seen: Option<Millis>,
    state: SiteState,
    why: String,
    /// The pause after the last error, and when it is over.
    pause: Option<(Duration, Instant)>,
    interval: Duration,
    /// A job that is to end is killed so long after it was asked.
    grace: Duration,
    /// A job that is to end and is still said to be at work is waited for no longer than this: its host may
    /// be wrong, or lie.
    give_up: Duration,
    open: bool,
}

impl Worker {
    pub(super) fn new(
        board: Board,
        name: &str,
        fetch: Fetch,
        scheduler: Box<dyn Scheduler>,
        transfers: Sender<Transfer>,
        tell: Box<dyn Fn(Update) + Send>,
    ) -> Self {
        Self {
            board,
            name: name.to_owned(),
            fetch,
            scheduler,
            transfers,
            tell,
            jobs: BTreeMap::new(),
            looked: None,
            polled: None,
            seen: None,
            state: SiteState::Unasked,
            why: String::new(),
            pause: None,
            interval: milliseconds("TUNEBOARD_POLL_MS", 1_000),
            grace: milliseconds("TUNEBOARD_GRACE_MS", 60_000),
            give_up: milliseconds("TUNEBOARD_GIVE_UP_MS", 600_000),
            open: true,
        }
    }

    /// Works until the connection is closed.
    pub(super) fn serve(mut self, inbox: Receiver<Request>) {
        while self.open {
            if !self.is_pausing() {
                match self.round() {
                    Ok(()) => self.is_up(),
                    Err(error) => self.is_down(&error),
                }
            }
            let mut request = inbox.recv_timeout(self.nap());
            loop {
                match request {
                    Ok(request) => self.heed(request),
                    Err(RecvTimeoutError::Timeout) => break,
                    Err(RecvTimeoutError::Disconnected) => return,
                }
                request = inbox.try_recv().map_err(|_| RecvTimeoutError::Timeout);
            }
        }
    }

    fn is_pausing(&self) -> bool {
        self.pause.is_some_and(|(_, over)| Instant::now() < over)
    }

    /// How long nothing needs to be done, unless a request comes.
    fn nap(&self) -> Duration {
        if let Some((_, over)) = self.pause {
            return over.saturating_duration_since(Instant::now());
        }
        let since = |last: Option<Instant>, pause: Duration| {
            last.map_or(Duration::ZERO, |last| pause.saturating_sub(last.elapsed()))
        };
        let look = since(self.looked, LOOK);
        let is_watched =
            |job: &Tracked| matches!(job.stage, Stage::Submitted) || job.not_before.is_some();
        let mut nap = look;
        if self.jobs.values().any(is_watched) {
            nap = nap.min(since(self.polled, self.interval));
        }
        if self.jobs.values().any(Tracked::is_due) {
            nap = nap.min(self.gathering());
        }
        nap
    }

    /// How long jobs that are ready still wait for others, so that they go as one array.
    fn gathering(&self) -> Duration {
        let ages = self.jobs.values().filter(|job| job.is_due()).map(|job| job.since.elapsed());
        let (Some(youngest), Some(oldest)) = (ages.clone().min(), ages.max()) else {
            return Duration::ZERO;
        };
        if !self.scheduler.gathers() {
            return Duration::ZERO;
        }
        let comes =
            |job: &Tracked| matches!(job.stage, Stage::Copying) && !job.end && job.retry.is_none();
        let left = GATHER.1.saturating_sub(oldest);
        if self.jobs.values().any(comes) {
            left
        } else {
            left.min(GATHER.0.saturating_sub(youngest))
        }
    }

    fn tell(&self, update: Update) {
        (self.tell)(update);
    }

    /// What lists are to say of a run; empty = nothing.
    fn status(&mut self, id: RunId, text: &str) {
        if let Some(tracked) = self.jobs.get_mut(&id)
            && tracked.status != text
        {
            text.clone_into(&mut tracked.status);
            self.tell(Update::Status(id, text.to_owned()));
        }
    }

    fn heed(&mut self, request: Request) {
        match request {
            Request::Close => self.open = false,
            Request::Submit(job) => {
                let id = job.id;
                self.jobs.insert(id, Tracked::new((*job).clone()));
                self.transfer(id, Transfer::Inputs(job, Vec::new()));
            }
            Request::End(id) => {
                let Some(tracked) = self.jobs.get_mut(&id) else { return };
                tracked.end = true;
                let waits = matches!(tracked.stage, Stage::Copying | Stage::Ready(_));
                if waits && tracked.job.new && !tracked.tried {
                    // The host has never heard of it.
                    self.ended(id, Exit::Vanished);
                }
                self.polled = None;
            }
            Request::Transferred(result) => self.transferred(result),
        }
    }

    fn refuse(&mut self, id: RunId, why: String) {
        if self.jobs.remove(&id).is_some() {
            let outcome = Outcome::Failed { why, last_lines: String::new() };
            self.tell(Update::Over(id, outcome));
        }
    }

    fn ended(&mut self, id: RunId, exit: Exit) {
        if self.jobs.remove(&id).is_some() {
            self.tell(Update::Ended(id, exit));
        }
    }

    /// Gives up a job that its host does not end.
    fn abandon(&mut self, id: RunId) {
        if self.jobs.remove(&id).is_some() {
            let why =
                format!("{} was asked to end it and did not; it may still run there.", self.name);
            self.tell(Update::Over(id, Outcome::Lost { why }));
        }
    }

    fn is_up(&mut self) {
        let back = self.state != SiteState::Up;
        self.pause = None;
        if back {
            self.state = SiteState::Up;
            self.why.clear();
            self.tell(Update::State(SiteState::Up, self.seen, String::new()));
        }
        let retries: Vec<(RunId, Box<Transfer>)> =
            self.jobs.iter_mut().filter_map(|(id, job)| Some((*id, job.retry.take()?))).collect();
        for (id, transfer) in retries {
            self.transfer(id, *transfer);
        }
    }

    /// Waits longer each time. What runs there is not touched: unreachable is not dead.
    fn is_down(&mut self, error: &CallError) {
        let pause = self.pause.map_or(PAUSES.0, |(last, _)| (last * 2).min(PAUSES.1));
        self.pause = Some((pause, Instant::now() + pause));
        if self.state != SiteState::Unreachable || self.why != error.why() {
            self.state = SiteState::Unreachable;
            error.why().clone_into(&mut self.why);
            self.tell(Update::State(SiteState::Unreachable, self.seen, self.why.clone()));
        }
    }

    /// One round of calls, each only if it is due.
    fn round(&mut self) -> Result<(), CallError> {
        if self.looked.is_none_or(|last| last.elapsed() >= LOOK) {
            let info = self.scheduler.info()?;
            self.looked = Some(Instant::now());
            self.seen = Some(now());
            self.tell(Update::Info(info));
            self.tell(Update::State(SiteState::Up, self.seen, String::new()));
        }
        self.submit()?;
        let due = self.polled.is_none_or(|last| last.elapsed() >= self.interval);
        if due && self.jobs.values().any(|job| matches!(job.stage, Stage::Submitted)) {
            self.poll()?;
        }
        Ok(())
    }

    fn submit(&mut self) -> Result<(), CallError> {
        if !self.gathering().is_zero() {
            return Ok(());
        }
        loop {
            let due = self.jobs.values().filter(|job| job.is_due());
            let ready = due.filter_map(|job| match &job.stage {
                Stage::Ready(ready) => Some((**ready).clone()),
                _ => None,
            });
            let batch: Vec<ReadyJob> = ready.take(self.scheduler.batch_size()).collect();
            if batch.is_empty() {
                return Ok(());
            }
            for ready in &batch {
                if let Some(tracked) = self.jobs.get_mut(&ready.job.id) {
                    tracked.tried = true;
                }
            }
            let answers = self.scheduler.submit(&batch)?;
            self.seen = Some(now());
            for (ready, answer) in batch.into_iter().zip(answers) {
                let id = ready.job.id;
                match answer {
                    SubmitAnswer::Started => {
                        if let Some(tracked) = self.jobs.get_mut(&id) {
                            tracked.enter(Stage::Submitted);
                        }
                        self.polled = None;
                    }
                    SubmitAnswer::Missing(hashes) => {
                        if let Some(tracked) = self.jobs.get_mut(&id) {
                            tracked.enter(Stage::Copying);
                        }
                        self.transfer(id, Transfer::Inputs(Box::new(ready.job), hashes));
                    }
                    SubmitAnswer::Refused(why) => self.refuse(id, why),
                    SubmitAnswer::Later(why) => {
                        if let Some(tracked) = self.jobs.get_mut(&id) {
                            tracked.not_before = Some(Instant::now() + LATER);
                        }
                        self.status(id, &format!("waiting: {why}"));
                    }
                }
            }
        }
    }

    fn poll(&mut self) -> Result<(), CallError> {
        let watched = self.jobs.values().filter(|job| matches!(job.stage, Stage::Submitted));
        let watches: Vec<Watch> = watched.map(|tracked| self.watch(tracked)).collect();
        let statuses = self.scheduler.poll(&watches)?;
        self.polled = Some(Instant::now());
        self.seen = Some(now());
        for (watch, status) in watches.iter().zip(statuses) {
            if watch.signal != "-"
                && let Some(tracked) = self.jobs.get_mut(&watch.id)
            {
                tracked.asked = tracked.asked.or(Some(Instant::now()));
            }
            self.take(watch, status)?;
        }
        Ok(())
    }

    fn watch(&self, tracked: &Tracked) -> Watch {
        let id = tracked.job.id;
        let signal = match tracked.asked {
            _ if !tracked.end => "-",
            Some(asked) if asked.elapsed() >= self.grace => "KILL",
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
    fn take(&mut self, watch: &Watch, status: JobStatus) -> Result<(), CallError> {
        let id = watch.id;
        if let Some(tracked) = self.jobs.get_mut(&id)
            && status.restarts > tracked.restarts
        {
            // Told before the new attempt's events can be read.
            tracked.restarts = status.restarts;
            self.tell(Update::Restarts(id, status.restarts));
        }
        let events = append(&self.board.events(id), &status.events, status.sizes.0, MOST_EVENTS)?;
        let log = append(&self.board.out_log(id), &status.log, status.sizes.1, MOST_LOG)?;
        let whole = events && log;
        if !whole {
            self.polled = None;
        }
        let Some(tracked) = self.jobs.get_mut(&id) else { return Ok(()) };
        let is_over = matches!(status.state, JobState::Lost(_) | JobState::Ended(_));
        if !is_over && tracked.asked.is_some_and(|asked| asked.elapsed() >= self.give_up) {
            self.abandon(id);
            return Ok(());
        }
        tracked.lost = if matches!(status.state, JobState::Lost(_)) { tracked.lost + 1 } else { 0 };
        match status.state {
            // The answer to the submission was lost before it arrived, or the disk was wiped.
            JobState::Unknown => {
                tracked.enter(Stage::Copying);
                let job = Box::new(tracked.job.clone());
                self.transfer(id, Transfer::Inputs(job, Vec::new()));
            }
            JobState::Starting if tracked.since.elapsed() >= START && whole => {
                self.ended(id, Exit::Vanished);
            }
            JobState::Alive | JobState::Away(_) => self.status(id, ""),
            JobState::Waiting(why) => self.status(id, &why),
            JobState::Silent(seen) => {
                let away = unreachable(Some(seen));
                self.status(id, &format!("{away}: its node sends no heartbeat"));
            }
            JobState::Lost(why) if whole && tracked.is_gone(&why) => {
                if !why.is_empty() {
                    self.tell(Update::Note(format!("{id}: {why}")));
                }
                self.ended(id, Exit::Vanished);
            }
            JobState::Ended(exit) if whole => self.fetch(id, exit),
            JobState::Starting | JobState::Lost(_) | JobState::Ended(_) => {}
        }
        Ok(())
    }
}

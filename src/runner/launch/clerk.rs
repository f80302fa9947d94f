//! The thread that serves one site: submits, polls, appends what is new to the run's files here, and
//! keeps calm while the host is away.

mod carry;
mod copy;
mod tracked;

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use crate::board::{Board, Fetch};
use crate::runner::live::{Exit, Wake};
use crate::runner::milliseconds;
use crate::runner::report::now;
use crate::spec::RunId;
use crate::store::{Millis, SiteState, unreachable};

use super::Launcher;
use super::call::Trouble;
use super::desk::Report;
use super::freight::{Cargo, Delivered};
use super::job::{Answer, Doing, Job, Ready, Sight, Watch};
use copy::{MOST_EVENTS, MOST_LOG, append, wanted};
use tracked::{Stage, Tracked};

/// How often a host is asked what it is and has.
const LOOK: Duration = Duration::from_secs(15);
/// The pauses while a host is away: first and longest.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(1));
/// Where jobs that are ready together are submitted together: how long none has come when it is time, and
/// how long the first of them waits at most.
const GATHER: (Duration, Duration) = (Duration::from_millis(300), Duration::from_secs(10));
/// A job that was submitted and shows no process for so long is lost.
const START: Duration = Duration::from_mins(1);
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
        if !self.launcher.gathers() {
            return Duration::ZERO;
        }
        let comes =
            |job: &Tracked| matches!(job.stage, Stage::Packing) && !job.end && job.again.is_none();
        let left = GATHER.1.saturating_sub(oldest);
        if self.jobs.values().any(comes) {
            left
        } else {
            left.min(GATHER.0.saturating_sub(youngest))
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
                self.jobs.insert(id, Tracked::new((*job).clone()));
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
            Order::Delivered(delivered) => self.delivered(delivered),
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
        if !self.gathering().is_zero() {
            return Ok(());
        }
        loop {
            let due = self.jobs.values().filter(|job| job.is_due());
            let ready = due.filter_map(|job| match &job.stage {
                Stage::Ready(ready) => Some((**ready).clone()),
                _ => None,
            });
            let batch: Vec<Ready> = ready.take(self.launcher.together()).collect();
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
                            tracked.enter(Stage::Submitted);
                        }
                        self.polled = None;
                    }
                    Answer::Missing(hashes) => {
                        if let Some(tracked) = self.jobs.get_mut(&id) {
                            tracked.enter(Stage::Packing);
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
                tracked.enter(Stage::Packing);
                let job = Box::new(tracked.job.clone());
                self.carry(id, Cargo::Inputs(job, Vec::new()));
            }
            Doing::Starting if tracked.since.elapsed() >= START && whole => {
                self.ended(id, Exit::Vanished);
            }
            Doing::Alive | Doing::Away(_) => self.remark(id, ""),
            Doing::Waiting(why) => self.remark(id, &why),
            Doing::Silent(seen) => {
                let away = unreachable(Some(seen));
                self.remark(id, &format!("{away}: its node gives no sign of life"));
            }
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
}

use std::sync::mpsc::{self, Sender};
use std::thread;

use crate::board::{Board, Site, SiteKind};
use crate::runner::live::{Exit, Wake};
use crate::spec::RunId;
use crate::store::{Millis, SiteState};

use super::Launcher;
use super::call::Trouble;
use super::clerk::{self, Order};
use super::freight;
use super::host::Host;
use super::job::{Job, Look};
use super::slurm::Slurm;
use super::ssh::Ssh;

/// Where the runner leaves its orders for a site. Nothing here waits for another machine; what comes of
/// it arrives as [`Report`]s.
#[derive(Debug)]
pub(in crate::runner) struct Desk {
    orders: Sender<Order>,
}

/// What a site's thread tells the runner.
#[derive(Debug)]
pub(in crate::runner) enum Report {
    /// What the host is and has.
    Look(Look),
    /// Whether it answers, when it last did, and why it does not.
    State(SiteState, Option<Millis>, String),
    /// What is to be said of a run; empty = nothing any more.
    Remark(RunId, String),
    /// The run has left its seat; its results are being fetched.
    Freed(RunId),
    /// The run has ended there, and all that is to be fetched is here.
    Ended(RunId, Exit),
    /// The run cannot be started there, and why.
    Refused(RunId, String),
    /// The cluster has started it again by itself, so often.
    Restarts(RunId, u32),
    /// A line for the runner's log.
    Note(String),
}

impl Desk {
    /// Opens a site's desk.
    ///
    /// # Errors
    /// No place for ssh's socket, or no threads.
    pub(in crate::runner) fn open(
        board: &Board,
        name: &str,
        site: &Site,
        waker: &Sender<Wake>,
    ) -> Result<Self, Trouble> {
        let (orders, inbox) = mpsc::channel();
        let (cargo, to_carry) = mpsc::channel();
        let (delivered, deliveries) = mpsc::channel();
        let host = Host::of(site)?;
        let launcher: Box<dyn Launcher> = match site.kind {
            SiteKind::Local | SiteKind::Ssh => Box::new(Ssh { host: host.clone() }),
            SiteKind::Slurm => Box::new(Slurm::new(board.clone(), host.clone(), site)),
        };
        let spawn = |what: &str, work: Box<dyn FnOnce() + Send>| {
            thread::Builder::new().name(format!("{what} {name}")).spawn(work).map(drop)
        };
        let their_board = board.clone();
        spawn(
            "freight",
            Box::new(move || freight::serve(&their_board, &host, to_carry, delivered)),
        )?;
        // One inbox: what is delivered wakes the clerk like an order.
        let forward = orders.clone();
        spawn(
            "deliveries",
            Box::new(move || {
                for delivery in deliveries {
                    if forward.send(Order::Delivered(delivery)).is_err() {
                        return;
                    }
                }
            }),
        )?;
        let clerk =
            clerk::Clerk::new(board.clone(), name, site.fetch, launcher, cargo, waker.clone());
        spawn("site", Box::new(move || clerk.serve(inbox)))?;
        Ok(Self { orders })
    }

    /// Starts a job, or finds it again if its ticket is known there.
    pub(in crate::runner) fn submit(&self, job: Job) {
        let _ = self.orders.send(Order::Submit(Box::new(job)));
    }

    /// Asks a job to save and end; after a grace it is killed.
    pub(in crate::runner) fn end(&self, id: RunId) {
        let _ = self.orders.send(Order::End(id));
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        let _ = self.orders.send(Order::Close);
    }
}

use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::Instant;

use crate::board::{Board, Site};
use crate::spec::RunId;
use crate::store::{Run, SiteInfo, SlotInfo, Store};

use super::error::{Result, RunnerError};
use super::live::{Live, Wake};
use super::log::Log;
use super::remote::{RemoteSite, remote_sites};
use super::searches::Searches;
use super::slots::Machine;

/// The one runner of a board.
#[derive(Debug)]
pub(super) struct Runner<'b> {
    pub board: &'b Board,
    pub store: Store,
    pub log: Log,
    pub machine: Machine,
    /// Sites elsewhere, in the order of preference.
    pub remote: Vec<(String, RemoteSite)>,
    pub published: Published,
    /// The head of the queue: runs that wait, by number.
    pub queue: BTreeMap<RunId, Run>,
    /// True if there are more of them than are kept here.
    pub more: bool,
    /// Queued runs that are to be stopped.
    pub unwanted: Vec<RunId>,
    /// Runs with a trainer.
    pub live: BTreeMap<RunId, Live>,
    pub searches: Searches,
    /// The database's version when the queue was last read; `None` = read it anew.
    pub seen: Option<i64>,
    /// Sites where no run is to start.
    pub held: BTreeSet<String>,
    /// True if slots or queue have changed since the last plan.
    pub replan: bool,
    /// True while the queue waits for room on the disk.
    pub waits: bool,
    /// Free bytes for which it waits, after a run has failed for want of room.
    pub needed: Option<u64>,
    /// When the disk of the runs was last seen full.
    pub full: Option<Instant>,
    /// The live run whose events come first in the next tick.
    pub left_out: Option<RunId>,
    /// For the threads that wait for children.
    pub waker: Sender<Wake>,
    pub wakes: Receiver<Wake>,
}

/// What the runner last wrote of itself and its devices.
#[derive(Debug, Default)]
pub(super) struct Published {
    pub signed: bool,
    pub last: Option<Instant>,
    /// The slots of this machine, and of sites elsewhere.
    pub here: Vec<SlotInfo>,
    pub there: Vec<SlotInfo>,
    pub sites: Vec<SiteInfo>,
}

impl Published {
    /// The next report names the runner.
    pub(super) fn sign_on(&mut self) {
        *self = Self::default();
    }
}

impl<'b> Runner<'b> {
    /// A runner that has not looked at anything yet.
    pub(super) fn new(board: &'b Board) -> Result<Self> {
        let path = board.runner_log();
        let (waker, wakes) = mpsc::channel();
        let site = board.config.sites.get("local").cloned().unwrap_or_else(Site::default);
        let mut store = Store::open(&board.database())?;
        store.pin();
        Ok(Self {
            board,
            store,
            log: Log::open(&path).map_err(RunnerError::io(&path))?,
            machine: Machine::of(&site),
            remote: remote_sites(board),
            published: Published::default(),
            queue: BTreeMap::new(),
            more: false,
            unwanted: Vec::new(),
            live: BTreeMap::new(),
            searches: Searches::default(),
            seen: None,
            held: board.held_sites(),
            replan: true,
            waits: false,
            needed: None,
            full: None,
            left_out: None,
            waker,
            wakes,
        })
    }

    /// Writes a line to the log.
    pub(super) fn note(&mut self, text: &str) {
        self.log.line(text);
    }
}

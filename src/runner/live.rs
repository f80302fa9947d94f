use std::time::Instant;

use crate::spec::{Outcome, Placement, RunId};
use crate::store::{Process, Run};

use super::exit::Exit;
use super::launch::Update;
use super::process::memory_kills;
use super::slots::LOCAL;

/// A run whose trainer this runner watches.
#[derive(Debug)]
pub(super) struct Live {
    /// As in the database; the state is kept up to date here.
    pub run: Run,
    /// Where it is.
    pub placement: Placement,
    /// Its trainer; `None` while the last runner's child has not been found yet.
    pub process: Option<Process>,
    /// True once the database knows the process.
    pub recorded: bool,
    /// True if a thread waits for it and will tell of its end; others are looked up in `/proc`.
    pub is_child: bool,
    /// True once it has left its slot, though its results are still on their way here.
    pub freed: bool,
    /// How it ended, where that is not for its trainer to say: its site will not take it, or is gone.
    pub outcome: Option<Outcome>,
    /// Where its events were read to.
    pub offset: u64,
    /// Lines of its events file, since it was first seen, that are no events.
    pub junk: u64,
    /// Why its events file is read no further.
    pub flood: Option<String>,
    /// Its end, once it is known.
    pub exit: Option<Exit>,
    /// That it is pruned, once it has fallen behind.
    pub cut: Option<Outcome>,
    /// When it was asked to end.
    pub asked: Option<Instant>,
    /// True once it was no longer asked.
    pub killed: bool,
    /// [`super::process::memory_kills`] when it was first seen.
    pub memory_kills: u64,
}

impl Live {
    /// A run that is about to start, or whose trainer is still to be found.
    pub fn new(run: Run, placement: Placement, offset: u64) -> Self {
        Self {
            run,
            placement,
            process: None,
            recorded: false,
            is_child: false,
            freed: false,
            outcome: None,
            offset,
            junk: 0,
            flood: None,
            exit: None,
            cut: None,
            asked: None,
            killed: false,
            memory_kills: memory_kills(),
        }
    }

    /// True if it is at work on another machine, where its site looks after it.
    pub fn is_elsewhere(&self) -> bool {
        self.placement.site != LOCAL
    }
}

/// What ends the runner's sleep early.
#[derive(Debug)]
pub(super) enum Wake {
    /// A trainer ended.
    Exited(RunId, Exit),
    /// A site has something to tell.
    Site(String, Update),
    /// The runner was asked to leave.
    Leave,
}

use std::collections::BTreeSet;

use crate::spec::RunId;
use crate::store::{Millis, Reader, Run, RunnerInfo, SiteInfo, StoreError, now};

use super::process::{alive, is_alive, is_here};
use super::slots::LOCAL;

/// A runner whose heartbeat is older cannot write: its disk is read-only, say.
const SILENT: Millis = 5000;

/// Which live runs may not be what the database says, as nobody is there to know better.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Doubts {
    sites: Vec<SiteInfo>,
    lost: BTreeSet<RunId>,
}

impl Doubts {
    /// Asks the database, and this machine whether the trainers live where no runner is heard: a runner takes a
    /// dead trainer's run back into the queue, but only once there is one that can write.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn read(reader: &Reader) -> Result<Self, StoreError> {
        let mut doubts = Self { sites: reader.sites()?, lost: BTreeSet::new() };
        let notices =
            |info: &RunnerInfo| alive(info) && (0..SILENT).contains(&(now() - info.heartbeat));
        if reader.runner()?.as_ref().is_some_and(notices) {
            return Ok(doubts);
        }
        let live = reader.open_runs(1)?;
        let here = |run: &&Run| run.placement.as_ref().is_some_and(|at| at.site == LOCAL);
        for run in live.iter().filter(|run| run.state.is_live()).filter(here) {
            let process = reader.process(run.id)?;
            if process.is_some_and(|process| is_here(&process) && !is_alive(&process)) {
                doubts.lost.insert(run.id);
            }
        }
        Ok(doubts)
    }

    /// What a run is called instead of its state: `lost?`, `away`, `waiting`; `None` if its state may be
    /// believed.
    pub fn of(&self, run: &Run) -> Option<&'static str> {
        if run.state.is_live() && self.lost.contains(&run.id) {
            return Some("lost?");
        }
        run.doubt(&self.sites)
    }

    /// Live runs whose trainer is dead while no runner is heard.
    pub fn lost(&self) -> &BTreeSet<RunId> {
        &self.lost
    }
}

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::store::{RunnerInfo, SlotInfo};

use super::clock::now;
use super::error::Result;
use super::process::myself;
use super::state::Runner;

/// Between two heartbeats.
const BEAT: Duration = Duration::from_secs(2);

impl Runner<'_> {
    /// Writes which runner serves the board and how the devices are: every two seconds, and whenever a
    /// slot was taken or left.
    pub(super) fn report(&mut self) -> Result<()> {
        if !self.published.signed {
            let (process, heartbeat) = (myself(), now());
            let version = env!("CARGO_PKG_VERSION").to_owned();
            self.store.sign_on(&RunnerInfo { process, heartbeat, version })?;
            self.published.signed = true;
        }
        let (sites, there) = self.look_at_sites();
        let here = self.live.iter().filter(|(_, live)| !live.is_elsewhere());
        let runs: BTreeMap<_, _> =
            here.map(|(id, live)| (live.placement.slot.as_str(), *id)).collect();
        let told = |info: &SlotInfo| info.run == runs.get(info.slot.as_str()).copied();
        let due = self.published.last.is_none_or(|last| last.elapsed() >= BEAT);
        let known = self.published.here.iter().all(told) && self.published.there == there;
        if !due && known && self.published.sites == sites {
            return Ok(());
        }
        let here = self.machine.look(&runs);
        if due {
            self.store.beat(now())?;
            self.published.last = Some(Instant::now());
        }
        if here != self.published.here || there != self.published.there {
            let slots: Vec<SlotInfo> = here.iter().chain(&there).cloned().collect();
            self.store.set_slots(&slots)?;
            (self.published.here, self.published.there) = (here, there);
        }
        if sites != self.published.sites {
            self.store.set_sites(&sites)?;
            self.published.sites = sites;
        }
        Ok(())
    }
}

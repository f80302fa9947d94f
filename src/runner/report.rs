use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::store::{Millis, RunnerInfo, SiteInfo, SlotInfo};

use super::Result;
use super::process::myself;
use super::run::Runner;

/// Between two signs of life.
const BEAT: Duration = Duration::from_secs(2);

/// What the runner last told of itself and its devices.
#[derive(Debug, Default)]
pub(super) struct Report {
    signed: bool,
    last: Option<Instant>,
    here: Vec<SlotInfo>,
    there: Vec<SlotInfo>,
    sites: Vec<SiteInfo>,
}

impl Report {
    /// The next report tells the runner's name.
    pub(super) fn sign_on(&mut self) {
        *self = Self::default();
    }
}

impl Runner<'_> {
    /// Tells, every two seconds and whenever a seat was taken or left, who serves the board and how the
    /// devices are.
    pub(super) fn report(&mut self) -> Result<()> {
        if !self.report.signed {
            let (process, heartbeat) = (myself(), now());
            let version = env!("CARGO_PKG_VERSION").to_owned();
            self.store.sign_on(&RunnerInfo { process, heartbeat, version })?;
            self.report.signed = true;
        }
        let (sites, there) = self.look_at_sites();
        let here = self.live.iter().filter(|(_, live)| !live.is_elsewhere());
        let runs: BTreeMap<_, _> =
            here.map(|(id, live)| (live.placement.slot.as_str(), *id)).collect();
        let told = |info: &SlotInfo| info.run == runs.get(info.slot.as_str()).copied();
        let due = self.report.last.is_none_or(|last| last.elapsed() >= BEAT);
        let known = self.report.here.iter().all(told) && self.report.there == there;
        if !due && known && self.report.sites == sites {
            return Ok(());
        }
        let here = self.slots.look(&runs);
        if due {
            self.store.beat(now())?;
            self.report.last = Some(Instant::now());
        }
        if here != self.report.here || there != self.report.there {
            let slots: Vec<SlotInfo> = here.iter().chain(&there).cloned().collect();
            self.store.set_slots(&slots)?;
            (self.report.here, self.report.there) = (here, there);
        }
        if sites != self.report.sites {
            self.store.set_sites(&sites)?;
            self.report.sites = sites;
        }
        Ok(())
    }
}

/// The clock, as the database writes it.
pub(super) fn now() -> Millis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_millis() as Millis
}

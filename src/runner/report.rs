use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::store::{Millis, RunnerInfo, SlotInfo};

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
    slots: Vec<SlotInfo>,
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
        let runs: BTreeMap<_, _> =
            self.live.iter().map(|(id, live)| (live.placement.slot.as_str(), *id)).collect();
        let told = |info: &SlotInfo| info.run == runs.get(info.slot.as_str()).copied();
        let due = self.report.last.is_none_or(|last| last.elapsed() >= BEAT);
        if !due && self.report.slots.iter().all(told) {
            return Ok(());
        }
        let slots = self.slots.look(&runs);
        if due {
            self.store.beat(now())?;
            self.report.last = Some(Instant::now());
        }
        if slots != self.report.slots {
            self.store.set_slots(&slots)?;
            self.report.slots = slots;
        }
        Ok(())
    }
}

/// The clock, as the database writes it.
pub(super) fn now() -> Millis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_millis() as Millis
}

//! When waiting runs will start and end, from how long their like took. Pure.

use std::collections::BTreeMap;

use crate::spec::{Desired, RunId};
use crate::store::{Millis, Run};
use crate::tui::labels::state;
use crate::tui::snapshot::Snapshot;

/// Milliseconds from now.
#[derive(Debug, Default)]
pub struct Forecast {
    runs: BTreeMap<RunId, (Millis, Millis)>,
    /// Until nothing is left that wants to run; `None` where that cannot be said.
    pub all: Option<Millis>,
    /// The first run whose like was never timed: nothing is known of it and of those behind it.
    pub untimed: Option<RunId>,
}

impl Forecast {
    /// When the run starts and ends.
    pub fn of(&self, id: RunId) -> Option<(Millis, Millis)> {
        self.runs.get(&id).copied()
    }
}

/// Puts each waiting run on the slot that is free first.
pub fn forecast(snap: &Snapshot) -> Forecast {
    let pace = Pace::new(snap);
    let mut out = Forecast::default();
    let mut certain = true;
    // Slots by when they get free.
    let mut slots: Vec<Millis> = Vec::new();
    for run in snap.live.iter() {
        let left = state::eta(run).or_else(|| {
            let whole = pace.whole(run)?;
            Some((whole as f64 * (1.0 - state::trained(run))) as Millis)
        });
        match left {
            Some(left) => {
                out.runs.insert(run.id, (0, left));
                slots.push(left);
            }
            None => certain = false,
        }
    }
    slots.resize(slots.len().max(snap.slots.len()), 0);
    if snap.live.len() > slots.len() || slots.is_empty() {
        certain = false;
    }
    for run in snap.queue.iter().filter(|r| r.desired == Desired::Run) {
        let first = slots.iter_mut().min().filter(|_| certain);
        let Some((slot, whole)) = first.zip(pace.whole(run)) else {
            certain = false;
            out.untimed = pace.whole(run).is_none().then_some(run.id);
            break;
        };
        let left = (whole as f64 * (1.0 - state::trained(run))) as Millis;
        out.runs.insert(run.id, (*slot, *slot + left));
        *slot += left;
    }
    let seen = snap.queue.iter().filter(|r| r.desired == Desired::Run).count() as u64;
    if certain && seen == snap.counts.queued {
        out.all = slots.iter().max().copied();
    }
    out
}

/// Milliseconds an epoch takes, by model and data.
struct Pace<'a>(BTreeMap<(&'a str, &'a str), (f64, f64)>);

impl<'a> Pace<'a> {
    fn new(snap: &'a Snapshot) -> Self {
        let mut sums = BTreeMap::new();
        for run in snap.recent.iter().chain(snap.live.iter()) {
            // What a killed attempt did in vain would count twice.
            if let Some(took) = run.device_time.filter(|_| run.attempt == 1 && run.epoch > 0.0) {
                let sum: &mut (f64, f64) = sums.entry(like(run)).or_default();
                *sum = (sum.0 + took as f64, sum.1 + run.epoch);
            }
        }
        Self(sums)
    }

    fn whole(&self, run: &Run) -> Option<Millis> {
        let (took, epochs) = self.0.get(&like(run))?;
        Some((took / epochs * f64::from(state::epochs(run))) as Millis)
    }
}

/// What runs have in common that take as long.
pub fn like(run: &Run) -> (&str, &str) {
    (&run.spec.model, &run.spec.data)
}

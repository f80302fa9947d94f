use std::collections::{BTreeMap, BTreeSet};

use crate::spec::{Sweep, SweepId};

/// The sweeps whose runs are chosen one after the other.
#[derive(Debug, Default)]
pub(super) struct Searches {
    /// The last sweep that was looked at.
    pub last: SweepId,
    /// Those that lack trials.
    pub open: BTreeMap<SweepId, Sweep>,
    /// Those of them that wait for their user to let a run go on.
    pub resting: BTreeSet<SweepId>,
}

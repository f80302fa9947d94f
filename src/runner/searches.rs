use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use crate::spec::search::ladder::Ladder;
use crate::spec::search::prune::Rule;
use crate::spec::{Plan, Sweep, SweepId};

/// The sweeps that are more than a list of runs.
#[derive(Debug, Default)]
pub(super) struct Searches {
    /// The last sweep that was looked at, and the last change of one.
    pub last: SweepId,
    pub change: i64,
    /// Those whose later runs follow from those before, or that time ends.
    pub open: BTreeMap<SweepId, Sweep>,
    /// Those of them that wait for their user to let a run go on.
    pub resting: BTreeSet<SweepId>,
    /// Those that have all their trials.
    pub full: BTreeSet<SweepId>,
    /// Those that have had their time.
    pub spent: BTreeSet<SweepId>,
    /// When their time was last looked at.
    pub timed: Option<Instant>,
    /// Where the runs of sweeps are that prune; `None` for a sweep that does not. Read anew when somebody
    /// else has written to the database.
    pub ladders: BTreeMap<SweepId, Option<Watched>>,
}

/// A sweep that prunes.
#[derive(Debug)]
pub(super) struct Watched {
    pub plan: Plan,
    pub rule: Rule,
    pub ladder: Ladder,
}

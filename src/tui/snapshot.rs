//! Everything a screen draws from. The loader thread makes snapshots; the UI thread swaps them in
//! whole. Parts are shared, so that a new snapshot costs what changed.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use super::background::Answers;
use crate::spec::{RunId, RunSpec, Task};
use crate::store::{Confusion, Counts, Curve, Listing, Millis, Run, SiteInfo, SlotInfo, Split};

/// A board at one moment.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// When it was taken: the only clock that screens know.
    pub now: Millis,
    /// The board's folder, as people write it.
    pub root: String,
    /// What the config gives to runs that do not say otherwise.
    pub defaults: Arc<RunSpec>,
    /// Whether the database can be read.
    pub health: Health,
    /// Runs by what they do.
    pub counts: Counts,
    /// Whether anybody starts queued runs.
    pub runner: RunnerState,
    /// Live runs whose trainer is dead while no runner is at work.
    pub lost: Arc<BTreeSet<RunId>>,
    /// Devices, and the job slots of clusters.
    pub slots: Arc<Vec<SlotInfo>>,
    /// Sites where no run is to start.
    pub held: Arc<BTreeSet<String>>,
    /// The sites of the config, with what is known of those elsewhere.
    pub sites: Arc<Vec<SiteInfo>>,
    /// Starting, running and stopping runs.
    pub live: Arc<Vec<Run>>,
    /// Queued runs in the order they start, the first of them; held ones too.
    pub queue: Arc<Vec<Run>>,
    /// Runs that ended lately: what forecasts are made from.
    pub recent: Arc<Vec<Run>>,
    /// The list of the runs screen.
    pub list: List,
    /// Bytes in the folders of runs, as far as they were asked for.
    pub disk: Arc<BTreeMap<RunId, u64>>,
    /// The live runs with their losses, while they are shown.
    pub wall: Arc<Vec<Detail>>,
    /// The open run.
    pub detail: Option<Arc<Detail>>,
    /// Confusion counts of the open run that were asked for, and their neighbours.
    pub passes: Passes,
    /// The end of the open run's `out.log`.
    pub log: Option<Arc<Log>>,
    /// What the background thread found; the UI thread keeps it from one snapshot to the next.
    pub answers: Answers,
}

impl Snapshot {
    /// A run that is loaded for any of the screens.
    pub fn run(&self, id: RunId) -> Option<&Run> {
        let detail = self.detail.iter().map(|d| &d.run);
        let compared = self.answers.compared.iter().filter_map(|(_, c)| c.as_ref().as_ref().ok());
        let compared = compared.flat_map(|compared| &compared.runs);
        let swept = self.answers.sweep.iter().filter_map(|(_, s)| s.as_ref().as_ref().ok());
        let swept = swept.flat_map(|sweep| &sweep.runs);
        let listed = self.list.rows.iter().map(Arc::as_ref).chain(detail).chain(self.live.iter());
        listed.chain(compared).chain(swept).find(|run| run.id == id)
    }
}

/// Whether the database can be read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Health {
    /// Not yet known.
    #[default]
    Opening,
    /// Yes.
    Ready,
    /// No run was ever queued here: there is no database.
    NoDatabase,
    /// No; one sentence.
    Broken(String),
}

/// Whether anybody starts queued runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum RunnerState {
    /// No runner is signed on.
    #[default]
    Absent,
    /// Its process lives.
    Alive,
    /// Signed on, never signed off, and its process is not there.
    Gone,
}

/// The rows that match the filter, of which a window is loaded.
#[derive(Debug, Clone, Default)]
pub struct List {
    /// What it answers: the words and the order...
    pub listing: Listing,
    /// ...and the runs of an opened group.
    pub only: Option<Arc<Vec<RunId>>>,
    /// All matching runs in order; while `complete` is false, only the first.
    pub ids: Arc<Vec<RunId>>,
    /// True once all ids are known.
    pub complete: bool,
    /// Where in `ids` the loaded rows begin.
    pub offset: usize,
    /// The loaded rows.
    pub rows: Arc<Rows>,
    /// Keys that differ among the rows seen so far.
    pub varied: Arc<Vec<&'static str>>,
    /// Rows folded into groups, if asked for.
    pub groups: Option<Arc<Vec<Group>>>,
}

impl List {
    /// The row at a position of `ids`, if it is loaded.
    pub fn row(&self, at: usize) -> Option<&Run> {
        let row = at.checked_sub(self.offset).and_then(|i| self.rows.get(i))?;
        (self.ids.get(at) == Some(&row.id)).then_some(&**row)
    }

    /// Rows of the table as a whole: runs, or groups of them.
    pub fn count(&self) -> usize {
        self.groups.as_ref().map_or(self.ids.len(), |groups| groups.len())
    }
}

/// Loaded rows.
#[derive(Debug, Default)]
pub struct Rows {
    runs: Vec<Arc<Run>>,
    measured: OnceLock<Measured>,
}

impl Rows {
    /// What columns need to know of all of them, found once and not with every frame.
    pub fn measured(&self, find: impl FnOnce(&[Arc<Run>]) -> Measured) -> &Measured {
        self.measured.get_or_init(|| find(&self.runs))
    }
}

impl From<Vec<Arc<Run>>> for Rows {
    fn from(runs: Vec<Arc<Run>>) -> Self {
        Self { runs, measured: OnceLock::new() }
    }
}

impl Deref for Rows {
    type Target = [Arc<Run>];

    fn deref(&self) -> &[Arc<Run>] {
        &self.runs
    }
}

impl PartialEq for Rows {
    fn eq(&self, other: &Self) -> bool {
        self.runs == other.runs
    }
}

/// Of rows, how many columns their widest words take, and what any of them has.
#[derive(Debug)]
pub struct Measured {
    /// Columns of the widest name.
    pub name: u16,
    /// Of the widest site.
    pub site: u16,
    /// Of the widest epoch.
    pub epoch: u16,
    /// Of the most flags.
    pub flags: u16,
    /// Of the most tags, with the note.
    pub tags: u16,
    /// Of the longest note.
    pub note: u16,
    /// Of the widest value of a key, and whether all values are numbers.
    pub keys: BTreeMap<&'static str, (u16, bool)>,
    /// Figures with a last value.
    pub last: BTreeSet<String>,
    /// Figures with a best value.
    pub best: BTreeSet<String>,
    /// Whether any run is live,
    pub is_any_live: bool,
    /// on another site,
    pub is_any_elsewhere: bool,
    /// a tagger.
    pub is_any_tagger: bool,
}

/// How runs fold into groups.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum GroupBy {
    /// One row per run.
    #[default]
    None,
    /// One row per sweep.
    Sweep,
    /// One row per spec, whatever its seed.
    Seeds,
    /// One row per value of a key.
    Key(&'static str),
}

/// Runs folded into one row.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// What they share.
    pub label: String,
    /// The runs, in the list's order.
    pub members: Arc<Vec<RunId>>,
    /// By what they do.
    pub counts: Counts,
    /// What its first run learns.
    pub task: Task,
    /// Mean and standard deviation, by name of the metric: best val score, val loss, test score.
    pub figures: BTreeMap<&'static str, Spread>,
}

/// Mean and sample standard deviation.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Spread {
    /// Number of values.
    pub n: u32,
    /// Their mean.
    pub mean: f64,
    /// Sum of squared distances from the mean.
    pub m2: f64,
}

impl Spread {
    /// Takes in one value (Welford's update).
    pub fn add(&mut self, x: f64) {
        if !x.is_finite() {
            return;
        }
        self.n += 1;
        let d = x - self.mean;
        self.mean += d / f64::from(self.n);
        self.m2 += d * (x - self.mean);
    }

    /// The sample standard deviation; `None` below two values.
    pub fn sd(&self) -> Option<f64> {
        (self.n > 1).then(|| (self.m2 / f64::from(self.n - 1)).sqrt())
    }
}

/// The open run.
#[derive(Debug, Clone, PartialEq)]
pub struct Detail {
    /// Its row.
    pub run: Run,
    /// Its curves by metric, thinned to the screen.
    pub curves: BTreeMap<String, Curve>,
    /// Into how many buckets they were thinned; 0 = none were read.
    pub buckets: usize,
    /// The passes that have confusion counts.
    pub passes: Vec<(Split, u32)>,
}

/// Confusion counts by split and epoch, all of one run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Passes {
    /// Of which run.
    pub run: Option<RunId>,
    /// The counts.
    pub counts: BTreeMap<(Split, u32), Arc<Confusion>>,
}

/// The end of a log file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// Whose.
    pub run: RunId,
    /// Lines without control characters, oldest first.
    pub lines: Vec<String>,
    /// True if older lines were left out.
    pub cut: bool,
    /// The file, as people write it.
    pub path: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spread_is_mean_and_sample_deviation() {
        let mut s = Spread::default();
        for x in [0.9, 0.92, f64::NAN, 0.94] {
            s.add(x);
        }
        assert!((s.mean - 0.92).abs() < 1e-12);
        assert!((s.sd().unwrap() - 0.02).abs() < 1e-12);
        assert_eq!(Spread::default().sd(), None);
    }
}

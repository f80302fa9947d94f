#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use chrono::{DateTime, Local};
use serde::{Deserialize, Serialize};

use super::pass::Pass;
use crate::events::{Level, Split, Started};
use crate::query::{Query, Term, Test};
use crate::spec::{Desired, Flag, Part, Placement, RunId, RunSpec, RunState, SweepId};

/// Times are milliseconds since the Unix epoch.
pub type Millis = i64;

/// The wall clock, as the database writes it.
pub fn now() -> Millis {
    Local::now().timestamp_millis()
}

/// A run as the database knows it. Rows are rebuilt by `reindex` from the run's folder, but for
/// what people wrote (name, tags, note) and the desired state.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// Its number.
    pub id: RunId,
    /// For people; a single run's is made from its spec, a sweep's run is named by its varied keys.
    pub name: String,
    /// Everything that decides its result.
    pub spec: RunSpec,
    /// [`RunSpec::hash`].
    pub spec_hash: String,
    /// The sweep it belongs to.
    pub sweep: Option<SweepId>,
    /// What the user wants.
    pub desired: Desired,
    /// What the run is doing.
    pub state: RunState,
    /// Where it runs or ran.
    pub placement: Option<Placement>,
    /// When it was queued.
    pub created: Millis,
    /// When its first attempt started.
    pub started: Option<Millis>,
    /// When its last attempt ended.
    pub ended: Option<Millis>,
    /// When its last event was written.
    pub last_event: Option<Millis>,
    /// How long its attempts have held their device, by the clock of their events: without the time in
    /// which it was queued, stopped or gone. `None` before the first attempt.
    pub device_time: Option<Millis>,
    /// The pass over a split that it is in.
    pub pass: Option<Pass>,
    /// What went wrong in it, the worst first.
    pub flags: Vec<Flag>,
    /// 0 before the first attempt.
    pub attempt: u32,
    /// Optimiser steps taken.
    pub step: u64,
    /// Epochs done, with a fraction.
    pub epoch: f64,
    /// What the trainer said of the last attempt: labels, rows, device, total steps.
    pub facts: Option<Started>,
    /// The latest value of every metric, by full name (`val/acc`).
    pub last: BTreeMap<String, f64>,
    /// The best value: the lowest of losses, the highest of everything else.
    pub best: BTreeMap<String, f64>,
    /// The epoch of the lowest val loss.
    pub best_epoch: Option<u32>,
    /// Loss over equal stretches of the steps so far, at most [`SPARK`]: val loss, before there was any train loss.
    pub spark: Vec<f32>,
    /// Words the user put on it.
    pub tags: Vec<String>,
    /// What the user wrote about it.
    pub note: String,
    /// Hidden from lists.
    pub archived: bool,
    /// What part it has in its sweep.
    pub part: Part,
    /// When the runner learnt that it had ended: not before that could a search know of it.
    pub settled: Option<Millis>,
    /// Its place in the queue: runs that wait start in the order of this number, which is the run's own unless it
    /// was moved.
    pub turn: i64,
}

/// The length of a run's sparkline.
pub const SPARK: usize = 32;

/// Numbers of runs by state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// In the queue and desired to run.
    pub queued: u64,
    /// In the queue, held.
    pub held: u64,
    /// Starting, running or stopping.
    pub live: u64,
    /// Ended well.
    pub done: u64,
    /// Failed or lost.
    pub failed: u64,
    /// Stopped or pruned.
    pub stopped: u64,
}

/// Which runs a list shows, and in which order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Listing {
    /// Words that must all occur in id, name, spec, state, tags or note, regardless of case.
    pub words: Vec<String>,
    /// Only these states' words (`running`, `done`, `failed` ...); empty = all.
    pub states: Vec<String>,
    /// Only this sweep.
    pub sweep: Option<SweepId>,
    /// What must hold besides.
    pub query: Query,
    /// Archived runs too, unless the query says which.
    pub archived: bool,
    /// The runs in the trash, and no others.
    pub trash: bool,
    /// The order.
    pub sort: Sort,
    /// In descending order.
    pub descending: bool,
}

impl Listing {
    /// Words, states, sweep and query as one query.
    pub(super) fn terms(&self) -> Query {
        let mut tests: Vec<Test> = self.words.iter().cloned().map(Test::Word).collect();
        if !self.states.is_empty() {
            tests.push(Test::State(self.states.iter().map(|s| s.to_lowercase()).collect()));
        }
        tests.extend(self.sweep.map(|sweep| Test::Sweep(vec![sweep])));
        let mut query = self.query.clone();
        query.terms.extend(tests.into_iter().map(|test| Term { negated: false, test }));
        query
    }
}

/// What a list is sorted by. Runs without the value come last; ties are broken by id.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Sort {
    /// The number, hence the time it was queued.
    #[default]
    Id,
    /// The name.
    Name,
    /// Live first, then queued, then ended.
    State,
    /// A key of the spec.
    Key(String),
    /// The best value of a metric.
    Best(String),
    /// The last value of a metric.
    Last(String),
    /// Time on a device, over all attempts.
    Duration,
}

/// A curve, thinned to what a screen can show. All four vectors have the same length.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Curve {
    /// Optimiser steps.
    pub step: Vec<u64>,
    /// Epochs, with a fraction.
    pub epoch: Vec<f64>,
    /// Milliseconds since the Unix epoch.
    pub time: Vec<Millis>,
    /// The values; NaN and infinities as they were reported.
    pub value: Vec<f64>,
    /// Points before thinning.
    pub total: usize,
}

/// Confusion counts of one pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confusion {
    /// Which rows.
    pub split: Split,
    /// Epochs done.
    pub epoch: u32,
    /// Class names, in the order of rows and columns.
    pub labels: Vec<String>,
    /// `[true][predicted]`.
    pub counts: Vec<Vec<u64>>,
}

/// A sweep as the database knows it.
#[derive(Debug, Clone, PartialEq)]
pub struct SweepRow {
    /// Its number.
    pub id: SweepId,
    /// As in `[sweeps.NAME]`, or made from the varied keys.
    pub name: String,
    /// The varied keys, in order.
    pub varied: Vec<String>,
    /// When it was queued.
    pub created: Millis,
    /// Its runs by state.
    pub counts: Counts,
}

/// A process, identified so that a reboot or a reused pid is noticed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// Process id, also its process group.
    pub pid: u32,
    /// Start time in kernel ticks since boot (`/proc/PID/stat`, field 22).
    pub start: u64,
    /// The kernel's boot id.
    pub boot_id: String,
    /// Machine.
    pub host: String,
}

/// The runner of a board.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunnerInfo {
    /// Its process.
    pub process: Process,
    /// Its last heartbeat.
    pub heartbeat: Millis,
    /// Version of tuneboard.
    pub version: String,
}

/// A slot for one run, with its device's figures.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SlotInfo {
    /// A site of the config.
    pub site: String,
    /// `cpu/0`, `cuda:1`.
    pub slot: String,
    /// The device's name, for people.
    pub label: String,
    /// The run on it.
    pub run: Option<RunId>,
    /// Bytes in use on the device.
    pub memory_used: Option<u64>,
    /// Bytes in all.
    pub memory_total: Option<u64>,
    /// Percent of time busy.
    pub busy: Option<f32>,
    /// Degrees Celsius.
    pub temperature: Option<u32>,
}

/// What the runner last knew of a site. It stays when the runner exits.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SiteInfo {
    /// A site of the config.
    pub name: String,
    /// Whether it answers.
    pub state: SiteState,
    /// When it last answered.
    pub seen: Option<Millis>,
    /// Why it does not answer, or what is odd about it; one sentence.
    pub why: String,
    /// Devices, for people.
    pub devices: Vec<String>,
    /// Slots in all; 0 = not known yet.
    pub slots: u32,
    /// Slots without a run.
    pub free: u32,
    /// Notes about runs there: what they wait for, how far a transfer is.
    pub runs: BTreeMap<RunId, String>,
}

impl Run {
    /// The figure that tells how good it is ([`crate::spec::Task::score`]): of the test rows, else the best of the
    /// validation rows.
    pub fn score(&self) -> Option<f64> {
        let [val, test] = self.spec.task.score();
        self.last.get(test).or_else(|| self.best.get(val)).copied()
    }

    /// How many val rows its newest figures of them are of, if it is in the middle of an epoch and not all were
    /// looked at.
    pub fn sampled(&self) -> Option<u64> {
        let facts = self.facts.as_ref()?;
        let epochs = facts.epochs.max(1);
        let per_epoch = facts.total_steps / u64::from(epochs);
        let most = self.spec.most_val_rows(per_epoch)?;
        let every = self.spec.eval_every.interval(self.spec.epochs, per_epoch);
        let is_within = self.step.checked_rem(per_epoch).is_some_and(|step| step >= every);
        (is_within && most < facts.rows[1]).then_some(most)
    }

    /// The word for a live run whose state cannot be confirmed: `away` while its host does not answer or its
    /// node sends no heartbeat, `waiting` once its cluster has taken it off a node; else `None`.
    pub fn doubt(&self, sites: &[SiteInfo]) -> Option<&'static str> {
        let place = self.placement.as_ref().filter(|_| self.state.is_live())?;
        let site = sites.iter().find(|site| site.name == place.site)?;
        let is_said = |what| site.runs.get(&self.id).is_some_and(|words| words.starts_with(what));
        if site.state == SiteState::Unreachable || is_said(UNREACHABLE) {
            Some("away")
        } else {
            (self.state == RunState::Running && is_said("waiting: ")).then_some("waiting")
        }
    }
}

/// How remarks about a host, or a run, that cannot be reached begin.
const UNREACHABLE: &str = "unreachable";

/// `unreachable, last seen 14:02`; of another day with its date.
pub fn unreachable(seen: Option<Millis>) -> String {
    let seen = seen.and_then(DateTime::from_timestamp_millis).map(|t| t.with_timezone(&Local));
    match seen {
        Some(seen) if seen.date_naive() == Local::now().date_naive() => {
            format!("{UNREACHABLE}, last seen {}", seen.format("%H:%M"))
        }
        Some(seen) => format!("{UNREACHABLE}, last seen {}", seen.format("%Y-%m-%d %H:%M")),
        None => UNREACHABLE.to_owned(),
    }
}

/// Whether a site answers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SiteState {
    /// Nobody has asked yet.
    #[default]
    Unasked,
    /// It answers.
    Up,
    /// It does not answer; its runs may go on.
    Unreachable,
}

impl SiteState {
    /// For tables and JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Unasked => "unasked",
            Self::Up => "up",
            Self::Unreachable => UNREACHABLE,
        }
    }
}

/// A note of the trainer to people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrainerNote {
    /// When.
    pub time: Millis,
    /// Optimiser steps taken by then.
    pub step: u64,
    /// How serious.
    pub level: Level,
    /// One sentence, fit for a terminal.
    pub text: String,
}

#[cfg(test)]
impl Run {
    /// A run that has just been queued.
    pub fn example(id: u32, spec: RunSpec) -> Self {
        Self {
            id: RunId(id),
            name: String::new(),
            spec_hash: spec.hash(),
            spec,
            sweep: None,
            desired: Desired::Run,
            state: RunState::Queued,
            placement: None,
            created: 0,
            started: None,
            ended: None,
            last_event: None,
            device_time: None,
            pass: None,
            flags: Vec::new(),
            attempt: 0,
            step: 0,
            epoch: 0.0,
            facts: None,
            last: BTreeMap::new(),
            best: BTreeMap::new(),
            best_epoch: None,
            spark: Vec::new(),
            tags: Vec::new(),
            note: String::new(),
            archived: false,
            part: Part::Trial,
            settled: None,
            turn: i64::from(id),
        }
    }
}

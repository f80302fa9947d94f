//! What people wrote, a second time: `runs/board.journal`, one JSON line per change, appended and never
//! rewritten. Runs tell of themselves in their folders; notes, tags, names, the archive, sweeps, holds and
//! what waits in the queue lay in the database alone, and were lost with it.
//!
//! A line is written inside the transaction that makes the change, just before it commits: the write lock
//! keeps the lines in the order of the changes, and a change whose line cannot be written is not made. A
//! line whose transaction then fails says what somebody wanted; `reindex` believes the database first.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::run::now;
use super::{Millis, NewRun, NewSweep, rows};
use crate::spec::{Desired, RunId, RunSpec, SweepId};

/// Runs of one `queued` line.
const TOGETHER: usize = 1_000;
/// No line of ours is longer; a longer one is passed over.
const LONGEST: u64 = 64 << 20;

/// One line.
#[derive(Debug, Serialize, Deserialize)]
struct Line {
    /// When.
    t: Millis,
    #[serde(flatten)]
    what: Entry,
}

/// What was changed.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Entry {
    /// A sweep was queued.
    Sweep { id: SweepId, name: String, sweep: Value },
    /// Runs were queued; each with its name and what differs from the first one's spec.
    Queued {
        sweep: Option<SweepId>,
        #[serde(rename = "wish")]
        desired: Desired,
        created: Millis,
        spec: Value,
        runs: Vec<(RunId, String, Map<String, Value>)>,
    },
    /// What is wanted of them.
    #[serde(rename = "wish")]
    Desired {
        runs: Vec<RunId>,
        #[serde(rename = "wish")]
        desired: Desired,
    },
    /// They were put back into the queue.
    Again { runs: Vec<RunId> },
    /// Where runs that wait were moved to.
    Places { places: Vec<(RunId, i64)> },
    /// A run's name.
    Name { run: RunId, name: String },
    /// Its tags.
    Tags { run: RunId, tags: Vec<String> },
    /// What was written about it.
    Note { run: RunId, note: String },
    /// Whether they are hidden.
    Archived { runs: Vec<RunId>, on: bool },
    /// Whether they lie in the trash.
    Trashed { runs: Vec<RunId>, on: bool },
    /// They are forgotten for ever.
    Purged { runs: Vec<RunId> },
}

/// What is known of a run besides what its folder tells; nothing of what is `None`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Noted {
    /// For people.
    pub name: Option<String>,
    /// What was queued.
    pub spec: Option<RunSpec>,
    /// The sweep it belongs to.
    pub sweep: Option<SweepId>,
    /// When it was queued.
    pub created: Option<Millis>,
    /// What its user wants.
    pub desired: Option<Desired>,
    /// Words that the user put on it.
    pub tags: Option<Vec<String>>,
    /// What the user wrote about it.
    pub note: Option<String>,
    /// Hidden from lists.
    pub archived: Option<bool>,
    /// In the trash.
    pub trashed: Option<bool>,
    /// When it was last put into the queue.
    pub queued: Option<Millis>,
    /// Where in the queue it was moved to.
    pub place: Option<i64>,
    /// Forgotten for ever.
    pub purged: bool,
}

impl Noted {
    /// This, and where it says nothing the other.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            name: self.name.or(other.name),
            spec: self.spec.or(other.spec),
            sweep: self.sweep.or(other.sweep),
            created: self.created.or(other.created),
            desired: self.desired.or(other.desired),
            tags: self.tags.or(other.tags),
            note: self.note.or(other.note),
            archived: self.archived.or(other.archived),
            trashed: self.trashed.or(other.trashed),
            queued: self.queued.or(other.queued),
            place: self.place.or(other.place),
            purged: other.purged,
        }
    }
}

/// What a journal says in all.
#[derive(Debug, Default)]
pub struct History {
    /// Runs by number.
    pub runs: BTreeMap<RunId, Noted>,
    /// Sweeps by number.
    pub sweeps: BTreeMap<SweepId, NewSweep>,
    /// Lines that could not be read.
    pub passed_over: u64,
}

/// Where the journal of a database lies.
pub(super) fn beside(database: &Path) -> PathBuf {
    database.with_extension("journal")
}

/// Appends a line for each entry; all of them or, but for a full disk, none.
pub(super) fn append(path: &Path, entries: &[Entry]) -> io::Result<()> {
    if entries.is_empty() {
        return Ok(());
    }
    let t = now();
    let mut text = Vec::new();
    let mut options = OpenOptions::new();
    let mut file = options.read(true).append(true).create(true).mode(0o600).open(path)?;
    let length = file.metadata()?.len();
    let mut last = [b'\n'];
    if length > 0 {
        file.seek(SeekFrom::Start(length - 1))?;
        file.read_exact(&mut last)?;
    }
    if last != [b'\n'] {
        // Somebody was killed within a line.
        text.push(b'\n');
    }
    for entry in entries {
        serde_json::to_writer(&mut text, &Line { t, what: entry.clone() })?;
        text.push(b'\n');
    }
    file.write_all(&text)?;
    file.sync_data()
}

/// The entries for runs that were queued together.
pub(super) fn queued(
    sweep: Option<SweepId>,
    created: Millis,
    ids: &[RunId],
    runs: &[NewRun],
) -> Vec<Entry> {
    let object = |spec: &RunSpec| match serde_json::to_value(spec) {
        Ok(Value::Object(object)) => object,
        _ => Map::new(),
    };
    let mut entries = Vec::new();
    for (ids, runs) in ids.chunks(TOGETHER).zip(runs.chunks(TOGETHER)) {
        let mut pairs = ids.iter().zip(runs).peekable();
        while let Some((_, first)) = pairs.peek() {
            let (desired, base) = (first.desired, object(&first.spec));
            let mut list = Vec::new();
            while let Some((id, run)) = pairs.next_if(|(_, run)| run.desired == desired) {
                let mut own = object(&run.spec);
                // A key that the first one has and this one lacks is told as null.
                for (key, value) in &base {
                    if own.get(key) == Some(value) {
                        own.remove(key);
                    } else if !own.contains_key(key) {
                        own.insert(key.clone(), Value::Null);
                    }
                }
                list.push((*id, run.name.clone(), own));
            }
            let spec = Value::Object(base);
            entries.push(Entry::Queued { sweep, desired, created, spec, runs: list });
        }
    }
    entries
}

/// The entry for a sweep.
pub(super) fn sweep(id: SweepId, new: &NewSweep) -> Entry {
    let sweep = serde_json::to_value(&new.sweep).unwrap_or_default();
    Entry::Sweep { id, name: new.name.clone(), sweep }
}

/// What the journal beside a database says. None is an empty one.
///
/// # Errors
/// A journal that cannot be opened or read.
pub fn history(database: &Path) -> io::Result<History> {
    let mut history = History::default();
    let file = match File::open(beside(database)) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(history),
        Err(e) => return Err(e),
    };
    let mut reader = BufReader::new(file);
    let mut line = Vec::new();
    loop {
        line.clear();
        if reader.by_ref().take(LONGEST).read_until(b'\n', &mut line)? == 0 {
            return Ok(history);
        }
        match serde_json::from_slice::<Line>(&line) {
            Ok(Line { t, what }) => history.add(t, what),
            Err(_) if line.iter().all(u8::is_ascii_whitespace) => {}
            Err(_) => history.passed_over += 1,
        }
    }
}

impl History {
    fn each(&mut self, runs: &[RunId], change: impl Fn(&mut Noted)) {
        for id in runs {
            change(self.runs.entry(*id).or_default());
        }
    }

    fn add(&mut self, t: Millis, what: Entry) {
        match what {
            Entry::Sweep { id, name, sweep } => match serde_json::from_value(sweep) {
                Ok(sweep) => drop(self.sweeps.insert(id, NewSweep { name, sweep })),
                Err(_) => self.passed_over += 1,
            },
            Entry::Queued { sweep, desired, created, spec, runs } => {
                for (id, name, own) in runs {
                    let mut whole = spec.as_object().cloned().unwrap_or_default();
                    whole.extend(own);
                    whole.retain(|_, value| !value.is_null());
                    let spec = rows::spec(&Value::Object(whole).to_string());
                    // What was noted of another run of this number is not of this one.
                    let noted = Noted {
                        name: Some(name),
                        spec: Some(spec),
                        sweep,
                        created: Some(created),
                        desired: Some(desired),
                        // Its line is written a little later, which is no queueing anew.
                        queued: Some(created),
                        ..Noted::default()
                    };
                    self.runs.insert(id, noted);
                }
            }
            Entry::Desired { runs, desired } => {
                self.each(&runs, |noted| noted.desired = Some(desired));
            }
            Entry::Again { runs } => self.each(&runs, |noted| {
                noted.queued = Some(t);
                noted.desired = Some(Desired::Run);
                noted.place = None;
            }),
            Entry::Places { places } => {
                for (id, place) in places {
                    self.each(&[id], |noted| noted.place = Some(place));
                }
            }
            Entry::Name { run, name } => {
                self.each(&[run], |noted| noted.name = Some(name.clone()));
            }
            Entry::Tags { run, tags } => {
                self.each(&[run], |noted| noted.tags = Some(tags.clone()));
            }
            Entry::Note { run, note } => {
                self.each(&[run], |noted| noted.note = Some(note.clone()));
            }
            Entry::Archived { runs, on } => self.each(&runs, |noted| noted.archived = Some(on)),
            Entry::Trashed { runs, on } => self.each(&runs, |noted| noted.trashed = Some(on)),
            Entry::Purged { runs } => self.each(&runs, |noted| {
                *noted = Noted { purged: true, ..Noted::default() };
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(spec: RunSpec, desired: Desired) -> NewRun {
        NewRun { name: format!("seed={}", spec.seed), spec, desired }
    }

    #[test]
    fn what_is_written_reads_back() {
        let dir = tempfile::tempdir().unwrap();
        let database = dir.path().join("board.db");
        let path = beside(&database);
        let base = RunSpec { model: "m".into(), data: "d".into(), ..RunSpec::default() };
        let runs: Vec<NewRun> = (0..2_500)
            .map(|i| {
                let val = (i % 2 == 1).then(|| "x".to_owned());
                let spec = RunSpec { seed: i, val, ..base.clone() };
                of(spec, if i == 7 { Desired::Hold } else { Desired::Run })
            })
            .collect();
        let ids: Vec<RunId> = (1..=2_500).map(RunId).collect();
        append(&path, &queued(None, 5, &ids, &runs)).unwrap();
        let (run, three) = (RunId(3), vec![RunId(3)]);
        append(
            &path,
            &[
                Entry::Note { run, note: "two\nlines".into() },
                Entry::Tags { run, tags: vec!["a".into()] },
                Entry::Archived { runs: three.clone(), on: true },
                Entry::Desired { runs: three.clone(), desired: Desired::Hold },
            ],
        )
        .unwrap();
        append(&path, &[Entry::Purged { runs: vec![RunId(9)] }]).unwrap();
        let history = history(&database).unwrap();
        assert_eq!((history.runs.len(), history.passed_over), (2_500, 0));
        for (id, run) in ids.iter().zip(&runs).filter(|(id, _)| ![3, 9].contains(&id.0)) {
            let noted = &history.runs[id];
            assert_eq!(noted.spec.as_ref(), Some(&run.spec));
            assert_eq!((noted.desired, noted.name.as_ref()), (Some(run.desired), Some(&run.name)));
        }
        let third = &history.runs[&run];
        assert_eq!(third.note.as_deref(), Some("two\nlines"));
        assert_eq!((third.archived, third.desired), (Some(true), Some(Desired::Hold)));
        assert!(history.runs[&RunId(9)].purged);
    }

    /// The words that every journal has had.
    #[test]
    fn a_desired_state_is_stored_as_a_wish() {
        let entry = Entry::Desired { runs: vec![RunId(3)], desired: Desired::Hold };
        let text = serde_json::to_string(&Line { t: 1, what: entry }).unwrap();
        assert_eq!(text, r#"{"t":1,"wish":{"runs":[3],"wish":"hold"}}"#);
        let runs = [of(RunSpec::default(), Desired::Stop)];
        let text = serde_json::to_string(&queued(None, 5, &[RunId(1)], &runs)).unwrap();
        assert!(text.contains(r#""wish":"stop""#), "{text}");
    }

    #[test]
    fn a_torn_line_costs_itself_alone() {
        let dir = tempfile::tempdir().unwrap();
        let database = dir.path().join("board.db");
        let path = beside(&database);
        let note = |n: u32| Entry::Note { run: RunId(n), note: "kept".into() };
        append(&path, &[note(1)]).unwrap();
        let text = std::fs::read(&path).unwrap();
        std::fs::write(&path, [&text[..], b"{\"t\":1,\"no"].concat()).unwrap();
        append(&path, &[note(2)]).unwrap();
        let history = history(&database).unwrap();
        assert_eq!((history.runs.len(), history.passed_over), (2, 1));
    }
}

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::analysis::groups::{OF_CHANCE, setting_hash};
use crate::spec::keys::KEYS;
use crate::spec::metrics::val;
use crate::spec::{Desired, IGNORED, Outcome, RunId, RunState, Task, name_of};
use crate::store::{Counts, Reader, Run, StoreError};
use crate::tui::query::Query;
use crate::tui::snapshot::{Group, GroupBy, List, Spread};

/// Keys that differ are shown as columns, as many as these at most.
const COLUMNS: usize = 8;
/// Runs that are folded into groups, as many as these at most: the newest or best, as sorted.
const FOLDED: usize = 20_000;
/// Of its time, the loader spends at most this share on lists of a board that changes all the time.
const SHARE: u32 = 10;

/// What the list was read for, and what is left to read.
#[derive(Debug, Default)]
pub struct ListLoader {
    group: GroupBy,
    window: (usize, usize),
    begun: bool,
    /// Ids are to be read again.
    stale: bool,
    /// The figures at the ends of epochs that the rows have.
    at: Vec<(String, u32)>,
    /// Rows beyond those in view are to be read.
    short: bool,
    not_before: Option<Instant>,
}

impl ListLoader {
    /// Brings the rows in view; true if they differ from those in `list`.
    pub fn begin(
        &mut self,
        reader: &Reader,
        query: &Query,
        changed: bool,
        list: &mut List,
    ) -> Result<bool, StoreError> {
        let other = !self.begun || list.listing != query.listing || list.only != query.only;
        let regroup = self.group != query.group;
        let moved = self.window != query.window;
        let lacks = self.at != query.at;
        self.at.clone_from(&query.at);
        self.begun = true;
        self.group = query.group;
        self.window = query.window;
        self.stale |= changed || other || regroup;
        let mut differs = false;
        if other {
            list.listing = query.listing.clone();
            list.only.clone_from(&query.only);
            list.varied = Arc::default();
            let ids = match &query.only {
                Some(ids) => Arc::clone(ids),
                None => Arc::new(reader.first_ids(&query.listing, query.window.1.max(64))?),
            };
            list.complete = query.only.is_some();
            differs |= swap(&mut list.ids, ids);
            self.not_before = None;
        }
        if regroup || other {
            differs |= list.groups.take().is_some();
            self.not_before = None;
        }
        // A small board's ids are read with its rows at once, so that both change together.
        if changed && !other && self.not_before.is_none() {
            differs |= self.finish(reader, query, list)?;
        }
        if other || changed || lacks || (moved && !reaches(list, query.window)) {
            self.short = false;
            differs |= read_rows(reader, query, false, list)?;
        } else {
            self.short |= moved;
        }
        Ok(differs)
    }

    /// True if rows around those in view are to be read for the keys that come.
    pub fn wants_ahead(&self) -> bool {
        self.short
    }

    /// Brings the rows before and behind those in view, for the keys that come; true if it did.
    pub fn look_ahead(
        &mut self,
        reader: &Reader,
        query: &Query,
        list: &mut List,
    ) -> Result<bool, StoreError> {
        Ok(std::mem::take(&mut self.short) && read_rows(reader, query, true, list)?)
    }

    /// Reads all ids, and folds them; true if the list differs. Puts it off on a board that is so
    /// large and so busy that the loader would do nothing else.
    pub fn finish(
        &mut self,
        reader: &Reader,
        query: &Query,
        list: &mut List,
    ) -> Result<bool, StoreError> {
        let began = Instant::now();
        if !self.stale || self.not_before.is_some_and(|t| began < t) {
            return Ok(false);
        }
        self.stale = false;
        let ids = match &query.only {
            Some(ids) => Arc::clone(ids),
            None => Arc::new(reader.ids(&query.listing)?),
        };
        let mut differs = !std::mem::replace(&mut list.complete, true);
        if swap(&mut list.ids, ids) {
            differs = true;
            read_rows(reader, query, false, list)?;
        }
        if query.group != GroupBy::None {
            let groups = Some(Arc::new(fold(reader, &list.ids, query.group)?));
            differs |= list.groups != groups;
            list.groups = groups;
        }
        let took = began.elapsed();
        self.not_before = (took > Duration::from_millis(5)).then(|| began + took * SHARE);
        Ok(differs)
    }
}

fn swap<T: PartialEq>(slot: &mut Arc<T>, new: Arc<T>) -> bool {
    let differs = *slot != new;
    if differs {
        *slot = new;
    }
    differs
}

/// True if the loaded rows hold the middle half of the window, or all from its middle to the list's beginning:
/// what is in view lies there ([`View::query`](crate::tui::view::View::query)).
fn reaches(list: &List, (start, length): (usize, usize)) -> bool {
    let quarter = length / 4;
    let from = if start == 0 { 0 } else { start + quarter };
    let to = (start + 3 * quarter).min(list.ids.len());
    from >= list.offset && to <= list.offset + list.rows.len()
}

/// Reads the rows of the window; with `keep`, those that are loaded are taken as they are.
fn read_rows(
    reader: &Reader,
    query: &Query,
    keep: bool,
    list: &mut List,
) -> Result<bool, StoreError> {
    let (start, length) = query.window;
    let start = start.min(list.ids.len());
    let end = start.saturating_add(length).min(list.ids.len());
    let ids = list.ids.get(start..end).unwrap_or_default();
    let known: BTreeMap<RunId, &Arc<Run>> =
        list.rows.iter().filter(|_| keep).map(|run| (run.id, run)).collect();
    let new: Vec<RunId> = ids.iter().copied().filter(|id| !known.contains_key(id)).collect();
    let mut new = reader.runs(&new)?;
    for run in &mut new {
        reader.add_epochs(run, &query.at)?;
    }
    let mut new = new.into_iter().peekable();
    let mut rows = Vec::with_capacity(ids.len());
    for id in ids {
        match known.get(id) {
            Some(run) => rows.push(Arc::clone(run)),
            // A run that is gone has no row.
            None => rows.extend(new.next_if(|run| run.id == *id).map(Arc::new)),
        }
    }
    let varied = varied(&rows, &list.varied);
    let mut differs = std::mem::replace(&mut list.offset, start) != start;
    differs |= swap(&mut list.varied, Arc::new(varied));
    differs |= swap(&mut list.rows, Arc::new(rows.into()));
    Ok(differs)
}

/// The keys that differ among the rows, and those that did before: columns only come, so that
/// scrolling does not shuffle them.
fn varied(rows: &[Arc<Run>], before: &[&'static str]) -> Vec<&'static str> {
    let Some(first) = rows.first() else { return before.to_vec() };
    let differs = |key: &&'static crate::spec::keys::Key| {
        let text = (key.get)(&first.spec);
        before.contains(&key.name)
            || (!matches!(key.name, "device" | "threads")
                && rows.iter().any(|row| (key.get)(&row.spec) != text))
    };
    KEYS.iter().filter(differs).map(|key| key.name).take(COLUMNS).collect()
}

fn fold(reader: &Reader, ids: &[RunId], by: GroupBy) -> Result<Vec<Group>, StoreError> {
    let names: BTreeMap<_, _> = match by {
        GroupBy::Sweep => reader.sweeps()?.into_iter().map(|s| (s.id, s.name)).collect(),
        _ => BTreeMap::new(),
    };
    let mut order: Vec<Fold> = Vec::new();
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    for chunk in ids.get(..ids.len().min(FOLDED)).unwrap_or(ids).chunks(500) {
        for run in reader.runs(chunk)? {
            let key = match (by, run.sweep) {
                (GroupBy::Sweep, Some(id)) => id.to_string(),
                (GroupBy::Sweep, None) => String::new(),
                (GroupBy::Key(key), _) => run.spec.shown(key),
                _ => setting_hash(&run.spec),
            };
            let at = *places.entry(key).or_insert(order.len());
            if at == order.len() {
                let name = run.sweep.and_then(|id| names.get(&id).map(|n| format!("{id} {n}")));
                order.push(Fold::new(&run, by, name));
            }
            if let Some(fold) = order.get_mut(at) {
                fold.add(&run);
            }
        }
    }
    Ok(order.into_iter().map(Fold::done).collect())
}

/// Whether a word of a name says the value of a key that runs of a setting differ in.
fn is_of_chance(word: &str) -> bool {
    word.split_once('=').is_some_and(|(key, _)| OF_CHANCE.contains(&key))
}

struct Fold {
    label: String,
    task: Task,
    members: Vec<RunId>,
    counts: Counts,
    figures: BTreeMap<&'static str, Spread>,
}

impl Fold {
    fn new(first: &Run, by: GroupBy, sweep: Option<String>) -> Self {
        let label = if by == GroupBy::Sweep {
            sweep.unwrap_or_else(|| "runs of no sweep".into())
        } else if let GroupBy::Key(key) = by {
            let value = Some(first.spec.shown(key)).filter(|v| !v.is_empty());
            format!("{key}={}", value.unwrap_or_else(|| IGNORED.to_owned()))
        } else {
            let words: Vec<&str> =
                first.name.split_whitespace().filter(|word| !is_of_chance(word)).collect();
            if words.is_empty() { name_of(&first.spec) } else { words.join(" ") }
        };
        let (members, counts, figures) = (Vec::new(), Counts::default(), BTreeMap::new());
        Self { label, task: first.spec.task, members, counts, figures }
    }

    fn add(&mut self, run: &Run) {
        self.members.push(run.id);
        let c = &mut self.counts;
        match (&run.state, run.desired) {
            (RunState::Queued, Desired::Hold) => c.held += 1,
            (RunState::Queued, _) => c.queued += 1,
            (RunState::Starting | RunState::Running | RunState::Stopping, _) => c.live += 1,
            (RunState::Ended(Outcome::Done), _) => c.done += 1,
            (RunState::Ended(Outcome::Failed { .. } | Outcome::Lost { .. }), _) => c.failed += 1,
            (RunState::Ended(Outcome::Stopped | Outcome::Pruned(_)), _) => c.stopped += 1,
        }
        let [of_val, of_test] = run.spec.task.score();
        for (name, value) in [
            (of_val, run.best.get(of_val)),
            (val::LOSS, run.best.get(val::LOSS)),
            (of_test, run.last.get(of_test)),
        ] {
            if let Some(x) = value {
                self.figures.entry(name).or_default().add(*x);
            }
        }
    }

    fn done(self) -> Group {
        let Self { label, task, members, counts, figures } = self;
        Group { label, task, members: Arc::new(members), counts, figures }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::RunSpec;
    use crate::store::{NewRun, Store};
    use crate::tui::view::View;

    /// A page further on nothing in view is missing: the rows ahead are read afterwards, and only those that are new.
    #[test]
    fn rows_ahead_are_read_after_those_in_view() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("board.db");
        let mut store = Store::open(&path).unwrap();
        let spec = |seed| RunSpec { seed, ..RunSpec::default() };
        let new = (0..300).map(|seed| NewRun {
            name: format!("seed {seed}"),
            spec: spec(seed),
            desired: Desired::Hold,
        });
        store.enqueue(None, &new.collect::<Vec<_>>()).unwrap();
        let reader = Reader::open(&path).unwrap();
        let (mut loader, mut list) = (ListLoader::default(), List::default());
        let mut query = View::default().query();
        let rows = query.window.1 / 4;
        assert!(loader.begin(&reader, &query, true, &mut list).unwrap());
        assert!(loader.finish(&reader, &query, &mut list).unwrap());
        assert_eq!(list.rows.len(), 4 * rows);
        let before = Arc::clone(&list.rows[2 * rows]);

        query.window = (rows, 4 * rows);
        assert!(!loader.begin(&reader, &query, false, &mut list).unwrap());
        assert_eq!(list.offset, 0);
        assert!(loader.look_ahead(&reader, &query, &mut list).unwrap());
        assert!(!loader.look_ahead(&reader, &query, &mut list).unwrap());
        let ids: Vec<RunId> = list.rows.iter().map(|run| run.id).collect();
        assert_eq!((list.offset, ids.as_slice()), (rows, &list.ids[rows..5 * rows]));
        assert!(Arc::ptr_eq(&before, &list.rows[rows]));

        // The end of the list is far away: its rows are what is in view.
        query.window = (300 - rows, 4 * rows);
        assert!(loader.begin(&reader, &query, false, &mut list).unwrap());
        assert!(list.row(299).is_some());
        assert!(!loader.look_ahead(&reader, &query, &mut list).unwrap());
    }
}

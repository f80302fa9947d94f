use std::cmp::Ordering;

use rusqlite::{Connection, Result, params_from_iter};

use super::run::now;
use super::search::{Candidate, Conditions, beside};
use super::series::metric_id;
use super::{Counts, Listing, Reader, Sort, words};
use crate::spec::RunId;
use crate::spec::keys::{self, ValueKind};

impl Reader {
    /// Runs by what they do; archived ones are not counted.
    pub fn counts(&self) -> super::Result<Counts> {
        self.ask(|db| {
            let mut query =
                db.prepare_cached("SELECT class, sum(runs) FROM tally GROUP BY class")?;
            let mut rows = query.query(())?;
            let mut counts = Counts::default();
            while let Some(row) = rows.next()? {
                add(&mut counts, row.get(0)?, row.get::<_, i64>(1)?);
            }
            Ok(counts)
        })
    }

    /// All matching ids, in order.
    pub fn ids(&self, listing: &Listing) -> super::Result<Vec<RunId>> {
        self.ask(|db| list(db, listing, usize::MAX))
    }

    /// The first `limit` ids only: what the first frame needs.
    pub fn first_ids(&self, listing: &Listing, limit: usize) -> super::Result<Vec<RunId>> {
        self.ask(|db| list(db, listing, limit))
    }
}

/// The column `class` as [`Counts`] and [`super::Listing`] see it.
pub(super) fn add(counts: &mut Counts, class: i64, runs: i64) {
    let count = match class {
        0 => &mut counts.queued,
        1 => &mut counts.held,
        2 => &mut counts.live,
        3 => &mut counts.done,
        4 => &mut counts.failed,
        _ => &mut counts.stopped,
    };
    *count += runs.max(0) as u64;
}

fn list(db: &Connection, listing: &Listing, limit: usize) -> Result<Vec<RunId>> {
    let query = listing.terms();
    let conditions = Conditions::of(&query, listing, now());
    // The first `limit` rows are the answer: nothing after them is read.
    let in_order = listing.sort == Sort::Id && !conditions.has_metrics();
    let mut found = if in_order {
        by_number(db, &conditions, listing.descending, limit)?
    } else {
        let mut found = by_number(db, &conditions, false, usize::MAX)?;
        conditions.keep_by_metric(db, &mut found)?;
        if conditions.has_metrics() && conditions.has_texts() {
            keep_by_text(db, &conditions, &mut found)?;
        }
        sort(db, listing, conditions.seen(), &mut found)?;
        found
    };
    found.truncate(limit);
    Ok(found.into_iter().map(|c| RunId(c.id)).collect())
}

/// The runs that match, in the order of their numbers. Everything but texts is answered from one
/// index, so that a first page costs no more than a page. Texts wait for the metrics if there are any.
fn by_number(
    db: &Connection,
    conditions: &Conditions<'_>,
    descending: bool,
    limit: usize,
) -> Result<Vec<Candidate>> {
    let order = if descending { "DESC" } else { "ASC" };
    let with_text = conditions.has_texts() && !conditions.has_metrics();
    let (text, join) =
        if with_text { ("w.text", "CROSS JOIN words w ON w.run = r.id") } else { ("NULL", "") };
    let (sql, values) = conditions.sql();
    let mut query = db.prepare_cached(&format!(
        "SELECT r.id, r.class, r.state, r.device_time, {text}
         FROM run r INDEXED BY run_list {join} WHERE {sql} ORDER BY r.id {order}"
    ))?;
    let mut rows = query.query(params_from_iter(values))?;
    let mut found = Vec::new();
    while found.len() < limit
        && let Some(row) = rows.next()?
    {
        let id: u32 = row.get(0)?;
        let state = row.get_ref(2)?.as_str()?;
        if with_text && !conditions.is_met_by_text(id, state, row.get_ref(4)?.as_str()?) {
            continue;
        }
        let (class, device_time) = (row.get(1)?, row.get(3)?);
        // Only a text that is still to be tested asks for it.
        let state = if conditions.has_texts() { state.to_owned() } else { String::new() };
        found.push(Candidate { id, class, device_time, state, metric: None });
    }
    Ok(found)
}

fn keep_by_text(
    db: &Connection,
    conditions: &Conditions<'_>,
    found: &mut Vec<Candidate>,
) -> Result<()> {
    let mut query = db.prepare_cached("SELECT text FROM words WHERE run = ?1")?;
    let mut kept = Vec::with_capacity(found.len());
    for candidate in found.drain(..) {
        let mut rows = query.query([candidate.id])?;
        if let Some(row) = rows.next()?
            && conditions.is_met_by_text(candidate.id, &candidate.state, row.get_ref(0)?.as_str()?)
        {
            kept.push(candidate);
        }
    }
    *found = kept;
    Ok(())
}

/// What runs are compared by; a run without it comes last in either direction.
#[derive(PartialEq)]
enum SortKey {
    Number(f64),
    Text(String),
}

impl SortKey {
    fn compare(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Number(a), Self::Number(b)) => a.total_cmp(b),
            (Self::Text(a), Self::Text(b)) => a.cmp(b),
            (Self::Number(_), Self::Text(_)) => Ordering::Less,
            (Self::Text(_), Self::Number(_)) => Ordering::Greater,
        }
    }
}

/// Sorts them. `seen` is the metric whose values they have already: one walk less along a hundred thousand.
fn sort(
    db: &Connection,
    listing: &Listing,
    seen: Option<(&str, bool)>,
    found: &mut Vec<Candidate>,
) -> Result<()> {
    let number = |x: f64| Some(SortKey::Number(x));
    let keys: Vec<Option<SortKey>> = match &listing.sort {
        Sort::Id => found.iter().map(|c| number(f64::from(c.id))).collect(),
        // Live first, then queued and held, then ended.
        Sort::State => {
            found.iter().map(|c| number(if c.class == 2 { -1.0 } else { c.class as f64 })).collect()
        }
        Sort::Duration => found.iter().map(|c| number(c.device_time? as f64)).collect(),
        Sort::Name => {
            by_text(db, found, |text| text.split('\n').next().map(|n| SortKey::Text(n.into())))?
        }
        Sort::Key(key) => {
            let numeric = keys::find(key)
                .is_ok_and(|k| matches!(k.kind, ValueKind::Int(..) | ValueKind::Float(..)));
            let prefix = format!("{key}=");
            by_text(db, found, |text| {
                let value = words::value(text, &prefix)?;
                let number = if numeric { value.parse().ok().map(SortKey::Number) } else { None };
                Some(number.unwrap_or_else(|| SortKey::Text(value.into())))
            })?
        }
        Sort::Best(metric) if seen == Some((metric, false)) => {
            found.iter().map(|c| c.metric.and_then(number)).collect()
        }
        Sort::Best(metric) => by_metric(db, found, metric, "best")?,
        Sort::Last(metric) => by_metric(db, found, metric, "last")?,
    };
    let mut keyed: Vec<(Option<SortKey>, Candidate)> =
        keys.into_iter().zip(found.drain(..)).collect();
    keyed.sort_unstable_by(|(a, x), (b, y)| {
        let by_key = match (a, b) {
            (Some(a), Some(b)) if listing.descending => b.compare(a),
            (Some(a), Some(b)) => a.compare(b),
            (a, b) => b.is_some().cmp(&a.is_some()),
        };
        let by_number = if listing.descending { y.id.cmp(&x.id) } else { x.id.cmp(&y.id) };
        by_key.then(by_number)
    });
    found.extend(keyed.into_iter().map(|(_, c)| c));
    Ok(())
}

/// Sort keys from the texts that words are searched in.
fn by_text(
    db: &Connection,
    found: &[Candidate],
    key: impl Fn(&str) -> Option<SortKey>,
) -> Result<Vec<Option<SortKey>>> {
    let mut query = db.prepare_cached("SELECT run, text FROM words ORDER BY run")?;
    let mut rows = query.query(())?;
    beside(found, &mut rows, |row| Ok(key(row.get_ref(1)?.as_str()?)))
}

fn by_metric(
    db: &Connection,
    found: &[Candidate],
    name: &str,
    column: &str,
) -> Result<Vec<Option<SortKey>>> {
    let metric = metric_id(db, name)?;
    let mut query = db.prepare_cached(&format!(
        "SELECT run, {column} FROM series WHERE metric = ?1 ORDER BY run"
    ))?;
    let mut rows = query.query([metric])?;
    beside(found, &mut rows, |row| Ok(row.get::<_, Option<f64>>(1)?.map(SortKey::Number)))
}

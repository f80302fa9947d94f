use std::cmp::Ordering;

use rusqlite::{Connection, Result, Row, Rows};

use super::enqueue::now;
use super::series::metric_id;
use super::{Counts, Listing, Reader, Sort, words};
use crate::spec::RunId;
use crate::spec::keys::{self, Kind};

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

/// What is known of a run before its row is read.
struct Candidate {
    id: u32,
    class: i64,
    started: Option<i64>,
    ended: Option<i64>,
}

fn list(db: &Connection, listing: &Listing, limit: usize) -> Result<Vec<RunId>> {
    let words: Vec<String> = listing.words.iter().map(|w| w.to_lowercase()).collect();
    let mut found = if listing.sort == Sort::Id {
        by_number(db, listing, &words, limit)?
    } else {
        let mut found =
            by_number(db, &Listing { descending: false, ..listing.clone() }, &words, usize::MAX)?;
        sort(db, listing, &mut found)?;
        found
    };
    found.truncate(limit);
    Ok(found.into_iter().map(|c| RunId(c.id)).collect())
}

/// The runs that match, in the order of their numbers. Everything but words is answered from one
/// index, so that a first page costs no more than a page.
fn by_number(
    db: &Connection,
    listing: &Listing,
    words: &[String],
    limit: usize,
) -> Result<Vec<Candidate>> {
    let states: Vec<String> = listing.states.iter().map(|s| s.to_lowercase()).collect();
    let shown = if listing.archived { "archived IN (0, 1)" } else { "archived = 0" };
    let order = if listing.descending { "DESC" } else { "ASC" };
    let (text, join) = if words.is_empty() {
        ("NULL", "")
    } else {
        ("w.text", "CROSS JOIN words w ON w.run = r.id")
    };
    let mut query = db.prepare_cached(&format!(
        "SELECT r.id, r.class, r.state, r.sweep, r.started, r.ended, {text}
         FROM run r INDEXED BY run_list {join} WHERE {shown} ORDER BY r.id {order}"
    ))?;
    let mut rows = query.query(())?;
    let mut found = Vec::new();
    while found.len() < limit
        && let Some(row) = rows.next()?
    {
        let id: u32 = row.get(0)?;
        let class: i64 = row.get(1)?;
        let state = row.get_ref(2)?.as_str()?;
        let is_in_sweep = match listing.sweep {
            Some(sweep) => row.get::<_, Option<u32>>(3)? == Some(sweep.0),
            None => true,
        };
        if is_in_sweep
            && (states.is_empty() || states.iter().any(|s| is_in(s, state, class)))
            && (words.is_empty() || matches(words, id, state, row.get_ref(6)?.as_str()?))
        {
            found.push(Candidate { id, class, started: row.get(4)?, ended: row.get(5)? });
        }
    }
    Ok(found)
}

/// True if a filter's word for states means this one.
fn is_in(word: &str, state: &str, class: i64) -> bool {
    match word {
        "held" => class == 1,
        "live" => class == 2,
        "ended" => class > 2,
        word => word == state,
    }
}

fn matches(words: &[String], id: u32, state: &str, text: &str) -> bool {
    words.iter().all(|word| {
        text.contains(word.as_str())
            || state.contains(word.as_str())
            || word.bytes().all(|b| b == b'r' || b.is_ascii_digit())
                && format!("r{id}").contains(word.as_str())
    })
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

fn sort(db: &Connection, listing: &Listing, found: &mut Vec<Candidate>) -> Result<()> {
    let now = now();
    let number = |x: f64| Some(SortKey::Number(x));
    let keys: Vec<Option<SortKey>> = match &listing.sort {
        Sort::Id => found.iter().map(|c| number(f64::from(c.id))).collect(),
        // Live first, then queued and held, then ended.
        Sort::State => {
            found.iter().map(|c| number(if c.class == 2 { -1.0 } else { c.class as f64 })).collect()
        }
        Sort::Duration => {
            found.iter().map(|c| number((c.ended.unwrap_or(now) - c.started?) as f64)).collect()
        }
        Sort::Name => {
            by_text(db, found, |text| text.split('\n').next().map(|n| SortKey::Text(n.into())))?
        }
        Sort::Key(key) => {
            let numeric =
                keys::find(key).is_ok_and(|k| matches!(k.kind, Kind::Int(..) | Kind::Float(..)));
            let prefix = format!("{key}=");
            by_text(db, found, |text| {
                let value = words::value(text, &prefix)?;
                let number = if numeric { value.parse().ok().map(SortKey::Number) } else { None };
                Some(number.unwrap_or_else(|| SortKey::Text(value.into())))
            })?
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

/// Keys made from the texts that words are looked for in.
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

/// Walks the candidates and rows that start with a run's number side by side; both go up.
fn beside(
    found: &[Candidate],
    rows: &mut Rows,
    key: impl Fn(&Row) -> Result<Option<SortKey>>,
) -> Result<Vec<Option<SortKey>>> {
    let mut keys = Vec::with_capacity(found.len());
    let mut row = rows.next()?;
    for candidate in found {
        let mut here = None;
        while let Some(known) = row {
            let id: u32 = known.get(0)?;
            if id > candidate.id {
                break;
            }
            if id == candidate.id {
                here = key(known)?;
            }
            row = rows.next()?;
        }
        keys.push(here);
    }
    Ok(keys)
}

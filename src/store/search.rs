//! A query as SQL, as far as one index answers it; the rest is tested on what was found: metrics by a
//! walk along their own stretch of the file, texts one run at a time.

use rusqlite::types::Value;
use rusqlite::{Connection, Result, Row, Rows};

use super::series::metric_id;
use super::{Listing, words};
use crate::query::{Number, Op, Query, Term, Test, Text};
use crate::spec::keys::KEYS;

/// What the index holds of a run.
pub(super) struct Candidate {
    pub(super) id: u32,
    pub(super) class: i64,
    pub(super) device_time: Option<i64>,
    pub(super) state: String,
    /// The value that the last test of a metric read.
    pub(super) metric: Option<f64>,
}

/// A query in three parts, cheapest first.
#[derive(Default)]
pub(super) struct Conditions<'a> {
    /// Conditions on `run r`, each with `?` for its values.
    clauses: Vec<String>,
    values: Vec<Value>,
    metrics: Vec<&'a Term>,
    texts: Vec<&'a Term>,
}

impl<'a> Conditions<'a> {
    pub(super) fn of(query: &'a Query, listing: &Listing, now: i64) -> Self {
        let mut conditions = Self::default();
        let archived = query.terms.iter().rev().find_map(|term| match (&term.test, term.negated) {
            (Test::Archived(which), false) => Some(*which),
            (Test::Archived(which), true) => Some(which.map(|only| !only)),
            _ => None,
        });
        conditions.clauses.push(match archived {
            _ if listing.trash => "r.archived >= 2".into(),
            None if listing.archived => "r.archived IN (0, 1)".into(),
            Some(None) => "r.archived IN (0, 1)".into(),
            None | Some(Some(false)) => "r.archived = 0".into(),
            Some(Some(true)) => "r.archived = 1".into(),
        });
        for term in &query.terms {
            conditions.add(term, now);
        }
        conditions
    }

    fn add(&mut self, term: &'a Term, now: i64) {
        let any = |n: usize| vec!["?"; n].join(", ");
        let (sql, values): (String, Vec<Value>) = match &term.test {
            Test::State(states) => {
                let state = |word: &String| match word.as_str() {
                    "held" => "r.class = 1".to_owned(),
                    "live" => "r.class = 2".to_owned(),
                    "ended" => "r.class > 2".to_owned(),
                    "testing" => format!("r.class = 2 AND {TESTING}"),
                    _ => "r.state = ?".to_owned(),
                };
                let derived = ["held", "live", "ended", "testing"];
                let words = states.iter().filter(|w| !derived.contains(&w.as_str()));
                let values = words.map(|w| Value::from(w.clone())).collect();
                (states.iter().map(state).collect::<Vec<_>>().join(" OR "), values)
            }
            Test::Sweep(sweeps) => {
                let values = sweeps.iter().map(|s| Value::from(i64::from(s.0))).collect();
                (format!("coalesce(r.sweep, 0) IN ({})", any(sweeps.len())), values)
            }
            Test::Id(ranges) => {
                let sql = vec!["r.id BETWEEN ? AND ?"; ranges.len()].join(" OR ");
                let ends = ranges.iter().flat_map(|(low, high)| [low, high]);
                (sql, ends.map(|id| Value::from(i64::from(id.0))).collect())
            }
            Test::Flag(flags) => {
                let bits = flags.iter().fold(0, |bits, flag| bits | flag.bit());
                ("r.flags & ? <> 0".into(), vec![bits.into()])
            }
            Test::Since(when) => ("r.created >= ?".into(), vec![when.at(now).into()]),
            Test::Before(when) => ("r.created < ?".into(), vec![when.at(now).into()]),
            Test::Number { field, op, value } => match column(field) {
                Some(column) => (format!("{column} {} ?", op.sign()), vec![(*value).into()]),
                None => return self.later(term, field),
            },
            Test::Range { field, low, high } => match column(field) {
                Some(column) => {
                    (format!("{column} BETWEEN ? AND ?"), vec![(*low).into(), (*high).into()])
                }
                None => return self.later(term, field),
            },
            Test::Word(_) | Test::Text { .. } | Test::Tag(_) => {
                self.texts.push(term);
                return;
            }
            Test::Archived(_) => return,
        };
        // A missing value never matches, and matches the negated test.
        let not = if term.negated { "NOT " } else { "" };
        self.clauses.push(format!("{not}coalesce({}, 0)", format_args!("({sql})")));
        self.values.extend(values);
    }

    fn later(&mut self, term: &'a Term, field: &Number) {
        match field {
            Number::Metric { .. } => self.metrics.push(term),
            _ => self.texts.push(term),
        }
    }

    /// The conditions of one `WHERE`, and the values for it.
    pub(super) fn sql(&self) -> (String, &[Value]) {
        (self.clauses.join(" AND "), &self.values)
    }

    /// Whether [`Self::is_met_by_text`] has anything to test.
    pub(super) fn has_texts(&self) -> bool {
        !self.texts.is_empty()
    }

    /// Whether [`Self::keep_by_metric`] has anything to test.
    pub(super) fn has_metrics(&self) -> bool {
        !self.metrics.is_empty()
    }

    /// The metric that [`Self::keep_by_metric`] tested last, and whether its last value: [`Candidate::metric`]
    /// holds that value then.
    pub(super) fn seen(&self) -> Option<(&str, bool)> {
        match &self.metrics.last()?.test {
            Test::Number { field: Number::Metric { name, last }, .. }
            | Test::Range { field: Number::Metric { name, last }, .. } => Some((name, *last)),
            _ => None,
        }
    }

    /// Keeps the candidates (in ascending order of id) whose metrics match.
    pub(super) fn keep_by_metric(&self, db: &Connection, found: &mut Vec<Candidate>) -> Result<()> {
        for term in &self.metrics {
            let (Test::Number { field, .. } | Test::Range { field, .. }) = &term.test else {
                continue;
            };
            let Number::Metric { name, last } = field else { continue };
            let metric = metric_id(db, name)?;
            let column = if *last { "last" } else { "best" };
            let mut query = db.prepare_cached(&format!(
                "SELECT run, {column} FROM series WHERE metric = ?1 ORDER BY run"
            ))?;
            let mut rows = query.query([metric])?;
            let mut values =
                beside(found, &mut rows, |row| row.get::<_, Option<f64>>(1))?.into_iter();
            found.retain_mut(|candidate| {
                candidate.metric = values.next().flatten();
                candidate.metric.is_some_and(|x| holds(&term.test, x)) != term.negated
            });
        }
        Ok(())
    }

    /// Tests what is written about a run; `text` is the one of `words`.
    pub(super) fn is_met_by_text(&self, id: u32, state: &str, text: &str) -> bool {
        self.texts.iter().all(|term| said(&term.test, id, state, text) != term.negated)
    }
}

/// True of a run that is being judged by its test rows.
const TESTING: &str = "r.state = 'running' AND json_extract(r.pass, '$.split') = 'test'";

/// A number that stands in the run's own row.
fn column(field: &Number) -> Option<String> {
    match field {
        Number::Epoch => Some("r.epoch".into()),
        Number::Seconds => Some("r.device_time / 1000.0".into()),
        Number::Key(_) | Number::Metric { .. } => None,
    }
}

fn holds(test: &Test, x: f64) -> bool {
    match test {
        Test::Number { op, value, .. } => op.holds(x, *value),
        Test::Range { low, high, .. } => Op::AtLeast.holds(x, *low) && Op::AtMost.holds(x, *high),
        _ => false,
    }
}

fn said(test: &Test, id: u32, state: &str, text: &str) -> bool {
    let lower = |words: &[String]| words.iter().map(|w| w.to_lowercase()).collect::<Vec<_>>();
    match test {
        Test::Word(word) => {
            let word = word.to_lowercase();
            text.contains(&word)
                || state.contains(&word)
                || word.bytes().all(|b| b == b'r' || b.is_ascii_digit())
                    && format!("r{id}").contains(&word)
        }
        Test::Number { field: Number::Key(key), .. }
        | Test::Range { field: Number::Key(key), .. } => {
            let value = words::value(text, &format!("{key}="));
            value.and_then(|v| v.parse().ok()).is_some_and(|x| holds(test, x))
        }
        Test::Text { field, exact, any } => {
            let own = match field {
                Text::Name => text.split('\n').next(),
                Text::Note => text.rsplit('\n').next(),
                Text::Key(key) => words::value(text, &format!("{key}=")),
            };
            let own = own.unwrap_or_default();
            lower(any).iter().any(|v| if *exact { own == v } else { own.contains(v.as_str()) })
        }
        Test::Tag(tags) => {
            // They stand between the name and the first key.
            let first = KEYS.first().map_or("", |key| key.name);
            let lines = text.split('\n').skip(1);
            let mut own = lines.take_while(|line| {
                line.strip_prefix(first).is_none_or(|rest| !rest.starts_with('='))
            });
            let wanted = lower(tags);
            own.any(|line| wanted.iter().any(|tag| tag == line))
        }
        _ => false,
    }
}

/// Walks the candidates and rows that start with a run's number side by side; both go up.
pub(super) fn beside<T>(
    found: &[Candidate],
    rows: &mut Rows,
    key: impl Fn(&Row) -> Result<Option<T>>,
) -> Result<Vec<Option<T>>> {
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

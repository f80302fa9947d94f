use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension, Result, params};

use super::curve;
use super::points::{Point, settle_epoch};
use super::series::{self, metric_id};
use super::{Curve, Reader, SPARK, Store, confusion, flags, peak, spark};
use crate::events::{Batch, Ending, Event, EventKind, PEAK_MEMORY, Split, Started};
use crate::spec::metrics::{higher_is_better, train, val};
use crate::spec::{RunId, counts_as_best, printable};

/// The longest metric name, the longest note of a trainer, and how many notes of a run are stored.
const NAME: usize = 200;
const NOTE: usize = 2000;
const NOTES: i64 = 200;

impl Store {
    /// Applies a batch of one run's events and moves the run's byte offset, in one transaction.
    ///
    /// A batch that starts anywhere but at the stored offset changes nothing, so that ingesting any
    /// prefix twice equals once.
    ///
    /// # Errors
    /// [`super::StoreError::NoRun`], and what SQLite refuses. A line that cannot be read is counted; it is
    /// never an error.
    pub fn ingest(&mut self, id: RunId, from: u64, batch: &Batch) -> super::Result<()> {
        let known = self.change(|tx| {
            let position = tx
                .prepare_cached("SELECT position FROM run WHERE id = ?1")?
                .query_row([id.0], |row| row.get::<_, i64>(0))
                .optional()?;
            if position == Some(from as i64) && batch.offset != from {
                apply(tx, id, batch)?;
            }
            Ok(position.is_some())
        })?;
        if known { Ok(()) } else { Err(super::StoreError::NoRun(id)) }
    }

    /// Where the run's events file was read to.
    pub fn offset(&self, id: RunId) -> super::Result<u64> {
        let position: Option<i64> = self.reader.ask(|db| {
            db.prepare_cached("SELECT position FROM run WHERE id = ?1")?
                .query_row([id.0], |row| row.get(0))
                .optional()
        })?;
        position.map(|p| p as u64).ok_or(super::StoreError::NoRun(id))
    }
}

/// Where a run is, as the last of its events says.
struct Progress {
    time: Option<i64>,
    step: u64,
    epoch: f64,
    device_time: Option<i64>,
    pass: Option<String>,
}

fn apply(db: &Connection, id: RunId, batch: &Batch) -> Result<()> {
    let mut progress = Progress::of(db, id)?;
    let mut pending = Pending::default();
    let mut changed = Changed::default();
    for event in &batch.events {
        progress.follow(event);
        match &event.kind {
            EventKind::Metrics { epoch, values } => {
                for (name, value) in values {
                    pending.add(None, name, point(event, *epoch, value.0));
                }
            }
            EventKind::Eval { split, epoch, values } => {
                for (name, value) in values {
                    pending.add(Some(*split), name, point(event, f64::from(*epoch), value.0));
                }
                if let Some(bytes) = values.get(PEAK_MEMORY) {
                    peak::keep(db, id, bytes.0)?;
                }
            }
            EventKind::Started(started) => begin(db, id, event, started)?,
            EventKind::Resumed { epoch, attempt } => {
                pending.flush(db, id, &mut changed)?;
                series::void_after(db, id, event.step)?;
                confusion::void_after(db, id, *epoch)?;
                changed.val = true;
                go_on(db, id, *attempt)?;
            }
            EventKind::Confusion { split, epoch, counts } => {
                changed.counts = true;
                if !confusion::keep(db, id, *split, *epoch, event.step, counts)? {
                    changed.stray("confusion counts that are not square");
                }
            }
            EventKind::Note { level, text } => note(db, id, event, &level.to_string(), text)?,
            EventKind::Ended { ending, why, .. } => end(db, id, event.t, *ending, why)?,
            // The run's folder shows which files it has.
            EventKind::Saved { .. } | EventKind::Evaluating { .. } => {}
        }
    }
    pending.flush(db, id, &mut changed)?;
    if let Some(last) = batch.foreign.last() {
        changed.stray(&last.why);
        changed.strays += batch.passed_over as i64 - 1;
    }
    if changed.val || changed.train {
        derive(db, id)?;
    }
    if changed.val || changed.train || changed.counts {
        db.prepare_cached("UPDATE run SET flags = ?2 WHERE id = ?1")?
            .execute((id.0, flags::judge(db, id)?))?;
    }
    db.prepare_cached(
        "UPDATE run SET position = ?2, last_event = ?3, step = ?4, epoch = ?5,
           strays = strays + ?6, last_stray = coalesce(?7, last_stray), device_time = ?8, pass = ?9
         WHERE id = ?1",
    )?
    .execute(params![
        id.0,
        batch.offset as i64,
        progress.time,
        progress.step as i64,
        progress.epoch,
        changed.strays,
        changed.last_stray,
        progress.device_time,
        progress.pass
    ])?;
    Ok(())
}

fn point(event: &Event, epoch: f64, value: f64) -> Point {
    // SQLite's integers are signed; no training takes that many steps.
    let step = event.step.min(i64::MAX as u64);
    Point { step, epoch: settle_epoch(epoch), time: event.t, value }
}

fn end(db: &Connection, id: RunId, at: i64, ending: Ending, why: &str) -> Result<()> {
    let why = printable(why, NOTE);
    db.prepare_cached("UPDATE run SET ending = ?2, ending_why = ?3, ending_at = ?4 WHERE id = ?1")?
        .execute(params![id.0, ending.to_string(), why, at])?;
    Ok(())
}

impl Progress {
    fn of(db: &Connection, id: RunId) -> Result<Self> {
        let sql = "SELECT last_event, step, epoch, device_time, pass FROM run WHERE id = ?1";
        db.prepare_cached(sql)?.query_row([id.0], |r| {
            Ok(Self {
                time: r.get(0)?,
                step: r.get::<_, i64>(1)? as u64,
                epoch: r.get(2)?,
                device_time: r.get(3)?,
                pass: r.get(4)?,
            })
        })
    }

    fn follow(&mut self, event: &Event) {
        // An attempt has its device from its first event to its last. What lies before the first is none of its.
        let begins = matches!(event.kind, EventKind::Started(_) | EventKind::Resumed { .. });
        let since = self.time.filter(|_| !begins).map_or(0, |before| (event.t - before).max(0));
        self.device_time = Some(self.device_time.unwrap_or(0).saturating_add(since));
        self.time = Some(event.t);
        match &event.kind {
            EventKind::Evaluating { split, done, rows } => {
                let share = (*done as f64 / (*rows).max(1) as f64).clamp(0.0, 1.0);
                self.pass = serde_json::to_string(&super::pass::Pass { split: *split, share }).ok();
            }
            // What a test pass gives is written while it is all that the run still does.
            EventKind::Note { .. }
            | EventKind::Eval { split: Split::Test, .. }
            | EventKind::Confusion { split: Split::Test, .. }
            | EventKind::Saved { .. } => {}
            _ => self.pass = None,
        }
        let epoch = match &event.kind {
            // A test pass is of the best epoch, not of the last.
            EventKind::Eval { split: Split::Test, .. }
            | EventKind::Evaluating { .. }
            | EventKind::Confusion { .. }
            | EventKind::Saved { .. }
            | EventKind::Ended { .. } => None,
            EventKind::Eval { epoch, .. } | EventKind::Resumed { epoch, .. } => {
                Some(f64::from(*epoch))
            }
            EventKind::Metrics { epoch, .. } => Some(settle_epoch(*epoch)),
            // A later attempt starts before it has read how far it was.
            EventKind::Started(_) | EventKind::Note { .. } => return,
        };
        self.step = event.step.min(i64::MAX as u64);
        self.epoch = epoch.unwrap_or(self.epoch);
    }
}

/// What a batch changed that other columns are derived from.
#[derive(Default)]
struct Changed {
    val: bool,
    train: bool,
    counts: bool,
    strays: i64,
    last_stray: Option<String>,
}

impl Changed {
    fn stray(&mut self, why: &str) {
        self.strays += 1;
        self.last_stray = Some(printable(why, NAME).into_owned());
    }
}

/// Points of a batch, curve by curve, so that each curve is opened once.
#[derive(Default)]
struct Pending<'a> {
    places: HashMap<(Option<Split>, &'a str), usize>,
    curves: Vec<(Option<Split>, &'a str, Vec<Point>)>,
}

impl<'a> Pending<'a> {
    fn add(&mut self, split: Option<Split>, name: &'a str, point: Point) {
        // `train/loss` between epochs and the `loss` of a pass over `train` are one curve, and its
        // points must stay in the order they came in.
        let (split, name) = match name.split_once('/') {
            Some((word, rest)) if split.is_none() => {
                word.parse().map_or((None, name), |split| (Some(split), rest))
            }
            _ => (split, name),
        };
        let place = *self.places.entry((split, name)).or_insert_with(|| {
            self.curves.push((split, name, Vec::new()));
            self.curves.len() - 1
        });
        if let Some((_, _, points)) = self.curves.get_mut(place) {
            points.push(point);
        }
    }

    fn flush(&mut self, db: &Connection, id: RunId, changed: &mut Changed) -> Result<()> {
        self.places.clear();
        for (split, short, points) in self.curves.drain(..) {
            let short = printable(short, NAME);
            let name = match split {
                Some(split) => format!("{split}/{short}"),
                None => short.clone().into_owned(),
            };
            changed.val |= split == Some(Split::Val);
            changed.train |= TRAIN_LOSS.contains(&name.as_str());
            if short.trim().is_empty() || !series::append(db, id, &name, &points)? {
                changed.stray("a metric without a name, or more metrics than are kept");
            }
        }
        Ok(())
    }
}

/// Stand in for val loss where no pass over validation rows was; the first that has points.
const TRAIN_LOSS: [&str; 2] = [train::STEP_LOSS, train::LOSS];

fn begin(db: &Connection, id: RunId, event: &Event, started: &Started) -> Result<()> {
    let facts = serde_json::to_string(started).unwrap_or_default();
    db.prepare_cached(
        "UPDATE run SET facts = ?2, started = coalesce(started, ?3), last_event = ?3 WHERE id = ?1",
    )?
    .execute(params![id.0, facts, event.t])?;
    go_on(db, id, started.attempt)
}

/// An attempt is alive: how an earlier one ended no longer counts.
fn go_on(db: &Connection, id: RunId, attempt: u32) -> Result<()> {
    db.prepare_cached(
        "UPDATE run SET attempt = max(attempt, ?2), ending = NULL, ending_why = NULL,
           ending_at = NULL, state = CASE WHEN state IN ('queued', 'starting') THEN 'running'
           ELSE state END WHERE id = ?1",
    )?
    .execute((id.0, attempt))?;
    Ok(())
}

fn note(db: &Connection, id: RunId, event: &Event, level: &str, text: &str) -> Result<()> {
    db.prepare_cached(
        "INSERT INTO remark SELECT ?1, n, ?2, ?3, ?4, ?5
           FROM (SELECT count(*) AS n FROM remark WHERE run = ?1) WHERE n < ?6",
    )?
    .execute(params![
        id.0,
        event.t,
        event.step as i64,
        level,
        printable(text, NOTE),
        NOTES
    ])?;
    Ok(())
}

/// Derives the sparkline and the best epoch from the whole curve, so that they do not depend on how its
/// points arrived.
fn derive(db: &Connection, id: RunId) -> Result<()> {
    let thinned = |name: &str, buckets: usize| -> Result<Curve> {
        match metric_id(db, name)? {
            Some(metric) => curve::read(db, id, metric, buckets),
            None => Ok(Curve::default()),
        }
    };
    let whole = |name: &str| thinned(name, 0);
    let deciding: Option<String> = db
        .prepare_cached("SELECT json_extract(spec, '$.best') FROM run WHERE id = ?1")?
        .query_row([id.0], |row| row.get(0))?;
    let loss = whole(val::LOSS)?;
    let best_epoch = match deciding.as_deref() {
        None | Some(val::LOSS) => best_epoch(val::LOSS, &loss),
        Some(name) => best_epoch(name, &whole(name)?),
    };
    let mut learning = Curve::default();
    for name in TRAIN_LOSS {
        if learning.value.is_empty() {
            learning = thinned(name, SPARK)?;
        }
    }
    let spark = spark::of(&loss, &learning);
    let spark: Vec<u8> = spark.iter().flat_map(|v| v.to_le_bytes()).collect();
    db.prepare_cached("UPDATE run SET spark = ?2, best_epoch = ?3 WHERE id = ?1")?
        .execute(params![id.0, spark, best_epoch])?;
    Ok(())
}

/// The epoch whose end has the best value of a figure.
fn best_epoch(name: &str, curve: &Curve) -> Option<u32> {
    let sign = if higher_is_better(name) { -1.0 } else { 1.0 };
    let points = curve.epoch.iter().zip(&curve.value);
    let best = points
        .filter(|(epoch, value)| value.is_finite() && counts_as_best(name, **epoch))
        .min_by(|a, b| (sign * a.1).total_cmp(&(sign * b.1)));
    best.map(|(epoch, _)| *epoch as u32)
}

impl Reader {
    /// How many lines of the run's events file could not be read, and what was wrong with the last.
    pub fn unread_lines(&self, id: RunId) -> super::Result<(u64, Option<String>)> {
        let row = self.ask(|db| {
            db.prepare_cached("SELECT strays, last_stray FROM run WHERE id = ?1")?
                .query_row([id.0], |r| Ok((r.get::<_, i64>(0)? as u64, r.get(1)?)))
                .optional()
        })?;
        row.ok_or(super::StoreError::NoRun(id))
    }

    /// The trainer's notes to people, oldest first; at most 200 of a run are stored.
    pub fn trainer_notes(&self, id: RunId) -> super::Result<Vec<super::TrainerNote>> {
        self.ask(|db| {
            let mut query = db.prepare_cached(
                "SELECT time, step, level, text FROM remark WHERE run = ?1 ORDER BY number",
            )?;
            let rows = query.query_map([id.0], |r| {
                Ok(super::TrainerNote {
                    time: r.get(0)?,
                    step: r.get::<_, i64>(1)? as u64,
                    level: r.get::<_, String>(2)?.parse().unwrap_or(crate::events::Level::Warning),
                    text: r.get(3)?,
                })
            })?;
            rows.collect()
        })
    }
}

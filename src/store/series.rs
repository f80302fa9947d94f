//! Writes the curves of a run: appends and voids points, and keeps count, last and best value of each.

use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Result, Row, params};

use super::points::{Point, Points};
use super::thin::outline;
use crate::spec::metrics::higher_is_better;
use crate::spec::{RunId, counts_as_best};

/// Points of a full chunk: about 6 KB, so that rewriting the last one at every batch stays cheap.
const FULL: usize = 512;

/// The key of a chunk: 32 bits run, 14 bits metric, 18 bits number. Chunks of a run lie together,
/// those of a curve in order.
pub(super) fn chunk_id(run: RunId, metric: i64, number: i64) -> i64 {
    (i64::from(run.0) << 32) | (metric << 18) | number
}

/// Metric names that a board can hold, and chunks that a curve can (134 million points).
pub(super) const MAX_METRICS: i64 = 1 << 14;
const MAX_CHUNKS: i64 = 1 << 18;
/// Metric names that one run may bring.
const MAX_SERIES: i64 = 512;

/// The id of a metric that the board has.
pub(super) fn metric_id(db: &Connection, name: &str) -> Result<Option<i64>> {
    db.prepare_cached("SELECT id FROM metric WHERE name = ?1")?
        .query_row([name], |row| row.get(0))
        .optional()
}

/// The id of a metric that a run reports; `None` if the run or the board has too many already.
fn intern(db: &Connection, run: RunId, name: &str) -> Result<Option<i64>> {
    let count = |sql, run: &[&dyn rusqlite::ToSql]| -> Result<i64> {
        db.prepare_cached(sql)?.query_row(run, |r| r.get(0))
    };
    if count("SELECT count(*) FROM series WHERE run = ?1", &[&run.0])? >= MAX_SERIES {
        return Ok(None);
    }
    if let Some(id) = metric_id(db, name)? {
        return Ok(Some(id));
    }
    if count("SELECT coalesce(max(id), 0) FROM metric", &[])? + 1 >= MAX_METRICS {
        return Ok(None);
    }
    db.prepare_cached("INSERT INTO metric(name) VALUES (?1)")?.execute([name])?;
    Ok(Some(db.last_insert_rowid()))
}

/// Appends a column of points.
pub(super) fn add_points(row: &Row, column: usize, points: &mut Points) -> Result<()> {
    let bytes = row.get_ref(column)?.as_blob()?;
    points.decode(bytes).ok_or_else(|| {
        rusqlite::Error::FromSqlConversionFailure(column, Type::Blob, "no points".into())
    })
}

/// One curve that is being changed. Only full chunks are written before [`Series::finish`].
struct Series<'a> {
    db: &'a Connection,
    run: RunId,
    metric: i64,
    higher: bool,
    /// Its name.
    name: &'a str,
    points: i64,
    /// Number of the last chunk, and what is in it.
    number: i64,
    tail: Points,
    best: Option<f64>,
    /// Points were removed, so that the best must be searched again.
    voided: bool,
}

impl<'a> Series<'a> {
    fn open(db: &'a Connection, run: RunId, metric: i64, name: &'a str) -> Result<Option<Self>> {
        let row = db
            .prepare_cached("SELECT points, tail, best FROM series WHERE metric = ?1 AND run = ?2")?
            .query_row((metric, run.0), |r| {
                Ok((r.get::<_, i64>(0)?, r.get::<_, i64>(1)?, r.get::<_, Option<f64>>(2)?))
            })
            .optional()?;
        let Some((points, number, best)) = row else { return Ok(None) };
        let higher = higher_is_better(name);
        let tail = Points::default();
        let mut series =
            Self { db, run, metric, higher, name, points, number, tail, best, voided: false };
        series.load()?;
        Ok(Some(series))
    }

    fn new(db: &'a Connection, run: RunId, metric: i64, name: &'a str) -> Self {
        Self {
            db,
            run,
            metric,
            higher: higher_is_better(name),
            name,
            points: 0,
            number: 0,
            tail: Points::default(),
            best: None,
            voided: false,
        }
    }

    fn load(&mut self) -> Result<()> {
        self.tail = Points::default();
        let id = chunk_id(self.run, self.metric, self.number);
        self.db
            .prepare_cached("SELECT points FROM chunk WHERE id = ?1")?
            .query_row([id], |row| add_points(row, 0, &mut self.tail))
    }

    fn save(&self) -> Result<()> {
        let full = (self.tail.len() >= FULL).then(|| outline(&self.tail).encode());
        let id = chunk_id(self.run, self.metric, self.number);
        self.db
            .prepare_cached(
                "INSERT OR REPLACE INTO chunk(id, outline, points) VALUES (?1, ?2, ?3)",
            )?
            .execute(params![id, full, self.tail.encode()])?;
        Ok(())
    }

    fn drop_tail(&self) -> Result<()> {
        self.db.prepare_cached("DELETE FROM chunk WHERE id = ?1")?.execute([chunk_id(
            self.run,
            self.metric,
            self.number,
        )])?;
        Ok(())
    }

    /// Removes points from the end while the condition holds.
    fn void_while(&mut self, mut condition: impl FnMut(&Point) -> bool) -> Result<()> {
        while self.tail.last().is_some_and(|last| condition(&last)) {
            self.tail.pop();
            self.points -= 1;
            self.voided = true;
            if self.tail.is_empty() && self.number > 0 {
                self.drop_tail()?;
                self.number -= 1;
                self.load()?;
            }
        }
        Ok(())
    }

    /// Appends a point. Steps of a curve only go up: an attempt that repeats steps replaces
    /// their points.
    fn push(&mut self, p: Point) -> Result<()> {
        self.void_while(|last| (last.step, last.epoch) >= (p.step, p.epoch))?;
        if self.tail.len() >= FULL {
            if self.number + 1 >= MAX_CHUNKS {
                return Ok(());
            }
            self.save()?;
            self.number += 1;
            self.tail = Points::default();
        }
        self.tail.push(p);
        self.points += 1;
        if counts_as_best(self.name, p.epoch) {
            self.best = better(self.best, p.value, self.higher);
        }
        Ok(())
    }

    fn finish(mut self) -> Result<()> {
        let Some(last) = self.last() else {
            self.drop_tail()?;
            self.db
                .prepare_cached("DELETE FROM series WHERE metric = ?1 AND run = ?2")?
                .execute((self.metric, self.run.0))?;
            return Ok(());
        };
        self.save()?;
        if self.voided {
            self.best = self.search_best()?;
        }
        self.db
            .prepare_cached(
                "INSERT INTO series(metric, run, points, tail, last, best)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                 ON CONFLICT DO UPDATE SET points = ?3, tail = ?4, last = ?5, best = ?6",
            )?
            .execute(params![
                self.metric,
                self.run.0,
                self.points,
                self.number,
                last.value,
                self.best
            ])?;
        Ok(())
    }

    /// The last point that counts; before there is one, the last of all.
    fn last(&self) -> Option<Point> {
        let mut points = (0..self.tail.len()).rev().filter_map(|at| self.tail.get(at));
        points.find(|p| counts_as_best(self.name, p.epoch)).or_else(|| self.tail.last())
    }

    /// The best of the points that are left; outlines hold it for full chunks, unless some of the points
    /// do not count.
    fn search_best(&self) -> Result<Option<f64>> {
        let mut query = self.db.prepare_cached(
            "SELECT CASE WHEN ?3 THEN points ELSE coalesce(outline, points) END FROM chunk
             WHERE id BETWEEN ?1 AND ?2",
        )?;
        let first = chunk_id(self.run, self.metric, 0);
        let last = chunk_id(self.run, self.metric, self.number);
        let in_full = !counts_as_best(self.name, 0.5);
        let mut rows = query.query((first, last, in_full))?;
        let mut points = Points::default();
        while let Some(row) = rows.next()? {
            add_points(row, 0, &mut points)?;
        }
        let counting = points.epoch.iter().zip(&points.value);
        let counting = counting.filter(|(epoch, _)| counts_as_best(self.name, **epoch));
        Ok(counting.fold(None, |best, (_, value)| better(best, *value, self.higher)))
    }
}

/// The better of two values; only finite ones count.
fn better(best: Option<f64>, value: f64, higher: bool) -> Option<f64> {
    match best {
        _ if !value.is_finite() => best,
        Some(best) if higher && best >= value => Some(best),
        Some(best) if !higher && best <= value => Some(best),
        _ => Some(value),
    }
}

/// Appends points to a run's curve; false if the run or the board has too many metrics already.
pub(super) fn append(db: &Connection, run: RunId, name: &str, points: &[Point]) -> Result<bool> {
    let known = metric_id(db, name)?;
    let open = known.map(|metric| Series::open(db, run, metric, name)).transpose()?.flatten();
    let mut series = match open {
        Some(series) => series,
        None => match intern(db, run, name)? {
            Some(metric) => Series::new(db, run, metric, name),
            None => return Ok(false),
        },
    };
    for point in points {
        series.push(*point)?;
    }
    series.finish()?;
    Ok(true)
}

/// Removes every point of a run after `step`.
pub(super) fn void_after(db: &Connection, run: RunId, step: u64) -> Result<()> {
    let names: Vec<(i64, String)> = db
        .prepare_cached(
            "SELECT m.id, m.name FROM series s JOIN metric m ON m.id = s.metric WHERE s.run = ?1",
        )?
        .query_map([run.0], |r| Ok((r.get(0)?, r.get(1)?)))?
        .collect::<Result<_>>()?;
    for (metric, name) in names {
        let Some(mut series) = Series::open(db, run, metric, &name)? else { continue };
        series.void_while(|last| last.step > step)?;
        if series.voided {
            series.finish()?;
        }
    }
    Ok(())
}

/// Deletes every curve of a run.
pub(super) fn clear(db: &Connection, run: RunId) -> Result<()> {
    db.prepare_cached("DELETE FROM chunk WHERE id BETWEEN ?1 AND ?2")?
        .execute((chunk_id(run, 0, 0), chunk_id(run, MAX_METRICS - 1, MAX_CHUNKS - 1)))?;
    db.prepare_cached("DELETE FROM series WHERE run = ?1")?.execute([run.0])?;
    Ok(())
}

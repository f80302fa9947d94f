use rusqlite::{Connection, OptionalExtension, Result};

use super::points::Points;
use super::series::{add_points, chunk_id, metric_id};
use super::thin::places;
use super::{Curve, Reader, Run};
use crate::spec::RunId;

impl Reader {
    /// Full metric names that have points, sorted.
    pub fn metrics(&self, id: RunId) -> super::Result<Vec<String>> {
        self.ask(|db| {
            let mut q = db.prepare_cached(
                "SELECT m.name FROM series s JOIN metric m ON m.id = s.metric
                 WHERE s.run = ?1 ORDER BY m.name",
            )?;
            q.query_map([id.0], |row| row.get(0))?.collect()
        })
    }

    /// The last value that a metric had at the end of an epoch.
    pub fn at_epoch(&self, id: RunId, metric: &str, epoch: u32) -> super::Result<Option<f64>> {
        let curve = self.curve(id, metric, 0)?;
        let is_there = |at: &f64| (at - f64::from(epoch)).abs() < 1e-9;
        let found = curve.epoch.iter().rposition(is_there);
        Ok(found.and_then(|at| curve.value.get(at).copied()))
    }

    /// Adds such values to the last values of a run, under names as `val/acc@3`.
    pub fn add_epochs(&self, run: &mut Run, wanted: &[(String, u32)]) -> super::Result<()> {
        for (metric, epoch) in wanted {
            if let Some(value) = self.at_epoch(run.id, metric, *epoch)? {
                run.last.insert(format!("{metric}@{epoch}"), value);
            }
        }
        Ok(())
    }

    /// The curve of one metric; no points if there is none of that name.
    ///
    /// With `buckets` above 0 and more than twice as many points, the curve is thinned: it is cut
    /// into that many stretches, and of each the lowest and the highest point survive, and the first
    /// that is NaN or infinite; so do the first and the last point of all. `buckets` 0 gives every
    /// point.
    pub fn curve(&self, id: RunId, metric: &str, buckets: usize) -> super::Result<Curve> {
        self.ask(|db| {
            let Some(metric) = metric_id(db, metric)? else { return Ok(Curve::default()) };
            read(db, id, metric, buckets)
        })
    }
}

pub(super) fn read(db: &Connection, run: RunId, metric: i64, buckets: usize) -> Result<Curve> {
    let row = db
        .prepare_cached("SELECT points, tail FROM series WHERE metric = ?1 AND run = ?2")?
        .query_row((metric, run.0), |r| Ok((r.get::<_, i64>(0)?, r.get::<_, i64>(1)?)))
        .optional()?;
    let Some((total, tail)) = row else { return Ok(Curve::default()) };
    // Outlines hold about four points of each full chunk: enough for two buckets.
    let outlines = buckets > 0 && buckets <= 2 * tail as usize;
    let column = if outlines { "coalesce(outline, points)" } else { "points" };
    let mut query = db.prepare_cached(&format!(
        "SELECT {column} FROM chunk WHERE id BETWEEN ?1 AND ?2 ORDER BY id"
    ))?;
    let mut rows = query.query((chunk_id(run, metric, 0), chunk_id(run, metric, tail)))?;
    let mut all = Points::default();
    if !outlines {
        // A damaged row must not ask for all memory.
        all.reserve(usize::try_from(total).unwrap_or(0).min(1 << 24));
    }
    while let Some(row) = rows.next()? {
        add_points(row, 0, &mut all)?;
    }
    let points = match places(&all.value, buckets) {
        Some(places) => all.pick(&places),
        None => all,
    };
    Ok(Curve {
        step: points.step,
        epoch: points.epoch,
        time: points.time,
        value: points.value,
        total: total as usize,
    })
}

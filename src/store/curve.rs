use rusqlite::{Connection, OptionalExtension, Result};

use super::points::Points;
use super::series::{add_points, chunk_id, metric_id};
use super::{Curve, Reader};
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

/// Which of the values survive thinning, in order; `None` if all do.
fn places(values: &[f64], buckets: usize) -> Option<Vec<usize>> {
    if buckets == 0 || values.len() <= 2 * buckets {
        return None;
    }
    let mut kept = Vec::with_capacity(2 * buckets + 2);
    kept.push(0);
    for bucket in 0..buckets {
        let start = bucket * values.len() / buckets;
        let end = (bucket + 1) * values.len() / buckets;
        landmarks(values.get(start..end).unwrap_or_default(), start, &mut kept);
    }
    kept.push(values.len() - 1);
    kept.dedup();
    Some(kept)
}

/// Adds the places of the lowest, the highest and the first non-finite value, in order.
fn landmarks(values: &[f64], start: usize, kept: &mut Vec<usize>) {
    let (mut low, mut high, mut gap) = (None, None, None);
    let (mut lowest, mut highest) = (f64::INFINITY, f64::NEG_INFINITY);
    for (i, value) in values.iter().enumerate() {
        if !value.is_finite() {
            gap = gap.or(Some(i));
            continue;
        }
        if *value < lowest {
            (low, lowest) = (Some(i), *value);
        }
        if *value > highest {
            (high, highest) = (Some(i), *value);
        }
    }
    let mut found = [low, high, gap];
    found.sort_unstable();
    kept.extend(found.into_iter().flatten().map(|i| start + i));
    kept.dedup();
}

/// The points of a full chunk that stand for it when a long curve is drawn.
pub(super) fn outline(points: &Points) -> Points {
    let mut kept = vec![0];
    landmarks(&points.value, 0, &mut kept);
    kept.push(points.len().saturating_sub(1));
    kept.dedup();
    points.pick(&kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thinning_keeps_ends_extremes_and_gaps() {
        let mut values: Vec<f64> = (0..1000).map(|i| f64::from(i % 10)).collect();
        values[333] = -5.0;
        values[777] = 99.0;
        values[500] = f64::NAN;
        let kept = places(&values, 20).unwrap();
        for place in [0, 333, 500, 777, 999] {
            assert!(kept.contains(&place), "{place}");
        }
        assert!(kept.is_sorted_by(|a, b| a < b));
        assert!(kept.len() <= 3 * 20 + 2, "{}", kept.len());
        assert_eq!(places(&values, 500), None);
        assert_eq!(places(&values, 0), None);
    }

    #[test]
    fn a_diverged_stretch_is_one_gap_a_bucket() {
        let kept = places(&[f64::NAN; 1000], 10).unwrap();
        assert_eq!(kept, [0, 100, 200, 300, 400, 500, 600, 700, 800, 900, 999]);
    }
}

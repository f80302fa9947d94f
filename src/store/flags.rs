//! What went wrong in a run, judged by its curves and counts.

use rusqlite::{Connection, OptionalExtension, Result};

use super::confusion;
use super::points::Points;
use super::series::{add_points, chunk_id, metric_id};
use crate::events::Split;
use crate::spec::metrics::{train, val};
use crate::spec::{Baseline, Flag, RunId};

/// A train loss that many times its first value has diverged. A loss begins near what guessing gives, so that
/// one that ends well below twice that is merely bad.
const FAR: f64 = 2.0;

/// The bits of what went wrong so far.
pub(super) fn judge(db: &Connection, id: RunId) -> Result<i64> {
    let mut bits = 0;
    let mut flag = |flag: Flag, is: bool| bits |= if is { flag.bit() } else { 0 };
    for name in [train::STEP_LOSS, train::LOSS] {
        if let Some((first, last)) = ends(db, id, name)? {
            flag(Flag::Diverged, first > 0.0 && last.is_none_or(|last| last > FAR * first));
        }
    }
    flag(Flag::Nan, ends(db, id, val::LOSS)?.is_some_and(|(_, last)| last.is_none()));
    // What a baseline is for is no fault.
    if !is_majority(db, id)? {
        let passes = newest(db, id)?;
        let mut said = passes.iter().map(|counts| classes(counts));
        let first = said.next();
        let is_one = |(one_class, _): (bool, bool)| one_class;
        flag(Flag::OneClass, first.is_some_and(is_one) && said.all(is_one));
        flag(Flag::BelowMajority, first.is_some_and(|(_, below)| below));
    }
    Ok(bits)
}

/// The first value of a curve and the last; `None` for one that is no finite number.
fn ends(db: &Connection, id: RunId, name: &str) -> Result<Option<(f64, Option<f64>)>> {
    let Some(metric) = metric_id(db, name)? else { return Ok(None) };
    let mut query = db.prepare_cached(
        "SELECT c.points, s.last FROM series s JOIN chunk c ON c.id = ?3 WHERE s.metric = ?1 AND s.run = ?2",
    )?;
    let mut rows = query.query((metric, id.0, chunk_id(id, metric, 0)))?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let mut points = Points::default();
    add_points(row, 0, &mut points)?;
    let last = row.get::<_, Option<f64>>(1)?.filter(|x| x.is_finite());
    Ok(points.value.first().map(|first| (*first, last)))
}

/// The counts of the test rows, if there are any, and of the newest pass over the val rows.
fn newest(db: &Connection, id: RunId) -> Result<Vec<Vec<Vec<u64>>>> {
    let of = |split| confusion::newest(db, id, split).transpose();
    [Split::Test, Split::Val].into_iter().filter_map(of).collect()
}

/// Whether all rows are taken for one class, and whether the most frequent class has more rows than are right.
fn classes(counts: &[Vec<u64>]) -> (bool, bool) {
    let of_class = |row: &Vec<u64>| row.iter().fold(0, |all: u64, n| all.saturating_add(*n));
    let taken = |class: usize| counts.iter().any(|row| row.get(class).is_some_and(|n| *n > 0));
    let present = counts.iter().filter(|row| of_class(row) > 0).count();
    let said = (0..counts.len()).filter(|class| taken(*class)).count();
    let most = counts.iter().map(of_class).max().unwrap_or(0);
    let right = counts.iter().enumerate().filter_map(|(i, row)| row.get(i));
    let right = right.fold(0, |all: u64, n| all.saturating_add(*n));
    (said == 1 && present > 1, right < most)
}

fn is_majority(db: &Connection, id: RunId) -> Result<bool> {
    let model: Option<String> = db
        .prepare_cached("SELECT json_extract(spec, '$.model') FROM run WHERE id = ?1")?
        .query_row([id.0], |row| row.get(0))
        .optional()?
        .flatten();
    Ok(model.is_some_and(|model| model.parse() == Ok(Baseline::Majority)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_tell_one_class_and_worse_than_always_the_same() {
        assert_eq!(classes(&[vec![9, 0], vec![1, 0]]), (true, false));
        assert_eq!(classes(&[vec![5, 4], vec![1, 0]]), (false, true));
        assert_eq!(classes(&[vec![8, 1], vec![1, 0]]), (false, true));
        assert_eq!(classes(&[vec![8, 1], vec![0, 1]]), (false, false));
        assert_eq!(classes(&[vec![9, 0], vec![0, 0]]), (false, false), "there is one class only");
        assert_eq!(classes(&[vec![0, 9], vec![0, 1]]), (true, true));
    }
}

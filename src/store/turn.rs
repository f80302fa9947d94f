//! The order in which runs that wait are started.

use rusqlite::Transaction;

use super::desired::missing;
use super::journal::Entry;
use super::{Store, StoreError};
use crate::spec::RunId;

/// Where to runs that wait are moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Move {
    /// Before all others.
    First,
    /// Behind all others.
    Last,
    /// Before the one in front of them.
    Up,
    /// Behind the next one.
    Down,
}

impl Store {
    /// Moves those of `ids` that wait; among themselves they keep their order. Held runs stand behind all others
    /// and are moved among themselves. Tells which runs have another place now.
    ///
    /// # Errors
    /// [`StoreError::NoRun`] for the first that does not exist; nothing was changed then.
    pub fn move_in_queue(&mut self, ids: &[RunId], to: Move) -> super::Result<Vec<RunId>> {
        let moved = self.change_noted(|tx| {
            if let Some(id) = missing(tx, ids)? {
                return Ok((Err(id), Vec::new()));
            }
            let mut places = Vec::new();
            for held in [false, true] {
                let line = waiting(tx, held)?;
                places.extend(arranged(&line, ids, to));
            }
            for (id, place) in &places {
                tx.prepare_cached("UPDATE run SET place = ?2 WHERE id = ?1")?
                    .execute((id.0, place))?;
            }
            let moved: Vec<RunId> =
                places.iter().map(|(id, _)| *id).filter(|id| ids.contains(id)).collect();
            let noted = (!places.is_empty()).then_some(Entry::Places { places });
            Ok((Ok(moved), noted.into_iter().collect()))
        })?;
        moved.map_err(StoreError::NoRun)
    }

    /// Gives a run a place in the queue that was noted before.
    pub fn set_place(&mut self, id: RunId, place: i64) -> super::Result<()> {
        self.change_runs(&[id], None, |tx, id| {
            tx.prepare_cached("UPDATE run SET place = ?2 WHERE id = ?1")?.execute((id.0, place))
        })
    }
}

/// The runs that wait, or those that are held, in their order, each with its turn.
fn waiting(tx: &Transaction, held: bool) -> rusqlite::Result<Vec<(RunId, i64)>> {
    tx.prepare_cached(
        // The first two lines are the index's own condition; without it SQLite cannot use it.
        "SELECT id, turn FROM run INDEXED BY run_open
         WHERE (state IN ('queued', 'starting', 'running', 'stopping')
           OR (state = 'stopped' AND wish = 'run'))
           AND class = ?1 AND state = 'queued' ORDER BY class, turn, id",
    )?
    .query_map([i64::from(held)], |row| Ok((RunId(row.get(0)?), row.get(1)?)))?
    .collect()
}

/// The places that change where `ids` are moved within a line.
fn arranged(line: &[(RunId, i64)], ids: &[RunId], to: Move) -> Vec<(RunId, i64)> {
    let is_moved = |id: &RunId| ids.contains(id);
    let (Some((_, first)), Some((_, last))) = (line.first(), line.last()) else {
        return Vec::new();
    };
    let (first, last) = (*first, *last);
    let mut order: Vec<RunId> = line.iter().map(|(id, _)| *id).collect();
    let n = order.len();
    match to {
        Move::Up => {
            for at in 1..n {
                if is_moved(&order[at]) && !is_moved(&order[at - 1]) {
                    order.swap(at - 1, at);
                }
            }
        }
        Move::Down => {
            for at in (1..n).rev() {
                if is_moved(&order[at - 1]) && !is_moved(&order[at]) {
                    order.swap(at - 1, at);
                }
            }
        }
        // Beyond the ends there is room for ever: nobody else's place changes.
        Move::First | Move::Last => {
            let moved: Vec<RunId> = order.iter().copied().filter(is_moved).collect();
            let k = moved.len();
            let (end, from) = match to {
                Move::First => (&order[..k], first - k as i64),
                _ => (&order[n - k..], last + 1),
            };
            return if end == moved { Vec::new() } else { moved.into_iter().zip(from..).collect() };
        }
    }
    // The places stay, and those who stand in them change.
    let pairs = order.into_iter().zip(line).filter(|(now, (was, _))| now != was);
    pairs.map(|(now, (_, turn))| (now, *turn)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The order of the runs 1 to 5 once these have moved, again and again.
    fn after(moves: &[(&[u32], Move)]) -> Vec<u32> {
        let mut line: Vec<(RunId, i64)> = (1..=5).map(|n: u32| (RunId(n), i64::from(n))).collect();
        for (ids, to) in moves {
            let ids: Vec<RunId> = ids.iter().copied().map(RunId).collect();
            for (id, place) in arranged(&line, &ids, *to) {
                line.iter_mut().find(|(known, _)| *known == id).unwrap().1 = place;
            }
            line.sort_by_key(|(_, turn)| *turn);
            assert!(line.windows(2).all(|two| two[0].1 < two[1].1), "{line:?}");
        }
        line.iter().map(|(id, _)| id.0).collect()
    }

    #[test]
    fn runs_move_and_the_others_keep_their_order() {
        use Move::{Down, First, Last, Up};
        for (moves, want) in [
            (&[(&[3][..], Up)][..], [1, 3, 2, 4, 5]),
            (&[(&[1], Up)], [1, 2, 3, 4, 5]),
            (&[(&[1], Down)], [2, 1, 3, 4, 5]),
            (&[(&[5], Down)], [1, 2, 3, 4, 5]),
            (&[(&[2, 3], Up)], [2, 3, 1, 4, 5]),
            (&[(&[1, 2], Up)], [1, 2, 3, 4, 5]),
            (&[(&[2, 4], Down)], [1, 3, 2, 5, 4]),
            (&[(&[5, 4], First)], [4, 5, 1, 2, 3]),
            (&[(&[2], Last)], [1, 3, 4, 5, 2]),
            (&[(&[1, 2], First)], [1, 2, 3, 4, 5]),
            (&[(&[5], First), (&[4], First)], [4, 5, 1, 2, 3]),
            (&[(&[4], First), (&[5], Up), (&[4], Down)], [1, 4, 2, 5, 3]),
            (&[(&[4], First), (&[4], Down), (&[4], Down), (&[1], Last)], [2, 4, 3, 5, 1]),
        ] {
            assert_eq!(after(moves), want, "{moves:?}");
        }
        assert_eq!(arranged(&[], &[RunId(1)], Up), []);
    }
}

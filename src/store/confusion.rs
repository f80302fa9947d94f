//! Confusion counts as bytes: the number of classes, then the counts row by row, each a
//! variable-length integer; a 0 is followed by how many more zeros come after it, since most cells
//! of a good classifier are empty.

use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Result, params};

use super::points::{put, take};
use super::{Confusion, Reader};
use crate::events::{Split, Started};
use crate::spec::RunId;

/// A matrix of more classes fits no screen, and hardly memory.
const MAX_CLASSES: usize = 4096;

const SPLITS: [Split; 3] = [Split::Train, Split::Val, Split::Test];

/// Stores the counts of one pass and replaces older ones; false if they are not square.
pub(super) fn keep(
    db: &Connection,
    id: RunId,
    split: Split,
    epoch: u32,
    step: u64,
    counts: &[Vec<u64>],
) -> Result<bool> {
    let classes = counts.len();
    if classes == 0 || classes > MAX_CLASSES || counts.iter().any(|row| row.len() != classes) {
        return Ok(false);
    }
    db.prepare_cached("INSERT OR REPLACE INTO confusion VALUES (?1, ?2, ?3, ?4, ?5)")?
        .execute(params![id.0, split as i64, epoch, step as i64, encode(counts)])?;
    Ok(true)
}

/// The counts of the newest pass over a split.
pub(super) fn newest(db: &Connection, id: RunId, split: Split) -> Result<Option<Vec<Vec<u64>>>> {
    db.prepare_cached(
        "SELECT counts FROM confusion WHERE run = ?1 AND split = ?2 ORDER BY epoch DESC LIMIT 1",
    )?
    .query_row(params![id.0, split as i64], |row| Ok(decode(row.get_ref(0)?.as_blob()?)))
    .optional()
    .map(Option::flatten)
}

/// Removes the passes after an epoch.
pub(super) fn void_after(db: &Connection, id: RunId, epoch: u32) -> Result<()> {
    db.prepare_cached("DELETE FROM confusion WHERE run = ?1 AND epoch > ?2")?
        .execute((id.0, epoch))?;
    Ok(())
}

impl Reader {
    /// The passes that have confusion counts, in order of split and epoch.
    pub fn confusions(&self, id: RunId) -> super::Result<Vec<(Split, u32)>> {
        self.ask(|db| {
            let mut query = db.prepare_cached(
                "SELECT split, epoch FROM confusion WHERE run = ?1 ORDER BY split, epoch",
            )?;
            let rows =
                query.query_map([id.0], |r| Ok((r.get::<_, i64>(0)? as usize, r.get(1)?)))?;
            let known = rows.filter_map(|row| match row {
                Ok((split, epoch)) => SPLITS.get(split).map(|split| Ok((*split, epoch))),
                Err(e) => Some(Err(e)),
            });
            known.collect()
        })
    }

    /// One pass; `epoch` None = the latest.
    pub fn confusion(
        &self,
        id: RunId,
        split: Split,
        epoch: Option<u32>,
    ) -> super::Result<Option<Confusion>> {
        self.ask(|db| {
            let row = db
                .prepare_cached(
                    "SELECT c.epoch, c.counts, r.facts FROM confusion c JOIN run r ON r.id = c.run
                     WHERE c.run = ?1 AND c.split = ?2 AND (?3 IS NULL OR c.epoch = ?3)
                     ORDER BY c.epoch DESC LIMIT 1",
                )?
                .query_row(params![id.0, split as i64, epoch], |r| {
                    let counts = decode(r.get_ref(1)?.as_blob()?).ok_or_else(|| {
                        rusqlite::Error::FromSqlConversionFailure(1, Type::Blob, "no counts".into())
                    })?;
                    Ok((r.get(0)?, counts, r.get::<_, Option<String>>(2)?))
                })
                .optional()?;
            Ok(row.map(|(epoch, counts, facts)| {
                let labels = labels(facts.as_deref(), counts.len());
                Confusion { split, epoch, labels, counts }
            }))
        })
    }
}

/// The names that the trainer gave; numbers where there are none.
fn labels(facts: Option<&str>, classes: usize) -> Vec<String> {
    let started: Started =
        facts.and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default();
    let mut labels = started.labels;
    labels.truncate(classes);
    labels.extend((labels.len()..classes).map(|i| i.to_string()));
    labels
}

fn encode(counts: &[Vec<u64>]) -> Vec<u8> {
    let mut out = Vec::new();
    put(&mut out, counts.len() as u64);
    let mut zeros = 0_u64;
    for count in counts.iter().flatten() {
        if *count == 0 {
            zeros += 1;
            continue;
        }
        put_zeros(&mut out, &mut zeros);
        put(&mut out, *count);
    }
    put_zeros(&mut out, &mut zeros);
    out
}

fn put_zeros(out: &mut Vec<u8>, zeros: &mut u64) {
    if *zeros > 0 {
        out.push(0);
        put(out, *zeros - 1);
        *zeros = 0;
    }
}

fn decode(mut bytes: &[u8]) -> Option<Vec<Vec<u64>>> {
    let classes =
        usize::try_from(take(&mut bytes)?).ok().filter(|n| (1..=MAX_CLASSES).contains(n))?;
    let mut flat = Vec::new();
    while !bytes.is_empty() {
        match take(&mut bytes)? {
            0 => {
                let more = usize::try_from(take(&mut bytes)?).ok()?;
                if more >= classes * classes - flat.len().min(classes * classes) {
                    return None;
                }
                flat.resize(flat.len() + more + 1, 0);
            }
            count => flat.push(count),
        }
    }
    (flat.len() == classes * classes).then(|| flat.chunks(classes).map(<[u64]>::to_vec).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn counts_read_back(classes in 1usize..9, cells in prop::collection::vec(prop_oneof![3 => Just(0u64), 1 => any::<u64>()], 64)) {
            let counts: Vec<Vec<u64>> = cells.chunks(classes).take(classes).map(<[u64]>::to_vec).collect();
            prop_assume!(counts.len() == classes && counts.iter().all(|r| r.len() == classes));
            prop_assert_eq!(decode(&encode(&counts)), Some(counts));
        }

        #[test]
        fn any_bytes_are_counts_or_nothing(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            if let Some(counts) = decode(&bytes) {
                prop_assert!(counts.iter().all(|row| row.len() == counts.len()));
            }
        }
    }
}

//! The most memory that runs took on a GPU, and what it tells of runs like them.

use rusqlite::{Connection, OptionalExtension, Result};

use super::Reader;
use crate::spec::RunId;

/// Keeps the most that a run on a GPU has told; resident memory of the CPU says nothing of one.
pub(super) fn keep(db: &Connection, id: RunId, bytes: f64) -> Result<()> {
    if bytes.is_finite() && bytes > 0.0 {
        db.prepare_cached(
            "UPDATE run SET peak = max(coalesce(peak, 0), ?2)
             WHERE id = ?1 AND json_extract(facts, '$.device') LIKE 'cuda:%'",
        )?
        .execute((id.0, bytes as i64))?;
    }
    Ok(())
}

impl Reader {
    /// The most bytes of a GPU that this run, or one with the same keys that decide about memory, has taken.
    /// With `unfreeze=gradual` memory grows from epoch to epoch, so only runs to their end count.
    pub fn alike_peak(&self, id: RunId) -> super::Result<Option<u64>> {
        let found: Option<i64> = self.ask(|db| {
            db.prepare_cached(
                "SELECT b.peak FROM run a JOIN run b INDEXED BY run_peak ON b.alike = a.alike
                 WHERE a.id = ?1 AND b.peak IS NOT NULL
                   AND (b.state = 'done' OR json_extract(a.spec, '$.unfreeze') <> 'gradual')
                 ORDER BY b.peak DESC LIMIT 1",
            )?
            .query_row([id.0], |row| row.get(0))
            .optional()
        })?;
        Ok(found.map(|bytes| bytes as u64))
    }
}

use std::collections::HashMap;

use rusqlite::OptionalExtension;

use super::list::add;
use super::{Counts, NewSweep, Reader, SweepRow, rows};
use crate::spec::SweepId;

impl Reader {
    /// All sweeps, newest first.
    pub fn sweeps(&self) -> super::Result<Vec<SweepRow>> {
        self.ask(|db| {
            let mut counts: HashMap<u32, Counts> = HashMap::new();
            let mut query =
                db.prepare_cached("SELECT sweep, class, runs FROM tally WHERE sweep > 0")?;
            let mut tally = query.query(())?;
            while let Some(row) = tally.next()? {
                add(counts.entry(row.get(0)?).or_default(), row.get(1)?, row.get(2)?);
            }
            let mut query =
                db.prepare_cached("SELECT id, name, varied, created FROM sweep ORDER BY id DESC")?;
            let sweeps = query.query_map((), |r| {
                let id: u32 = r.get(0)?;
                Ok(SweepRow {
                    id: SweepId(id),
                    name: r.get(1)?,
                    varied: rows::json(r, "varied")?.unwrap_or_default(),
                    created: r.get(3)?,
                    counts: counts.get(&id).copied().unwrap_or_default(),
                })
            })?;
            sweeps.collect()
        })
    }

    /// A sweep as it was queued; what a run's folder needs to remember to be adopted again.
    pub fn sweep(&self, id: SweepId) -> super::Result<Option<NewSweep>> {
        self.ask(|db| {
            let row = db
                .prepare_cached("SELECT name, sweep FROM sweep WHERE id = ?1")?
                .query_row([id.0], |r| Ok((r.get(0)?, rows::json(r, "sweep")?)))
                .optional()?;
            Ok(row.and_then(|(name, sweep)| sweep.map(|sweep| NewSweep { name, sweep })))
        })
    }
}

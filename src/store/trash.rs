//! Runs thrown away: hidden from every list, and brought back as they were, until they are purged.
//!
//! The column `archived` has two bits: 1 for archived, 2 for thrown away.

use rusqlite::params;

use super::{Reader, Store, series};
use crate::spec::RunId;

impl Reader {
    /// Those of these runs that lie in the trash.
    pub fn trashed(&self, ids: &[RunId]) -> super::Result<Vec<RunId>> {
        self.ask(|db| {
            let mut query =
                db.prepare_cached("SELECT 1 FROM run WHERE id = ?1 AND archived >= 2")?;
            let mut found = Vec::new();
            for id in ids {
                if query.exists([id.0])? {
                    found.push(*id);
                }
            }
            Ok(found)
        })
    }
}

impl Store {
    /// Throws runs away. Only runs that have ended for good can be; the ids of the others come back, and
    /// nothing was changed then.
    pub fn trash(&mut self, ids: &[RunId]) -> super::Result<Vec<RunId>> {
        self.if_over(ids, |store| {
            store.change_runs(ids, |tx, id| {
                tx.prepare_cached("UPDATE run SET archived = archived | 2 WHERE id = ?1")?
                    .execute([id.0])
            })
        })
    }

    /// Brings runs back from the trash, archived if they were.
    pub fn restore(&mut self, ids: &[RunId]) -> super::Result<()> {
        self.change_runs(ids, |tx, id| {
            tx.prepare_cached("UPDATE run SET archived = archived & 1 WHERE id = ?1")?
                .execute([id.0])
        })
    }

    /// Forgets runs for ever; their numbers are not given again while the database lives. As [`Store::trash`], only those that
    /// have ended. Their folders are the caller's to remove, before: else `reindex` finds them again.
    pub fn purge(&mut self, ids: &[RunId]) -> super::Result<Vec<RunId>> {
        self.if_over(ids, |store| {
            store.change_runs(ids, |tx, id| {
                series::clear(tx, id)?;
                for table in ["confusion", "remark", "words"] {
                    tx.execute(&format!("DELETE FROM {table} WHERE run = ?1"), params![id.0])?;
                }
                tx.prepare_cached("DELETE FROM run WHERE id = ?1")?.execute([id.0])
            })
        })
    }

    /// Which of these have not ended for good: a stopped run that is to go on has not.
    pub fn not_over(&self, ids: &[RunId]) -> super::Result<Vec<RunId>> {
        self.reader().ask(|db| {
            let mut query = db.prepare_cached(
                "SELECT 1 FROM run WHERE id = ?1
                 AND (class <= 2 OR (state = 'stopped' AND wish = 'run'))",
            )?;
            let mut found = Vec::new();
            for id in ids {
                if query.exists([id.0])? {
                    found.push(*id);
                }
            }
            Ok(found)
        })
    }

    fn if_over(
        &mut self,
        ids: &[RunId],
        change: impl FnOnce(&mut Self) -> super::Result<()>,
    ) -> super::Result<Vec<RunId>> {
        let open = self.not_over(ids)?;
        if open.is_empty() {
            change(self)?;
        }
        Ok(open)
    }
}

//! The trash: runs that are hidden from every list and can be restored until they are purged.
//!
//! The column `archived` has two bits: 1 for archived, 2 for thrown away.

use rusqlite::params;

use super::journal::Entry;
use super::{Reader, Store, series};
use crate::spec::RunId;

impl Reader {
    /// Which of these runs are in the trash.
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
    /// Moves runs to the trash. Only runs that have ended for good can go there; if others are among them,
    /// their ids are returned and nothing changes.
    pub fn trash(&mut self, ids: &[RunId]) -> super::Result<Vec<RunId>> {
        self.if_over(ids, |store| {
            let noted = Entry::Trashed { runs: ids.to_vec(), on: true };
            store.change_runs(ids, Some(noted), |tx, id| {
                tx.prepare_cached("UPDATE run SET archived = archived | 2 WHERE id = ?1")?
                    .execute([id.0])
            })
        })
    }

    /// Restores runs from the trash, archived if they were.
    pub fn restore(&mut self, ids: &[RunId]) -> super::Result<()> {
        let noted = Entry::Trashed { runs: ids.to_vec(), on: false };
        self.change_runs(ids, Some(noted), |tx, id| {
            tx.prepare_cached("UPDATE run SET archived = archived & 1 WHERE id = ?1")?
                .execute([id.0])
        })
    }

    /// Deletes runs for good; their numbers are never used again. As [`Store::trash`], only those that
    /// have ended. The caller removes their folders first: else `reindex` finds them again.
    pub fn purge(&mut self, ids: &[RunId]) -> super::Result<Vec<RunId>> {
        self.if_over(ids, |store| {
            let noted = Entry::Purged { runs: ids.to_vec() };
            store.change_runs(ids, Some(noted), |tx, id| {
                series::clear(tx, id)?;
                for table in ["confusion", "remark", "words"] {
                    tx.execute(&format!("DELETE FROM {table} WHERE run = ?1"), params![id.0])?;
                }
                tx.prepare_cached("DELETE FROM run WHERE id = ?1")?.execute([id.0])
            })
        })
    }

    /// Which of these have not ended for good: a stopped run that is to resume has not.
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

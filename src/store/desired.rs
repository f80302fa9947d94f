//! What people set: the desired state, names, tags, notes.

use rusqlite::{Connection, Result, Transaction, params};

use super::journal::Entry;
use super::{Millis, Store, StoreError, series, words};
use crate::spec::{Desired, Part, RunId, printable};

impl Store {
    /// Sets the desired state of these runs.
    ///
    /// # Errors
    /// [`StoreError::NoRun`] for the first that does not exist; nothing was changed then.
    pub fn set_desired(&mut self, ids: &[RunId], desired: Desired) -> super::Result<()> {
        let noted = Entry::Desired { runs: ids.to_vec(), desired };
        self.change_runs(ids, Some(noted), |tx, id| {
            tx.prepare_cached("UPDATE run SET wish = ?2 WHERE id = ?1")?
                .execute((id.0, desired.to_string()))
        })
    }

    /// Puts ended runs back into the queue: their state becomes `Queued` at once, their desired state `Run`. Of
    /// a run that has not ended only the desired state changes.
    ///
    /// `from_start` also forgets everything that was reported, the attempts included: the runner
    /// clears the folder of a run before it starts its first attempt. Otherwise the next attempt resumes
    /// from the last checkpoint. A run that was pruned is not judged again.
    pub fn requeue(&mut self, ids: &[RunId], from_start: bool) -> super::Result<()> {
        let noted = Entry::Again { runs: ids.to_vec() };
        self.change_runs(ids, Some(noted), |tx, id| {
            tx.prepare_cached("UPDATE run SET wish = 'run' WHERE id = ?1")?.execute([id.0])?;
            let back = tx
                .prepare_cached(
                    "UPDATE run SET state = 'queued', outcome = NULL, ended = NULL,
                       settled = NULL, process = NULL, placement = NULL, place = NULL,
                       part = CASE state WHEN 'pruned' THEN ?2 ELSE part END
                     WHERE id = ?1 AND class > 2",
                )?
                .execute((id.0, Part::Spared.number()))?;
            if from_start && back > 0 {
                forget(tx, id)?;
            }
            Ok(1)
        })
    }

    /// Says what part a run has in its sweep, and when its end became known, as its folder tells it.
    pub fn set_part(
        &mut self,
        id: RunId,
        part: Part,
        settled: Option<Millis>,
    ) -> super::Result<()> {
        self.change_runs(&[id], None, |tx, id| {
            tx.prepare_cached("UPDATE run SET part = ?2, settled = ?3 WHERE id = ?1")?.execute((
                id.0,
                part.number(),
                settled,
            ))
        })
    }

    /// Forgets points, confusion, offset, attempts and facts of a run (for a retry from the start).
    pub fn forget(&mut self, id: RunId) -> super::Result<()> {
        self.change_runs(&[id], None, |tx, id| forget(tx, id))
    }

    /// Gives a run another name.
    pub fn rename(&mut self, id: RunId, name: &str) -> super::Result<()> {
        let name = printable(name.trim(), words::NAME).into_owned();
        let noted = Entry::Name { run: id, name: name.clone() };
        self.change_runs(&[id], Some(noted), |tx, id| {
            tx.prepare_cached("UPDATE run SET name = ?2 WHERE id = ?1")?.execute((id.0, &name))?;
            words::renew(tx, id)
        })
    }

    /// Replaces a run's tags; empty and repeated ones are dropped.
    pub fn set_tags(&mut self, id: RunId, tags: &[String]) -> super::Result<()> {
        let mut kept: Vec<String> = Vec::new();
        for tag in tags {
            let tag = printable(tag.trim(), words::TAG).into_owned();
            if !tag.is_empty() && !kept.contains(&tag) {
                kept.push(tag);
            }
        }
        let json = serde_json::to_string(&kept).unwrap_or_default();
        let noted = Entry::Tags { run: id, tags: kept };
        self.change_runs(&[id], Some(noted), |tx, id| {
            tx.prepare_cached("UPDATE run SET tags = ?2 WHERE id = ?1")?.execute((id.0, &json))?;
            words::renew(tx, id)
        })
    }

    /// Replaces the user's note on a run; line breaks stay.
    pub fn set_note(&mut self, id: RunId, note: &str) -> super::Result<()> {
        let clean: Vec<_> = note.lines().map(|line| printable(line, usize::MAX)).collect();
        let clean = clean.join("\n");
        let noted = Entry::Note { run: id, note: clean.clone() };
        self.change_runs(&[id], Some(noted), |tx, id| {
            tx.prepare_cached("UPDATE run SET note = ?2 WHERE id = ?1")?.execute((id.0, &clean))?;
            words::renew(tx, id)
        })
    }

    /// Hides runs from lists, or shows them again.
    pub fn set_archived(&mut self, ids: &[RunId], archived: bool) -> super::Result<()> {
        let noted = Entry::Archived { runs: ids.to_vec(), on: archived };
        self.change_runs(ids, Some(noted), |tx, id| {
            tx.prepare_cached("UPDATE run SET archived = ?2 WHERE id = ?1")?
                .execute((id.0, archived))
        })
    }

    /// Makes one change to each of some runs, all or none. `noted` is what a person wrote.
    pub(super) fn change_runs(
        &mut self,
        ids: &[RunId],
        noted: Option<Entry>,
        f: impl Fn(&Transaction, RunId) -> Result<usize>,
    ) -> super::Result<()> {
        let each = |tx: &Transaction| -> Result<Option<RunId>> {
            let missing = missing(tx, ids)?;
            if missing.is_none() {
                ids.iter().try_for_each(|id| f(tx, *id).map(drop))?;
            }
            Ok(missing)
        };
        let missing = match noted {
            None => self.change(each)?,
            Some(noted) => self.change_noted(|tx| {
                let missing = each(tx)?;
                Ok((missing, if missing.is_none() { vec![noted.clone()] } else { Vec::new() }))
            })?,
        };
        missing.map_or(Ok(()), |id| Err(StoreError::NoRun(id)))
    }
}

/// The first of these runs that does not exist.
pub(super) fn missing(tx: &Transaction, ids: &[RunId]) -> Result<Option<RunId>> {
    for id in ids {
        if !tx.prepare_cached("SELECT 1 FROM run WHERE id = ?1")?.exists([id.0])? {
            return Ok(Some(*id));
        }
    }
    Ok(None)
}

fn forget(db: &Connection, id: RunId) -> Result<usize> {
    series::clear(db, id)?;
    for table in ["confusion", "remark"] {
        db.execute(&format!("DELETE FROM {table} WHERE run = ?1"), [id.0])?;
    }
    db.prepare_cached(
        "UPDATE run SET started = NULL, last_event = NULL, attempt = 0, step = 0, epoch = 0,
           best_epoch = NULL, spark = x'', position = 0, strays = 0, last_stray = NULL,
           ending = NULL, ending_why = NULL, ending_at = NULL, facts = NULL, peak = NULL,
           device_time = NULL, pass = NULL, flags = 0 WHERE id = ?1",
    )?
    .execute(params![id.0])
}

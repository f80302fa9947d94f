//! What can still be read of a damaged database, row by row, and column by column where a row is damaged.

use rusqlite::{Connection, OptionalExtension, Result, Row};

use super::journal::{self, Entry};
use super::{Millis, NewRun, NewSweep, Noted, Reader, rows};
use crate::spec::{Desired, Part, Placement, RunId, RunState, SweepId};

/// What the database says of a run besides what its folder tells.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Salvaged {
    /// What people wrote.
    pub noted: Noted,
    /// What it was.
    pub state: Option<RunState>,
    /// Attempts so far.
    pub attempt: u32,
    /// Where it ran.
    pub placement: Option<Placement>,
    /// What part it has in its sweep.
    pub part: Option<Part>,
    /// When its end became known.
    pub settled: Option<Millis>,
    /// True if some of its row could not be read.
    pub damaged: bool,
}

impl Reader {
    /// True if SQLite finds nothing wrong with the structure of the file.
    pub fn is_sound(&self) -> bool {
        let check = |db: &Connection| -> Result<String> {
            db.query_row("PRAGMA quick_check(1)", (), |row| row.get(0))
        };
        self.ask(check).is_ok_and(|said| said == "ok")
    }

    /// The highest number of a run that can be found.
    pub fn last_run(&self) -> Option<RunId> {
        let last = |sql: &str| {
            let found = self.ask(|db| db.query_row(sql, (), |row| row.get::<_, Option<u32>>(0)));
            found.ok().flatten()
        };
        let row = last("SELECT max(id) FROM run");
        row.max(last("SELECT seq FROM sqlite_sequence WHERE name = 'run'")).map(RunId)
    }

    /// What can be read of one run.
    ///
    /// # Errors
    /// Its row is there, or may be, and nothing of it can be read.
    pub fn salvage(&self, id: RunId) -> super::Result<Option<Salvaged>> {
        // Each column of its own: a damaged page costs those that lie on it.
        let column = |name: &str| {
            let sql = format!("SELECT {name} FROM run WHERE id = ?1");
            self.ask(|db| {
                let mut query = db.prepare_cached(&sql)?;
                query
                    .query_row([id.0], |r| r.get::<_, Option<rusqlite::types::Value>>(0))
                    .optional()
            })
        };
        if column("id")?.is_none() {
            return Ok(None);
        }
        let mut found = Salvaged::default();
        let mut text = |name: &str| match column(name) {
            Ok(Some(Some(rusqlite::types::Value::Text(text)))) => Some(text),
            Ok(Some(Some(rusqlite::types::Value::Integer(n)))) => Some(n.to_string()),
            Ok(_) => None,
            Err(_) => {
                found.damaged = true;
                None
            }
        };
        let archived: Option<i64> = text("archived").and_then(|text| text.parse().ok());
        let number = |text: Option<String>| text.and_then(|text| text.parse().ok());
        let noted = Noted {
            name: text("name"),
            spec: text("spec").filter(|text| is_object(text)).map(|text| rows::spec(&text)),
            sweep: number(text("sweep")).map(SweepId),
            created: text("created").and_then(|text| text.parse().ok()),
            desired: text("wish").and_then(|text| text.parse().ok()),
            tags: text("tags").and_then(|text| serde_json::from_str(&text).ok()),
            note: text("note"),
            archived: archived.map(|bits| bits & 1 == 1),
            trashed: archived.map(|bits| bits & 2 == 2),
            queued: None,
            place: None,
            purged: false,
        };
        let outcome = text("outcome");
        let state = text("state").map(|word| rows::state(&word, outcome.as_deref()));
        let attempt = number(text("attempt")).unwrap_or_default();
        let placement = text("placement").and_then(|text| serde_json::from_str(&text).ok());
        let part = text("part").and_then(|text| text.parse().ok()).map(Part::of_number);
        let settled = text("settled").and_then(|text| text.parse().ok());
        let damaged = found.damaged;
        Ok(Some(Salvaged { noted, state, attempt, placement, part, settled, damaged }))
    }
}

fn is_object(text: &str) -> bool {
    serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(text).is_ok()
}

/// All that people wrote so far, as entries of a journal.
pub(super) fn snapshot(db: &Connection) -> Result<Vec<Entry>> {
    let mut entries = Vec::new();
    let mut query = db.prepare("SELECT id, name, sweep FROM sweep ORDER BY id")?;
    let sweep = |r: &Row| {
        let name: String = r.get("name")?;
        let new = rows::json(r, "sweep")?.map(|sweep| NewSweep { name, sweep });
        Ok((SweepId(r.get("id")?), new))
    };
    for row in query.query_map((), sweep)? {
        let (id, new) = row?;
        entries.extend(new.map(|new| journal::sweep(id, &new)));
    }
    let mut query = db.prepare(
        "SELECT id, name, spec, sweep, wish, created, tags, note, archived FROM run ORDER BY id",
    )?;
    let mut found = query.query(())?;
    let mut later = Vec::new();
    while let Some(r) = found.next()? {
        let run = RunId(r.get("id")?);
        let desired = r.get_ref("wish")?.as_str()?.parse().unwrap_or(Desired::Hold);
        let spec = rows::spec(r.get_ref("spec")?.as_str()?);
        let new = NewRun { name: r.get("name")?, spec, desired };
        let sweep = r.get::<_, Option<u32>>("sweep")?.map(SweepId);
        entries.extend(journal::queued(sweep, r.get("created")?, &[run], &[new]));
        let tags: Vec<String> = rows::json(r, "tags")?.unwrap_or_default();
        let note: String = r.get("note")?;
        let archived: i64 = r.get("archived")?;
        if !tags.is_empty() {
            later.push(Entry::Tags { run, tags });
        }
        if !note.is_empty() {
            later.push(Entry::Note { run, note });
        }
        if archived & 1 == 1 {
            later.push(Entry::Archived { runs: vec![run], on: true });
        }
        if archived & 2 == 2 {
            later.push(Entry::Trashed { runs: vec![run], on: true });
        }
    }
    entries.extend(later);
    Ok(entries)
}

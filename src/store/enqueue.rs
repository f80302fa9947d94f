use rusqlite::{Connection, Result, params};

use super::run::now;
use super::{Millis, NewRun, NewStage, NewSweep, Store};
use super::{journal, words};
use crate::spec::{Desired, RunId, RunSpec, Sweep, SweepId, printable};

impl Store {
    /// Queues runs, all or none; `sweep` names a sweep that is made for them.
    ///
    /// # Errors
    /// What SQLite refuses; nothing was queued then.
    pub fn enqueue(
        &mut self,
        sweep: Option<&NewSweep>,
        runs: &[NewRun],
    ) -> super::Result<(Option<SweepId>, Vec<RunId>)> {
        // Hashes and texts of 100,000 runs take a while: they are made before the lock is taken.
        let rows: Vec<Row> = runs.iter().map(Row::of).collect();
        let now = now();
        self.change_noted(|tx| {
            let number = sweep.map(|new| insert_sweep(tx, None, new, now)).transpose()?;
            let ids = rows.iter().map(|row| row.insert(tx, None, number, now));
            let ids = ids.collect::<Result<Vec<_>>>()?;
            let noted = number.zip(sweep).map(|(number, new)| journal::sweep(number, new));
            let mut noted: Vec<_> = noted.into_iter().collect();
            noted.extend(journal::queued(number, now, &ids, runs));
            Ok(((number, ids), noted))
        })
    }

    /// Queues sweeps that start from each other's runs, all or none. `name` makes the name of a run.
    ///
    /// # Errors
    /// What SQLite refuses, or a sweep that cannot be expanded; nothing was queued then.
    pub fn enqueue_stages(
        &mut self,
        stages: &[NewStage],
        desired: Desired,
        name: fn(&Sweep, &RunSpec) -> String,
    ) -> super::Result<Vec<(SweepId, Vec<RunId>)>> {
        let now = now();
        let queued = self.change_noted(|tx| {
            let mut queued: Vec<(SweepId, Vec<RunId>)> = Vec::with_capacity(stages.len());
            let mut noted = Vec::new();
            for stage in stages {
                let parents = stage.from.and_then(|from| queued.get(from));
                let sweep = &stage.sweep.sweep;
                let whole = match parents {
                    Some((_, parents)) => sweep.going_on_from(parents),
                    None => Ok(sweep.clone()),
                };
                let walked = whole.and_then(|sweep| Ok((sweep.expand()?, sweep)));
                let (specs, sweep) = match walked {
                    Ok(walked) => walked,
                    Err(e) => return Ok((Err(e), Vec::new())),
                };
                let new = NewSweep { name: stage.sweep.name.clone(), sweep };
                let number = insert_sweep(tx, None, &new, now)?;
                let runs = specs.into_iter().map(|spec| {
                    let name = name(&new.sweep, &spec);
                    NewRun { name, spec, desired }
                });
                let runs: Vec<NewRun> = runs.collect();
                let ids = runs.iter().map(|run| Row::of(run).insert(tx, None, Some(number), now));
                let ids = ids.collect::<Result<Vec<_>>>()?;
                noted.push(journal::sweep(number, &new));
                noted.extend(journal::queued(Some(number), now, &ids, &runs));
                queued.push((number, ids));
            }
            Ok((Ok(queued), noted))
        })?;
        Ok(queued?)
    }

    /// Puts a run found in the runs folder into an empty database, under its old number and in its
    /// old sweep. A run or sweep that the database knows stays as it is.
    pub fn adopt(
        &mut self,
        id: RunId,
        run: &NewRun,
        created: Millis,
        sweep: Option<(SweepId, &NewSweep)>,
    ) -> super::Result<()> {
        let row = Row::of(run);
        self.change(|tx| {
            if let Some((number, new)) = sweep
                && !exists(tx, "SELECT 1 FROM sweep WHERE id = ?1", number.0)?
            {
                insert_sweep(tx, Some(number), new, created)?;
            }
            if !exists(tx, "SELECT 1 FROM run WHERE id = ?1", id.0)? {
                row.insert(tx, Some(id), sweep.map(|(number, _)| number), created)?;
            }
            Ok(())
        })
    }
}

fn exists(db: &Connection, sql: &str, id: u32) -> Result<bool> {
    db.prepare_cached(sql)?.exists([id])
}

fn insert_sweep(
    db: &Connection,
    number: Option<SweepId>,
    new: &NewSweep,
    created: Millis,
) -> Result<SweepId> {
    let varied: Vec<&str> = new.sweep.varied().collect();
    db.prepare_cached(
        "INSERT INTO sweep(id, name, sweep, varied, created) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute(params![
        number.map(|n| n.0),
        printable(&new.name, words::NAME),
        serde_json::to_string(&new.sweep).unwrap_or_default(),
        serde_json::to_string(&varied).unwrap_or_default(),
        created
    ])?;
    Ok(SweepId(db.last_insert_rowid() as u32))
}

/// A new run's columns.
pub(super) struct Row {
    name: String,
    desired: String,
    spec: String,
    hash: String,
    memory_hash: String,
    words: String,
}

impl Row {
    pub(super) fn of(run: &NewRun) -> Self {
        let name = printable(&run.name, words::NAME).into_owned();
        Self {
            desired: run.desired.to_string(),
            spec: serde_json::to_string(&run.spec).unwrap_or_default(),
            hash: run.spec.hash(),
            memory_hash: run.spec.memory_hash(),
            words: words::text(&name, &run.spec, &[], ""),
            name,
        }
    }

    pub(super) fn insert(
        &self,
        db: &Connection,
        id: Option<RunId>,
        sweep: Option<SweepId>,
        created: Millis,
    ) -> Result<RunId> {
        db.prepare_cached(
            "INSERT INTO run(id, name, sweep, wish, state, created, spec_hash, memory_hash, spec)
             VALUES (?1, ?2, ?3, ?4, 'queued', ?5, ?6, ?7, ?8)",
        )?
        .execute(params![
            id.map(|id| id.0),
            self.name,
            sweep.map(|s| s.0),
            self.desired,
            created,
            self.hash,
            self.memory_hash,
            self.spec
        ])?;
        let id = RunId(db.last_insert_rowid() as u32);
        db.prepare_cached("INSERT INTO words(run, text) VALUES (?1, ?2)")?
            .execute((id.0, &self.words))?;
        Ok(id)
    }
}

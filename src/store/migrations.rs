use rusqlite::{Connection, Result, Transaction, TransactionBehavior};

/// One step from an older database to a newer one. The list only grows: a step that has been
/// released is never edited, so that a database of any age arrives at the same tables.
struct Migration {
    /// Why the step exists and what it costs; kept in the database's own history table.
    reason: &'static str,
    sql: &'static str,
    /// What SQL cannot say, after it.
    then: Option<fn(&Connection) -> Result<()>>,
}

const MIGRATIONS: &[Migration] =
    &[FIRST, CREATED, SITES, PARENT, PEAK, IDENTITY, DEVICE_TIME, PART, SETTLED, TURN];

const FIRST: Migration = Migration {
    reason: "The first tables. Points lie in columnar chunks (see points.rs), because a row per \
             point costs about 40 bytes and an index entry; words to search lie apart from the \
             runs, so that a filter reads nothing else.",
    sql: "
CREATE TABLE sweep(
  id      INTEGER PRIMARY KEY AUTOINCREMENT,
  name    TEXT NOT NULL,
  sweep   TEXT NOT NULL,              -- spec::Sweep as JSON
  varied  TEXT NOT NULL,              -- the varied keys, a JSON array
  created INTEGER NOT NULL            -- every time: milliseconds since the Unix epoch
);

-- AUTOINCREMENT: the number of a removed run is never given to another one.
CREATE TABLE run(
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  name       TEXT NOT NULL,
  sweep      INTEGER REFERENCES sweep(id),
  wish       TEXT NOT NULL,
  state      TEXT NOT NULL,           -- queued, starting, running, stopping, or the outcome's word
  class      INTEGER AS (CASE state   -- what counts and lists tell apart; see rows.rs
               WHEN 'queued' THEN wish = 'hold'
               WHEN 'done' THEN 3 WHEN 'failed' THEN 4 WHEN 'lost' THEN 4
               WHEN 'stopped' THEN 5 WHEN 'pruned' THEN 5 ELSE 2 END) VIRTUAL,
  outcome    TEXT,                    -- spec::Outcome as JSON, once ended
  archived   INTEGER NOT NULL DEFAULT 0,
  created    INTEGER NOT NULL,
  started    INTEGER,
  ended      INTEGER,
  last_event INTEGER,
  attempt    INTEGER NOT NULL DEFAULT 0,
  step       INTEGER NOT NULL DEFAULT 0,
  epoch      REAL NOT NULL DEFAULT 0,
  best_epoch INTEGER,
  spark      BLOB NOT NULL DEFAULT x'', -- f32, little endian
  position   INTEGER NOT NULL DEFAULT 0, -- bytes of events.jsonl that these rows know of
  strays     INTEGER NOT NULL DEFAULT 0, -- foreign lines, and metrics beyond the limits
  last_stray TEXT,
  ending     TEXT,                    -- the trainer's own last word, and why
  ending_why TEXT,
  ending_at  INTEGER,
  spec_hash  TEXT NOT NULL,
  tags       TEXT NOT NULL DEFAULT '[]',
  note       TEXT NOT NULL DEFAULT '',
  placement  TEXT,                    -- JSON
  process    TEXT,                    -- JSON
  facts      TEXT,                    -- events::Started as JSON
  spec       TEXT NOT NULL            -- spec::RunSpec as JSON
);
-- Everything a list without words is filtered and sorted by, in the order of a list.
CREATE INDEX run_list ON run(archived, id, class, state, sweep, started, ended);
CREATE INDEX run_spec ON run(spec_hash);
-- What the runner asks for on every tick, however many runs have ended.
CREATE INDEX run_open ON run(class, id) WHERE state IN ('queued', 'starting', 'running', 'stopping')
  OR (state = 'stopped' AND wish = 'run');

-- Name, tags, key=value pairs and note in lower case, one per line; see words.rs.
CREATE TABLE words(run INTEGER PRIMARY KEY REFERENCES run(id), text TEXT NOT NULL);

-- Runs by sweep (0 = none) and class, archived ones left out, so that nobody has to count.
CREATE TABLE tally(
  sweep INTEGER NOT NULL, class INTEGER NOT NULL, runs INTEGER NOT NULL,
  PRIMARY KEY (sweep, class)
) WITHOUT ROWID;
CREATE TRIGGER tally_in AFTER INSERT ON run WHEN new.archived = 0 BEGIN
  INSERT INTO tally VALUES (coalesce(new.sweep, 0), new.class, 1)
    ON CONFLICT DO UPDATE SET runs = runs + 1;
END;
CREATE TRIGGER tally_out AFTER DELETE ON run WHEN old.archived = 0 BEGIN
  UPDATE tally SET runs = runs - 1 WHERE sweep = coalesce(old.sweep, 0) AND class = old.class;
END;
CREATE TRIGGER tally_over AFTER UPDATE OF state, wish, archived, sweep ON run
WHEN old.class <> new.class OR old.archived <> new.archived OR old.sweep IS NOT new.sweep BEGIN
  UPDATE tally SET runs = runs - 1
    WHERE sweep = coalesce(old.sweep, 0) AND class = old.class AND old.archived = 0;
  INSERT INTO tally SELECT coalesce(new.sweep, 0), new.class, 1 WHERE new.archived = 0
    ON CONFLICT DO UPDATE SET runs = runs + 1;
END;

CREATE TABLE metric(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);

-- One curve. By metric first, so that sorting all runs by one metric reads one stretch of pages.
CREATE TABLE series(
  metric INTEGER NOT NULL REFERENCES metric(id),
  run    INTEGER NOT NULL REFERENCES run(id),
  points INTEGER NOT NULL,
  tail   INTEGER NOT NULL,            -- number of the last chunk
  last   REAL,                        -- NULL is NaN
  best   REAL,                        -- NULL: no finite value yet
  PRIMARY KEY (metric, run)
) WITHOUT ROWID;
CREATE INDEX series_run ON series(run, metric);

-- The key holds run, metric and number (see series.rs): no second tree to keep.
CREATE TABLE chunk(
  id      INTEGER PRIMARY KEY,
  outline BLOB,                       -- of a full chunk: first, lowest, highest, last point
  points  BLOB NOT NULL
);

CREATE TABLE confusion(
  run   INTEGER NOT NULL REFERENCES run(id),
  split INTEGER NOT NULL,             -- 0 train, 1 val, 2 test
  epoch INTEGER NOT NULL,
  step  INTEGER NOT NULL,
  counts BLOB NOT NULL,               -- see confusion.rs
  PRIMARY KEY (run, split, epoch)
) WITHOUT ROWID;

-- What the trainer had to say to people.
CREATE TABLE remark(
  run INTEGER NOT NULL REFERENCES run(id), number INTEGER NOT NULL, time INTEGER NOT NULL,
  step INTEGER NOT NULL, level TEXT NOT NULL, text TEXT NOT NULL,
  PRIMARY KEY (run, number)
) WITHOUT ROWID;

CREATE TABLE runner(
  id INTEGER PRIMARY KEY CHECK (id = 1),
  process TEXT NOT NULL, heartbeat INTEGER NOT NULL, version TEXT NOT NULL
);
CREATE TABLE slot(number INTEGER PRIMARY KEY, slot TEXT NOT NULL);
",
    then: None,
};

const CREATED: Migration = Migration {
    reason: "A query asks for the runs of the last week, so the index that answers lists holds when a run \
             was queued. Costs a pass over the runs, once.",
    sql: "
DROP INDEX run_list;
CREATE INDEX run_list ON run(archived, id, class, state, sweep, started, ended, created);
",
    then: None,
};

const SITES: Migration = Migration {
    reason: "What was last heard of the sites where runs go. An empty table: it costs nothing.",
    sql: "CREATE TABLE site(number INTEGER PRIMARY KEY, site TEXT NOT NULL);",
    then: None,
};

const PARENT: Migration = Migration {
    reason: "Which run a run goes on from (init=rN) is asked both ways. It is read out of the spec, so that there is \
             one truth; the index holds only runs that have one. Costs a pass over the runs, once.",
    sql: "
ALTER TABLE run ADD COLUMN parent INTEGER AS (
  CASE WHEN json_extract(spec, '$.init') GLOB 'r[0-9]*'
       THEN CAST(substr(json_extract(spec, '$.init'), 2) AS INTEGER) END) VIRTUAL;
CREATE INDEX run_parent ON run(parent, id) WHERE parent IS NOT NULL;
",
    then: None,
};

const PEAK: Migration = Migration {
    reason: "Whether a run fits beside others on a GPU is told by the most memory that alike runs took on one. \
             `alike` holds the keys that decide it, read out of the spec; the index holds only runs with a peak, \
             so that the largest is one look. None has one yet: it costs nothing.",
    sql: "
ALTER TABLE run ADD COLUMN peak INTEGER; -- bytes, of runs on a GPU
ALTER TABLE run ADD COLUMN alike TEXT AS (json_extract(spec,
  '$.model', '$.task', '$.data', '$.val', '$.test', '$.text', '$.limit', '$.max_length', '$.batch_size',
  '$.accumulate', '$.optimizer', '$.momentum', '$.precision', '$.unfreeze', '$.dropout', '$.pool',
  '$.stateful', '$.layer_norm')) VIRTUAL;
CREATE INDEX run_peak ON run(alike, peak) WHERE peak IS NOT NULL;
",
    then: None,
};

const IDENTITY: Migration = Migration {
    reason: "The hash of a spec follows one rule for good: keys that came later count only where they differ from \
             what runs before them were trained with. Tuneboards of different ages had hashed differently, so that \
             twins were missed. `memory_hash`, by the same rule, takes the place of `alike`, because a list of \
             keys in SQL does not follow when a key comes. Costs a pass over the runs, once.",
    sql: "
DROP INDEX run_peak;
ALTER TABLE run DROP COLUMN alike;
-- Under another name: a connection that still knows a generated `alike` would refuse to write one.
ALTER TABLE run ADD COLUMN memory_hash TEXT; -- RunSpec::memory_hash
CREATE INDEX run_peak ON run(memory_hash, peak) WHERE peak IS NOT NULL;
",
    then: Some(identify),
};

const DEVICE_TIME: Migration = Migration {
    reason: "How long a run took is the time of its attempts, not that between its first start and its end, which may \
             hold days in which it was stopped. Of runs that were resumed before, only `reindex` can tell. How far a \
             pass over a split is lies beside it, and what went wrong in a run. Costs a pass over the runs, once.",
    sql: "
ALTER TABLE run ADD COLUMN device_time INTEGER; -- milliseconds
ALTER TABLE run ADD COLUMN pass TEXT;           -- store::Pass as JSON
ALTER TABLE run ADD COLUMN flags INTEGER NOT NULL DEFAULT 0; -- bits of spec::Flag
UPDATE run SET device_time = max(0, coalesce(last_event, ended, started) - started) WHERE started IS NOT NULL;
DROP INDEX run_list;
CREATE INDEX run_list ON run(archived, id, class, state, sweep, created, device_time, flags);
",
    then: None,
};

const PART: Migration = Migration {
    reason: "A run that was pruned and let go on is not judged again, and one that confirms a setting is no trial of its \
             search: which part a run has in its sweep. A sweep that gets more trials is looked at again by the runner, \
             which asks for those that changed since. Two columns with a default: it costs nothing.",
    sql: "
ALTER TABLE run ADD COLUMN part INTEGER NOT NULL DEFAULT 0; -- spec::Part
ALTER TABLE sweep ADD COLUMN amended INTEGER NOT NULL DEFAULT 0; -- when, in the order of changes; 0 = never
CREATE INDEX sweep_amended ON sweep(amended) WHERE amended > 0;
",
    then: None,
};

const SETTLED: Migration = Migration {
    reason: "A search is replayed with what was known when a trial was chosen. A run ends with its last event; that it has \
             ended is known once the runner says so, which is later where it was killed. A column: it costs nothing.",
    sql: "ALTER TABLE run ADD COLUMN settled INTEGER; -- when its end became known; NULL = as it ended, or not ended",
    then: None,
};

const TURN: Migration = Migration {
    reason: "Runs that wait are started in the order in which their user wants them, which is that of their numbers \
             until one is moved. The index that the runner reads holds that order; it holds only runs that have not \
             ended. Costs nothing but a pass over the runs, once.",
    sql: "
ALTER TABLE run ADD COLUMN place INTEGER; -- where it was moved to
ALTER TABLE run ADD COLUMN turn INTEGER AS (coalesce(place, id)) VIRTUAL;
DROP INDEX run_open;
CREATE INDEX run_open ON run(class, turn, id) WHERE state IN ('queued', 'starting', 'running', 'stopping')
  OR (state = 'stopped' AND wish = 'run');
",
    then: None,
};

/// Gives every run the hashes of its stored spec.
fn identify(db: &Connection) -> Result<()> {
    let mut page = db.prepare("SELECT id, spec FROM run WHERE id > ?1 ORDER BY id LIMIT 1000")?;
    let mut update = db.prepare("UPDATE run SET spec_hash = ?2, memory_hash = ?3 WHERE id = ?1")?;
    let mut last = 0;
    loop {
        let runs: Vec<(u32, String)> =
            page.query_map([last], |r| Ok((r.get(0)?, r.get(1)?)))?.collect::<Result<_>>()?;
        let Some((newest, _)) = runs.last() else { return Ok(()) };
        last = *newest;
        for (id, spec) in &runs {
            let spec = super::rows::spec(spec);
            update.execute((id, spec.hash(), spec.memory_hash()))?;
        }
    }
}

/// The version of a database that has taken every step.
pub(super) const NEWEST: i64 = MIGRATIONS.len() as i64;

/// "tune", so that `file` and we know our own.
pub(super) const APPLICATION: i64 = 0x7475_6e65;

pub(super) fn version(db: &Connection) -> Result<i64> {
    db.pragma_query_value(None, "user_version", |row| row.get(0))
}

/// Takes the steps that are missing, each in a transaction of its own. The version is read again
/// under the write lock, because another process may be doing the same.
pub(super) fn migrate(db: &Connection) -> Result<()> {
    while version(db)? < NEWEST {
        let tx = Transaction::new_unchecked(db, TransactionBehavior::Immediate)?;
        let done = version(&tx)?;
        if let Some(step) = MIGRATIONS.get(done as usize) {
            tx.execute_batch(
                "CREATE TABLE IF NOT EXISTS migration(version INTEGER PRIMARY KEY, reason TEXT)",
            )?;
            tx.execute_batch(step.sql)?;
            step.then.map_or(Ok(()), |then| then(&tx))?;
            tx.execute("INSERT INTO migration VALUES (?1, ?2)", (done + 1, step.reason))?;
            tx.pragma_update(None, "user_version", done + 1)?;
            tx.pragma_update(None, "application_id", APPLICATION)?;
        }
        tx.commit()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{RunId, RunSpec};
    use crate::store::{Reader, Store};

    /// A database as the tuneboard left it that knew only the first steps.
    fn made_by(version: usize, path: &std::path::Path) -> Connection {
        let db = Connection::open(path).unwrap();
        for step in &MIGRATIONS[..version] {
            db.execute_batch(step.sql).unwrap();
            step.then.map_or(Ok(()), |then| then(&db)).unwrap();
        }
        db.execute_batch("CREATE TABLE migration(version INTEGER PRIMARY KEY, reason TEXT)")
            .unwrap();
        db.pragma_update(None, "user_version", version as i64).unwrap();
        db.pragma_update(None, "application_id", APPLICATION).unwrap();
        db
    }

    #[test]
    fn invariant_8_stored_hashes_of_every_layout_become_what_the_rule_says() {
        let spec = RunSpec { model: "m".into(), data: "d".into(), ..RunSpec::default() };
        let json = serde_json::to_string(&spec).unwrap();
        // Layouts before `IDENTITY`, the step that gives every run its hash anew.
        for version in 1..6 {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("board.db");
            let db = made_by(version, &path);
            for (spec, hash) in [(json.as_str(), "a3f4fc42ee7fabc2"), ("{}", "cf515cf6f830a074")] {
                db.execute(
                    "INSERT INTO run(name, wish, state, created, spec_hash, spec)
                     VALUES ('x', 'run', 'stopped', 1, ?1, ?2)",
                    (hash, spec),
                )
                .unwrap_or_else(|e| panic!("{version}: {e}"));
            }
            drop(db);
            let reader = Reader::open(&path).unwrap();
            let runs = reader.runs(&[RunId(1), RunId(2)]).unwrap();
            assert_eq!(runs[0].spec_hash, spec.hash(), "{version}");
            assert_eq!(runs[1].spec_hash, runs[1].spec.hash(), "{version}");
            assert_eq!(reader.same_spec(&spec.hash()).unwrap(), [RunId(1)]);
            assert_eq!(reader.integrity().unwrap(), Vec::<String>::new(), "{version}");
            // What is queued now and what was there are alike.
            let mut store = Store::open(&path).unwrap();
            let new = |spec: &RunSpec| crate::store::NewRun {
                name: "y".into(),
                spec: RunSpec { lr: 1.0, ..spec.clone() },
                desired: crate::spec::Desired::Run,
            };
            let ids = store.enqueue(None, &[new(&spec)]).unwrap().1;
            let db = Connection::open(&path).unwrap();
            db.execute("UPDATE run SET state = 'done', peak = 7 WHERE id = 1", ()).unwrap();
            assert_eq!(reader.alike_peak(ids[0]).unwrap(), Some(7), "{version}");
        }
    }
}

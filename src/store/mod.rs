//! The SQLite file: everything the board knows of its runs. Only this module uses rusqlite.
//!
//! [`Reader`] never writes and never waits for a writer; [`Store`] is what clients (specs, desired states,
//! tags, notes) and the runner (states, metrics, offsets) write through. All calls block: the
//! dashboard makes them on its loader thread only.
//!
//! Each file is one family of questions or changes. Curves lie in chunks of points: `points` is the
//! byte format, `series` writes, `curve` reads, `thin` says which of many points are enough.

mod confusion;
mod curve;
mod desired;
mod enqueue;
mod error;
mod flags;
mod ingest;
mod journal;
mod ladder;
mod lease;
mod list;
mod migrations;
mod open;
mod pass;
mod peak;
mod points;
mod read_only;
mod rows;
mod run;
mod runner_info;
mod salvage;
mod search;
mod series;
mod spark;
mod sweeps;
mod thin;
mod time;
mod trash;
mod trials;
mod turn;
mod words;

use std::path::PathBuf;

use crate::spec::{Desired, RunSpec, Sweep};

pub use crate::events::Split;
use error::Result;
pub use error::StoreError;
pub use journal::{History, Noted, history};
pub use pass::Pass;
pub use run::{
    Confusion, Counts, Curve, Listing, Millis, Process, Run, RunnerInfo, SPARK, SiteInfo,
    SiteState, SlotInfo, Sort, SweepRow, TrainerNote, now, unreachable,
};
pub use salvage::Salvaged;
pub use trials::{is_spent, rests, to_confirm, trials_at};
pub use turn::Move;

/// A read-only connection.
#[derive(Debug)]
pub struct Reader {
    db: rusqlite::Connection,
    path: PathBuf,
    /// Which file was opened.
    file: Option<open::FileId>,
    /// Where the copy lies that it reads, if it is one.
    _copy: Option<read_only::Scratch>,
}

/// A connection that writes. Every change is one short transaction; other writers wait their turn.
#[derive(Debug)]
pub struct Store {
    reader: Reader,
    /// True if it serves this one file only.
    pinned: bool,
    /// Where what people write is written a second time.
    journal: Option<PathBuf>,
}

impl Reader {
    /// Changes when another connection has committed; costs microseconds.
    pub fn data_version(&self) -> Result<i64> {
        open::patiently(&self.path, || {
            self.db.pragma_query_value(None, "data_version", |row| row.get(0))
        })
    }

    /// The problems that SQLite finds in the file. Reads all of it.
    pub fn integrity(&self) -> Result<Vec<String>> {
        self.ask(|db| {
            let mut query = db.prepare("PRAGMA integrity_check")?;
            let found: rusqlite::Result<Vec<String>> =
                query.query_map((), |row| row.get(0))?.collect();
            found.map(|lines| lines.into_iter().filter(|line| line != "ok").collect())
        })
    }
}

impl Store {
    /// The same connection, for reading what was just written.
    pub fn reader(&self) -> &Reader {
        &self.reader
    }
}

/// A run to be queued.
#[derive(Debug, Clone, PartialEq)]
pub struct NewRun {
    /// For people.
    pub name: String,
    /// Checked.
    pub spec: RunSpec,
    /// `Run` or `Hold`.
    pub desired: Desired,
}

/// A sweep that may start from the runs of another one that is queued with it.
#[derive(Debug, Clone, PartialEq)]
pub struct NewStage {
    /// The sweep, without the runs that it starts from.
    pub sweep: NewSweep,
    /// The earlier stage whose runs it starts from.
    pub from: Option<usize>,
}

/// A sweep to be queued.
#[derive(Debug, Clone, PartialEq)]
pub struct NewSweep {
    /// For people.
    pub name: String,
    /// The sweep itself.
    pub sweep: Sweep,
}

use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;
use thiserror::Error;

use crate::spec::{RunId, SpecError, printable};

/// What can go wrong with the database. Each message is one sentence for people.
#[derive(Debug, Error)]
pub enum StoreError {
    /// No database at that path.
    #[error("There is no database at {}; the first queued run makes it.", .0.display())]
    NotFound(PathBuf),
    /// Made by a later version; it was left untouched.
    #[error(
        "{} was made by a newer tuneboard (its version is {found}, this one knows {known}); \
         use that one.",
        .path.display()
    )]
    Newer {
        /// The database.
        path: PathBuf,
        /// Its number of migrations.
        found: i64,
        /// Ours.
        known: i64,
    },
    /// Not SQLite, another program's database, or damaged.
    #[error(
        "{} is damaged or no tuneboard database ({why}); move it away and run `tuneboard reindex`.",
        .path.display()
    )]
    Damaged {
        /// The database.
        path: PathBuf,
        /// What was found.
        why: String,
    },
    /// The disk is full.
    #[error("The disk of {} is full; free some room and try again.", .0.display())]
    Full(PathBuf),
    /// No permission, or a read-only disk.
    #[error("{} may not be written; check its owner and permissions.", .0.display())]
    ReadOnly(PathBuf),
    /// A database that cannot be written is read from a copy, and there is no room for one.
    #[error("{} lies on storage that cannot be written, and no copy of it could be made: {source}.", .path.display())]
    Copy {
        /// The database.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Another program has held the lock for longer than [`super::open::PATIENCE`].
    #[error("Another program has been holding {} for a minute; see who has it open.", .0.display())]
    Busy(PathBuf),
    /// Another database lies where this one was, or none does.
    #[error("{} was deleted or replaced.", .0.display())]
    Replaced(PathBuf),
    /// A sweep that cannot be expanded.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// No such run.
    #[error("There is no run {0} on this board.")]
    NoRun(RunId),
    /// Everything else that SQLite says.
    #[error("{}: {source}.", .path.display())]
    Sqlite {
        /// The database.
        path: PathBuf,
        /// In SQLite's words.
        source: rusqlite::Error,
    },
}

pub(super) type Result<T> = std::result::Result<T, StoreError>;

impl StoreError {
    /// SQLite's codes as the errors that people can act on.
    pub(super) fn from_sqlite(path: &Path, source: rusqlite::Error) -> Self {
        let path = path.to_path_buf();
        if let rusqlite::Error::FromSqlConversionFailure(..)
        | rusqlite::Error::InvalidColumnType(..)
        | rusqlite::Error::IntegralValueOutOfRange(..) = source
        {
            return Self::Damaged { path, why: printable(&source.to_string(), 200).into_owned() };
        }
        match source.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full(path),
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => Self::ReadOnly(path),
            Some(ErrorCode::CannotOpen) if !is_writable(&path) => Self::ReadOnly(path),
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
                Self::Damaged { path, why: source.to_string() }
            }
            Some(
                ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::FileLockingProtocolFailed,
            ) => Self::Busy(path),
            _ => Self::Sqlite { path, source },
        }
    }
}

/// Whether files can be made beside a database, as SQLite does.
pub(super) fn is_writable(database: &Path) -> bool {
    let folder = database.parent().unwrap_or(database);
    rustix::fs::access(folder, rustix::fs::Access::WRITE_OK).is_ok()
}

/// True for errors that pass once another connection has finished. The busy handler takes
/// care of most; some (a race for the switch to WAL, recovery after a crash) come without asking it.
pub(super) fn passes(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(
            ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::FileLockingProtocolFailed
        )
    )
}

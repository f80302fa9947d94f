//! Databases on storage that cannot be written: a read-only mount, a snapshot, somebody else's folder.
//!
//! SQLite keeps an index of its write-ahead log in a file beside the database, even for readers. Where it cannot
//! make one, a database that was closed in peace is read as immutable; one with a log, or one of an older layout, is
//! read from a copy, since the log holds what was committed last.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use rusqlite::OpenFlags;

use super::error::{Result, is_writable};
use super::{Reader, Store, StoreError};

/// True if a database could not be opened because nothing can be written beside it.
pub(super) fn is_so(database: &Path, error: &StoreError) -> bool {
    matches!(error, StoreError::ReadOnly(_)) && !is_writable(database)
}

/// Opens it for reading without writing a byte beside it.
pub(super) fn open(database: &Path) -> Result<Reader> {
    let log = beside(database, "-wal");
    if fs::metadata(&log).is_ok_and(|log| log.len() > 0) {
        return copy(database);
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_URI;
    Reader::connect_to(database, &format!("file:{}?immutable=1", escaped(database)), flags)
}

/// Reads it from a copy, brought up to date, which goes with the connection.
///
/// # Errors
/// No room for a copy.
pub(super) fn copy(database: &Path) -> Result<Reader> {
    let io = |e: std::io::Error| StoreError::Copy { path: database.to_path_buf(), source: e };
    let scratch = Scratch(private_folder().map_err(io)?);
    let to = scratch.0.join("board.db");
    fs::copy(database, &to).map_err(io)?;
    let log = beside(database, "-wal");
    if log.exists() {
        fs::copy(log, beside(&to, "-wal")).map_err(io)?;
    }
    Ok(Store::open(&to)?.into_reader().into_copy_of(database, scratch))
}

/// A folder that is deleted when nobody needs it any more.
#[derive(Debug)]
pub(super) struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A new folder that only we can look into.
fn private_folder() -> std::io::Result<PathBuf> {
    let mut number = 0;
    loop {
        let name = format!("tuneboard-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        match DirBuilder::new().mode(0o700).create(&folder) {
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists && number < 1000 => number += 1,
            made => return made.map(|()| folder),
        }
    }
}

/// A file of SQLite's own.
fn beside(database: &Path, ending: &str) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

/// A path as a URI takes it.
fn escaped(path: &Path) -> String {
    use std::fmt::Write as _;
    use std::os::unix::ffi::OsStrExt;
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    path.as_os_str().as_bytes().iter().fold(String::new(), |mut uri, byte| {
        if byte.is_ascii_alphanumeric() || b"/._-".contains(byte) {
            uri.push(char::from(*byte));
        } else {
            let _ = write!(uri, "%{byte:02X}");
        }
        uri
    })
}

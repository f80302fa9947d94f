use std::fs::{self, OpenOptions};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};

use super::error::{Result, StoreError, passes};
use super::journal::{self, Entry};
use super::migrations::{self, APPLICATION, NEWEST};
use super::{Reader, Store, read_only, salvage};

/// How long a call waits for other writers before it gives up. A write takes milliseconds: after a
/// minute another program holds the lock for good.
pub(super) const PATIENCE: Duration = Duration::from_mins(1);

/// Measured (docs/benchmarks.md): of 4, 8 and 16 KiB the one at which neither boards of many short
/// curves (17.5, 15.4, 15.5 bytes a point) nor long curves (12.3, 16.2, 16.3) waste much.
const PAGE_SIZE: i64 = 4096;

/// Pages of the write-ahead log before it is folded into the database.
const CHECKPOINT_PAGES: i64 = 2000;

/// KiB of page cache.
const CACHE_KIB: i64 = 4096;

impl Reader {
    /// Opens an existing database for reading; one of an older version is brought up to date first.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Newer`], [`StoreError::Damaged`].
    pub fn open(database: &Path) -> Result<Self> {
        if !database.exists() {
            return Err(StoreError::NotFound(database.to_path_buf()));
        }
        let reader = match Self::connect(database) {
            Err(error) if read_only::is_so(database, &error) => read_only::open(database)?,
            reader => reader?,
        };
        if reader.checked_version()? == NEWEST {
            return Ok(reader);
        }
        // Old, or just being made by another process.
        drop(reader);
        match Store::open(database) {
            Err(error) if read_only::is_so(database, &error) => read_only::copy(database),
            Err(error) => Err(error),
            Ok(_) => Self::connect(database),
        }
    }

    fn connect(database: &Path) -> Result<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        Self::connect_to(database, &database.to_string_lossy(), flags)
    }

    /// Opens what `name` means to SQLite, as the database of that path.
    pub(super) fn connect_to(database: &Path, name: &str, flags: OpenFlags) -> Result<Self> {
        let db = patiently(database, || {
            let mut db = Connection::open_with_flags(name, flags)?;
            prepare(&mut db)?;
            Ok(db)
        })?;
        Ok(Self { db, path: database.to_path_buf(), file: file_id(database), _copy: None })
    }

    /// The same connection, to a copy of the database at another path.
    pub(super) fn into_copy_of(self, database: &Path, copy: read_only::Scratch) -> Self {
        let (path, file) = (database.to_path_buf(), file_id(database));
        Self { db: self.db, path, file, _copy: Some(copy) }
    }

    /// True if another file lies at the database's path now (`tuneboard reindex` makes a new one), so
    /// that this reader should be opened again.
    pub fn is_replaced(&self) -> bool {
        file_id(&self.path) != self.file
    }

    /// [`StoreError::Replaced`] once another database, or none, lies at this one's path.
    pub fn check_in_place(&self) -> Result<()> {
        if self.is_replaced() { Err(StoreError::Replaced(self.path.clone())) } else { Ok(()) }
    }

    /// The database's version, if it is ours and not newer than this build.
    fn checked_version(&self) -> Result<i64> {
        let damaged = |why: &str| StoreError::Damaged { path: self.path.clone(), why: why.into() };
        let (found, application, tables) = self.ask(|db| {
            let application: i64 = db.pragma_query_value(None, "application_id", |r| r.get(0))?;
            let tables: i64 =
                db.query_row("SELECT count(*) FROM sqlite_schema", (), |r| r.get(0))?;
            Ok((migrations::version(db)?, application, tables))
        })?;
        if application != APPLICATION && (application != 0 || tables > 0) {
            return Err(damaged("it belongs to another program"));
        }
        if found > NEWEST {
            return Err(StoreError::Newer { path: self.path.clone(), found, known: NEWEST });
        }
        Ok(found)
    }

    /// Runs a question in one read transaction: everything it sees is of one moment.
    pub(super) fn ask<T>(&self, f: impl Fn(&Connection) -> rusqlite::Result<T>) -> Result<T> {
        patiently(&self.path, || {
            let tx = self.db.unchecked_transaction()?;
            let answer = f(&tx)?;
            tx.commit()?;
            Ok(answer)
        })
    }
}

impl Store {
    /// Opens or creates the database and brings it to the newest migration.
    ///
    /// # Errors
    /// A database that is newer, damaged or not ours is left untouched.
    pub fn open(database: &Path) -> Result<Self> {
        make_private(database);
        let db = patiently(database, || {
            let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
                | OpenFlags::SQLITE_OPEN_CREATE
                | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            let mut db = Connection::open_with_flags(database, flags)?;
            prepare(&mut db)?;
            Ok(db)
        })?;
        let reader =
            Reader { db, path: database.to_path_buf(), file: file_id(database), _copy: None };
        reader.checked_version()?;
        patiently(database, || {
            let db = &reader.db;
            // Without effect once there are tables.
            db.pragma_update(None, "page_size", PAGE_SIZE)?;
            let mode: String = db.pragma_query_value(None, "journal_mode", |r| r.get(0))?;
            if mode != "wal" {
                db.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
            }
            db.pragma_update(None, "synchronous", "NORMAL")?;
            db.pragma_update(None, "foreign_keys", "ON")?;
            db.pragma_update_and_check(None, "wal_autocheckpoint", CHECKPOINT_PAGES, |_| Ok(()))?;
            db.pragma_update_and_check(None, "journal_size_limit", 32 << 20, |_| Ok(()))?;
            migrations::migrate(db)
        })?;
        let journal = Some(journal::beside(database));
        Ok(Self { reader, pinned: false, journal })
    }

    /// Its connection, to read from.
    pub(super) fn into_reader(self) -> Reader {
        self.reader
    }

    /// From now on a change fails with [`StoreError::Replaced`] where another database lies in the place of
    /// this one: what the runner knows is true of this one alone.
    pub fn pin(&mut self) {
        self.pinned = true;
    }

    /// The same store, for a database in the making: what goes into it stands in the journal already.
    pub fn without_journal(self) -> Self {
        Self { journal: None, ..self }
    }

    /// Runs a change in one transaction that takes the write lock at once: a transaction that reads
    /// first and locks later may find that it has to start again. What would go into a database that
    /// has been replaced goes into the one in its place, unless this store is pinned. It may be lost with the
    /// machine's power: the runner reads it again from the events.
    pub(super) fn change<T>(
        &mut self,
        f: impl Fn(&Transaction) -> rusqlite::Result<T>,
    ) -> Result<T> {
        self.in_place()?;
        patiently(&self.reader.path, || self.commit(|tx| Ok((f(tx)?, Vec::new()))))
    }

    /// The same for what people write: the entries go into the journal before the change is committed, and it is on
    /// the disk when this returns.
    pub(super) fn change_noted<T>(
        &mut self,
        f: impl Fn(&Transaction) -> rusqlite::Result<(T, Vec<Entry>)>,
    ) -> Result<T> {
        self.in_place()?;
        let db = &self.reader.db;
        patiently(&self.reader.path, || {
            db.pragma_update(None, "synchronous", "FULL")?;
            let done = self.commit(&f);
            db.pragma_update(None, "synchronous", "NORMAL")?;
            done
        })
    }

    /// Makes sure that the database that is open lies where it should.
    fn in_place(&mut self) -> Result<()> {
        if self.pinned {
            self.reader.check_in_place()?;
        } else if self.reader.is_replaced() {
            *self = Self::open(&self.reader.path.clone())?;
        }
        Ok(())
    }

    fn commit<T>(
        &self,
        f: impl Fn(&Transaction) -> rusqlite::Result<(T, Vec<Entry>)>,
    ) -> rusqlite::Result<T> {
        let tx = Transaction::new_unchecked(&self.reader.db, TransactionBehavior::Immediate)?;
        let (answer, entries) = f(&tx)?;
        if let Some(journal) = &self.journal {
            journal::append(journal, &entries).map_err(not_noted)?;
        }
        tx.commit()?;
        Ok(answer)
    }

    /// Writes the journal of a board that has none, because it is older: all that people wrote so far.
    /// Safe to repeat.
    ///
    /// # Errors
    /// A database that cannot be read, a journal that cannot be written.
    pub fn begin_journal(&mut self) -> Result<()> {
        if self.journal.as_ref().is_none_or(|path| path.exists()) {
            return Ok(());
        }
        self.change_noted(|tx| Ok(((), salvage::snapshot(tx)?)))
    }
}

/// Makes the file its owner's alone, as SQLite's own beside it will be then: whoever can open a database can
/// hold a lock on it. Where that fails, opening it says why.
fn make_private(database: &Path) {
    // An existing one is not opened: closing it would let go of every lock that SQLite holds on it here.
    let _ = OpenOptions::new().write(true).create_new(true).mode(0o600).open(database);
    if fs::metadata(database).is_ok_and(|data| data.mode() & 0o077 != 0) {
        let _ = fs::set_permissions(database, fs::Permissions::from_mode(0o600));
    }
}

/// Device and inode.
pub(super) type FileId = (u64, u64);

fn file_id(path: &Path) -> Option<FileId> {
    let data = fs::metadata(path).ok()?;
    Some((data.dev(), data.ino()))
}

#[doc(hidden)]
impl Store {
    /// Lets the file grow no further: what a full disk looks like, for tests.
    pub fn limit_pages(&self, pages: i64) -> Result<()> {
        patiently(&self.reader.path, || {
            self.reader.db.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))
        })
    }
}

/// In SQLite's words, so that a full disk is told as one.
fn not_noted(error: std::io::Error) -> rusqlite::Error {
    use std::io::ErrorKind as K;
    let code = match error.kind() {
        K::StorageFull | K::QuotaExceeded => rusqlite::ffi::SQLITE_FULL,
        K::PermissionDenied | K::ReadOnlyFilesystem => rusqlite::ffi::SQLITE_READONLY,
        _ => rusqlite::ffi::SQLITE_IOERR,
    };
    let why = format!("the journal beside it cannot be written: {error}");
    rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), Some(why))
}

fn prepare(db: &mut Connection) -> rusqlite::Result<()> {
    db.busy_handler(Some(wait))?;
    db.set_prepared_statement_cache_capacity(64);
    // The file may be somebody else's: no function of its schema is called, no damaged cell believed.
    db.pragma_update(None, "trusted_schema", false)?;
    db.pragma_update(None, "cell_size_check", true)?;
    db.pragma_update(None, "cache_size", -CACHE_KIB)?;
    // This reads the header, so that a file that is no database is refused at once.
    db.pragma_query_value(None, "schema_version", |_| Ok(()))
}

/// Waits for the lock: shorter than SQLite's own steps of up to 100 ms, so that a reader of keys
/// gets in between two batches of the runner, and unevenly, so that waiters don't march in step.
fn wait(tries: i32) -> bool {
    const LONGEST_MS: u64 = 8;
    let uneven = u64::from(std::process::id()).wrapping_mul(31).wrapping_add(tries as u64 * 7);
    let pause = 1 + uneven % LONGEST_MS.min(1 + tries as u64);
    thread::sleep(Duration::from_millis(pause));
    (tries as u128) < PATIENCE.as_millis() / u128::from(LONGEST_MS / 2)
}

/// Repeats what another connection blocked; other errors become a [`StoreError`].
pub(super) fn patiently<T>(path: &Path, mut f: impl FnMut() -> rusqlite::Result<T>) -> Result<T> {
    let start = Instant::now();
    loop {
        match f() {
            Ok(answer) => return Ok(answer),
            Err(e) if passes(&e) && start.elapsed() < PATIENCE => {
                thread::sleep(Duration::from_millis(5));
            }
            Err(e) => return Err(StoreError::from_sqlite(path, e)),
        }
    }
}

//! The loader thread: it alone reads the database and the logs. It gets [`Query`] values, looks
//! for changes five times a second, and sends a [`Snapshot`] when one differs from the last.

mod board;
mod detail;
mod disk;
mod list;
mod wall;

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::Duration;

use self::detail::DetailLoader;
use self::disk::DiskLoader;
use self::list::ListLoader;
use self::wall::WallLoader;
use super::message::{Message, Why};
use super::query::Query;
use super::snapshot::{Health, Snapshot};
use crate::board::Board;
use crate::store::{Reader, StoreError};

/// How often the database is asked whether anything changed; the question costs microseconds.
const POLL: Duration = Duration::from_millis(200);

/// So many snapshots may wait for a screen that is busy: more would only fill the memory.
const MOST_UNTAKEN: usize = 8;
/// Rows ahead are read so long after an answer. On few cores the terminal, which has a frame to read at that moment, would
/// wait for the reading of rows that nobody sees yet: 3 ms more for each second page.
const LULL: Duration = Duration::from_millis(20);

/// What reaches the loader thread.
#[derive(Debug)]
pub enum Ask {
    /// The screen needs this now.
    Show(Box<Query>),
    /// Something was written: look at once.
    Look,
}

/// Loads until either channel closes.
pub fn serve(board: &Board, query: Query, asks: Receiver<Ask>, out: Sender<Message>) {
    let mut loader = Loader {
        board,
        asks,
        out,
        reader: None,
        file: None,
        version: None,
        query,
        newer: None,
        closed: false,
        untaken: Arc::default(),
        snap: board::empty(board),
        list: ListLoader::default(),
        detail: DetailLoader::default(),
        disk: DiskLoader::default(),
        wall: WallLoader::default(),
    };
    let mut asked = true;
    let mut first = true;
    while !loader.closed {
        loader.look(asked, first);
        first = false;
        asked = loader.wait();
    }
}

struct Loader<'a> {
    board: &'a Board,
    asks: Receiver<Ask>,
    out: Sender<Message>,
    reader: Option<Reader>,
    /// Device and inode of the open database.
    file: Option<(u64, u64)>,
    /// [`Reader::data_version`] of what was read last.
    version: Option<i64>,
    query: Query,
    /// A query that came while this one was answered.
    newer: Option<Query>,
    closed: bool,
    /// One more reference for each snapshot that nobody has taken yet.
    untaken: Arc<()>,
    snap: Snapshot,
    list: ListLoader,
    detail: DetailLoader,
    disk: DiskLoader,
    wall: WallLoader,
}

impl Loader<'_> {
    /// Waits for a query or the next look; true if there is a new query.
    fn wait(&mut self) -> bool {
        if self.newer.is_none() {
            match self.asks.recv_timeout(POLL) {
                Ok(ask) => self.take(ask),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => self.closed = true,
            }
        }
        self.interrupted();
        match self.newer.take() {
            Some(query) => {
                self.query = query;
                true
            }
            None => false,
        }
    }

    fn take(&mut self, ask: Ask) {
        if let Ask::Show(query) = ask {
            self.newer = (*query != self.query).then_some(*query);
        }
    }

    /// Waits until the frame of the answer is out; true if nothing else was asked meanwhile.
    fn rests(&mut self) -> bool {
        match self.asks.recv_timeout(LULL) {
            Ok(ask) => self.take(ask),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => self.closed = true,
        }
        !self.interrupted() && !self.closed
    }

    /// True if a newer query waits, so that the rest of the answer to this one can be left.
    fn interrupted(&mut self) -> bool {
        while let Ok(ask) = self.asks.try_recv() {
            self.take(ask);
        }
        self.newer.is_some()
    }

    /// Brings the snapshot up to date, and sends it if it differs.
    fn look(&mut self, asked: bool, first: bool) {
        let before = self.snap.health.clone();
        match self.read(asked) {
            Ok(health) => self.snap.health = health,
            Err(error) => {
                // Opened anew at the next look: the file may be back by then.
                self.reader = None;
                self.snap.health = Health::Broken(error.to_string());
            }
        }
        if self.snap.health != before || first {
            self.send(Why::of(asked));
        }
    }

    /// Reads in the order in which a screen is filled: rows in view, the board, the open run, and
    /// last the whole list, the only part that grows with the board.
    fn read(&mut self, asked: bool) -> Result<Health, StoreError> {
        let file = board::identity(&self.board.database());
        if file.is_none() {
            self.reader = None;
            return Ok(match self.file {
                Some(_) => {
                    Health::Broken("The database is gone; waiting for it to come back.".into())
                }
                None => Health::NoDatabase,
            });
        }
        let mut anew = false;
        let reader = if let Some(reader) = self.reader.take().filter(|_| self.file == file) {
            reader
        } else {
            anew = true;
            self.version = None;
            Reader::open(&self.board.database())?
        };
        self.file = file;
        let result = self.read_parts(&reader, asked || anew);
        self.reader = Some(reader);
        result.map(|()| Health::Ready)
    }

    fn read_parts(&mut self, reader: &Reader, asked: bool) -> Result<(), StoreError> {
        let why = Why::of(asked);
        let version = reader.data_version()?;
        let changed = self.version.replace(version) != Some(version);
        self.snap.now = crate::store::now();

        if self.list.begin(reader, &self.query, changed, &mut self.snap.list)? {
            if self.snap.health != Health::Ready {
                self.snap.health = Health::Ready;
                self.snap.counts = reader.counts()?;
            }
            self.send(why);
        }
        if self.interrupted() {
            if changed {
                // What was left out is made up for with the next query.
                self.version = None;
            }
            return Ok(());
        }
        let mut differs =
            board::read((reader, self.board), &self.query, changed, asked, &mut self.snap)?;
        differs |= self.detail.read(reader, self.board, &self.query, changed, &mut self.snap)?;
        differs |= self.wall.read(reader, &self.query, changed, &mut self.snap)?;
        if differs && asked {
            self.send(why);
            differs = false;
        }
        if !self.interrupted() {
            differs |= self.list.finish(reader, &self.query, &mut self.snap.list)?;
            differs |= self.disk.read(self.board, &self.query, &mut self.snap);
        }
        if differs {
            self.send(why);
        }
        if self.list.wants_ahead()
            && self.rests()
            && self.list.look_ahead(reader, &self.query, &mut self.snap.list)?
        {
            self.send(Why::Ahead);
        }
        Ok(())
    }

    fn send(&mut self, why: Why) {
        if why != Why::Asked && Arc::strong_count(&self.untaken) > MOST_UNTAKEN {
            // The screen is stuck: a terminal that nobody reads. What is left out now is read again.
            self.version = None;
            return;
        }
        let (snap, token) = (Box::new(self.snap.clone()), Arc::clone(&self.untaken));
        self.closed |= self.out.send(Message::Loaded { snap, why, token }).is_err();
    }
}

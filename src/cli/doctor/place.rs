use std::fs::{self, File};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::super::figures::{bytes, duration};
use super::Check;
use crate::board::{Board, Site};
use crate::runner;
use crate::store::{Reader, Store, now};

/// Checks the board's folder and file system.
pub fn checks(board: &Board) -> Vec<Check> {
    let site = board.config.sites.get("local").cloned().unwrap_or_default();
    let cores = thread::available_parallelism().map_or(1, |n| n.get() as u32);
    vec![
        disk(board),
        clock(board),
        locks(board),
        sqlite(board),
        database(board),
        served(board),
        slots(&site, cores),
    ]
}

/// Threads that wait for a core spin, and slow the others down.
fn slots(site: &Site, cores: u32) -> Check {
    let name = "CPU runs";
    let runs = site.slots.max(1);
    let threads = site.share(runs, cores);
    let found = format!("{runs} at once, {threads} threads each, {cores} cores");
    if runs.saturating_mul(threads) > cores {
        let mend = "in config.toml, [sites.local]: slots x threads at most the cores; threads = 0 shares them out";
        return Check::warn(name, found, mend);
    }
    Check::ok(name, found)
}

/// Below this no run finishes; below the next only small ones do.
const TOO_LITTLE: u64 = 500 << 20;
const LITTLE: u64 = 5 << 30;

fn disk(board: &Board) -> Check {
    let name = "disk";
    let mend = "make room, or put the board on another disk: checkpoints need it";
    match rustix::fs::statvfs(board.runs().as_path()) {
        Err(e) => Check::warn(name, format!("free space is unknown: {e}"), mend),
        Ok(stat) => {
            let free = stat.f_bavail.saturating_mul(stat.f_frsize);
            let found = format!("{} free under runs/", bytes(free));
            match free {
                f if f < TOO_LITTLE => Check::fail(name, found, mend),
                f if f < LITTLE => Check::warn(name, found, mend),
                _ => Check::ok(name, found),
            }
        }
    }
}

/// A file of our own under runs/, gone again when it is dropped.
struct Scratch(std::path::PathBuf);

impl Scratch {
    fn new(board: &Board, what: &str) -> Self {
        Self(board.runs().join(format!(".doctor-{what}-{}", now())))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        for end in ["", "-wal", "-shm"] {
            let mut path = self.0.clone().into_os_string();
            path.push(end);
            let _ = fs::remove_file(path);
        }
    }
}

/// Times of events, files and heartbeats are compared with each other.
fn clock(board: &Board) -> Check {
    let name = "clock";
    let here = SystemTime::now();
    // No tuneboard is older.
    const YEAR_2024: Duration = Duration::from_hours(54 * 365 * 24 + 13 * 24);
    if here < UNIX_EPOCH + YEAR_2024 {
        return Check::fail(
            name,
            "it is set to before 2024",
            "set the clock, for example with NTP",
        );
    }
    let scratch = Scratch::new(board, "clock");
    let written = File::create(&scratch.0).and_then(|f| f.metadata()?.modified());
    let skew = match written {
        Err(e) => {
            let mend = format!("make {} writable", board.runs().display());
            return Check::fail(name, format!("no file can be written: {e}"), mend);
        }
        Ok(there) => there.duration_since(here).unwrap_or_else(|e| e.duration()),
    };
    let found = format!("{} ms between the clock and the file system", skew.as_millis());
    if skew > Duration::from_secs(5) {
        let mend = "synchronise this machine's and the file server's clock with NTP";
        return Check::warn(name, found, mend);
    }
    Check::ok(name, found)
}

/// File locks keep it to one runner a board.
fn locks(board: &Board) -> Check {
    let name = "file locks";
    let scratch = Scratch::new(board, "lock");
    let mend = "put the board on a local disk, or mount the network disk with locks";
    let second = File::create(&scratch.0).and_then(|first| {
        first.lock()?;
        match File::open(&scratch.0)?.try_lock() {
            Err(fs::TryLockError::WouldBlock) => Ok(true),
            Err(fs::TryLockError::Error(e)) => Err(e),
            Ok(()) => Ok(false),
        }
    });
    match second {
        Ok(true) => Check::ok(name, "held against others"),
        Ok(false) => Check::fail(name, "two holders at once", mend),
        Err(e) => Check::fail(name, e.to_string(), mend),
    }
}

/// A database in WAL mode needs shared memory, which some network disks lack.
fn sqlite(board: &Board) -> Check {
    let name = "SQLite";
    let scratch = Scratch::new(board, "wal");
    let both = Store::open(&scratch.0).and_then(|store| {
        let reader = Reader::open(&scratch.0)?;
        reader.counts()?;
        drop(store);
        Ok(())
    });
    match both {
        Ok(()) => Check::ok(name, "a writer and a reader at once"),
        Err(e) => Check::fail(name, e.to_string(), "put the board on a local disk"),
    }
}

fn database(board: &Board) -> Check {
    let name = "database";
    let path = board.database();
    let Ok(file) = fs::metadata(&path) else { return Check::ok(name, "none yet") };
    let mend = "tuneboard reindex";
    match Reader::open(&path).and_then(|reader| reader.integrity()) {
        Ok(faults) if faults.is_empty() => Check::ok(name, format!("whole, {}", bytes(file.len()))),
        Ok(faults) => {
            let first = faults.first().map(String::as_str).unwrap_or_default();
            Check::fail(name, format!("{} faults, the first: {first}", faults.len()), mend)
        }
        Err(e) => Check::fail(name, e.to_string(), mend),
    }
}

/// Unfinished runs need a live runner.
fn served(board: &Board) -> Check {
    let name = "runner";
    if !board.database().exists() {
        return Check::ok(name, "nothing to do");
    }
    let Ok(reader) = Reader::open(&board.database()) else {
        return Check::warn(name, "unknown", "mend the database first");
    };
    let counts = reader.counts().unwrap_or_default();
    let waiting = counts.queued + counts.live;
    match reader.runner() {
        Ok(Some(info)) if runner::alive(&info) => {
            let age = now() - info.heartbeat;
            let found = format!("at work, process {}", info.process.pid);
            // Its heartbeat comes every second; after a minute without one it hangs.
            if age > 60_000 {
                let mend = format!("kill {}; the next one takes its runs over", info.process.pid);
                return Check::warn(name, format!("{found}, silent for {}", duration(age)), mend);
            }
            Check::ok(name, found)
        }
        Ok(_) if waiting > 0 => {
            let mend = "`tuneboard resume` any run, or start `tuneboard runner`";
            Check::warn(name, format!("none, and {waiting} runs wait"), mend)
        }
        Ok(_) => Check::ok(name, "nothing to do"),
        Err(e) => Check::warn(name, e.to_string(), "mend the database first"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_healthy_folder_passes_and_nothing_is_left_behind() {
        let folder = tempfile::tempdir().unwrap();
        let board = Board::init(folder.path()).unwrap();
        for check in [clock(&board), locks(&board), sqlite(&board), database(&board)] {
            assert_eq!(check.level, super::super::Level::Ok, "{check:?}");
        }
        assert_eq!(fs::read_dir(board.runs()).unwrap().count(), 0);
    }

    #[test]
    fn more_threads_than_cores_are_warned_of() {
        let check =
            |slots, threads| super::slots(&Site { slots, threads, ..Site::default() }, 4).level;
        use super::super::Level::{Ok, Warn};
        let got =
            [(0, 0), (2, 0), (2, 2), (4, 1), (8, 0), (3, 2), (1, 5)].map(|(s, t)| check(s, t));
        assert_eq!(got, [Ok, Ok, Ok, Ok, Warn, Warn, Warn]);
    }

    #[test]
    fn a_broken_database_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let board = Board::init(folder.path()).unwrap();
        fs::write(board.database(), "not a database, but long enough to look like one").unwrap();
        let check = database(&board);
        assert_eq!(check.level, super::super::Level::Fail, "{check:?}");
        assert!(check.mend.contains("reindex"));
    }
}

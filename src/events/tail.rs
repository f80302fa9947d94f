use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use serde::Deserialize;

use super::{Event, EventKind, VERSION};
use crate::spec::printable;

/// Reads an events file from a byte offset on, whole lines only.
#[derive(Debug, Clone, Copy)]
pub struct Tail {
    /// The end of the last whole line that was read.
    pub offset: u64,
}

/// What one read gave.
#[derive(Debug, Default)]
pub struct Batch {
    /// The events, in order.
    pub events: Vec<Event>,
    /// The first [`KEPT`] of the lines that are no events of a known version.
    pub foreign: Vec<Foreign>,
    /// How many such lines there were in all.
    pub passed_over: u64,
    /// How many of those are no events of any version.
    pub junk: u64,
    /// Where the next read starts.
    pub offset: u64,
    /// True if the read stopped at a limit and more whole lines may follow.
    pub more: bool,
}

/// A line that could not be read, and is passed over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Foreign {
    /// Byte offset of its start.
    pub offset: u64,
    /// What is wrong with it.
    pub why: String,
}

/// A line longer than this is no event. The confusion counts of 1,000 classes fit.
const LONGEST_LINE: u64 = 16 << 20;
/// So many lines that are no events are told one by one; the others are counted.
pub const KEPT: usize = 100;
/// Longest reason that is kept of such a line: it may quote the line.
const WHY: usize = 200;
/// What one read brings at most, in [`cost`]. The database takes so much in within a few tenths of a
/// second, whatever kinds of events they are.
const MOST: u64 = 200_000;

impl Tail {
    /// Starts at `offset`, the end of what is already known.
    pub fn at(offset: u64) -> Self {
        Self { offset }
    }

    /// Reads up to about `limit` bytes of whole lines, fewer where the events are costly to take in. A
    /// missing file is an empty one. A file that is shorter than the offset gives nothing: events files
    /// only grow.
    pub fn read(&mut self, path: &Path, limit: u64) -> io::Result<Batch> {
        let mut batch = Batch { offset: self.offset, ..Batch::default() };
        let mut file = match regular(path) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(batch),
            Err(e) => return Err(e),
        };
        file.seek(SeekFrom::Start(self.offset))?;
        let mut bytes = Vec::new();
        let mut window = limit.max(1);
        // Widens the window when one line does not fit into it.
        let whole = loop {
            let seen = bytes.len();
            file.by_ref().take(window - seen as u64).read_to_end(&mut bytes)?;
            batch.more = bytes.len() as u64 == window;
            let new = bytes.get(seen..).unwrap_or_default();
            match new.iter().rposition(|b| *b == b'\n') {
                Some(end) => break seen + end + 1,
                None if batch.more && window < LONGEST_LINE => window *= 2,
                None if batch.more => {
                    // No line end in sight: pass over what was read.
                    let why = format!("a line of more than {} MiB", LONGEST_LINE >> 20);
                    batch.pass_over(self.offset, why);
                    batch.junk += 1;
                    self.offset += bytes.len() as u64;
                    batch.offset = self.offset;
                    return Ok(batch);
                }
                None => break 0,
            }
        };
        let (mut read, mut spent) = (0, 0);
        for line in bytes[..whole].split_inclusive(|b| *b == b'\n') {
            spent += batch.take(line, self.offset + read);
            read += line.len() as u64;
            if spent >= MOST && read < whole as u64 {
                batch.more = true;
                break;
            }
        }
        self.offset += read;
        batch.offset = self.offset;
        Ok(batch)
    }
}

/// Opens a file for reading, unless it is something else: a pipe would be waited for without end.
fn regular(path: &Path) -> io::Result<File> {
    let file = File::options().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("it is no file")) }
}

/// What it costs the database to take an event in; one figure of a curve costs 1.
fn cost(event: &Event) -> u64 {
    match &event.kind {
        EventKind::Metrics { values, .. } | EventKind::Eval { values, .. } => {
            1 + values.len() as u64
        }
        EventKind::Confusion { counts, .. } => 100 + counts.len() as u64,
        // Voids what came before, in every table.
        EventKind::Resumed { .. } => 400,
        EventKind::Started(_) | EventKind::Ended { .. } | EventKind::Note { .. } => 50,
        EventKind::Saved { .. } | EventKind::Evaluating { .. } => 1,
    }
}

impl Batch {
    /// Takes one line; the result is what it costs.
    fn take(&mut self, line: &[u8], offset: u64) -> u64 {
        match line.iter().find(|b| !b.is_ascii_whitespace()) {
            None => return 1,
            Some(b'{') => {}
            Some(_) => {
                self.junk += 1;
                self.pass_over(offset, "not an event: it does not begin with `{`".to_owned());
                return 1;
            }
        }
        match serde_json::from_slice::<Event>(line) {
            Ok(event) if event.v <= VERSION => {
                let cost = cost(&event);
                self.events.push(event);
                return cost;
            }
            Ok(event) => {
                self.pass_over(offset, format!("version {} is newer than {VERSION}", event.v));
            }
            Err(e) => {
                // A newer version may have kinds that are not known here.
                self.junk += u64::from(!is_newer(line));
                if self.foreign.len() < KEPT {
                    let why = format!("not an event: {e}");
                    self.pass_over(offset, printable(&why, WHY).into_owned());
                } else {
                    self.passed_over += 1;
                }
            }
        }
        2
    }

    fn pass_over(&mut self, offset: u64, why: String) {
        self.passed_over += 1;
        if self.foreign.len() < KEPT {
            self.foreign.push(Foreign { offset, why });
        }
    }
}

/// True for a line that names a newer version, whatever else it holds.
fn is_newer(line: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Head {
        v: u16,
    }
    serde_json::from_slice::<Head>(line).is_ok_and(|head| head.v > VERSION)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::io::Write;

    use super::*;
    use crate::events::{EventKind, EventWriter, Level, Number};

    fn note(text: &str) -> EventKind {
        EventKind::Note { level: Level::Info, text: text.into() }
    }

    #[test]
    fn a_torn_last_line_is_read_when_it_is_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("events.jsonl");
        let mut writer = EventWriter::open(&path).unwrap();
        writer.write(1, note("one")).unwrap();
        let mut raw = File::options().append(true).open(&path).unwrap();
        raw.write_all(br#"{"v":1,"t":5,"#).unwrap();
        let mut tail = Tail::at(0);
        assert_eq!(tail.read(&path, 1 << 20).unwrap().events.len(), 1);
        assert_eq!(tail.read(&path, 1 << 20).unwrap().events.len(), 0);
        raw.write_all(br#""step":2,"kind":{"note":{"level":"info","text":"x"}}}"#).unwrap();
        raw.write_all(b"\n").unwrap();
        let batch = tail.read(&path, 1 << 20).unwrap();
        assert_eq!((batch.events.len(), batch.foreign.len()), (1, 0));
    }

    #[test]
    fn a_new_writer_closes_the_line_a_killed_one_left() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("events.jsonl");
        std::fs::write(&path, br#"{"v":1,"t":5,"st"#).unwrap();
        EventWriter::open(&path).unwrap().write(3, note("after")).unwrap();
        let batch = Tail::at(0).read(&path, 1 << 20).unwrap();
        assert_eq!((batch.events.len(), batch.foreign.len()), (1, 1));
        assert_eq!(batch.events[0].step, 3);
    }

    #[test]
    fn foreign_lines_are_passed_over_and_counted() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("events.jsonl");
        let newer = r#"{"v":999,"t":1,"step":1,"kind":{"note":{"level":"info","text":"x"}}}"#;
        let unknown = r#"{"v":1,"t":1,"step":1,"kind":{"dance":{}}}"#;
        let text = format!("hello\n\n{newer}\n{unknown}\n\u{1b}[2J\n[]\n");
        std::fs::write(&path, text).unwrap();
        let batch = Tail::at(0).read(&path, 1 << 20).unwrap();
        assert_eq!((batch.events.len(), batch.foreign.len()), (0, 5));
    }

    #[test]
    fn any_chopping_gives_the_same_events() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("events.jsonl");
        let mut writer = EventWriter::open(&path).unwrap();
        for step in 0..50 {
            let values = BTreeMap::from([("train/loss".to_owned(), Number(f64::INFINITY))]);
            writer.write(step, EventKind::Metrics { epoch: 0.5, values }).unwrap();
        }
        let all = Tail::at(0).read(&path, 1 << 20).unwrap().events;
        assert_eq!(all.len(), 50);
        for limit in [1, 7, 100, 333] {
            let (mut tail, mut got) = (Tail::at(0), Vec::new());
            loop {
                let batch = tail.read(&path, limit).unwrap();
                got.extend(batch.events);
                if !batch.more {
                    break;
                }
            }
            assert_eq!(got, all);
        }
    }

    /// 1.2 MB of them took 82 s once, with every other run waiting.
    #[test]
    fn junk_lines_take_linear_time_and_bounded_memory() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("events.jsonl");
        for line in ["x\n", "{}\n", "{\"v\":1,\"t\":1,\"step\":1,\"kind\":{\"dance\":{}}}\n"] {
            let lines = 1_000_000 / line.len();
            std::fs::write(&path, line.repeat(lines)).unwrap();
            let start = std::time::Instant::now();
            let (mut tail, mut junk) = (Tail::at(0), 0);
            loop {
                let batch = tail.read(&path, 4 << 20).unwrap();
                assert!(batch.foreign.len() <= KEPT && batch.passed_over == batch.junk);
                junk += batch.junk;
                if !batch.more {
                    break;
                }
            }
            assert_eq!(junk, lines as u64);
            // Quadratic, the shortest lines take quarters of an hour.
            assert!(start.elapsed().as_secs() < 30, "{line}: {:?}", start.elapsed());
        }
    }

    #[test]
    fn costly_events_come_in_small_batches() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("events.jsonl");
        let line = r#"{"v":1,"t":1,"step":1,"kind":{"resumed":{"epoch":1,"attempt":2}}}"#;
        std::fs::write(&path, format!("{line}\n").repeat(2_000)).unwrap();
        let (mut tail, mut sizes) = (Tail::at(0), Vec::new());
        loop {
            let batch = tail.read(&path, 4 << 20).unwrap();
            sizes.push(batch.events.len());
            if !batch.more {
                break;
            }
        }
        assert_eq!(sizes, [500, 500, 500, 500]);
    }

    #[test]
    fn a_line_of_a_newer_version_is_no_junk() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("events.jsonl");
        let text = "{\"v\":2,\"t\":1,\"step\":1,\"kind\":{\"dance\":{}},\"more\":1}\nx\n";
        std::fs::write(&path, text).unwrap();
        let batch = Tail::at(0).read(&path, 1 << 20).unwrap();
        assert_eq!((batch.passed_over, batch.junk), (2, 1));
    }

    #[test]
    fn a_pipe_is_not_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("events.jsonl");
        let name = std::ffi::CString::new(path.to_str().unwrap()).unwrap();
        // SAFETY: a string that ends with 0 goes in.
        assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0);
        assert!(Tail::at(0).read(&path, 1 << 20).is_err());
    }
}

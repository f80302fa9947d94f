use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use super::{Event, VERSION};

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
    /// Lines that are no events of a known version.
    pub foreign: Vec<Foreign>,
    /// Where the next read starts.
    pub offset: u64,
    /// True if the read stopped at `limit` and more whole lines may follow.
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

impl Tail {
    /// Starts at `offset`, the end of what is already known.
    pub fn at(offset: u64) -> Self {
        Self { offset }
    }

    /// Reads up to about `limit` bytes of whole lines. A missing file is an empty one. A file that
    /// is shorter than the offset gives nothing: events files only grow.
    pub fn read(&mut self, path: &Path, limit: u64) -> io::Result<Batch> {
        let mut batch = Batch { offset: self.offset, ..Batch::default() };
        let mut file = match File::open(path) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(batch),
            Err(e) => return Err(e),
        };
        file.seek(SeekFrom::Start(self.offset))?;
        let mut bytes = Vec::new();
        let mut window = limit.max(1);
        // Widens the window when one line does not fit into it.
        let whole = loop {
            file.by_ref().take(window - bytes.len() as u64).read_to_end(&mut bytes)?;
            batch.more = bytes.len() as u64 == window;
            match bytes.iter().rposition(|b| *b == b'\n') {
                Some(end) => break end + 1,
                None if batch.more && window < LONGEST_LINE => window *= 2,
                None if batch.more => {
                    // No line end in sight: pass over what was read.
                    batch.foreign.push(Foreign {
                        offset: self.offset,
                        why: format!("a line of more than {} MiB", LONGEST_LINE >> 20),
                    });
                    break bytes.len();
                }
                None => break 0,
            }
        };
        let mut start = 0;
        for line in bytes[..whole].split_inclusive(|b| *b == b'\n') {
            batch.take(line, self.offset + start);
            start += line.len() as u64;
        }
        self.offset += whole as u64;
        batch.offset = self.offset;
        Ok(batch)
    }
}

impl Batch {
    fn take(&mut self, line: &[u8], offset: u64) {
        if line.iter().all(u8::is_ascii_whitespace)
            || self.foreign.iter().any(|f| f.offset == offset)
        {
            return;
        }
        match serde_json::from_slice::<Event>(line) {
            Ok(event) if event.v <= VERSION => self.events.push(event),
            Ok(event) => self.foreign.push(Foreign {
                offset,
                why: format!("version {} is newer than {VERSION}", event.v),
            }),
            Err(e) => self.foreign.push(Foreign { offset, why: format!("not an event: {e}") }),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::io::Write;

    use super::*;
    use crate::events::{EventWriter, Kind, Level, Number};

    fn note(text: &str) -> Kind {
        Kind::Note { level: Level::Info, text: text.into() }
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
            writer.write(step, Kind::Metrics { epoch: 0.5, values }).unwrap();
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
}

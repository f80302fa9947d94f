use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use super::{Event, EventKind, VERSION};

/// Appends events, one `write` call each, so that a reader sees whole lines or none.
#[derive(Debug)]
pub struct EventWriter {
    file: File,
}

impl EventWriter {
    /// Opens or creates the file. If a killed writer left half a line, it is closed with a line end,
    /// so that what follows stays readable.
    pub fn open(path: &Path) -> io::Result<Self> {
        let mut file = OpenOptions::new().create(true).read(true).append(true).open(path)?;
        if file.seek(SeekFrom::End(0))? > 0 {
            let mut last = [0];
            file.seek(SeekFrom::End(-1))?;
            file.read_exact(&mut last)?;
            if last != [b'\n'] {
                file.write_all(b"\n")?;
            }
        }
        Ok(Self { file })
    }

    /// Appends one event, stamped with the clock.
    pub fn write(&mut self, step: u64, kind: EventKind) -> io::Result<()> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let event = Event { v: VERSION, t: now.as_millis() as i64, step, kind };
        self.append(&event)
    }

    /// Appends an event as it is.
    pub fn append(&mut self, event: &Event) -> io::Result<()> {
        let mut line = serde_json::to_vec(event)?;
        line.push(b'\n');
        self.file.write_all(&line)?;
        if event.kind.is_milestone() {
            self.file.sync_data()?;
        }
        Ok(())
    }
}

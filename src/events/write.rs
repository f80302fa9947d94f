use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, clock_gettime};

use super::{Event, EventKind, VERSION};

/// Appends events, one `write` call each, so that a reader sees whole lines or none.
#[derive(Debug)]
pub struct EventWriter {
    file: File,
    /// Unix time when it was opened, less [`uptime`] then.
    boot: Duration,
}

/// Since the machine was started, its sleep included: a clock that nobody can set.
fn uptime() -> Duration {
    let time = clock_gettime(ClockId::Boottime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec as u32)
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
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(Self { file, boot: now.saturating_sub(uptime()) })
    }

    /// Appends one event, stamped with the time. Between two stamps of a writer lies the time that went by, also
    /// where the clock was set meanwhile.
    pub fn write(&mut self, step: u64, kind: EventKind) -> io::Result<()> {
        let now = self.boot + uptime();
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

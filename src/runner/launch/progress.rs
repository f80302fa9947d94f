use std::io::{self, Write};
use std::time::{Duration, Instant};

/// Counts bytes, and has something to tell twice a second.
pub(super) struct Progress {
    what: String,
    done: u64,
    all: u64,
    last: Instant,
}

impl Progress {
    /// Of so many bytes; 0 if nobody knows.
    pub(super) fn new(what: String, all: u64) -> Self {
        Self { what, done: 0, all, last: Instant::now() }
    }

    /// Adds bytes; gives `copying data.csv: 12 of 40 MiB` if it is time for it.
    pub(super) fn add(&mut self, bytes: u64) -> Option<String> {
        self.done += bytes;
        if self.last.elapsed() < Duration::from_millis(500) {
            return None;
        }
        self.last = Instant::now();
        let mib = |n: u64| (n as f64 / f64::from(1 << 20)).ceil();
        let of = if self.all > 0 { format!(" of {:.0}", mib(self.all)) } else { String::new() };
        Some(format!("{}: {:.0}{of} MiB", self.what, mib(self.done)))
    }
}

/// A writer that tells how far it is.
pub(super) struct ProgressWriter<'a, F> {
    /// Where it writes.
    pub(super) to: &'a mut dyn Write,
    /// How far it is.
    pub(super) progress: Progress,
    /// What is given the text.
    pub(super) tell: F,
}

impl<F: FnMut(String)> Write for ProgressWriter<'_, F> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let n = self.to.write(data)?;
        if let Some(text) = self.progress.add(n as u64) {
            (self.tell)(text);
        }
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

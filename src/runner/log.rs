//! `runs/runner.log`: one line per thing done, for whoever asks why.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use chrono::Utc;

use super::lock::open_private;
use super::text::clean;

/// The open log.
#[derive(Debug)]
pub(super) struct Log {
    file: File,
}

impl Log {
    /// Opens it for appending.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { file: open_private(path)? })
    }

    /// Adds a line. A log that cannot be written must not stop the work it tells of.
    pub(super) fn line(&mut self, text: &str) {
        let now = Utc::now().format("%Y-%m-%dT%H:%M:%S%.3fZ");
        let text: String = text.lines().map(clean).collect::<Vec<_>>().join(" | ");
        let _ = self.file.write_all(format!("{now} {text}\n").as_bytes());
    }
}

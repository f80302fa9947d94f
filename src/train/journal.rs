//! The run's folder, seen from the trainer: events out, the story so far in.

use std::fs;
use std::path::{Path, PathBuf};

use tuneboard::dataset::Dataset;
use tuneboard::events::{Ending, EventKind, EventWriter, Level, Started, Tail};

use crate::error::TrainError;
use crate::progress::Console;

/// Writes `events.jsonl`, and tells the person at the keyboard the same.
pub struct Journal {
    writer: EventWriter,
    path: PathBuf,
    /// Optimiser steps taken; stands on every event.
    pub step: u64,
    /// The person at the keyboard.
    pub console: Console,
}

/// What earlier attempts left.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct History {
    /// Attempts that got as far as training.
    pub attempts: u32,
    /// The last of them finished the run.
    pub done: bool,
}

impl Journal {
    /// Opens the events file of a run's folder, and reads what it tells.
    ///
    /// # Errors
    /// A file that cannot be read or written.
    pub fn open(run: &Path) -> Result<(Self, History), TrainError> {
        let path = run.join("events.jsonl");
        let history = history(&path)?;
        let writer = EventWriter::open(&path).map_err(TrainError::write(&path))?;
        Ok((Self { writer, path, step: 0, console: Console::choose() }, history))
    }

    /// Appends one event at the current step.
    ///
    /// # Errors
    /// A full disk, say.
    pub fn write(&mut self, kind: EventKind) -> Result<(), TrainError> {
        self.console.show(&kind);
        self.writer.write(self.step, kind).map_err(TrainError::write(&self.path))
    }

    /// A sentence that a person should read.
    ///
    /// # Errors
    /// As `write`.
    pub fn note(&mut self, level: Level, text: impl Into<String>) -> Result<(), TrainError> {
        self.write(EventKind::Note { level, text: text.into() })
    }
}

impl Journal {
    /// Warnings about the data.
    ///
    /// # Errors
    /// As `write`.
    pub fn warnings(&mut self, notes: &[String]) -> Result<(), TrainError> {
        notes.iter().try_for_each(|note| self.note(Level::Warning, note))
    }
}

impl History {
    /// The facts of the next attempt that follow from the data and from this process. What depends on
    /// the model is for the caller to fill in.
    pub fn started(self, data: &Dataset) -> Started {
        Started {
            attempt: self.attempts + 1,
            pid: std::process::id(),
            host: host_name(),
            trainer: env!("CARGO_PKG_VERSION").to_owned(),
            data_hash: data.hash.clone(),
            labels: data.label_names.clone(),
            text_column: data.reading.text_column.clone(),
            label_column: data.reading.label_column.clone().unwrap_or_default(),
            left_aside: data.reading.left_aside.clone(),
            rows: [&data.train, &data.val, &data.test].map(|r| r.len() as u64),
            ..Started::default()
        }
    }
}

/// The machine's name, or nothing.
fn host_name() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    name.trim().to_owned()
}

fn history(path: &Path) -> Result<History, TrainError> {
    let mut tail = Tail::at(0);
    let mut history = History::default();
    if !fs::exists(path).map_err(TrainError::read(path))? {
        return Ok(history);
    }
    loop {
        let batch = tail.read(path, 1 << 20).map_err(TrainError::read(path))?;
        for event in batch.events {
            match event.kind {
                EventKind::Started(_) => {
                    history.attempts += 1;
                    history.done = false;
                }
                EventKind::Resumed { .. } => history.done = false,
                EventKind::Ended { ending, .. } => history.done = ending == Ending::Done,
                _ => {}
            }
        }
        if !batch.more {
            return Ok(history);
        }
    }
}

//! Copies to and from one site, on a thread of their own: a model that takes an hour to arrive holds up
//! nobody's states and curves.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Read, Write};
use std::path::{Component, Path};
use std::sync::mpsc::{Receiver, Sender};
use std::time::{Duration, Instant};

use crate::board::Board;
use crate::spec::{RunId, printable};

use super::call::{Patience, Trouble};
use super::host::{Host, away};
use super::inputs::{Hashes, Input, pack};
use super::job::{Job, Ready};
use super::wire;

/// Free space that a copy from a host leaves on our disk.
const LEFT_FREE: u64 = 1 << 30;
/// Files that one fetch may bring.
const FILES: usize = 10_000;

/// What is to be carried.
#[derive(Debug)]
pub(super) enum Cargo {
    /// Bring the inputs of this job there; these contents have vanished from there.
    Inputs(Box<Job>, Vec<String>),
    /// Bring these folders of the run here.
    Results(Box<Job>, Vec<String>),
}

/// What has become of it.
#[derive(Debug)]
pub(super) enum Delivered {
    /// The inputs are there.
    Ready(Box<Ready>),
    /// They will never be, and why.
    Refused(RunId, String),
    /// The results are here.
    Fetched(RunId),
    /// It did not go through; to be tried again.
    Failed(Box<Cargo>, Trouble),
    /// How far it is, for people.
    Progress(RunId, String),
}

/// Carries until nobody asks any more.
pub(super) fn serve(board: &Board, host: &Host, orders: Receiver<Cargo>, out: Sender<Delivered>) {
    let mut freight =
        Freight { board, host, hashes: Hashes::default(), present: BTreeSet::new(), out };
    for cargo in orders {
        let delivered = match cargo {
            Cargo::Inputs(job, gone) => freight.inputs(job, gone),
            Cargo::Results(job, folders) => freight.results(job, folders),
        };
        if freight.out.send(delivered).is_err() {
            return;
        }
    }
}

struct Freight<'a> {
    board: &'a Board,
    host: &'a Host,
    hashes: Hashes,
    /// Contents that are known to lie there.
    present: BTreeSet<String>,
    out: Sender<Delivered>,
}

impl Freight<'_> {
    fn inputs(&mut self, job: Box<Job>, gone: Vec<String>) -> Delivered {
        for hash in &gone {
            self.present.remove(hash);
        }
        let (spec, inputs) = match self.hashes.inputs(self.board, &job.spec) {
            Ok(found) => found,
            Err(why) => return Delivered::Refused(job.id, why),
        };
        match self.bring(job.id, &inputs) {
            Ok(()) => {
                let trainer = self.host.trainer();
                Delivered::Ready(Box::new(Ready { job: *job, spec, inputs, trainer }))
            }
            Err(trouble) => Delivered::Failed(Box::new(Cargo::Inputs(job, gone)), trouble),
        }
    }

    /// Copies what is not there yet.
    fn bring(&mut self, id: RunId, inputs: &[Input]) -> Result<(), Trouble> {
        let unsure: Vec<String> =
            inputs.iter().map(|i| i.hash.clone()).filter(|h| !self.present.contains(h)).collect();
        if unsure.is_empty() {
            return Ok(());
        }
        let answer = self.host.ask("need", 64 << 10, |to| {
            wire::put(to, &[&unsure.len().to_string()])?;
            unsure.iter().try_for_each(|hash| wire::put(to, &[hash]))
        })?;
        let needed = wire::needed(&answer, &unsure)?;
        for input in inputs.iter().filter(|input| needed.contains(&input.hash)) {
            self.send(id, input)?;
        }
        self.present.extend(unsure);
        Ok(())
    }

    fn send(&self, id: RunId, input: &Input) -> Result<(), Trouble> {
        let mut answer = Vec::new();
        let told = Telling::new(format!("copying {}", leaf(&input.link)), input.bytes);
        let out = self.out.clone();
        self.host.stream(
            "put",
            Patience::LONG,
            Box::new(move |to| {
                wire::put(to, &[&input.hash])?;
                let mut to = Told {
                    to,
                    far: told,
                    tell: |text| drop(out.send(Delivered::Progress(id, text))),
                };
                pack(&input.path, &mut to)
            }),
            Box::new(|from| from.take(4096).read_to_end(&mut answer).map(drop).map_err(away)),
        )?;
        wire::finished(String::from_utf8_lossy(&answer).lines().last())
    }

    fn results(&self, job: Box<Job>, folders: Vec<String>) -> Delivered {
        let out = self.out.clone();
        let tell = |text| drop(out.send(Delivered::Progress(job.id, text)));
        match fetch(self.board, self.host, &job.name, job.id, &folders, tell) {
            Ok(_) => Delivered::Fetched(job.id),
            Err(trouble) => Delivered::Failed(Box::new(Cargo::Results(job, folders)), trouble),
        }
    }
}

/// Brings folders of a run here, each whole or not at all; gives the bytes that came. Nothing but plain
/// files and folders below the run's own is taken from the archive.
pub(super) fn fetch(
    board: &Board,
    host: &Host,
    name: &str,
    id: RunId,
    folders: &[String],
    tell: impl Fn(String),
) -> Result<u64, Trouble> {
    let part = board.run(id).join(".fetch");
    let _ = fs::remove_dir_all(&part);
    fs::create_dir_all(&part)?;
    let came = Cell::new(0);
    let run = id.to_string();
    host.stream(
        "fetch",
        Patience::LONG,
        Box::new(|to| {
            wire::put(to, &[name, &run, &folders.len().to_string()])?;
            folders.iter().try_for_each(|folder| wire::put(to, &[folder]))
        }),
        Box::new(|from| {
            let mut telling = Telling::new("fetching results".to_owned(), 0);
            unpack(from, &part, folders, |bytes| {
                came.set(came.get() + bytes);
                if let Some(text) = telling.add(bytes) {
                    tell(text);
                }
            })
        }),
    )?;
    for folder in folders {
        let (new, old) = (part.join(folder), board.run(id).join(folder));
        if new.is_dir() {
            match fs::remove_dir_all(&old) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e.into()),
                _ => fs::rename(&new, &old)?,
            }
        }
    }
    let _ = fs::remove_dir_all(&part);
    Ok(came.get())
}

fn unpack(
    from: &mut dyn Read,
    part: &Path,
    folders: &[String],
    mut tell: impl FnMut(u64),
) -> Result<(), Trouble> {
    let mut archive = tar::Archive::new(&mut *from);
    archive.set_preserve_permissions(false);
    for (count, entry) in archive.entries()?.enumerate() {
        let mut entry = entry.map_err(away)?;
        let path = entry.path().map_err(away)?.into_owned();
        let plain = path.components().all(|part| matches!(part, Component::Normal(_)));
        let asked = path
            .components()
            .next()
            .is_some_and(|first| folders.iter().any(|folder| first.as_os_str() == folder.as_str()));
        let kind = entry.header().entry_type();
        if count >= FILES || !plain || !asked || !(kind.is_file() || kind.is_dir()) {
            let name = printable(&path.to_string_lossy(), 80).into_owned();
            return Err(Trouble::Odd(format!("It sends what was not asked for: `{name}`.")));
        }
        let size = entry.size();
        let free = rustix::fs::statvfs(part).map_err(io::Error::from)?;
        if free.f_bavail.saturating_mul(free.f_frsize).saturating_sub(size) < LEFT_FREE {
            return Err(Trouble::Here(
                "Too little space is left on this disk to fetch.".to_owned(),
            ));
        }
        if !entry.unpack_in(part).map_err(away)? {
            return Err(Trouble::Odd("It sends a path that leads out of the run.".to_owned()));
        }
        tell(size);
    }
    // What fills up the archive's last block; unread it would make the sender fail.
    let filling = io::copy(&mut from.take(1 << 20), &mut io::sink()).map_err(away)?;
    if filling == 1 << 20 {
        return Err(Trouble::Odd("Its archive does not end.".to_owned()));
    }
    Ok(())
}

/// Counts bytes, and twice a second has something to tell.
pub(super) struct Telling {
    what: String,
    done: u64,
    all: u64,
    last: Instant,
}

impl Telling {
    /// Of so many bytes; 0 if nobody knows.
    pub(super) fn new(what: String, all: u64) -> Self {
        Self { what, done: 0, all, last: Instant::now() }
    }

    fn add(&mut self, bytes: u64) -> Option<String> {
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
pub(super) struct Told<'a, F> {
    /// Where it writes.
    pub(super) to: &'a mut dyn Write,
    /// How far it is.
    pub(super) far: Telling,
    /// Who is told.
    pub(super) tell: F,
}

impl<F: FnMut(String)> Write for Told<'_, F> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let n = self.to.write(data)?;
        if let Some(text) = self.far.add(n as u64) {
            (self.tell)(text);
        }
        Ok(n)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

fn leaf(link: &str) -> String {
    printable(link.rsplit('/').next().unwrap_or(link), 40).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn archive(make: impl FnOnce(&mut tar::Builder<&mut Vec<u8>>)) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut builder = tar::Builder::new(&mut bytes);
        make(&mut builder);
        builder.into_inner().unwrap();
        bytes
    }

    fn file(builder: &mut tar::Builder<&mut Vec<u8>>, name: &str, text: &[u8]) {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        // By hand: the library itself refuses to write what an attacker would.
        header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_cksum();
        builder.append(&header, text).unwrap();
    }

    fn take(bytes: &[u8]) -> (Result<(), Trouble>, tempfile::TempDir) {
        let dir = tempfile::tempdir().unwrap();
        let part = dir.path().join("part");
        fs::create_dir(&part).unwrap();
        let mut from = bytes;
        (unpack(&mut from, &part, &["checkpoints".to_owned()], |_| ()), dir)
    }

    #[test]
    fn what_was_asked_for_is_taken() {
        let bytes = archive(|b| file(b, "checkpoints/best/state.json", b"{}"));
        let (done, dir) = take(&bytes);
        done.unwrap();
        assert_eq!(fs::read(dir.path().join("part/checkpoints/best/state.json")).unwrap(), b"{}");
    }

    #[test]
    fn nothing_else_is() {
        for name in ["spec.toml", "../../evil", "/etc/evil", "checkpoints/../../evil", "a\x1b[31m"]
        {
            let (done, dir) = take(&archive(|b| file(b, name, b"x")));
            assert!(matches!(done, Err(Trouble::Odd(_))), "{name}: {done:?}");
            assert!(!dir.path().join("evil").exists());
        }
        let link = archive(|b| {
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(tar::EntryType::Symlink);
            header.set_size(0);
            b.append_link(&mut header, "checkpoints/last", "/etc").unwrap();
        });
        assert!(matches!(take(&link).0, Err(Trouble::Odd(_))));
        let whole = archive(|b| file(b, "checkpoints/w", &[7; 5000]));
        assert!(take(&whole[..3000]).0.is_err(), "a torn archive is no result");
    }
}

//! Copies to and from one site, on a thread of their own: a model that takes an hour to arrive holds up
//! nobody's states and curves.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Read};
use std::sync::mpsc::{Receiver, Sender};

use crate::board::Board;
use crate::spec::{RunId, printable};

use super::call::{CallError, Timeouts};
use super::host::{Host, broken};
use super::inputs::{Hashes, Input, pack};
use super::job::{Job, ReadyJob};
use super::progress::{Progress, ProgressWriter};
use super::protocol;
use super::unpack::unpack;

/// What is to be copied.
#[derive(Debug)]
pub(super) enum Transfer {
    /// Bring the inputs of this job there; these contents have vanished from there.
    Inputs(Box<Job>, Vec<String>),
    /// Bring these folders of the run here.
    Results(Box<Job>, Vec<String>),
}

impl Transfer {
    /// Whose files they are.
    pub(super) fn id(&self) -> RunId {
        match self {
            Self::Inputs(job, _) | Self::Results(job, _) => job.id,
        }
    }
}

/// What has become of it.
#[derive(Debug)]
pub(super) enum Transferred {
    /// The inputs are there.
    Ready(Box<ReadyJob>),
    /// They will never be, and why.
    Refused(RunId, String),
    /// The results are here.
    Fetched(RunId),
    /// It did not go through; to be tried again.
    Failed(Box<Transfer>, CallError),
    /// How far it is, for people.
    Progress(RunId, String),
}

/// Copies until nobody asks any more.
pub(super) fn serve(
    board: &Board,
    host: &Host,
    transfers: Receiver<Transfer>,
    out: Sender<Transferred>,
) {
    let mut copier =
        Copier { board, host, hashes: Hashes::default(), present: BTreeSet::new(), out };
    for transfer in transfers {
        let result = match transfer {
            Transfer::Inputs(job, gone) => copier.inputs(job, gone),
            Transfer::Results(job, folders) => copier.results(job, folders),
        };
        if copier.out.send(result).is_err() {
            return;
        }
    }
}

struct Copier<'a> {
    board: &'a Board,
    host: &'a Host,
    hashes: Hashes,
    /// Contents that are known to lie there.
    present: BTreeSet<String>,
    out: Sender<Transferred>,
}

impl Copier<'_> {
    fn inputs(&mut self, job: Box<Job>, gone: Vec<String>) -> Transferred {
        for hash in &gone {
            self.present.remove(hash);
        }
        let (spec, inputs) = match self.hashes.inputs(self.board, &job.spec) {
            Ok(found) => found,
            Err(why) => return Transferred::Refused(job.id, why),
        };
        match self.bring(job.id, &inputs) {
            Ok(()) => {
                let trainer = self.host.trainer().to_owned();
                Transferred::Ready(Box::new(ReadyJob { job: *job, spec, inputs, trainer }))
            }
            Err(error) => Transferred::Failed(Box::new(Transfer::Inputs(job, gone)), error),
        }
    }

    /// Copies what is not there yet.
    fn bring(&mut self, id: RunId, inputs: &[Input]) -> Result<(), CallError> {
        let unsure: Vec<String> =
            inputs.iter().map(|i| i.hash.clone()).filter(|h| !self.present.contains(h)).collect();
        if unsure.is_empty() {
            return Ok(());
        }
        let answer = self.host.ask("need", 64 << 10, |to| {
            protocol::put(to, &[&unsure.len().to_string()])?;
            unsure.iter().try_for_each(|hash| protocol::put(to, &[hash]))
        })?;
        let needed = protocol::needed(&answer, &unsure)?;
        for input in inputs.iter().filter(|input| needed.contains(&input.hash)) {
            self.send(id, input)?;
        }
        self.present.extend(unsure);
        Ok(())
    }

    fn send(&self, id: RunId, input: &Input) -> Result<(), CallError> {
        let mut answer = Vec::new();
        let progress = Progress::new(format!("copying {}", leaf(&input.link)), input.bytes);
        let out = self.out.clone();
        self.host.stream(
            "put",
            Timeouts::COPY,
            Box::new(move |to| {
                protocol::put(to, &[&input.hash])?;
                let tell = |text| drop(out.send(Transferred::Progress(id, text)));
                pack(&input.path, &mut ProgressWriter { to, progress, tell })
            }),
            Box::new(|from| from.take(4096).read_to_end(&mut answer).map(drop).map_err(broken)),
        )?;
        protocol::finished(String::from_utf8_lossy(&answer).lines().last())
    }

    fn results(&self, job: Box<Job>, folders: Vec<String>) -> Transferred {
        let out = self.out.clone();
        let tell = |text| drop(out.send(Transferred::Progress(job.id, text)));
        match fetch(self.board, self.host, &job.name, job.id, &folders, tell) {
            Ok(_) => Transferred::Fetched(job.id),
            Err(error) => Transferred::Failed(Box::new(Transfer::Results(job, folders)), error),
        }
    }
}

/// Brings folders of a run here, each whole or not at all; gives the bytes that came.
///
/// # Errors
/// The connection, our disk, or an archive with anything but plain files below these folders.
pub(super) fn fetch(
    board: &Board,
    host: &Host,
    name: &str,
    id: RunId,
    folders: &[String],
    tell: impl Fn(String),
) -> Result<u64, CallError> {
    let part = board.run(id).join(".fetch");
    let _ = fs::remove_dir_all(&part);
    fs::create_dir_all(&part)?;
    let came = Cell::new(0);
    let run = id.to_string();
    host.stream(
        "fetch",
        Timeouts::COPY,
        Box::new(|to| {
            protocol::put(to, &[name, &run, &folders.len().to_string()])?;
            folders.iter().try_for_each(|folder| protocol::put(to, &[folder]))
        }),
        Box::new(|from| {
            let mut progress = Progress::new("fetching results".to_owned(), 0);
            unpack(from, &part, folders, |bytes| {
                came.set(came.get() + bytes);
                if let Some(text) = progress.add(bytes) {
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

fn leaf(link: &str) -> String {
    printable(link.rsplit('/').next().unwrap_or(link), 40).into_owned()
}

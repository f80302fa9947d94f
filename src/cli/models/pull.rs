use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::add::{convert, place, report, settle};
use crate::board::Board;
use crate::cli::error::CliError;
use crate::cli::figures::bytes;
use crate::cli::verb::Context;
use crate::hub::{self, Hub, Listing, Remote, RepoName};

/// `tuneboard models pull`.
pub fn run(repo: &RepoName, name: Option<String>, context: &mut Context) -> Result<u8, CliError> {
    let board = context.board()?;
    let place = place(&board, name.as_deref().unwrap_or(repo.last()))?;
    let hub = Hub::from_env()?;
    let (listing, choice) = found(&hub, repo, context)?;
    let folder = partial(&board, &listing)?;
    // It goes with the folder, so nobody else holds it once the folder has its place.
    let lock = folder.join(LOCK);
    let held = File::create(&lock).map_err(|e| unwritable(&lock, &e))?;
    if let Err(TryLockError::WouldBlock) = held.try_lock() {
        return Err(CliError::Place(format!("Another `models pull {repo}` is under way.")));
    }
    let total = choice.files.iter().fold(0, |all: u64, file| all.saturating_add(file.size));
    check_space(&folder, &choice.files, total)?;
    let mut progress = Progress::new(total, context);
    for file in &choice.files {
        progress.start(file)?;
        hub.fetch(&listing, file, &folder, &mut |so_far| progress.at(so_far))?;
        progress.done()?;
    }
    let card = folder.join("README.md");
    fs::write(&card, provenance(&listing)).map_err(|e| unwritable(&card, &e))?;
    if choice.weights.pickled && convert(&folder)? {
        context
            .out
            .aside("Its pytorch_model.bin was read as tensors and written as safetensors.")?;
    }
    fs::remove_file(&lock).map_err(|e| unwritable(&lock, &e))?;
    settle(&folder, &place)?;
    report(&place, context)
}

/// What the repository holds; where its weights are pickled, rather what the hub's own robot made of them.
fn found(
    hub: &Hub,
    repo: &RepoName,
    context: &mut Context,
) -> Result<(Listing, hub::Choice), CliError> {
    let listing = hub.list(repo)?;
    let choice = hub::choose(&listing)?;
    if choice.weights.pickled
        && let Some(converted) = hub.conversion(&listing)
        && let Ok(choice) = hub::choose(&converted)
        && !choice.weights.pickled
    {
        let from = &converted.name.revision;
        context.out.aside(format!("The hub has safetensors of it as {from}, which are taken."))?;
        return Ok((converted, choice));
    }
    Ok((listing, choice))
}

const LOCK: &str = ".lock";
/// Bytes that a pull leaves free for whoever else writes to the disk: runs, above all.
const LEFT_FREE: u64 = 256 << 20;

/// Refuses what the disk cannot hold, before the first byte is asked for.
fn check_space(folder: &Path, files: &[Remote], total: u64) -> Result<(), CliError> {
    let length = |name: String| fs::metadata(folder.join(name)).map_or(0, |meta| meta.len());
    let there = |file: &Remote| {
        length(file.path.clone()).max(length(format!("{}.part", file.path))).min(file.size)
    };
    let missing = total.saturating_sub(files.iter().map(there).sum());
    let Ok(disk) = rustix::fs::statvfs(folder) else { return Ok(()) };
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    if missing.saturating_add(LEFT_FREE) <= free || missing == 0 {
        return Ok(());
    }
    Err(CliError::Place(format!(
        "{} more are needed and {} has {} free, of which {} are left to others; nothing was fetched.",
        bytes(missing),
        folder.display(),
        bytes(free),
        bytes(LEFT_FREE)
    )))
}

/// What an interrupted pull left is gone on from for so long.
const OLD: Duration = Duration::from_hours(7 * 24);

/// The folder that fills up, the same for every pull of a commit. What pulls of other commits of the
/// repository have left is of no use any more, nor is what has lain there for a week.
fn partial(board: &Board, listing: &Listing) -> Result<PathBuf, CliError> {
    let stem = format!(".pull-{}-", listing.name.id.replace('/', "--"));
    let folder = board.models().join(format!("{stem}{}", listing.commit));
    fs::create_dir_all(&folder).map_err(|e| unwritable(&folder, &e))?;
    for entry in fs::read_dir(board.models()).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let commit = name.strip_prefix(&stem).filter(|rest| rest.len() == listing.commit.len());
        let age = entry.metadata().and_then(|m| m.modified()).ok().and_then(|t| t.elapsed().ok());
        let is_old = (name.starts_with(".pull-") || name.starts_with(".add-"))
            && age.is_some_and(|age| age > OLD)
            && entry.path() != folder;
        if is_old || commit.is_some_and(|commit| commit != listing.commit) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
    Ok(folder)
}

/// A model card that says where the files come from; the repository's own is no file for machines.
fn provenance(listing: &Listing) -> String {
    let word = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let licence = listing.licence.as_deref().filter(|l| !l.is_empty() && l.chars().all(word));
    let licence = licence.map(|l| format!("---\nlicense: {l}\n---\n")).unwrap_or_default();
    format!("{licence}# {}\n\nPulled by tuneboard at commit {}.\n", listing.name, listing.commit)
}

fn unwritable(path: &Path, error: &io::Error) -> CliError {
    CliError::Place(format!("{} cannot be written: {error}.", path.display()))
}

/// What a person sees of a pull: a bar in a terminal, else a line per file.
struct Progress<'a> {
    context: &'a mut Context,
    animated: bool,
    file: String,
    size: u64,
    /// Bytes of the files before.
    before: u64,
    total: u64,
    drawn: Option<Instant>,
}

impl<'a> Progress<'a> {
    fn new(total: u64, context: &'a mut Context) -> Self {
        let animated = context.out.tty && !context.json;
        let file = String::new();
        Self { context, animated, file, size: 0, before: 0, total, drawn: None }
    }

    fn start(&mut self, file: &Remote) -> Result<(), CliError> {
        (self.file, self.size) = (file.path.clone(), file.size);
        self.draw(0)
    }

    /// Drawn ten times a second; a terminal that is gone does not end the pull.
    fn at(&mut self, so_far: u64) {
        if self.drawn.is_none_or(|at| at.elapsed() > Duration::from_millis(100)) {
            let _ = self.draw(so_far);
        }
    }

    fn draw(&mut self, so_far: u64) -> Result<(), CliError> {
        if !self.animated {
            return Ok(());
        }
        self.drawn = Some(Instant::now());
        let line = bar(self.before + so_far, self.total, &self.file, self.context.out.utf8);
        self.context.out.redraw(&[line])
    }

    fn done(&mut self) -> Result<(), CliError> {
        self.before += self.size;
        if !self.animated && !self.context.json {
            self.context.out.line(format!("{} {}", self.file, bytes(self.size)))?;
            self.context.out.flush()?;
        }
        self.draw(0)
    }
}

fn bar(done: u64, total: u64, file: &str, utf8: bool) -> String {
    const WIDTH: u64 = 30;
    let full = (WIDTH * done.min(total)).checked_div(total).unwrap_or(WIDTH) as usize;
    let (on, off) = if utf8 { ("█", "░") } else { ("#", ".") };
    let rest = WIDTH as usize - full;
    format!("{}{} {} of {}  {file}", on.repeat(full), off.repeat(rest), bytes(done), bytes(total))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_fills_up() {
        assert!(bar(0, 100, "a", false).starts_with(&".".repeat(30)));
        assert!(bar(50, 100, "a", false).starts_with(&format!("{}.", "#".repeat(15))));
        assert!(bar(100, 100, "a", true).starts_with(&"█".repeat(30)));
        assert!(bar(0, 0, "a", true).starts_with(&"█".repeat(30)));
    }

    #[test]
    fn a_licence_of_odd_form_is_left_out() {
        let of = |licence: &str| Listing {
            name: "a/b".parse().unwrap(),
            commit: "c".into(),
            licence: Some(licence.into()),
            files: vec![],
        };
        assert!(provenance(&of("mit")).starts_with("---\nlicense: mit\n---\n# a/b"));
        assert!(provenance(&of("mit\nevil: x")).starts_with("# a/b"));
    }
}

//! Whose board it is. A board names executables (`trainer`), hosts and their `ssh` configuration, and its
//! queue says what is started: whoever can write it can run code as whoever uses it. So a board that
//! somebody else can write is refused, as git refuses a repository of another user, until it is trusted
//! by name.

use std::env;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::{Board, BoardError};

/// Longer than any list of trusted boards, or config of one, that a person writes.
const LONGEST: u64 = 4 << 20;

impl Board {
    /// Why this board is not trusted, as a clause; `None` if it is.
    pub fn distrust(&self) -> Option<&str> {
        self.distrust.as_deref()
    }

    /// For whatever starts executables, reaches hosts or changes the board.
    ///
    /// # Errors
    /// [`BoardError::Untrusted`].
    pub fn check_trust(&self) -> Result<(), BoardError> {
        match &self.distrust {
            None => Ok(()),
            Some(why) => Err(BoardError::Untrusted { root: self.root.clone(), why: why.clone() }),
        }
    }
}

/// Opens a config for reading, if it is a file: a pipe would be waited for without end.
pub(super) fn read_config(path: &Path) -> io::Result<(String, Metadata)> {
    let file = File::options().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
    let meta = file.metadata()?;
    if !meta.is_file() {
        return Err(io::Error::other("it is no file"));
    }
    if meta.len() > LONGEST {
        return Err(io::Error::other(format!("it has more than {} MiB", LONGEST >> 20)));
    }
    let mut text = String::new();
    file.take(LONGEST).read_to_string(&mut text)?;
    Ok((text, meta))
}

/// Why the board at `root`, whose config is open as `config`, is not to be trusted: the first of its
/// parts that somebody else owns or can write, unless the user has named the board.
pub(super) fn distrust(root: &Path, config: &Metadata) -> Option<String> {
    let mut found = others(&root.join("config.toml"), config);
    for part in ["", "runs", "runs/board.db", "runs/board.db-wal", "runs/runner.lock"] {
        let path = root.join(part);
        if found.is_none()
            && let Ok(meta) = fs::metadata(&path)
        {
            found = others(if part.is_empty() { root } else { &path }, &meta);
        }
    }
    found.filter(|_| !trusted().iter().any(|known| known == root))
}

/// How somebody else can write this.
fn others(path: &Path, meta: &Metadata) -> Option<String> {
    let shown = path.display();
    if !is_own(meta.uid()) {
        return Some(format!("{shown} belongs to another user ({})", name_of(meta.uid())));
    }
    if meta.mode() & 0o002 != 0 {
        return Some(format!("everybody can write {shown}"));
    }
    if meta.mode() & 0o020 != 0 && !is_private(meta.gid()) {
        return Some(format!("the group {} can write {shown}", meta.gid()));
    }
    None
}

/// This user's, or root's, who needs no file to run code as anybody. Under `sudo` it is also the user's
/// who called it, as with git.
fn is_own(uid: u32) -> bool {
    let me = rustix::process::geteuid().as_raw();
    let caller = || env::var("SUDO_UID").ok().and_then(|text| text.parse().ok());
    uid == me || uid == 0 || (me == 0 && caller() == Some(uid))
}

/// A group of one: with such groups people have umask 002. By the usual numbers, or by name.
fn is_private(gid: u32) -> bool {
    let me = rustix::process::geteuid().as_raw();
    gid == me || gid == 0 || {
        let group = entry("/etc/group", gid);
        let members = group.as_ref().and_then(|line| line.get(3).cloned()).unwrap_or_default();
        let named = group.and_then(|line| line.first().cloned());
        let alone = members.is_empty() || Some(&members) == named.as_ref();
        named.is_some() && alone && named == user(me)
    }
}

fn user(uid: u32) -> Option<String> {
    entry("/etc/passwd", uid).and_then(|line| line.first().cloned())
}

fn name_of(uid: u32) -> String {
    let name = user(uid).map(|name| crate::spec::printable(&name, 40).into_owned());
    name.unwrap_or_else(|| format!("uid {uid}"))
}

/// The line of `/etc/passwd` or `/etc/group` with this number.
fn entry(file: &str, number: u32) -> Option<Vec<String>> {
    let text = fs::read_to_string(file).ok()?;
    let mut lines = text.lines().map(|line| line.split(':').map(str::to_owned).collect::<Vec<_>>());
    lines.find(|line| line.get(2).is_some_and(|word| *word == number.to_string()))
}

/// Where the user's list is: `$XDG_CONFIG_HOME/tuneboard/trusted`, else under `~/.config`.
fn list() -> Option<PathBuf> {
    let folder = |name: &str| {
        let path = env::var_os(name).map(PathBuf::from);
        path.filter(|path| path.is_absolute())
    };
    let base = folder("XDG_CONFIG_HOME").or_else(|| Some(folder("HOME")?.join(".config")))?;
    Some(base.join("tuneboard").join("trusted"))
}

/// The boards that the user trusts. A list that others can write says nothing.
pub fn trusted() -> Vec<PathBuf> {
    let Some((text, _)) = list()
        .and_then(|path| read_config(&path).ok().filter(|(_, meta)| others(&path, meta).is_none()))
    else {
        return Vec::new();
    };
    text.lines().filter(|line| line.starts_with('/')).map(PathBuf::from).collect()
}

/// Trusts the board at `root`, or no longer; gives its full path, and whether that changes anything.
///
/// # Errors
/// No board there, or a list that cannot be written.
pub fn set_trust(root: &Path, trust: bool) -> Result<(PathBuf, bool), BoardError> {
    let at = |path: &Path| {
        let path = path.to_path_buf();
        move |source| BoardError::Io { path, source }
    };
    // A board that is gone can still be taken off the list.
    let full = match root.canonicalize() {
        Ok(full) if !trust || super::is_board(&full) => full,
        Err(_) if !trust => root.to_path_buf(),
        _ => return Err(BoardError::NotFound(root.to_path_buf())),
    };
    let odd = |why: &str| at(&full)(io::Error::other(why.to_owned()));
    let line = full.to_str().filter(|text| !text.contains('\n'));
    let line = line.ok_or_else(|| odd("its path is no line of text"))?;
    let path = list().ok_or_else(|| odd("neither HOME nor XDG_CONFIG_HOME is a folder"))?;
    let mut known = trusted();
    let had = known.iter().any(|board| board.as_path() == Path::new(line));
    if had == trust {
        return Ok((full, false));
    }
    known.retain(|board| board.as_path() != Path::new(line));
    if trust {
        known.push(full.clone());
    }
    if let Some(folder) = path.parent() {
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
        made.map_err(at(folder))?;
    }
    let lines: Vec<String> = known.iter().map(|board| board.display().to_string()).collect();
    let text = lines.join("\n") + "\n";
    let temporary = path.with_extension(format!("{}.tmp", std::process::id()));
    let write = || -> io::Result<()> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(0o600).custom_flags(libc::O_NOFOLLOW);
        let mut file = options.open(&temporary)?;
        file.write_all(text.as_bytes())?;
        fs::rename(&temporary, &path)
    };
    let written = write();
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    written.map_err(at(&path))?;
    Ok((full, true))
}

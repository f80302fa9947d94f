//! Archives from a host, which is not trusted: every header is bounded before it is read, nothing but plain
//! files and folders is made, and they get the modes that files made here get.

use std::fs::{self, OpenOptions};
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};

use tar::{Entry, EntryType};

use crate::spec::printable;

use super::call::CallError;
use super::host::broken;

/// Free space that a copy from a host leaves on our disk.
const LEFT_FREE: u64 = 1 << 30;
/// Entries that one fetch may bring, headers for long names included.
const ENTRIES: usize = 10_000;
/// Bytes of all files of one fetch.
const TOTAL: u64 = 1 << 40;
/// Bytes of a header that goes before another one: a long name, or what pax tells of a file.
const HEADER: u64 = 16 << 10;
/// Bytes of a path, and the folders in it. The trainer's own have three.
const PATH: usize = 1 << 10;
const DEPTH: usize = 8;

/// Unpacks a tar archive into `part`: nothing but plain files and folders below `folders`. `tell` gets the
/// bytes of each file.
///
/// # Errors
/// The connection, our disk, or anything else in the archive.
pub(super) fn unpack(
    from: &mut dyn Read,
    part: &Path,
    folders: &[String],
    mut tell: impl FnMut(u64),
) -> Result<(), CallError> {
    let mut archive = tar::Archive::new(&mut *from);
    let mut total = 0_u64;
    let mut long = None;
    // Raw: the library would read a header of any size into memory.
    for (count, entry) in archive.entries()?.raw(true).enumerate() {
        let mut entry = entry.map_err(broken)?;
        if count >= ENTRIES {
            return Err(CallError::Unexpected(format!("It sends more than {ENTRIES} entries.")));
        }
        let kind = entry.header().entry_type();
        match header_before(&mut entry)? {
            Before::File => {}
            Before::Path(path) => {
                long = Some(path);
                continue;
            }
            Before::Other => continue,
        }
        let path = match long.take() {
            Some(path) => path,
            None => entry.path().map_err(broken)?.into_owned(),
        };
        if !is_asked_for(&path, folders) || !(kind.is_file() || kind.is_dir()) {
            let name = printable(&path.to_string_lossy(), 80).into_owned();
            return Err(CallError::Unexpected(format!(
                "It sends what was not asked for: `{name}`."
            )));
        }
        if kind.is_dir() {
            fs::create_dir_all(part.join(path))?;
            continue;
        }
        let size = entry.size();
        total = total.saturating_add(size);
        let free = rustix::fs::statvfs(part).map_err(io::Error::from)?;
        if free.f_bavail.saturating_mul(free.f_frsize).saturating_sub(size) < LEFT_FREE
            || total > TOTAL
        {
            let why = "Too little space is left on this disk to fetch.".to_owned();
            return Err(CallError::Local(why));
        }
        write(&mut entry, &part.join(path), size)?;
        tell(size);
    }
    // What fills up the archive's last block; unread it would make the sender fail.
    let filling = io::copy(&mut from.take(1 << 20), &mut io::sink()).map_err(broken)?;
    if filling == 1 << 20 {
        return Err(CallError::Unexpected("Its archive does not end.".to_owned()));
    }
    Ok(())
}

/// Whether a path is plain, short and below one of the folders.
fn is_asked_for(path: &Path, folders: &[String]) -> bool {
    let mut parts = path.components();
    let plain = parts.clone().all(|part| matches!(part, Component::Normal(_)));
    let short = path.as_os_str().len() <= PATH && parts.clone().count() <= DEPTH;
    let first = parts.next();
    let asked = first
        .is_some_and(|first| folders.iter().any(|folder| first.as_os_str() == folder.as_str()));
    plain && short && asked
}

/// What an entry of the archive is.
enum Before {
    /// A file or folder itself.
    File,
    /// A header that goes before that of a file and names its path.
    Path(PathBuf),
    /// Another header that goes before one.
    Other,
}

/// Reads a header that goes before that of a file, if the entry is one.
fn header_before(entry: &mut Entry<impl Read>) -> Result<Before, CallError> {
    let kind = entry.header().entry_type();
    let before = [
        EntryType::GNULongName,
        EntryType::GNULongLink,
        EntryType::XHeader,
        EntryType::XGlobalHeader,
    ];
    if !before.contains(&kind) {
        return Ok(Before::File);
    }
    if entry.size() > HEADER {
        return Err(CallError::Unexpected(format!(
            "Its archive has a header of {} bytes.",
            entry.size()
        )));
    }
    let mut text = Vec::new();
    entry.take(HEADER).read_to_end(&mut text).map_err(broken)?;
    let text = String::from_utf8_lossy(&text);
    if kind == EntryType::GNULongName {
        return Ok(Before::Path(PathBuf::from(text.trim_end_matches('\0'))));
    }
    let mut path = None;
    if kind == EntryType::XHeader {
        // `27 path=checkpoints/best/x\n`
        for record in text.lines().filter_map(|line| line.split_once(' ')) {
            match record.1.split_once('=') {
                Some(("path", name)) => path = Some(PathBuf::from(name)),
                // Such a file would not be as long as its own header says.
                Some((key, _)) if key == "size" || key.starts_with("GNU.sparse") => {
                    let why = format!("Its archive has a `{key}` that no trainer of ours makes.");
                    return Err(CallError::Unexpected(why));
                }
                _ => {}
            }
        }
    }
    Ok(path.map_or(Before::Other, Before::Path))
}

/// Writes one file, as long as its header says, with the mode that our umask gives.
fn write(entry: &mut Entry<impl Read>, to: &Path, size: u64) -> Result<(), CallError> {
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut file = OpenOptions::new().write(true).create_new(true).open(to)?;
    let written = io::copy(entry, &mut file).map_err(broken)?;
    if written < size {
        return Err(broken(io::ErrorKind::UnexpectedEof.into()));
    }
    Ok(())
}

#[cfg(test)]
#[path = "../../../tests/fuzz/engine.rs"]
mod engine;

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    type Builder<'a> = tar::Builder<&'a mut Vec<u8>>;

    fn archive(make: impl FnOnce(&mut Builder)) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut builder = tar::Builder::new(&mut bytes);
        make(&mut builder);
        builder.into_inner().unwrap();
        bytes
    }

    fn header(name: &str, size: u64, kind: EntryType) -> tar::Header {
        let mut header = tar::Header::new_gnu();
        header.set_size(size);
        header.set_mode(0o777);
        header.set_entry_type(kind);
        // By hand: the library itself refuses to write what an attacker would.
        header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_cksum();
        header
    }

    fn file(builder: &mut Builder, name: &str, text: &[u8]) {
        let header = header(name, text.len() as u64, EntryType::Regular);
        builder.append(&header, text).unwrap();
    }

    /// A header before a file's own: of this kind, with this text.
    fn before(builder: &mut Builder, kind: EntryType, text: &[u8]) {
        builder.append(&header("././@LongLink", text.len() as u64, kind), text).unwrap();
    }

    fn take(mut from: impl Read) -> (Result<(), CallError>, tempfile::TempDir) {
        let dir = tempfile::tempdir().unwrap();
        let part = dir.path().join("part");
        fs::create_dir(&part).unwrap();
        (unpack(&mut from, &part, &["checkpoints".to_owned()], |_| ()), dir)
    }

    fn refused(from: impl Read) -> String {
        match take(from).0 {
            Err(CallError::Unexpected(why)) => why,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_was_asked_for_is_taken() {
        let long = format!("checkpoints/{}", "x".repeat(150));
        let pax = format!("checkpoints/{}", "y".repeat(150));
        let bytes = archive(|b| {
            file(b, "checkpoints/best/state.json", b"{}");
            before(b, EntryType::GNULongName, format!("{long}\0").as_bytes());
            file(b, "checkpoints/xxx", b"long");
            let record = format!(" path={pax}\n");
            let record = format!("{}{record}", record.len() + 3);
            before(b, EntryType::XHeader, record.as_bytes());
            file(b, "checkpoints/yyy", b"pax");
        });
        let (done, dir) = take(bytes.as_slice());
        done.unwrap();
        let read = |name: &str| fs::read(dir.path().join("part").join(name)).unwrap();
        assert_eq!(read("checkpoints/best/state.json"), b"{}");
        assert_eq!((read(&long), read(&pax)), (b"long".to_vec(), b"pax".to_vec()));
    }

    #[test]
    fn nothing_else_is() {
        for name in ["spec.toml", "../../evil", "/etc/evil", "checkpoints/../../evil", "a\x1b[31m"]
        {
            let (done, dir) = take(archive(|b| file(b, name, b"x")).as_slice());
            assert!(matches!(done, Err(CallError::Unexpected(_))), "{name}: {done:?}");
            assert!(!dir.path().join("evil").exists());
            let long = archive(|b| {
                before(b, EntryType::GNULongName, name.as_bytes());
                file(b, "checkpoints/x", b"x");
            });
            refused(long.as_slice());
        }
        for kind in [EntryType::Symlink, EntryType::Link, EntryType::Fifo, EntryType::Block] {
            let special =
                archive(|b| b.append(&header("checkpoints/x", 0, kind), &b""[..]).unwrap());
            refused(special.as_slice());
        }
        let whole = archive(|b| file(b, "checkpoints/w", &[7; 5000]));
        assert!(take(&whole[..3000]).0.is_err(), "a torn archive is no result");
    }

    #[test]
    fn a_header_without_end_is_not_read() {
        for kind in [EntryType::GNULongName, EntryType::GNULongLink, EntryType::XHeader] {
            let header = header("././@LongLink", 64 << 30, kind);
            // A host that goes on sending: reading it all would take until the memory is full.
            let flood = header.as_bytes().chain(io::repeat(b'a'));
            assert_eq!(refused(flood), "Its archive has a header of 68719476736 bytes.");
        }
        let pax = archive(|b| {
            before(b, EntryType::XHeader, b"14 size=99999\n");
            file(b, "checkpoints/x", b"x");
        });
        assert!(refused(pax.as_slice()).contains("`size`"));
    }

    #[test]
    fn fuzz_archives() {
        let sound = archive(|b| {
            file(b, "checkpoints/best/state.json", b"{}");
            before(b, EntryType::GNULongName, b"checkpoints/long\0");
            file(b, "checkpoints/x", b"long");
            before(b, EntryType::XHeader, b"22 path=checkpoints/y\n");
            file(b, "checkpoints/y", &[7; 700]);
        });
        let words = ["ustar  \0", "././@LongLink", "checkpoints/", "path=", "size=", "../"];
        super::engine::fuzz("tar", &[sound], &words, |bytes| {
            let (_, dir) = take(bytes);
            // Nothing beside the folder that it is for.
            assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        });
    }

    #[test]
    fn paths_and_entries_are_bounded() {
        let deep = archive(|b| {
            let path = format!("checkpoints/{}x", "d/".repeat(7_000));
            before(b, EntryType::GNULongName, path.as_bytes());
            file(b, "checkpoints/x", b"x");
        });
        assert!(refused(deep.as_slice()).starts_with("It sends what was not asked for"));
        let many = archive(|b| {
            for i in 0..=ENTRIES {
                file(b, &format!("checkpoints/{i}"), b"");
            }
        });
        assert_eq!(refused(many.as_slice()), "It sends more than 10000 entries.");
        let headers = archive(|b| {
            for _ in 0..=ENTRIES {
                before(b, EntryType::GNULongName, b"checkpoints/x");
            }
        });
        assert_eq!(refused(headers.as_slice()), "It sends more than 10000 entries.");
        let huge = archive(|b| {
            b.append(&header("checkpoints/x", 1 << 50, EntryType::Regular), &b""[..]).unwrap();
        });
        assert!(matches!(take(huge.as_slice()).0, Err(CallError::Local(_))));
    }

    #[test]
    fn files_get_the_mode_of_files_made_here() {
        let bytes = archive(|b| {
            b.append(&header("checkpoints/d", 0, EntryType::Directory), &b""[..]).unwrap();
            file(b, "checkpoints/d/x", b"x");
        });
        let (done, dir) = take(bytes.as_slice());
        done.unwrap();
        let mode = |path: PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let (ours, folder) = (dir.path().join("ours"), dir.path().join("folder"));
        fs::write(&ours, "").unwrap();
        fs::create_dir(&folder).unwrap();
        let part = dir.path().join("part/checkpoints/d");
        assert_eq!(mode(part.join("x")), mode(ours));
        assert_eq!(mode(part), mode(folder));
    }
}

//! Archives from a host, which is not trusted.

use std::io::{self, Read};
use std::path::{Component, Path};

use crate::spec::printable;

use super::call::CallError;
use super::host::broken;

/// Free space that a copy from a host leaves on our disk.
const LEFT_FREE: u64 = 1 << 30;
/// Files that one fetch may bring.
const FILES: usize = 10_000;

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
    archive.set_preserve_permissions(false);
    for (count, entry) in archive.entries()?.enumerate() {
        let mut entry = entry.map_err(broken)?;
        let path = entry.path().map_err(broken)?.into_owned();
        let plain = path.components().all(|part| matches!(part, Component::Normal(_)));
        let asked = path
            .components()
            .next()
            .is_some_and(|first| folders.iter().any(|folder| first.as_os_str() == folder.as_str()));
        let kind = entry.header().entry_type();
        if count >= FILES || !plain || !asked || !(kind.is_file() || kind.is_dir()) {
            let name = printable(&path.to_string_lossy(), 80).into_owned();
            return Err(CallError::Unexpected(format!(
                "It sends what was not asked for: `{name}`."
            )));
        }
        let size = entry.size();
        let free = rustix::fs::statvfs(part).map_err(io::Error::from)?;
        if free.f_bavail.saturating_mul(free.f_frsize).saturating_sub(size) < LEFT_FREE {
            return Err(CallError::Local(
                "Too little space is left on this disk to fetch.".to_owned(),
            ));
        }
        if !entry.unpack_in(part).map_err(broken)? {
            return Err(CallError::Unexpected(
                "It sends a path that leads out of the run.".to_owned(),
            ));
        }
        tell(size);
    }
    // What fills up the archive's last block; unread it would make the sender fail.
    let filling = io::copy(&mut from.take(1 << 20), &mut io::sink()).map_err(broken)?;
    if filling == 1 << 20 {
        return Err(CallError::Unexpected("Its archive does not end.".to_owned()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

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

    fn take(bytes: &[u8]) -> (Result<(), CallError>, tempfile::TempDir) {
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
            assert!(matches!(done, Err(CallError::Unexpected(_))), "{name}: {done:?}");
            assert!(!dir.path().join("evil").exists());
        }
        let link = archive(|b| {
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(tar::EntryType::Symlink);
            header.set_size(0);
            b.append_link(&mut header, "checkpoints/last", "/etc").unwrap();
        });
        assert!(matches!(take(&link).0, Err(CallError::Unexpected(_))));
        let whole = archive(|b| file(b, "checkpoints/w", &[7; 5000]));
        assert!(take(&whole[..3000]).0.is_err(), "a torn archive is no result");
    }
}

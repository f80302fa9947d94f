//! Sizes on the disk.

use std::fs;
use std::path::Path;

/// Bytes of the files below a folder, links not followed; of a file its own.
pub fn bytes_below(path: &Path) -> u64 {
    let Ok(meta) = fs::symlink_metadata(path) else { return 0 };
    if !meta.is_dir() {
        return meta.len();
    }
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    entries.map(|entry| bytes_below(&entry.path())).sum()
}

/// What is left over of the disk that a folder lies on; `None` where nobody tells.
pub fn free(folder: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(folder).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_as_large_as_its_files() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("deep")).unwrap();
        fs::write(folder.path().join("a"), [0; 10]).unwrap();
        fs::write(folder.path().join("deep/b"), [0; 20]).unwrap();
        std::os::unix::fs::symlink("/", folder.path().join("link")).unwrap();
        let link = fs::symlink_metadata(folder.path().join("link")).unwrap().len();
        assert_eq!(bytes_below(folder.path()), 30 + link);
        assert_eq!(bytes_below(&folder.path().join("none")), 0);
        assert!(free(folder.path()).is_some());
    }
}

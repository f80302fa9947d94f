//! Work that another run has done already: token ids, and the text vectors of frozen encoders.
//!
//! The runner names a folder of the board in `TUNEBOARD_CACHE_DIR`; without one nothing is kept. Names
//! are hashes of all that the contents depend on, so that nothing in it is ever out of date. Whatever
//! goes wrong here only costs time.

use std::fs::File;
use std::ops::Deref;
use std::path::PathBuf;
use std::time::SystemTime;
use std::{env, fs};

use memmap2::Mmap;
use sha2::{Digest, Sha256};
use tuneboard::spec::hex;

/// The most bytes that are kept; what was used longest ago goes first.
const MOST: u64 = 4 << 30;
/// What every file ends with: a file that was cut short lacks it.
const END: &[u8] = b"tuneboard cache 1";

/// What was kept, mapped into memory: runs that use the same share its pages.
#[derive(Debug)]
pub struct Kept(Mmap);

impl Deref for Kept {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.0.strip_suffix(END).unwrap_or_default()
    }
}

/// A folder of finished work, or none.
pub struct Cache {
    folder: Option<PathBuf>,
    most: u64,
}

impl Cache {
    /// The folder that `TUNEBOARD_CACHE_DIR` names.
    pub fn from_env() -> Self {
        Self { folder: env::var_os("TUNEBOARD_CACHE_DIR").map(PathBuf::from), most: MOST }
    }

    /// A folder of one's own.
    #[cfg(test)]
    pub fn at(folder: PathBuf) -> Self {
        Self { folder: Some(folder), most: MOST }
    }

    /// What was kept under `name`.
    pub fn get(&self, name: &str) -> Option<Kept> {
        let path = self.folder.as_ref()?.join(name);
        let file = File::open(&path).ok()?;
        // SAFETY: the mapping is read-only. A file that another process shortened meanwhile would end
        // this one with SIGBUS; what is kept here is written once, renamed into place and only ever
        // removed, which leaves a mapping whole. (On a network disk that holds for removal by this
        // machine, and only its runs are given the folder.)
        let map = unsafe { Mmap::map(&file) }.ok()?;
        if !map.ends_with(END) {
            let _ = fs::remove_file(&path);
            return None;
        }
        if let Ok(file) = File::options().append(true).open(&path) {
            let _ = file.set_modified(SystemTime::now());
        }
        Some(Kept(map))
    }

    /// Keeps `bytes` under `name`, if that is possible, and throws away what has become too much.
    pub fn put(&self, name: &str, bytes: &[u8]) {
        let Some(folder) = &self.folder else { return };
        let temporary = folder.join(format!("{name}.tmp-{}", std::process::id()));
        let written = fs::create_dir_all(folder)
            .and_then(|()| fs::write(&temporary, [bytes, END].concat()))
            .and_then(|()| fs::rename(&temporary, folder.join(name)));
        if written.is_err() {
            let _ = fs::remove_file(&temporary);
        }
        self.shrink();
    }

    fn shrink(&self) {
        let entries = self.folder.as_ref().and_then(|folder| fs::read_dir(folder).ok());
        let mut files: Vec<_> = entries
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| {
                let facts = entry.metadata().ok()?;
                Some((facts.modified().ok()?, facts.len(), entry.path()))
            })
            .collect();
        files.sort();
        let mut total: u64 = files.iter().map(|file| file.1).sum();
        for (_, size, path) in files {
            if total <= self.most {
                break;
            }
            let _ = fs::remove_file(path);
            total -= size;
        }
    }
}

/// Makes the name of what depends on nothing but the parts it is given.
pub struct Name {
    kind: &'static str,
    sha: Sha256,
}

impl Name {
    /// For contents of that kind.
    pub fn new(kind: &'static str) -> Self {
        Self { kind, sha: Sha256::new() }
    }

    /// One more thing that the contents depend on.
    pub fn part(mut self, bytes: &[u8]) -> Self {
        // Lengths go first, so that no two different contents feed the same bytes.
        self.sha.update((bytes.len() as u64).to_le_bytes());
        self.sha.update(bytes);
        self
    }

    /// The name of the file.
    pub fn finish(self) -> String {
        format!("{}-{}", self.kind, hex(&self.sha.finalize()))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn cache(folder: &tempfile::TempDir, most: u64) -> Cache {
        Cache { folder: Some(folder.path().join("cache")), most }
    }

    #[test]
    fn what_is_kept_comes_back_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let cache = cache(&folder, MOST);
        assert!(cache.get("a").is_none());
        cache.put("a", b"some bytes");
        let kept = cache.get("a").unwrap();
        assert_eq!(*kept, *b"some bytes");
        let path = folder.path().join("cache/a");
        let whole = fs::read(&path).unwrap();
        fs::write(&path, &whole[..whole.len() - 1]).unwrap();
        assert!(cache.get("a").is_none());
        assert!(!path.exists());
        fs::write(&path, b"").unwrap();
        assert!(cache.get("a").is_none());
        let none = Cache { folder: None, most: MOST };
        none.put("a", b"x");
        assert!(none.get("a").is_none());
    }

    #[test]
    fn what_was_used_longest_ago_goes_first() {
        let folder = tempfile::tempdir().unwrap();
        let cache = cache(&folder, 3 * (100 + END.len() as u64));
        for (age, name) in [(30, "a"), (20, "b"), (10, "c")] {
            cache.put(name, &[0; 100]);
            let file = File::options().append(true).open(folder.path().join("cache").join(name));
            file.unwrap().set_modified(SystemTime::now() - Duration::from_secs(age)).unwrap();
        }
        assert!(cache.get("a").is_some());
        cache.put("d", &[0; 100]);
        assert!(cache.get("b").is_none());
        assert!(["a", "c", "d"].iter().all(|name| cache.get(name).is_some()));
    }

    #[test]
    fn names_tell_contents_apart() {
        let name = |parts: &[&str]| {
            parts.iter().fold(Name::new("x"), |name, part| name.part(part.as_bytes())).finish()
        };
        assert_eq!(name(&["ab", "c"]), name(&["ab", "c"]));
        assert_ne!(name(&["ab", "c"]), name(&["a", "bc"]));
    }
}

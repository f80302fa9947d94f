use std::path::Path;

/// Whether what lies at `path` in a model's or data set's folder lies in that folder, once every symbolic
/// link is followed. A folder that came from outside may hold a link to anything that this user can read,
/// and what is copied or sent must not be that.
///
/// A snapshot in the cache of the Hugging Face hub is made of links into the `blobs` beside it, which
/// count as its own.
pub fn is_within(folder: &Path, path: &Path) -> bool {
    let (Ok(folder), Ok(path)) = (folder.canonicalize(), path.canonicalize()) else { return false };
    let blobs = || {
        let snapshots = folder.parent()?;
        let repository = snapshots.parent()?;
        let name = repository.file_name()?.to_str()?;
        let is_cache = snapshots.ends_with("snapshots")
            && ["models--", "datasets--"].iter().any(|kind| name.starts_with(kind));
        is_cache.then(|| repository.join("blobs"))
    };
    path.starts_with(&folder) || blobs().is_some_and(|blobs| path.starts_with(blobs))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn links_lead_nowhere_else() {
        let dir = tempfile::tempdir().unwrap();
        let at = |path: &str| dir.path().join(path);
        for folder in ["model/deep", "models--a--b/snapshots/1", "models--a--b/blobs", "model-2"] {
            fs::create_dir_all(at(folder)).unwrap();
        }
        for file in ["secret", "model/config.json", "models--a--b/blobs/7", "model-2/x"] {
            fs::write(at(file), "").unwrap();
        }
        let link = |to: &str, from: &str| symlink(to, at(from)).unwrap();
        link("config.json", "model/own");
        link("../secret", "model/other");
        link("../model-2/x", "model/neighbour");
        link("../..", "model/deep/up");
        link("nothing", "model/broken");
        link("../../blobs/7", "models--a--b/snapshots/1/config.json");
        link("../../../secret", "models--a--b/snapshots/1/vocab.txt");
        let check = |folder: &str, file: &str, want: bool| {
            assert_eq!(is_within(&at(folder), &at(folder).join(file)), want, "{file}");
        };
        check("model", "config.json", true);
        check("model", "own", true);
        check("model", "deep", true);
        check("model", "other", false);
        check("model", "neighbour", false);
        check("model", "deep/up", false);
        check("model", "broken", false);
        check("models--a--b/snapshots/1", "config.json", true);
        check("models--a--b/snapshots/1", "vocab.txt", false);
    }
}

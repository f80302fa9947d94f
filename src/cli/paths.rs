//! Files named on the command line.

use std::borrow::Cow;
use std::path::Path;

use crate::spec::locate::pattern;

/// A file that lies in the working folder is found there, wherever the board is; below the board's
/// folder it is named from there, so that the board can be moved.
pub(super) fn here(file: &str, root: &Path) -> String {
    let exists = |path: &Path| match pattern(&path.to_string_lossy()) {
        (_, None) => path.exists(),
        (folder, Some(_)) => path.exists() || Path::new(folder).is_dir(),
    };
    if file.is_empty() || exists(&root.join(file)) {
        return file.to_owned();
    }
    let Ok(path) = std::path::absolute(file) else { return file.to_owned() };
    if !exists(&path) {
        return file.to_owned();
    }
    let root = std::path::absolute(root).unwrap_or_else(|_| root.to_path_buf());
    path.strip_prefix(root).unwrap_or(&path).display().to_string()
}

/// Pairs of which those that name data files are found from the working folder. Values that are lists
/// are looked at one by one.
pub(super) fn resolved<'a>(
    pairs: &[(&'a str, &'a str)],
    root: &Path,
) -> Vec<(&'a str, Cow<'a, str>)> {
    let one = |(key, value): &(&'a str, &'a str)| {
        if !["data", "val", "test"].contains(key) {
            return (*key, Cow::Borrowed(*value));
        }
        // `\\,` is a comma within a path.
        let marked = value.replace("\\,", "\u{0}");
        let found = marked.split(',').map(|file| here(&file.trim().replace('\u{0}', ","), root));
        let found: Vec<String> = found.map(|file| file.replace(',', "\\,")).collect();
        (*key, Cow::Owned(found.join(",")))
    };
    pairs.iter().map(one).collect()
}

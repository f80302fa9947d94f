//! The files that `data=`, `val=` or `test=` mean: one, a folder of shards, or those that fit a pattern.

mod matching;
mod natural;

use std::fs;
use std::io;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use super::error::{DataError, first_few, quoted, shown};
use super::part::{Part, part};
use crate::spec::locate::{data_path, pattern};
use crate::spec::{nearest, printable};
use matching::matching;
use natural::natural;

/// One file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shard {
    /// For sentences: as in the spec, and what lies below.
    pub name: String,
    pub path: PathBuf,
}

/// The files of a data set. A folder or a pattern may say by its names which rows are for what.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    /// Never empty.
    pub data: Vec<Shard>,
    pub val: Vec<Shard>,
    pub test: Vec<Shard>,
}

/// What a data file's name may end with, before the end of a packed one.
const ENDS: [&str; 9] = ["csv", "tsv", "tab", "jsonl", "ndjson", "json", "parquet", "pq", "arrow"];
const PACKED: [&str; 5] = ["gz", "zst", "bz2", "xz", "zstd"];
/// What Hugging Face writes beside its shards.
const NO_DATA: [&str; 4] =
    ["dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json"];
/// Folders below a data set's folder that are looked into.
const DEPTH: u32 = 3;
/// More files than this are no data set.
const MAX_FILES: usize = 10_000;

/// The extension of a data file in small letters, without that of its packing.
pub(super) fn extension(path: &Path) -> String {
    let end = |p: &Path| p.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    let last = end(path);
    if PACKED.contains(&last.as_str()) { end(&path.with_extension("")) } else { last }
}

/// Finds the files that `name` (relative to `root`) means.
///
/// # Errors
/// Nothing there; a pipe or a device; a folder whose files are not those of one data set.
pub(super) fn find(root: &Path, name: &str) -> Result<Place, DataError> {
    let path = data_path(root, name);
    match fs::metadata(&path) {
        Ok(meta) if meta.is_dir() => folder(&path, name, 0),
        Ok(meta) if meta.is_file() => {
            Ok(Place { data: vec![Shard { name: name.to_owned(), path }], ..Place::default() })
        }
        Ok(meta) => {
            let kind = meta.file_type();
            let what = if kind.is_fifo() { "a pipe" } else { "a device or a socket" };
            Err(DataError::file(
                name,
                format!("is {what}, not a file; write its contents to a file first"),
            ))
        }
        Err(e) if e.kind() == io::ErrorKind::NotFound => match pattern(name) {
            (_, Some(_)) => matching(root, name),
            (_, None) => Err(not_found(root, &path, name)),
        },
        Err(e) => Err(DataError::io(name, e)),
    }
}

fn not_found(root: &Path, path: &Path, name: &str) -> DataError {
    let wanted = path.file_name().unwrap_or_default().to_string_lossy();
    // Where a board has its data.
    let usual = format!("data/{wanted}");
    let files = path.parent().map(|folder| listed(folder, true)).unwrap_or_default();
    let nearest = if root.join(&usual).is_file() {
        Some(usual)
    } else {
        nearest(&wanted, files.iter().map(String::as_str))
    };
    DataError::NotFound {
        path: shown(name),
        nearest: nearest.map(|n| printable(&n, 80).into_owned()),
    }
}

/// The names of the files or the folders in a folder, sorted; hidden ones are left out.
fn listed(folder: &Path, files: bool) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut names: Vec<String> = entries
        .flatten()
        .filter(|e| if files { e.path().is_file() } else { e.path().is_dir() })
        .map(|e| e.file_name().to_string_lossy().into_owned())
        .filter(|name| !name.starts_with('.'))
        .take(MAX_FILES)
        .collect();
    names.sort_by_key(|name| natural(name));
    names
}

/// True for a folder of plain texts.
fn holds_texts(folder: &Path) -> bool {
    let files = listed(folder, true);
    !files.is_empty() && files.iter().all(|file| extension(Path::new(file)) == "txt")
}

/// Data files in a folder by their extension; Spark's `_SUCCESS` and the like are left out.
fn data_files(folder: &Path) -> Vec<String> {
    let is_data = |name: &String| {
        ENDS.contains(&extension(Path::new(name)).as_str())
            && !name.starts_with('_')
            && !NO_DATA.contains(&name.as_str())
    };
    listed(folder, true).into_iter().filter(is_data).collect()
}

fn folder(path: &Path, name: &str, depth: u32) -> Result<Place, DataError> {
    let name = name.trim_end_matches('/');
    let shard = |below: &str| Shard { name: format!("{name}/{below}"), path: path.join(below) };
    let files = data_files(path);
    if ["dataset_dict.json", "state.json"].iter().any(|file| path.join(file).is_file()) {
        return Err(DataError::file(
            name,
            "was written by save_to_disk of Hugging Face datasets, which is not read; save it as Parquet in \
             Python: datasets.load_from_disk(FOLDER)[\"train\"].to_parquet(\"train.parquet\")",
        ));
    }
    let folders = listed(path, false);
    let by_folder: Vec<&String> = folders.iter().filter(|f| part(f).is_some()).collect();
    if files.is_empty() && !by_folder.is_empty() {
        let mut place = Place::default();
        for split in by_folder {
            let below = path.join(split);
            let files = data_files(&below);
            one_of_a_kind(&format!("{name}/{split}"), &files)?;
            let shards = files.iter().map(|file| shard(&format!("{split}/{file}")));
            place.of(part(split)).extend(shards);
        }
        return place.checked(name);
    }
    if files.is_empty() {
        let inner =
            |f: &String| if depth < DEPTH { holds_data(&path.join(f), depth) } else { false };
        let with: Vec<&String> = folders.iter().filter(|f| inner(f)).collect();
        return match with.as_slice() {
            [one] => folder(&path.join(one), &format!("{name}/{one}"), depth + 1),
            // As the film reviews of aclImdb: the folder is the label.
            [] if folders.len() > 1 && folders.iter().all(|f| holds_texts(&path.join(f))) => {
                let folders = first_few(&folders, |f| quoted(f));
                Err(DataError::file(
                    name,
                    format!(
                        "holds a folder for each class ({folders}) with a text a file; write one CSV file with the \
                         columns text and label"
                    ),
                ))
            }
            [] => {
                let files = listed(path, true);
                let hint = if files.is_empty() {
                    String::new()
                } else {
                    format!(" ({})", first_few(&files, |f| quoted(f)))
                };
                Err(DataError::file(
                    name,
                    format!("is a folder without data files; name a file{hint}"),
                ))
            }
            many => Err(DataError::file(
                name,
                format!(
                    "holds several data sets ({}); name one of them",
                    first_few(many, |f| quoted(f))
                ),
            )),
        };
    }
    let words = files.iter().filter(|f| split_word(f).is_some()).count();
    if words == files.len() || (words == 0 && (files.len() > 1 || is_numbered(&files[0]))) {
        return place_of(files.iter().map(|f| shard(f)).collect(), name, true);
    }
    Err(DataError::file(
        name,
        format!("is a folder; name a file in it ({})", first_few(&files, |f| quoted(f))),
    ))
}

fn holds_data(folder: &Path, depth: u32) -> bool {
    !data_files(folder).is_empty()
        || (depth < DEPTH
            && listed(folder, false).iter().any(|f| holds_data(&folder.join(f), depth + 1)))
}

/// Sorts files by the split that their names tell. Those of a folder must be shards of one data set;
/// who gives a pattern has chosen.
fn place_of(files: Vec<Shard>, name: &str, strict: bool) -> Result<Place, DataError> {
    let mut place = Place::default();
    for file in files {
        place.of(split_word(&leaf(&file.path))).push(file);
    }
    if strict {
        for part in [&place.data, &place.val, &place.test] {
            let names: Vec<String> = part.iter().map(|shard| leaf(&shard.path)).collect();
            one_of_a_kind(name, &names)?;
        }
    }
    for part in [&place.data, &place.val, &place.test] {
        complete(part)?;
    }
    place.checked(name)
}

impl Place {
    fn of(&mut self, part: Option<Part>) -> &mut Vec<Shard> {
        match part {
            Some(Part::Val) => &mut self.val,
            Some(Part::Test) => &mut self.test,
            Some(Part::Train) | None => &mut self.data,
        }
    }

    /// A folder of test rows alone is read like any other.
    fn checked(mut self, name: &str) -> Result<Self, DataError> {
        if self.data.is_empty() {
            match (self.val.is_empty(), self.test.is_empty()) {
                (false, true) => self.data = std::mem::take(&mut self.val),
                (true, false) => self.data = std::mem::take(&mut self.test),
                (true, true) => {
                    return Err(DataError::file(name, "is a folder without data files"));
                }
                (false, false) => {
                    return Err(DataError::file(
                        name,
                        "holds rows to validate and test, but none to train; name a file",
                    ));
                }
            }
        }
        Ok(self)
    }
}

/// Which split a file's name tells: `train-00000-of-00002.parquet`, `my_data.test.csv`.
fn split_word(name: &str) -> Option<Part> {
    name.split(|c: char| !c.is_ascii_alphabetic()).find_map(part)
}

/// Shards differ in their numbers alone.
fn one_of_a_kind(folder: &str, names: &[String]) -> Result<(), DataError> {
    let Some(first) = names.first() else { return Ok(()) };
    if names.iter().all(|name| without_numbers(name) == without_numbers(first)) {
        return Ok(());
    }
    let why = format!(
        "is a folder of different files; name one of them ({})",
        first_few(names, |f| quoted(f))
    );
    Err(DataError::file(folder, why))
}

fn without_numbers(name: &str) -> String {
    name.chars().filter(|c| !c.is_ascii_digit()).collect()
}

fn is_numbered(name: &str) -> bool {
    count_of(name).is_some() || name.starts_with("part-")
}

/// Of `train-00000-of-00003.parquet` the 3.
fn count_of(name: &str) -> Option<usize> {
    let (before, after) = name.rsplit_once("-of-")?;
    before.ends_with(|c: char| c.is_ascii_digit()).then_some(())?;
    after.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// Refuses a set of numbered shards of which one is missing.
fn complete(shards: &[Shard]) -> Result<(), DataError> {
    let Some(first) = shards.first() else { return Ok(()) };
    match count_of(&leaf(&first.path)) {
        Some(count)
            if count > shards.len()
                && shards.iter().all(|s| count_of(&leaf(&s.path)) == Some(count)) =>
        {
            let here = shards.len();
            Err(DataError::within(
                &first.name,
                format!(
                    "only {here} of its {count} shards are there; fetch the others, or name single files"
                ),
            ))
        }
        _ => Ok(()),
    }
}

fn leaf(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(shards: &[Shard]) -> Vec<&str> {
        shards.iter().map(|s| s.name.as_str()).collect()
    }

    fn at(files: &[&str], name: &str) -> Result<Place, String> {
        let root = tempfile::tempdir().unwrap();
        for file in files {
            let path = root.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x").unwrap();
        }
        find(root.path(), name).map_err(|e| e.to_string())
    }

    #[test]
    fn folders_of_shards_are_data_sets() {
        let place =
            at(&["d/part-10.csv", "d/part-9.csv", "d/_SUCCESS", "d/.part-9.csv.crc"], "d").unwrap();
        assert_eq!(names(&place.data), ["d/part-9.csv", "d/part-10.csv"]);
        let hub = [
            "h/README.md",
            "h/data/train-00000-of-00002.parquet",
            "h/data/train-00001-of-00002.parquet",
            "h/data/validation-00000-of-00001.parquet",
            "h/data/test-00000-of-00001.parquet",
        ];
        let place = at(&hub, "h").unwrap();
        assert_eq!((place.data.len(), place.val.len(), place.test.len()), (2, 1, 1));
        assert_eq!(names(&place.val), ["h/data/validation-00000-of-00001.parquet"]);
        let place = at(&hub, "h/data/t*.parquet").unwrap();
        assert_eq!((place.data.len(), place.val.len(), place.test.len()), (2, 0, 1));
        let place = at(&["d/train/a.jsonl.gz", "d/dev/a.jsonl.gz"], "d/").unwrap();
        assert_eq!(
            (names(&place.data), names(&place.val)),
            (vec!["d/train/a.jsonl.gz"], vec!["d/dev/a.jsonl.gz"])
        );
        let place = at(&["d/test.csv"], "d").unwrap();
        assert_eq!(names(&place.data), ["d/test.csv"]);
    }

    #[test]
    fn folders_that_are_no_data_set_are_refused() {
        for (files, name, want) in [
            (&["d/spam.csv"][..], "d", "d is a folder; name a file in it (`spam.csv`)."),
            (
                &["d/a.csv", "d/b.csv"],
                "d",
                "d is a folder of different files; name one of them (`a.csv`, `b.csv`).",
            ),
            (
                &["d/train.csv", "d/test.csv", "d/sample.csv"],
                "d",
                "d is a folder; name a file in it",
            ),
            (
                &["d/x/train.csv", "d/y/train.csv"],
                "d",
                "d holds several data sets (`x`, `y`); name one of them.",
            ),
            (
                &["d/pos/1.txt", "d/neg/2.txt"],
                "d",
                "a folder for each class (`neg`, `pos`) with a text",
            ),
            (&["d/notes.txt"], "d", "d is a folder without data files; name a file (`notes.txt`)."),
            (
                &["d/dataset_dict.json", "d/train/data-00000-of-00001.arrow"],
                "d",
                "written by save_to_disk",
            ),
            (&["d/train-00000-of-00002.parquet"], "d", "only 1 of its 2 shards are there"),
            (&["d/a.csv"], "d/b*.csv", "There is no file that fits d/b*.csv."),
            (&["data/a.csv"], "a.csv", "There is no file a.csv; did you mean `data/a.csv`?"),
            (&["d/valid.csv", "d/test.csv"], "d", "but none to train"),
        ] {
            let got = at(files, name).unwrap_err();
            assert!(got.contains(want), "\n got {got}\nwant {want}");
        }
    }
}

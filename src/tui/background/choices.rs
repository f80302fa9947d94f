use std::fs;
use std::path::Path;

use crate::board::{Board, Model};
use crate::dataset::{self, Profile};
use crate::spec::RunSpec;

/// What is picked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// A folder under `models/`.
    Models,
    /// A file under `data/`.
    Data,
}

/// A file under `data/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataFile {
    /// As `data=` takes it.
    pub name: String,
    /// Its size.
    pub bytes: u64,
}

/// What there is to choose from.
#[derive(Debug, Clone)]
pub struct Choices {
    /// What was asked for.
    pub which: Which,
    /// Models, if they were asked for.
    pub models: Vec<Model>,
    /// Data files, if they were asked for.
    pub files: Vec<DataFile>,
    /// The file that was looked into, and what is in it or why it cannot be read.
    pub profile: Option<(String, Result<Box<Profile>, String>)>,
}

impl Choices {
    /// The names to choose from, in order.
    pub fn names(&self) -> Vec<&str> {
        match self.which {
            Which::Models => self.models.iter().map(|m| m.name.as_str()).collect(),
            Which::Data => self.files.iter().map(|f| f.name.as_str()).collect(),
        }
    }
}

/// Files that a run can learn from.
const ENDINGS: [&str; 8] = ["csv", "tsv", "tab", "txt", "jsonl", "ndjson", "json", "parquet"];
/// A larger file is not read for a preview.
const LARGEST: u64 = 64 << 20;
/// How deep folders under `data/` are looked into.
const DEPTH: usize = 3;

/// Lists what there is, and looks into the named file.
pub fn look(board: &Board, which: Which, name: Option<String>) -> Choices {
    let mut choices = Choices { which, models: Vec::new(), files: Vec::new(), profile: None };
    match which {
        Which::Models => {
            let look = |name: &String| Model::look(&board.models().join(name), name);
            choices.models = board.model_names().iter().map(look).collect();
        }
        Which::Data => {
            files(board.root(), &board.root().join("data"), DEPTH, &mut choices.files);
            choices.files.sort_by(|a, b| a.name.cmp(&b.name));
            choices.profile = name.map(|name| {
                let seen = profile(board, &name);
                (name, seen)
            });
        }
    }
    choices
}

fn files(root: &Path, folder: &Path, depth: usize, found: &mut Vec<DataFile>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() && depth > 0 {
            files(root, &path, depth - 1, found);
            continue;
        }
        let is_data = path.extension().is_some_and(|e| {
            ENDINGS.iter().any(|known| e.to_string_lossy().eq_ignore_ascii_case(known))
        });
        if let (true, Ok(meta), Ok(name)) = (is_data, fs::metadata(&path), path.strip_prefix(root))
        {
            let name = name.to_string_lossy().into_owned();
            found.push(DataFile { name, bytes: meta.len() });
        }
    }
}

fn profile(board: &Board, name: &str) -> Result<Box<Profile>, String> {
    let path = crate::spec::locate::data_path(board.root(), name);
    if fs::metadata(&path).is_ok_and(|m| m.len() > LARGEST) {
        return Err("It is too large for a preview; `tuneboard data` reads it.".to_owned());
    }
    let spec = RunSpec { data: name.to_owned(), ..board.config.defaults.clone() };
    dataset::profile(&spec, board.root()).map(Box::new).map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_files_are_found_in_folders_and_looked_into() {
        let folder = tempfile::tempdir().unwrap();
        let board = Board::init(folder.path()).unwrap();
        let data = folder.path().join("data");
        fs::create_dir(data.join("deep")).unwrap();
        fs::write(data.join("README.md"), "no data").unwrap();
        fs::write(data.join("b.csv"), "text,label\n".to_owned() + &"hi,a\nyo,b\n".repeat(20))
            .unwrap();
        fs::write(data.join("deep/a.jsonl"), "{").unwrap();
        let choices = look(&board, Which::Data, Some("data/b.csv".into()));
        assert_eq!(choices.names(), ["data/b.csv", "data/deep/a.jsonl"]);
        let (name, profile) = choices.profile.unwrap();
        assert_eq!((name.as_str(), profile.unwrap().rows), ("data/b.csv", 40));
        let broken = look(&board, Which::Data, Some("data/deep/a.jsonl".into()));
        assert!(broken.profile.unwrap().1.unwrap_err().contains("a.jsonl"));
        assert!(look(&board, Which::Models, None).names().is_empty());
    }
}

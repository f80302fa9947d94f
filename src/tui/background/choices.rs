use std::fs;
use std::path::{Path, PathBuf};

use crate::board::{Board, Model, is_model};
use crate::dataset::{self, Profile};
use crate::spec::{BuiltIn, Family, RunSpec};

/// What is picked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// A folder under `models/`.
    Models,
    /// A file under `data/`.
    Data,
    /// A column of the data.
    Columns,
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
    /// Repositories of the hub that are not here, if models were asked for, with what they are.
    pub hub: Vec<(&'static str, &'static str)>,
    /// Data files, if they were asked for; folders on the way to some end with `/`.
    pub files: Vec<DataFile>,
    /// The columns of the data, if they were asked for.
    pub columns: Vec<String>,
    /// The file that was looked into, and what is in it or why it cannot be read.
    pub profile: Option<(String, Result<Box<Profile>, String>)>,
}

impl Choices {
    /// The names to choose from, in order.
    pub fn names(&self) -> Vec<&str> {
        match self.which {
            Which::Models => {
                let here = self.models.iter().map(|model| model.name.as_str());
                here.chain(self.hub.iter().map(|(name, _)| *name)).collect()
            }
            Which::Data => self.files.iter().map(|f| f.name.as_str()).collect(),
            Which::Columns => self.columns.iter().map(String::as_str).collect(),
        }
    }
}

/// Files that a run can learn from.
const ENDINGS: [&str; 8] = ["csv", "tsv", "tab", "txt", "jsonl", "ndjson", "json", "parquet"];
/// What may stand behind them.
const PACKED: [&str; 4] = ["gz", "zst", "bz2", "xz"];
/// A larger file is not read for a preview.
const LARGEST: u64 = 64 << 20;
/// How deep folders under `data/` are looked into.
const DEPTH: usize = 3;

/// Lists what there is, and what lies in `folder` if one is typed; looks into the named file.
pub fn look(board: &Board, which: Which, folder: &str, name: Option<String>) -> Choices {
    let mut choices = Choices {
        which,
        models: Vec::new(),
        hub: Vec::new(),
        files: Vec::new(),
        columns: Vec::new(),
        profile: None,
    };
    match which {
        Which::Models => {
            choices.models =
                if folder.is_empty() { models(board) } else { models_in(board, folder) };
            choices.hub = if folder.is_empty() { on_hub(board) } else { Vec::new() };
        }
        Which::Data => {
            if folder.is_empty() {
                files(board.root(), &board.root().join("data"), DEPTH, &mut choices.files);
            } else {
                choices.files = files_in(board, folder);
            }
            choices.files.sort_by(|a, b| a.name.cmp(&b.name));
        }
        Which::Columns => {
            let spec = spec(board, name.as_deref().unwrap_or_default());
            choices.columns = dataset::columns_of(&spec, board.root()).unwrap_or_default();
        }
    }
    if which != Which::Models {
        choices.profile = name.filter(|name| !name.ends_with('/')).map(|name| {
            let seen = profile(board, &name);
            (name, seen)
        });
    }
    choices
}

/// A path as it is typed, with the home that `~/` means.
pub fn expanded(typed: &str) -> String {
    match (typed.strip_prefix("~/"), std::env::var("HOME")) {
        (Some(rest), Ok(home)) => format!("{home}/{rest}"),
        _ => typed.to_owned(),
    }
}

/// The folder of a path that is being typed, with its `/`; empty for a name.
pub fn folder_of(typed: &str) -> String {
    let whole = expanded(typed.trim());
    whole.rfind('/').map(|slash| whole[..=slash].to_owned()).unwrap_or_default()
}

/// The folders under `models/`, and the models that need none.
fn models(board: &Board) -> Vec<Model> {
    let look = |name: &String| Model::look(&board.models().join(name), board.root(), name);
    let built_in = |name: &&str| Model {
        name: (*name).to_owned(),
        family: Some(
            "built in: it needs no folder and learns from the train rows alone".to_owned(),
        ),
        ..Model::default()
    };
    board.model_names().iter().map(look).chain(BuiltIn::WORDS.iter().map(built_in)).collect()
}

/// What a repository is called once it has been fetched.
pub fn short_name(repository: &str) -> &str {
    repository.rsplit('/').next().unwrap_or(repository)
}

/// A repository or two of each family, but for those that are here already.
fn on_hub(board: &Board) -> Vec<(&'static str, &'static str)> {
    let here = board.model_names();
    let of = |family: &Family| {
        let row = family.row();
        row.examples.split(", ").filter(|name| !name.is_empty()).map(|name| (name, row.title))
    };
    let is_here = |(name, _): &(&str, &str)| here.iter().any(|model| model == short_name(name));
    Family::ALL.iter().flat_map(of).filter(|known| !is_here(known)).collect()
}

/// The checkpoints in a folder, and the folders that may hold some.
fn models_in(board: &Board, folder: &str) -> Vec<Model> {
    let look = |(name, path): (String, PathBuf)| {
        if is_model(&path) {
            Model::look(&path, board.root(), &name)
        } else {
            Model { name: format!("{name}/"), ..Model::default() }
        }
    };
    listed(board, folder).into_iter().filter(|(_, path)| path.is_dir()).map(look).collect()
}

/// The data files in a folder, and its folders.
fn files_in(board: &Board, folder: &str) -> Vec<DataFile> {
    let file = |(name, path): (String, PathBuf)| {
        if path.is_dir() {
            return Some(DataFile { name: format!("{name}/"), bytes: 0 });
        }
        let bytes = fs::metadata(&path).ok()?.len();
        is_data(&path).then_some(DataFile { name, bytes })
    };
    listed(board, folder).into_iter().filter_map(file).collect()
}

/// No more of a folder is listed.
const MOST: usize = 1000;

/// What lies in a folder: as one would type it, and where it is. Hidden names are left out.
fn listed(board: &Board, folder: &str) -> Vec<(String, PathBuf)> {
    let Ok(entries) = fs::read_dir(board.root().join(folder)) else { return Vec::new() };
    let names = entries.flatten().take(MOST).map(|e| e.file_name().to_string_lossy().into_owned());
    let mut names: Vec<String> = names.filter(|name| !name.starts_with('.')).collect();
    names.sort();
    names
        .into_iter()
        .map(|name| (format!("{folder}{name}"), board.root().join(folder).join(&name)))
        .collect()
}

/// True if a run can learn from such a file; its packing does not count.
fn is_data(path: &Path) -> bool {
    let known = |path: &Path| {
        path.extension().is_some_and(|e| {
            ENDINGS.iter().any(|known| e.to_string_lossy().eq_ignore_ascii_case(known))
        })
    };
    let packed = path.extension().is_some_and(|e| PACKED.iter().any(|known| e == *known));
    known(path) || packed && known(&path.with_extension(""))
}

fn files(root: &Path, folder: &Path, depth: usize, found: &mut Vec<DataFile>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() && depth > 0 {
            files(root, &path, depth - 1, found);
            continue;
        }
        if let (true, Ok(meta), Ok(name)) =
            (is_data(&path), fs::metadata(&path), path.strip_prefix(root))
        {
            let name = name.to_string_lossy().into_owned();
            found.push(DataFile { name, bytes: meta.len() });
        }
    }
}

fn spec(board: &Board, data: &str) -> RunSpec {
    RunSpec { data: data.to_owned(), ..board.config.defaults.clone() }
}

fn profile(board: &Board, name: &str) -> Result<Box<Profile>, String> {
    let path = crate::spec::locate::data_path(board.root(), name);
    if fs::metadata(&path).is_ok_and(|m| m.len() > LARGEST) {
        return Err("It is too large for a preview; `tuneboard data` reads it.".to_owned());
    }
    dataset::profile(&spec(board, name), board.root()).map(Box::new).map_err(|e| e.to_string())
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
        let choices = look(&board, Which::Data, "", Some("data/b.csv".into()));
        assert_eq!(choices.names(), ["data/b.csv", "data/deep/a.jsonl"]);
        let (name, profile) = choices.profile.unwrap();
        assert_eq!((name.as_str(), profile.unwrap().rows), ("data/b.csv", 40));
        let broken = look(&board, Which::Data, "", Some("data/deep/a.jsonl".into()));
        assert!(broken.profile.unwrap().1.unwrap_err().contains("a.jsonl"));
        let models = look(&board, Which::Models, "", None);
        let names = models.names();
        assert_eq!(&names[..BuiltIn::WORDS.len()], BuiltIn::WORDS);
        assert!(names.contains(&"FacebookAI/roberta-base"));
        fs::create_dir_all(board.models().join("roberta-base")).unwrap();
        fs::write(board.models().join("roberta-base/config.json"), "{}").unwrap();
        assert!(
            !look(&board, Which::Models, "", None).names().contains(&"FacebookAI/roberta-base")
        );
        let columns = look(&board, Which::Columns, "", Some("data/b.csv".into()));
        assert_eq!(columns.names(), ["text", "label"]);
    }

    #[test]
    fn a_path_is_completed_folder_by_folder() {
        let folder = tempfile::tempdir().unwrap();
        let board = Board::init(&folder.path().join("board")).unwrap();
        let elsewhere = folder.path().join("elsewhere");
        fs::create_dir_all(elsewhere.join("deep")).unwrap();
        fs::create_dir_all(elsewhere.join("bert")).unwrap();
        fs::create_dir_all(elsewhere.join(".git")).unwrap();
        for file in ["a.csv", "b.csv.gz", "notes.md", "bert/config.json"] {
            fs::write(elsewhere.join(file), "{}").unwrap();
        }
        let typed = format!("{}/a", elsewhere.display());
        let at = folder_of(&typed);
        let name = |name: &str| format!("{at}{name}");
        let files = look(&board, Which::Data, &at, None);
        assert_eq!(files.names(), [name("a.csv"), name("b.csv.gz"), name("bert/"), name("deep/")]);
        let models = look(&board, Which::Models, &at, None);
        assert_eq!(models.names(), [name("bert"), name("deep/")]);
        assert_eq!(
            look(&board, Which::Data, "../elsewhere/", None).names()[0],
            "../elsewhere/a.csv"
        );
        assert_eq!((folder_of("minilm"), folder_of("models/")), (String::new(), "models/".into()));
    }
}

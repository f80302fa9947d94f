//! What a run reads: the files and folders that its spec names, by the hash of their contents.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Component, Path, PathBuf};
use std::time::SystemTime;

use sha2::{Digest, Sha256};

use crate::board::{Board, is_within};
use crate::spec::{BuiltIn, RunSpec, locate, printable};

/// One thing that must lie on a host before a run can start there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Input {
    /// Where the trainer looks for it, relative to its working folder.
    pub link: String,
    /// The file or folder here.
    pub path: PathBuf,
    /// Names its contents.
    pub hash: String,
    /// Bytes to copy.
    pub bytes: u64,
}

/// What no trainer of ours reads of a checkpoint's folder, and what may be large.
const UNREAD: [&str; 4] = [".bin", ".msgpack", ".onnx", ".ot"];

/// True for weights of a folder that has no safetensors, which are read in their stead.
fn is_weights(folder: &Path, leaf: &str) -> bool {
    let has = |name: &str| folder.join(name).exists();
    leaf.starts_with("pytorch_model")
        && !has("model.safetensors")
        && !has("model.safetensors.index.json")
}

/// A file of an input: its name within the input, where it lies, its length and its time.
type Entry = (String, PathBuf, u64, Option<SystemTime>);

/// Remembers the hashes of what has not changed since.
#[derive(Debug, Default)]
pub(super) struct Hashes {
    known: HashMap<PathBuf, (Vec<Entry>, String)>,
}

impl Hashes {
    /// The inputs of a run, and its spec as it has to be read on another machine: a path that leads
    /// out of the board's folder is replaced by one within the run's own.
    ///
    /// # Errors
    /// One sentence: what is not there, or cannot be read.
    pub(super) fn inputs(
        &mut self,
        board: &Board,
        spec: &RunSpec,
    ) -> Result<(RunSpec, Vec<Input>), String> {
        let mut there = spec.clone();
        let mut inputs = Vec::new();
        if let Some(parent) = spec.init.parent() {
            // Its path below the board is the same everywhere.
            let folder = locate::kept_checkpoint(board.root(), parent);
            self.add(board, "init", folder.clone(), &mut there, &mut inputs)?;
            self.add_base(board, &folder, &mut inputs)?;
        } else if BuiltIn::named(&spec.model).is_none() {
            let model = board.model(&spec.model).map_err(|e| e.to_string())?;
            self.add(board, "model", model.clone(), &mut there, &mut inputs)?;
            self.add_base(board, &model, &mut inputs)?;
        }
        for key in ["data", "val", "test"] {
            let name = spec.get(key).unwrap_or_default();
            if !name.is_empty() {
                let path = locate::data_path(board.root(), &name);
                let (folder, rest) = locate::pattern(&name);
                match rest.filter(|_| !path.exists()) {
                    None => self.add(board, key, path, &mut there, &mut inputs)?,
                    // All of the folder goes along, and the pattern chooses there.
                    Some(_) if folder.is_empty() || folder == "/" => {
                        return Err(format!(
                            "{key}={name}: put these files into a folder of their own, which is copied."
                        ));
                    }
                    Some(rest) => {
                        let path = locate::data_path(board.root(), folder);
                        self.add(board, key, path, &mut there, &mut inputs)?;
                        let moved = there.get(key).filter(|there| *there != name);
                        if let Some(folder) = moved {
                            there
                                .set(key, &format!("{folder}/{rest}"))
                                .map_err(|e| e.to_string())?;
                        }
                    }
                }
            }
        }
        Ok((there, inputs))
    }

    fn add(
        &mut self,
        board: &Board,
        key: &str,
        path: PathBuf,
        there: &mut RunSpec,
        inputs: &mut Vec<Input>,
    ) -> Result<(), String> {
        let link = if let Some(link) = plain(board.root(), &path) {
            link
        } else {
            let leaf = path.file_name().unwrap_or_default().to_string_lossy();
            let leaf: String = leaf.chars().filter(|c| !c.is_control()).collect();
            let link = format!("in/{key}/{leaf}");
            there.set(key, &link).map_err(|e| e.to_string())?;
            link
        };
        self.put(link, path, inputs)
    }

    /// What an adapter stands beside, which is not in its folder: where the name that it gives it leads.
    fn add_base(
        &mut self,
        board: &Board,
        adapter: &Path,
        inputs: &mut Vec<Input>,
    ) -> Result<(), String> {
        let Some((path, leaf)) = board.base(adapter).map_err(|e| e.to_string())? else {
            return Ok(());
        };
        let link = plain(board.root(), &path).unwrap_or_else(|| format!("models/{leaf}"));
        let is_plain = plain(Path::new(""), Path::new(&link)).is_some();
        if !is_plain || inputs.iter().any(|input| input.link == link && input.path != path) {
            return Err(format!(
                "{} stands beside {}, for which there is no name on a host: copy it under models/ with \
                 `tuneboard models add`.",
                adapter.display(),
                path.display()
            ));
        }
        self.put(link, path, inputs)
    }

    /// Adds what lies at `path` as `link`, unless it is there.
    fn put(&mut self, link: String, path: PathBuf, inputs: &mut Vec<Input>) -> Result<(), String> {
        let unreadable = |e: io::Error| format!("{}: {e}.", path.display());
        let entries = entries(&path).map_err(unreadable)?;
        let bytes = entries.iter().map(|entry| entry.2).sum();
        let hash = match self.known.get(&path) {
            Some((seen, hash)) if *seen == entries => hash.clone(),
            _ => {
                let hash = content(&entries).map_err(unreadable)?;
                self.known.insert(path.clone(), (entries, hash.clone()));
                hash
            }
        };
        if !inputs.iter().any(|input| input.link == link) {
            inputs.push(Input { link, path, hash, bytes });
        }
        Ok(())
    }
}

/// The path below `root` as the trainer may be given it elsewhere; `None` if it leads out of there.
fn plain(root: &Path, path: &Path) -> Option<String> {
    let below = path.strip_prefix(root).ok()?;
    let normal = below.components().all(|part| matches!(part, Component::Normal(_)));
    let text = below.to_str().filter(|text| !text.chars().any(char::is_control))?;
    // `a/./b` and `a//b` name the same file, but only one of them can be a link.
    let same = below.components().collect::<PathBuf>().to_str() == Some(text);
    (normal && same && !text.is_empty() && !text.ends_with('/')).then(|| text.to_owned())
}

/// The files of an input, sorted by name. Links are followed as long as they stay in its folder, and
/// refused if they leave it; hidden files are left out.
fn entries(path: &Path) -> io::Result<Vec<Entry>> {
    let meta = fs::metadata(path)?;
    if meta.is_file() {
        return Ok(vec![("x".to_owned(), path.to_path_buf(), meta.len(), meta.modified().ok())]);
    }
    let mut found = Vec::new();
    collect(path, path, "x", 0, &mut found)?;
    found.sort();
    Ok(found)
}

fn collect(
    root: &Path,
    folder: &Path,
    name: &str,
    depth: u32,
    found: &mut Vec<Entry>,
) -> io::Result<()> {
    if depth > 8 || found.len() > 10_000 {
        return Err(io::Error::other("too many files for a model or data set"));
    }
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let leaf = entry.file_name();
        let Some(leaf) = leaf.to_str().filter(|l| !l.starts_with('.')) else { continue };
        let (path, name) = (entry.path(), format!("{name}/{leaf}"));
        let Ok(meta) = fs::metadata(&path) else { continue };
        let unread = UNREAD.iter().any(|end| leaf.ends_with(end)) && !is_weights(folder, leaf);
        if !unread && !is_within(root, &path) {
            let why = format!("`{}` is a link that leads out of it", printable(leaf, 80));
            return Err(io::Error::other(why));
        }
        if meta.is_dir() {
            collect(root, &path, &name, depth + 1, found)?;
        } else if meta.is_file() && !unread {
            found.push((name, path, meta.len(), meta.modified().ok()));
        }
    }
    Ok(())
}

/// 32 hex digits of SHA-256 over name, length and bytes of every file.
fn content(entries: &[Entry]) -> io::Result<String> {
    let mut sha = Sha256::new();
    let mut piece = vec![0; 1 << 20];
    for (name, path, length, _) in entries {
        sha.update((name.len() as u64).to_le_bytes());
        sha.update(name.as_bytes());
        sha.update(length.to_le_bytes());
        let mut file = File::open(path)?;
        loop {
            let n = file.read(&mut piece)?;
            if n == 0 {
                break;
            }
            sha.update(piece.get(..n).unwrap_or_default());
        }
    }
    Ok(hex(&sha.finalize()))
}

/// The first 32 digits of a digest.
pub(super) fn hex(digest: &[u8]) -> String {
    crate::spec::hex(digest.get(..16).unwrap_or_default())
}

/// Writes an input as a tar archive whose single entry is `x`.
pub(super) fn pack(path: &Path, to: &mut dyn Write) -> io::Result<()> {
    let mut archive = tar::Builder::new(to);
    for (name, path, length, _) in entries(path)? {
        let mut header = tar::Header::new_gnu();
        header.set_size(length);
        header.set_mode(0o644);
        header.set_entry_type(tar::EntryType::Regular);
        // A file that grows meanwhile must not make the archive run over.
        archive.append_data(&mut header, name, File::open(path)?.take(length))?;
    }
    archive.into_inner()?.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_leads_out_of_the_board_is_not_plain() {
        let root = Path::new("/board");
        let check = |path: &str, want: Option<&str>| {
            assert_eq!(plain(root, Path::new(path)).as_deref(), want, "{path}");
        };
        check("/board/data/a b's $(x).csv", Some("data/a b's $(x).csv"));
        check("/board/-rf", Some("-rf"));
        check("/elsewhere/a.csv", None);
        check("/board/../etc/passwd", None);
        check("/board/a\nb", None);
        check("/board/a/./b", None);
        check("/board", None);
    }

    #[test]
    fn equal_contents_have_equal_hashes_wherever_they_lie() {
        let dir = tempfile::tempdir().unwrap();
        let make = |name: &str, text: &str| {
            let folder = dir.path().join(name);
            fs::create_dir(&folder).unwrap();
            fs::write(folder.join("config.json"), text).unwrap();
            fs::write(folder.join("pytorch_model.bin"), name).unwrap();
            fs::write(folder.join("model.safetensors"), "").unwrap();
            content(&entries(&folder).unwrap()).unwrap()
        };
        let (a, b, c) = (make("a", "{}"), make("b", "{}"), make("c", "{ }"));
        assert_eq!(a, b);
        assert_ne!(a, c);
        assert_eq!(a.len(), 32);
        // Where there are no safetensors, the pickle is what is read.
        fs::remove_file(dir.path().join("a/model.safetensors")).unwrap();
        assert_eq!(entries(&dir.path().join("a")).unwrap().len(), 2);
    }

    #[test]
    fn a_link_out_of_a_model_is_not_sent_to_a_host() {
        let dir = tempfile::tempdir().unwrap();
        let model = dir.path().join("model");
        fs::create_dir(&model).unwrap();
        fs::write(dir.path().join("secret"), "key").unwrap();
        fs::write(model.join("config.json"), "{}").unwrap();
        std::os::unix::fs::symlink("config.json", model.join("again.json")).unwrap();
        assert_eq!(entries(&model).unwrap().len(), 2);
        std::os::unix::fs::symlink("../secret", model.join("vocab.txt")).unwrap();
        let error = entries(&model).unwrap_err().to_string();
        assert!(error.contains("`vocab.txt` is a link that leads out of it"), "{error}");
    }

    #[test]
    fn what_an_adapter_stands_beside_goes_along_under_the_name_that_it_gives_it() {
        let dir = tempfile::tempdir().unwrap();
        let board = Board::init(&dir.path().join("board")).unwrap();
        let write = |path: &str, text: &str| {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        let adapter = |path: &str, base: &Path| {
            let json = serde_json::json!({ "peft_type": "LORA", "base_model_name_or_path": base });
            write(&format!("{path}/adapter_config.json"), &json.to_string());
        };
        let links = |model: &str| {
            let spec = RunSpec { model: model.into(), ..RunSpec::default() };
            let (_, inputs) = Hashes::default().inputs(&board, &spec)?;
            Ok::<_, String>(inputs.into_iter().map(|input| input.link).collect::<Vec<_>>())
        };
        write("board/models/m/config.json", "{}");
        write("far/base/config.json", "{}");
        adapter("board/models/one", Path::new("org/m"));
        adapter("board/models/two", &dir.path().join("far/base"));
        adapter("out/three", Path::new("m"));
        adapter("board/models/base", &dir.path().join("far/base"));
        adapter("board/models/lost", Path::new("org/none"));
        assert_eq!(links("one").unwrap(), ["models/one", "models/m"]);
        assert_eq!(links("two").unwrap(), ["models/two", "models/base"]);
        let out = dir.path().join("out/three").display().to_string();
        assert_eq!(links(&out).unwrap(), ["in/model/three", "models/m"]);
        assert!(links("base").unwrap_err().contains("no name on a host"));
        assert!(links("lost").unwrap_err().contains("`org/none` is not on this machine"));
    }

    #[test]
    fn an_archive_holds_one_entry() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("d.csv"), "text,label\n").unwrap();
        let mut bytes = Vec::new();
        pack(&dir.path().join("d.csv"), &mut bytes).unwrap();
        let mut archive = tar::Archive::new(bytes.as_slice());
        let names: Vec<_> =
            archive.entries().unwrap().map(|e| e.unwrap().path().unwrap().into_owned()).collect();
        assert_eq!(names, [Path::new("x")]);
    }
}

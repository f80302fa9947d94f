use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{card, own_head, units};
use crate::board::{Board, is_within};
use crate::cli::error::CliError;
use crate::dataset::remove_left_over;
use crate::runner;
use crate::spec::Task;
use crate::spec::family::{ADAPTER_FILES, TOKENIZER_FILES};
use crate::store::Run;

/// What a model folder is made of; a checkpoint holds more, to resume from.
const FILES: [&str; 5] = ["config.json", "model.safetensors", WEIGHTS, ADAPTER, "vocabulary.json"];
const ADAPTER: &str = ADAPTER_FILES[0];
const WEIGHTS: &str = ADAPTER_FILES[1];

/// What was written.
pub struct Written {
    /// Names of the files.
    pub files: Vec<&'static str>,
    /// Their size in all.
    pub bytes: u64,
    /// What a person should know of loading them.
    pub notice: Option<String>,
}

/// Copies the model of the checkpoint `from` into the folder `to`: whole, or not at all.
///
/// # Errors
/// A folder that holds something, or cannot be written.
pub fn export(
    board: &Board,
    run: &Run,
    from: &Path,
    to: &Path,
    merge: bool,
) -> Result<Written, CliError> {
    if merge && !from.join(ADAPTER).is_file() {
        let id = run.id;
        return Err(CliError::Usage(format!("{id} has no adapter; leave --merge out.")));
    }
    let usage = |why: String| CliError::Usage(format!("{} {why}.", to.display()));
    match fs::read_dir(to).map(|mut entries| entries.next().is_none()) {
        Ok(true) => {}
        Ok(false) => return Err(usage("holds files already; name a new folder".into())),
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        Err(e) => return Err(usage(format!("cannot be used: {e}"))),
    }
    let parent = to.parent().filter(|parent| parent.is_dir());
    let parent = parent.ok_or_else(|| usage("lies in a folder that does not exist".into()))?;
    let temporary = parent.join(format!(".tuneboard-export-{}", std::process::id()));
    for name in [".tuneboard-export-", ".tuneboard-merge-"] {
        remove_left_over(parent, name, "");
    }
    let merged = parent.join(format!(".tuneboard-merge-{}", std::process::id()));
    let source = if merge { merge_into(board, from, &merged) } else { Ok(from.to_owned()) };
    let written =
        source.and_then(|source| fill(board, run, &source, &temporary)).and_then(|written| {
            // An empty folder gives way to a rename.
            fs::rename(&temporary, to).map_err(cannot(to))?;
            Ok(written)
        });
    let _ = fs::remove_dir_all(&merged);
    if written.is_err() {
        let _ = fs::remove_dir_all(&temporary);
    }
    written
}

/// The adapter in `from` and what it stands beside, as one model in the new folder `to`.
fn merge_into(board: &Board, from: &Path, to: &Path) -> Result<PathBuf, CliError> {
    let (from, folder) = (from.display().to_string(), to.display().to_string());
    runner::trainer_output(board, &["merge", &from, &folder], "")?;
    Ok(to.to_owned())
}

/// `adapter_config.json` names what the adapter stands beside from the board on; elsewhere it takes the whole
/// path.
fn with_whole_path(config: &str, root: &Path) -> String {
    let Ok(mut json) = serde_json::from_str::<Value>(config) else { return config.to_owned() };
    if let Some(base) = json["base_model_name_or_path"].as_str() {
        let whole = root.join(base);
        if whole.is_dir() {
            json["base_model_name_or_path"] = whole.display().to_string().into();
        }
    }
    format!("{json:#}\n")
}

fn fill(board: &Board, run: &Run, from: &Path, folder: &Path) -> Result<Written, CliError> {
    fs::create_dir_all(folder).map_err(cannot(folder))?;
    let mut written = Written { files: Vec::new(), bytes: 0, notice: None };
    for name in FILES.into_iter().chain(TOKENIZER_FILES) {
        let (source, to) = (from, folder.join(name));
        let from = source.join(name);
        if from.exists() && !is_within(source, &from) {
            return Err(cannot(&from)(io::Error::other(
                "it is a link that leads out of its folder",
            )));
        }
        match fs::copy(&from, &to) {
            Ok(bytes) => {
                written.files.push(name);
                written.bytes += bytes;
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound && !from.exists() => {}
            Err(e) => return Err(cannot(&to)(e)),
        }
    }
    let config = folder.join(ADAPTER);
    if let Ok(text) = fs::read_to_string(&config) {
        fs::write(&config, with_whole_path(&text, board.root())).map_err(cannot(&config))?;
    }
    let has = |files: &[&str]| files.iter().all(|file| written.files.contains(file));
    if !has(&["config.json", "model.safetensors"]) && !has(&["config.json", WEIGHTS, ADAPTER]) {
        let from = from.display();
        return Err(CliError::Place(format!(
            "{from} lost files while they were copied: the run saved a newer checkpoint; try again."
        )));
    }
    // An adapter stays as peft has it.
    if run.spec.task == Task::Regress && folder.join("model.safetensors").is_file() {
        units::restore(folder)?;
    }
    // An adapter's head stands in the base's class, and its config.json says nothing of it.
    if folder.join("model.safetensors").is_file() {
        written.files.extend(own_head::mark(folder)?);
    }
    written.notice = card::notice(folder);
    let card = card::card(run, folder);
    written.bytes += card.len() as u64;
    written.files.push("README.md");
    let path = folder.join("README.md");
    fs::write(&path, card).map_err(cannot(&path))?;
    Ok(written)
}

fn cannot(path: &Path) -> impl FnOnce(io::Error) -> CliError + use<> {
    let path: PathBuf = path.to_owned();
    move |e| CliError::Place(format!("{} cannot be written: {e}.", path.display()))
}

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::board::{Board, Model, is_within};
use crate::cli::error::CliError;
use crate::cli::exit;
use crate::cli::figures::bytes;
use crate::cli::verb::Context;
use crate::hub::{Weights, is_model_file, pickle};
use crate::spec::family::{ADAPTER_FILES, POOLING_FILE};
use crate::weights::to_safetensors;

/// `tuneboard models add`.
pub fn run(from: &Path, name: Option<String>, context: &mut Context) -> Result<u8, CliError> {
    let board = context.board()?;
    let shown = from.display();
    let folder = match fs::metadata(from) {
        Ok(meta) if meta.is_dir() => from.to_owned(),
        Ok(_) => from.parent().map(Path::to_owned).unwrap_or_default(),
        Err(e) => return Err(CliError::Usage(format!("{shown} cannot be read: {e}."))),
    };
    // `.` and `..` have no name of their own.
    let folder = folder.canonicalize().unwrap_or(folder);
    let own = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let place = place(&board, &name.unwrap_or(own))?;
    let names = files(&folder)?;
    let temporary = board.models().join(format!(".add-{}", std::process::id()));
    let copied = copy(&folder, &names, &temporary)
        .and_then(|()| name_base(&board, &folder, &temporary))
        .and_then(|()| convert(&temporary))
        .and_then(|_| settle(&temporary, &place));
    if copied.is_err() {
        let _ = fs::remove_dir_all(&temporary);
    }
    copied?;
    report(&place, context)
}

/// Where a model of that name will lie.
///
/// # Errors
/// A name that is no plain folder name, or is taken.
pub fn place(board: &Board, name: &str) -> Result<PathBuf, CliError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if name.is_empty() || name.starts_with(['.', '-']) || !name.chars().all(plain) {
        return Err(CliError::Usage(format!(
            "`{name}` cannot name a model: use letters, digits, `.`, `_` and `-`; --name gives \
             another one."
        )));
    }
    let place = board.models().join(name);
    if place.symlink_metadata().is_ok() {
        return Err(CliError::Usage(format!(
            "{} exists already; --name gives the model another name.",
            place.display()
        )));
    }
    fs::create_dir_all(board.models()).map_err(|e| cannot(&board.models(), &e))?;
    Ok(place)
}

/// Gives a complete folder its place.
///
/// # Errors
/// A place that was taken meanwhile, a full disk.
pub fn settle(complete: &Path, place: &Path) -> Result<(), CliError> {
    fs::rename(complete, place).map_err(|e| cannot(place, &e))
}

/// Makes safetensors of a folder's pickles, once and for all; says whether there were any.
///
/// # Errors
/// A pickle of something other than a state dict.
pub fn convert(folder: &Path) -> Result<bool, CliError> {
    if folder.join(ADAPTER_FILES[0]).is_file() {
        return Ok(false);
    }
    to_safetensors(folder).map_err(|e| match e.kind() {
        io::ErrorKind::InvalidData => CliError::Usage(format!("{e}; nothing was added.")),
        _ => cannot(folder, &e),
    })
}

/// Says what is there now, and what is wrong with it.
pub fn report(place: &Path, context: &mut Context) -> Result<u8, CliError> {
    let name = place.file_name().unwrap_or_default().to_string_lossy();
    let model = Model::look(place, context.board()?.root(), &name);
    if context.json {
        context.out.json(&json!(model))?;
        return Ok(exit::OK);
    }
    let family = model.family.as_deref().unwrap_or("unknown family");
    context.out.line(format!("{} ({family}, {})", place.display(), bytes(model.bytes)))?;
    if let Some(problem) = &model.problem {
        context.out.aside(format!("It cannot be trained as it is: {problem}."))?;
    } else {
        context.out.line(format!("Next: tuneboard run model={name} data=FILE"))?;
    }
    Ok(exit::OK)
}

/// The files of a folder that make a model.
fn files(folder: &Path) -> Result<Vec<String>, CliError> {
    let shown = folder.display();
    let unread = |e: io::Error| CliError::Usage(format!("{shown} cannot be read: {e}."));
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).map_err(unread)?.flatten() {
        let size = fs::metadata(entry.path()).ok().filter(fs::Metadata::is_file).map(|m| m.len());
        all.extend(size.map(|size| (entry.file_name().to_string_lossy().into_owned(), size)));
    }
    let has = |name: &str| all.iter().any(|(n, _)| n == name);
    let weights = Weights::of(has);
    if !has("config.json") && !weights.is_some_and(|weights| weights.adapter) {
        return Err(CliError::Usage(format!("{shown} holds no config.json, so it is no model.")));
    }
    let Some(weights) = weights else {
        let other = pickle(all.iter().map(|(name, _)| name.as_str()));
        let other = other.map(|file| format!(", only {file}")).unwrap_or_default();
        return Err(CliError::Usage(format!(
            "{shown} holds no model.safetensors and no pytorch_model.bin{other}."
        )));
    };
    all.retain(|(name, size)| name == "README.md" || is_model_file(name, *size, weights));
    // How a sentence encoder pools is all that is wanted of what lies below.
    if folder.join(POOLING_FILE).is_file() {
        all.push((POOLING_FILE.to_owned(), 0));
    }
    if let Some((name, _)) = all.iter().find(|(name, _)| !is_within(folder, &folder.join(name))) {
        return Err(CliError::Usage(format!(
            "{} is a link that leads out of its folder; nothing was copied. Put the file itself there \
             if it belongs to the model.",
            folder.join(name).display()
        )));
    }
    Ok(all.into_iter().map(|(name, _)| name).collect())
}

fn copy(from: &Path, names: &[String], to: &Path) -> Result<(), CliError> {
    fs::create_dir_all(to).map_err(|e| cannot(to, &e))?;
    for name in names {
        let to = to.join(name);
        if let Some(parent) = to.parent() {
            fs::create_dir_all(parent).map_err(|e| cannot(parent, &e))?;
        }
        fs::copy(from.join(name), &to).map_err(|e| cannot(&to, &e))?;
    }
    Ok(())
}

/// An adapter that named its base by the way from its folder names it by the whole path.
fn name_base(board: &Board, from: &Path, to: &Path) -> Result<(), CliError> {
    let base = |folder: &Path| board.base(folder).ok().flatten().map(|(base, _)| base);
    let Some(was) = base(from).filter(|was| base(to).as_ref() != Some(was)) else { return Ok(()) };
    let path = to.join(ADAPTER_FILES[0]);
    let text = fs::read_to_string(&path).map_err(|e| cannot(&path, &e))?;
    let Ok(mut config) = serde_json::from_str::<Value>(&text) else { return Ok(()) };
    config["base_model_name_or_path"] =
        was.canonicalize().unwrap_or(was).display().to_string().into();
    fs::write(&path, format!("{config:#}\n")).map_err(|e| cannot(&path, &e))
}

fn cannot(path: &Path, error: &io::Error) -> CliError {
    CliError::Place(format!("{} cannot be written: {error}.", path.display()))
}

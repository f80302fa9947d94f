use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use memmap2::Mmap;
use safetensors::SafeTensors;
use serde_json::Value;

use super::StateDict;

/// How weights are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// <https://huggingface.co/docs/safetensors>.
    Safetensors,
    /// What `torch.save` makes of a state dict.
    Pickle,
}

/// The files with a checkpoint's weights.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// How they are written.
    pub format: Format,
    /// One, or all shards in the order of their names.
    pub paths: Vec<PathBuf>,
}

/// No index is larger.
const LARGEST_INDEX: u64 = 64 << 20;

impl Files {
    /// The weights of a folder: `model.safetensors`, or the shards that its index names, or
    /// `pytorch_model.bin`, or its shards; the first of these that is there.
    ///
    /// # Errors
    /// `NotFound` where there is none of them; an index that is none, or names a shard that is missing.
    pub fn of(folder: &Path) -> io::Result<Self> {
        for (single, format) in
            [("model.safetensors", Format::Safetensors), ("pytorch_model.bin", Format::Pickle)]
        {
            let path = folder.join(single);
            if path.exists() {
                return Ok(Self { format, paths: vec![path] });
            }
            let index = folder.join(format!("{single}.index.json"));
            if index.is_file() {
                return Ok(Self { format, paths: shards(folder, &index)? });
            }
        }
        Err(io::Error::new(io::ErrorKind::NotFound, "no model.safetensors"))
    }
}

fn shards(folder: &Path, index: &Path) -> io::Result<Vec<PathBuf>> {
    let bad = |why: String| io::Error::new(io::ErrorKind::InvalidData, why);
    let no_index = || bad("its index is no index of shards".into());
    if fs::metadata(index)?.len() > LARGEST_INDEX {
        return Err(no_index());
    }
    let index: Value = serde_json::from_slice(&fs::read(index)?).map_err(|_| no_index())?;
    let shards = index["weight_map"].as_object().ok_or_else(no_index)?;
    let names: BTreeSet<&str> = shards.values().filter_map(Value::as_str).collect();
    if names.is_empty() {
        return Err(no_index());
    }
    if names.iter().any(|name| name.contains(['/', '\\']) || name.starts_with('.')) {
        return Err(bad("its index names a shard outside the folder".into()));
    }
    let shard = |name: &str| {
        let path = folder.join(name);
        if path.is_file() { Ok(path) } else { Err(bad(format!("its part {name} is missing"))) }
    };
    names.into_iter().map(shard).collect()
}

/// Maps a file into memory.
///
/// # Errors
/// One that cannot be opened, or is no file.
pub fn map(path: &Path) -> io::Result<Mmap> {
    let file = File::open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it is no file"));
    }
    // SAFETY: the mapping is read-only. A file that another process shortens meanwhile would end this one with
    // SIGBUS; checkpoints are written once and renamed into place, never changed.
    unsafe { Mmap::map(&file) }
}

/// The names of a folder's tensors with two axes.
///
/// # Errors
/// Weights that are not there, or damaged.
pub fn matrices(folder: &Path) -> io::Result<Vec<String>> {
    let bad = |why: String| io::Error::new(io::ErrorKind::InvalidData, why);
    let files = Files::of(folder)?;
    let mut names = Vec::new();
    for path in &files.paths {
        let map = map(path)?;
        if files.format == Format::Pickle {
            let dict = StateDict::read(&map).map_err(bad)?;
            let flat = dict.tensors().filter(|(_, stored)| stored.shape.len() == 2);
            names.extend(flat.map(|(name, _)| name.to_owned()));
        } else {
            let (_, header) = SafeTensors::read_metadata(&map).map_err(|e| bad(e.to_string()))?;
            let flat = header.tensors().into_iter().filter(|(_, info)| info.shape.len() == 2);
            names.extend(flat.map(|(name, _)| name));
        }
    }
    Ok(names)
}

/// The numbers in a file that `torch.save` wrote.
///
/// # Errors
/// One that is no sound state dict.
pub fn sum(path: &Path) -> io::Result<u64> {
    let map = map(path)?;
    let dict =
        StateDict::read(&map).map_err(|why| io::Error::new(io::ErrorKind::InvalidData, why))?;
    let sizes = dict.tensors().map(|(_, stored)| stored.elements() as u64);
    Ok(sizes.fold(0, u64::saturating_add))
}

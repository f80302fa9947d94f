use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use safetensors::tensor::View;
use safetensors::{Dtype, serialize_to_file};
use serde_json::json;

use super::code::bytes_of;
use super::files::{Files, Format, map};
use super::state_dict::{StateDict, Stored};

/// A tensor on its way into another file.
struct Moved<'a> {
    bytes: &'a [u8],
    stored: &'a Stored,
}

impl View for Moved<'_> {
    fn dtype(&self) -> Dtype {
        self.stored.dtype
    }

    fn shape(&self) -> &[usize] {
        &self.stored.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        self.stored.data(self.bytes)
    }

    fn data_len(&self) -> usize {
        self.stored.elements() * bytes_of(self.stored.dtype)
    }
}

/// Tensors may share a storage, as an output layer and word embeddings do; more than that is no model.
const MOST_SHARED: usize = 4;

/// Writes the tensors of a state dict as safetensors, one after the other.
///
/// # Errors
/// One whose tensors share their storages too often, a full disk.
pub fn write(bytes: &[u8], to: &Path) -> io::Result<Vec<String>> {
    let bad = |why: String| io::Error::new(io::ErrorKind::InvalidData, why);
    let dict = StateDict::read(bytes).map_err(bad)?;
    let moved = |stored| Moved { bytes, stored };
    let total: usize = dict.tensors().map(|(_, stored)| moved(stored).data_len()).sum();
    if total > bytes.len().saturating_mul(MOST_SHARED) {
        return Err(bad("its tensors share their storages too often".to_owned()));
    }
    let tensors = dict.tensors().map(|(name, stored)| (name.to_owned(), moved(stored)));
    // transformers refuses files without this word.
    let format = Some([("format".to_owned(), "pt".to_owned())].into());
    serialize_to_file(tensors, format, to).map_err(io::Error::other)?;
    Ok(dict.tensors().map(|(name, _)| name.to_owned()).collect())
}

/// Replaces the pickles of a folder by safetensors, if it has its weights in pickles; says whether it had.
///
/// # Errors
/// A file that is no sound state dict, by its name; a full disk.
pub fn to_safetensors(folder: &Path) -> io::Result<bool> {
    let files = Files::of(folder)?;
    if files.format == Format::Safetensors {
        return Ok(false);
    }
    let count = files.paths.len();
    let mut places = BTreeMap::new();
    for (index, path) in files.paths.iter().enumerate() {
        let name = match count {
            1 => "model.safetensors".to_owned(),
            _ => format!("model-{:05}-of-{count:05}.safetensors", index + 1),
        };
        let from = path.file_name().unwrap_or_default().to_string_lossy();
        let named = |e: io::Error| io::Error::new(e.kind(), format!("{from}: {e}"));
        let written = map(path).and_then(|map| write(&map, &folder.join(&name)));
        places.extend(written.map_err(named)?.into_iter().map(|tensor| (tensor, name.clone())));
    }
    if count > 1 {
        let index = json!({ "metadata": {}, "weight_map": places });
        fs::write(folder.join("model.safetensors.index.json"), format!("{index:#}\n"))?;
    }
    for path in &files.paths {
        fs::remove_file(path)?;
    }
    match fs::remove_file(folder.join("pytorch_model.bin.index.json")) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        _ => Ok(true),
    }
}

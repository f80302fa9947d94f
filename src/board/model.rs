use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use serde::Serialize;
use serde_json::Value;

/// What a folder tells of itself; what cannot be read is absent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Model {
    /// The folder under `models/`.
    pub name: String,
    /// `model_type` of config.json.
    pub family: Option<String>,
    /// Numbers in model.safetensors.
    pub parameters: Option<u64>,
    /// Size of the folder's files.
    pub bytes: u64,
    /// What is missing or broken, as a fragment.
    pub problem: Option<String>,
}

impl Model {
    /// Looks into a checkpoint folder: config, header of the weights, sizes of files; loads nothing.
    pub fn look(folder: &Path, name: &str) -> Self {
        let mut model = Self { name: name.to_owned(), bytes: size(folder), ..Self::default() };
        if folder.join("options.json").is_file() && !folder.join("config.json").is_file() {
            return model.elmo(folder);
        }
        let config = fs::read(folder.join("config.json")).map_err(|e| e.to_string());
        let config = config
            .and_then(|text| serde_json::from_slice::<Value>(&text).map_err(|e| e.to_string()));
        match config {
            Ok(config) => model.family = config["model_type"].as_str().map(str::to_owned),
            Err(e) => model.problem = Some(format!("config.json: {e}")),
        }
        match parameters(&folder.join("model.safetensors")) {
            Ok(n) => model.parameters = Some(n),
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                model.problem.get_or_insert_with(|| "no model.safetensors".into());
            }
            Err(e) => {
                model.problem.get_or_insert_with(|| format!("model.safetensors: {e}"));
            }
        }
        if !folder.join("tokenizer.json").is_file() {
            model.problem.get_or_insert_with(|| "no tokenizer.json".into());
        }
        model
    }

    /// A published ELMo: options.json beside weights of which HDF5 has no header that is quick to read.
    fn elmo(mut self, folder: &Path) -> Self {
        self.family = Some("elmo".to_owned());
        let names = ["model.safetensors", "lm_weights.safetensors"];
        self.parameters = names.iter().find_map(|name| parameters(&folder.join(name)).ok());
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        let has_hdf5 = entries.filter_map(|e| e.path().extension().map(std::ffi::OsStr::to_owned));
        if self.parameters.is_none() && !has_hdf5.into_iter().any(|e| e == "hdf5" || e == "h5") {
            self.problem = Some("no weights.hdf5".to_owned());
        }
        self
    }
}

fn size(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    entries
        .flatten()
        .filter_map(|e| fs::metadata(e.path()).ok())
        .filter(fs::Metadata::is_file)
        .map(|m| m.len())
        .sum()
}

/// Longest header that is believed; the format allows 100 MB, real ones stay below 1 MB.
const LONGEST_HEADER: u64 = 100 << 20;

/// Adds up the shapes in the header of a safetensors file: 8 bytes of length, then JSON
/// (<https://huggingface.co/docs/safetensors>).
fn parameters(path: &Path) -> io::Result<u64> {
    let bad = |why: &str| io::Error::new(io::ErrorKind::InvalidData, why.to_owned());
    let mut file = File::open(path)?;
    let mut length = [0; 8];
    file.read_exact(&mut length).map_err(|_| bad("shorter than its header"))?;
    let length = u64::from_le_bytes(length);
    if length > LONGEST_HEADER.min(file.metadata()?.len()) {
        return Err(bad("not a safetensors file"));
    }
    let mut header = Vec::new();
    file.take(length).read_to_end(&mut header)?;
    let header: serde_json::Map<String, Value> =
        serde_json::from_slice(&header).map_err(|_| bad("its header is not JSON"))?;
    let tensors = header.iter().filter(|(name, _)| *name != "__metadata__");
    let sizes = tensors.filter_map(|(_, tensor)| {
        let shape = tensor["shape"].as_array()?;
        shape.iter().map(Value::as_u64).try_fold(1u64, |all, n| all.checked_mul(n?))
    });
    Ok(sizes.fold(0, u64::saturating_add))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn safetensors(header: &str) -> Vec<u8> {
        [&(header.len() as u64).to_le_bytes(), header.as_bytes()].concat()
    }

    #[test]
    fn weights_are_counted_from_the_header() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.safetensors");
        let header = r#"{"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[3,4],
            "data_offsets":[0,48]},"b":{"dtype":"F32","shape":[],"data_offsets":[48,52]}}"#;
        fs::write(&path, safetensors(header)).unwrap();
        assert_eq!(parameters(&path).unwrap(), 13);
        for broken in [b"".to_vec(), vec![255; 20], safetensors("{"), safetensors("[]")] {
            fs::write(&path, &broken).unwrap();
            assert_eq!(parameters(&path).unwrap_err().kind(), io::ErrorKind::InvalidData);
        }
    }

    #[test]
    fn a_broken_folder_says_what_is_wrong() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("config.json"), "{").unwrap();
        let model = Model::look(folder.path(), "x");
        assert!(model.problem.unwrap().starts_with("config.json: EOF"));
        fs::write(folder.path().join("config.json"), r#"{"model_type":"bert"}"#).unwrap();
        let model = Model::look(folder.path(), "x");
        assert_eq!(model.problem.as_deref(), Some("no model.safetensors"));
        assert_eq!(model.family.as_deref(), Some("bert"));
    }
}

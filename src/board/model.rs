use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::Value;

use super::header::header;
use super::{shapes, tokenizer};
use crate::model_config;
use crate::model_config::adapter::{Parts, is_adapter};
use crate::spec::family::{TOKENIZER_FILES, TokenizerKind};
use crate::spec::{Baseline, Family, locate, stand_in};
use crate::weights::{self, Files, Format};

/// What a folder tells of itself; what cannot be read is absent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Model {
    /// The folder under `models/`.
    pub name: String,
    /// `model_type` of config.json.
    pub family: Option<String>,
    /// Numbers in its weights.
    pub parameters: Option<u64>,
    /// Size of the folder's files.
    pub bytes: u64,
    /// As the front matter of its model card (README.md) names it.
    pub licence: Option<String>,
    /// What is missing or broken, as a fragment.
    pub problem: Option<String>,
}

impl Model {
    /// Looks into a checkpoint folder: config, header of the weights, sizes of files; loads nothing. What an adapter
    /// lacks is its base's, whose name is looked up from the folder `board` on.
    pub fn look(folder: &Path, board: &Path, name: &str) -> Self {
        let mut model = Self {
            name: name.to_owned(),
            bytes: size(folder),
            licence: licence(&folder.join("README.md")),
            ..Self::default()
        };
        if folder.join("options.json").is_file() && !folder.join("config.json").is_file() {
            return model.elmo(folder);
        }
        let parts = match Parts::of(folder, board) {
            Ok(parts) => parts,
            Err(why) => return Self { problem: Some(why), ..model },
        };
        let config = read_config(&parts.config);
        if let Ok(config) = &config {
            model.family = config["model_type"].as_str().map(str::to_owned);
        }
        let weights = all_parameters(&parts.weights);
        model.parameters = weights.as_ref().ok().copied();
        model.problem = problem_of((folder, &parts), &config, Some(&weights));
        model
    }

    /// A published ELMo: options.json beside weights of which HDF5 has no header that is quick to read.
    fn elmo(mut self, folder: &Path) -> Self {
        self.family = Some(Family::Elmo.name().to_owned());
        let names = ["model.safetensors", "lm_weights.safetensors"];
        self.parameters = names.iter().find_map(|name| parameters(&folder.join(name)).ok());
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        let has_hdf5 = entries.filter_map(|e| e.path().extension().map(std::ffi::OsStr::to_owned));
        if self.parameters.is_none() && !has_hdf5.into_iter().any(|e| e == "hdf5" || e == "h5") {
            self.problem = Some("no weights.hdf5".to_owned());
        }
        if let Err(why) = options(folder) {
            self.problem = Some(format!("options.json: {why}"));
        }
        self
    }
}

/// The family of a folder and the config that says so; `None` if it is of none of the families.
pub fn described(folder: &Path, board: &Path) -> Option<(Family, Value)> {
    let folder = Parts::of(folder, board).ok()?.config;
    let read = |name| fs::read(folder.join(name)).ok();
    let config = locate::DESCRIPTIONS.iter().find_map(read)?;
    let config: Value = serde_json::from_slice(&config).ok()?;
    Some((Family::of_config(&config).ok()?, config))
}

/// What keeps a folder from being trained, as a fragment, as far as config, names of files and headers of
/// weights tell; `with_weights` is false where they are drawn anew.
pub fn problem(folder: &Path, board: &Path, with_weights: bool) -> Option<String> {
    if folder.join("options.json").is_file() && !folder.join("config.json").is_file() {
        return options(folder).err().map(|why| format!("options.json: {why}"));
    }
    let parts = match Parts::of(folder, board) {
        Ok(parts) => parts,
        Err(why) => return Some(why),
    };
    let config = read_config(&parts.config);
    let weights = with_weights.then(|| all_parameters(&parts.weights));
    problem_of((folder, &parts), &config, weights.as_ref())
}

fn read_config(folder: &Path) -> Result<Value, String> {
    read_json(&folder.join("config.json"))
}

/// Whether the options of a published ELMo make a network.
fn options(folder: &Path) -> Result<(), String> {
    model_config::check(Family::Elmo, &read_json(&folder.join("options.json"))?)
}

fn read_json(path: &Path) -> Result<Value, String> {
    let text = fs::read(path).map_err(|e| e.to_string())?;
    serde_json::from_slice(&text).map_err(|e| e.to_string())
}

fn problem_of(
    (folder, parts): (&Path, &Parts),
    config: &Result<Value, String>,
    weights: Option<&io::Result<u64>>,
) -> Option<String> {
    let is_adapter = is_adapter(folder);
    let own = not_fetched(folder, weights.is_some());
    if let Some(why) = own.or_else(|| shapes::damaged_adapter(folder).filter(|_| is_adapter)) {
        return Some(why);
    }
    let base = |why: String| {
        if is_adapter { format!("its base {}: {why}", parts.weights.display()) } else { why }
    };
    let family = match config {
        Err(e) => return Some(format!("config.json: {e}")),
        Ok(config) => match Family::of_config(config) {
            Ok(family) => match model_config::check(family, config) {
                Ok(()) => Some(family),
                Err(why) => return Some(format!("config.json: {why}")),
            },
            // A baseline of ours is no network, but can be asked and looked at.
            Err(_) if is_baseline(config) => None,
            Err(why) => return Some(format!("config.json: {why}")),
        },
    };
    match weights {
        None | Some(Ok(_)) => {}
        Some(Err(e)) if e.kind() == io::ErrorKind::NotFound => {
            return Some(base("no model.safetensors".into()));
        }
        Some(Err(e)) => return Some(base(e.to_string())),
    }
    if let (Some(family), Ok(config), Some(Ok(_))) = (family, config, weights)
        && let Some(why) = shapes::misfit(&parts.weights, family, config)
    {
        return Some(base(why));
    }
    let has = |name: &str| parts.tokenizer.join(name).is_file();
    let kind = family?.row().tokenizer;
    if let Some(lacks) = kind.lacks(has) {
        return Some(format!(
            "no {lacks}, without which texts cannot be read; copy it from where the model is from"
        ));
    }
    if kind == TokenizerKind::Subwords && has("tokenizer.json") {
        return tokenizer::problem(&parts.tokenizer.join("tokenizer.json"));
    }
    None
}

/// Files of a checkpoint in whose place lies what was fetched instead of them.
fn not_fetched(folder: &Path, with_weights: bool) -> Option<String> {
    let paths = with_weights.then(|| Files::of(folder).map(|files| files.paths)).transpose();
    let paths = paths.ok().flatten().unwrap_or_default();
    let weights = paths.iter().filter_map(|path| path.file_name()?.to_str());
    let index = with_weights.then_some("model.safetensors.index.json");
    let names = ["config.json"].into_iter().chain(index).chain(weights).chain(TOKENIZER_FILES);
    let mut found: Vec<(&str, &str)> = Vec::new();
    for name in names {
        let mut head = Vec::new();
        let read = File::open(folder.join(name)).map(|file| file.take(64).read_to_end(&mut head));
        if let (Ok(_), Some(why)) = (read, stand_in(&head)) {
            found.push((name, why));
        }
    }
    let (name, why) = found.first()?;
    let others = match found.len() - 1 {
        0 => String::new(),
        1 => format!(" ({} as well)", found[1].0),
        n => format!(" ({n} other files as well)"),
    };
    Some(format!("{name} {why}{others}"))
}

/// True for the checkpoint of a baseline.
fn is_baseline(config: &Value) -> bool {
    let kind = config["model_type"].as_str();
    kind.is_some_and(|kind| kind.parse::<Baseline>().is_ok())
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

/// A card is a page of text; more of a file is not looked at.
const LONGEST_CARD: u64 = 1 << 20;

/// `license: x` between the first two lines of dashes, or the first of a list below `license:`.
fn licence(card: &Path) -> Option<String> {
    let mut text = String::new();
    File::open(card).ok()?.take(LONGEST_CARD).read_to_string(&mut text).ok()?;
    let mut lines = text.lines().skip_while(|line| line.trim().is_empty());
    if lines.next()?.trim_end() != "---" {
        return None;
    }
    let mut lines = lines.take_while(|line| line.trim_end() != "---");
    let value = lines.find_map(|line| line.strip_prefix("license:"))?;
    let value = match value.trim() {
        "" => lines.next()?.trim().strip_prefix('-')?.trim(),
        value => value,
    };
    let word = value.trim_matches(['"', '\'', '[', ']', ' ']).split(',').next()?.trim();
    (!word.is_empty()).then(|| word.to_owned())
}

/// The numbers in a folder's weights: [`Files::of`].
fn all_parameters(folder: &Path) -> io::Result<u64> {
    let files = Files::of(folder)?;
    let count = |path: &PathBuf| match files.format {
        Format::Safetensors => parameters(path),
        Format::Pickle => weights::sum(path),
    };
    let named = |path: &PathBuf, e: io::Error| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let kind =
            if e.kind() == io::ErrorKind::NotFound { io::ErrorKind::InvalidData } else { e.kind() };
        io::Error::new(kind, format!("{name}: {e}"))
    };
    files.paths.iter().map(|path| count(path).map_err(|e| named(path, e))).sum()
}

/// Adds up the shapes in the header of a safetensors file.
fn parameters(path: &Path) -> io::Result<u64> {
    let tensors = header(path)?;
    let sizes =
        tensors.iter().filter(|(name, _)| *name != "__metadata__").filter_map(|(_, tensor)| {
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
        fs::write(&path, [safetensors(header), vec![0; 52]].concat()).unwrap();
        assert_eq!(parameters(&path).unwrap(), 13);
        for broken in [b"".to_vec(), vec![255; 20], safetensors("{"), safetensors("[]")] {
            fs::write(&path, &broken).unwrap();
            assert_eq!(parameters(&path).unwrap_err().kind(), io::ErrorKind::InvalidData);
        }
    }

    #[test]
    fn weights_that_are_cut_short_are_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.safetensors");
        let header = r#"{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,12]}}"#;
        let mut bytes = safetensors(header);
        fs::write(&path, &bytes).unwrap();
        assert_eq!(parameters(&path).unwrap_err().to_string(), "it is cut short");
        bytes.extend([0; 12]);
        fs::write(&path, &bytes).unwrap();
        assert_eq!(parameters(&path).unwrap(), 3);
    }

    #[test]
    fn the_weights_of_shards_are_added_up() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: &[u8]| fs::write(folder.path().join(name), bytes).unwrap();
        let map =
            r#"{"weight_map":{"a":"m-1.safetensors","b":"m-2.safetensors","c":"m-2.safetensors"}}"#;
        write("model.safetensors.index.json", map.as_bytes());
        write("m-1.safetensors", &safetensors(r#"{"a":{"shape":[5]}}"#));
        write("m-2.safetensors", &safetensors(r#"{"b":{"shape":[2,3]},"c":{"shape":[]}}"#));
        assert_eq!(all_parameters(folder.path()).unwrap(), 12);
        write("model.safetensors.index.json", br#"{"weight_map":{"a":"../x"}}"#);
        assert!(all_parameters(folder.path()).is_err());
        write("model.safetensors.index.json", br#"{"weight_map":{"a":"m-9.safetensors"}}"#);
        let said = all_parameters(folder.path()).unwrap_err().to_string();
        assert_eq!(said, "its part m-9.safetensors is missing");
    }

    #[test]
    fn a_card_names_its_licence() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("README.md");
        let of = |text: &str| {
            fs::write(&path, text).unwrap();
            licence(&path)
        };
        assert_eq!(of("---\nlanguage: en\nlicense: apache-2.0\n---\n# x").unwrap(), "apache-2.0");
        assert_eq!(of("---\nlicense:\n- mit\n- x\n---\n").unwrap(), "mit");
        assert_eq!(of("---\r\nlicense: \"cc-by-4.0\"\r\n---\r\n").unwrap(), "cc-by-4.0");
        assert_eq!(of("# x\nlicense: mit\n"), None);
        assert_eq!(of("---\ntags: x\n---\nlicense: mit\n"), None);
        assert_eq!(licence(&folder.path().join("none")), None);
    }

    #[test]
    fn a_broken_folder_says_what_is_wrong() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("config.json"), "{").unwrap();
        let model = Model::look(folder.path(), folder.path(), "x");
        assert!(model.problem.unwrap().starts_with("config.json: EOF"));
        fs::write(folder.path().join("config.json"), r#"{"model_type":"bert"}"#).unwrap();
        let model = Model::look(folder.path(), folder.path(), "x");
        assert_eq!(model.problem.as_deref(), Some("no model.safetensors"));
        assert_eq!(model.family.as_deref(), Some("bert"));
        assert_eq!(
            problem(folder.path(), folder.path(), true).as_deref(),
            Some("no model.safetensors")
        );
        assert!(
            problem(folder.path(), folder.path(), false)
                .unwrap()
                .starts_with("no tokenizer.json, without")
        );
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        write("vocab.txt", "[UNK]");
        assert_eq!(problem(folder.path(), folder.path(), false), None);
        write("tokenizer.json", "version https://git-lfs.github.com/spec/v1");
        let said = problem(folder.path(), folder.path(), false).unwrap();
        assert!(said.starts_with("tokenizer.json is a Git LFS pointer"), "{said}");
        write("vocab.txt", " <!DOCTYPE html>");
        assert!(
            problem(folder.path(), folder.path(), false).unwrap().ends_with("(vocab.txt as well)")
        );
        write("vocab.txt", "[UNK]");
        write("model.safetensors", "version https://git-lfs.github.com/spec/v1\nsize 9\n");
        let said = problem(folder.path(), folder.path(), true).unwrap();
        assert!(said.starts_with("model.safetensors is a Git LFS pointer"), "{said}");
        assert!(said.contains("`git lfs pull`") && said.contains("tokenizer.json"), "{said}");
        write("tokenizer.json", "half a page");
        assert!(problem(folder.path(), folder.path(), false).unwrap().contains("not JSON"));
        write("tokenizer.json", r#"{"version": "2.0", "model": {}}"#);
        assert!(problem(folder.path(), folder.path(), false).unwrap().contains("version 2.0"));
        for (config, why) in [
            (r#"{"model_type":"bert","hidden_dropout_prob":1.0}"#, "dropout of hidden states is 1"),
            (r#"{"model_type":"bert","position_embedding_type":"relative_key"}"#, "relative_key"),
            (r#"{"model_type":"bert","vocab_size":5,"pad_token_id":5}"#, "pad_token_id 5"),
            (r#"{"model_type":"bert","num_hidden_layers":"2"}"#, "it must be a whole number"),
            (
                r#"{"model_type":"bert","hidden_size":64,"num_attention_heads":7}"#,
                "among 7 attention",
            ),
            (r#"{"model_type":"bert","hidden_act":"mish"}"#, "\"mish\", which is not supported"),
            (r#"{"model_type":"gpt2","activation_function":"mish"}"#, "`mish`"),
            (r#"{"model_type":"deberta-v2","relative_attention":true}"#, "share_att_key"),
            (r#"{"model_type":"llama","rope_scaling":{"rope_type":"yarn"}}"#, "`yarn`"),
            (r#"{"model_type":"modernbert","classifier_pooling":"max"}"#, "`max`"),
            (r#"{"model_type":"t5"}"#, "`t5`"),
            ("{}", "no model_type"),
        ] {
            write("config.json", config);
            assert!(
                problem(folder.path(), folder.path(), false).unwrap().contains(why),
                "{config}"
            );
        }
    }
}

use super::error::HubError;
use super::listing::{Listing, Remote};
use crate::spec::family::{ADAPTER_FILES, POOLING_FILE, TOKENIZER_FILES, TokenizerKind};
use crate::spec::printable;

/// Which files of a repository make a model here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// To be fetched, small ones first.
    pub files: Vec<Remote>,
    /// Without one the model cannot read texts.
    pub has_tokenizer: bool,
    /// Which of them are the weights.
    pub weights: Weights,
}

/// A config or a vocabulary is never larger.
const LARGEST_TEXT: u64 = 256 << 20;

/// Takes the weights and the JSON and text files beside them, and nothing else: no code, no formats of other
/// frameworks, and of all folders only how a sentence encoder pools. Weights are safetensors, or
/// `pytorch_model.bin` where there are none, or else an adapter's, which needs no config.json.
///
/// # Errors
/// A repository without weights of either kind.
pub fn choose(listing: &Listing) -> Result<Choice, HubError> {
    let has = |name: &str| listing.files.iter().any(|file| file.path == name);
    let weights = Weights::of(has).ok_or_else(|| HubError::Refused(no_weights(listing)))?;
    let wanted =
        |file: &&Remote| file.path == POOLING_FILE || is_model_file(&file.path, file.size, weights);
    let mut files: Vec<Remote> = listing.files.iter().filter(wanted).cloned().collect();
    if !weights.adapter && !files.iter().any(|file| file.path == "config.json") {
        return Err(HubError::Refused(format!("{} has no config.json.", listing.name)));
    }
    files.sort_by_key(|file| file.size);
    // What an adapter lacks is its base's.
    let has_tokenizer = weights.adapter || TokenizerKind::Subwords.lacks(has).is_none();
    Ok(Choice { files, has_tokenizer, weights })
}

/// In which files a model's weights are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Weights {
    /// In one file, not in shards.
    pub single: bool,
    /// As `torch.save` writes them.
    pub pickled: bool,
    /// An adapter's, as peft writes them.
    pub adapter: bool,
}

impl Weights {
    /// Of a folder that `has` some files; `None` if it has no weights.
    pub fn of(has: impl Fn(&str) -> bool) -> Option<Self> {
        let of = |single, pickled, adapter| Self { single, pickled, adapter };
        let is_adapter = ADAPTER_FILES.iter().all(|name| has(name));
        [
            ("model.safetensors", of(true, false, false)),
            ("model.safetensors.index.json", of(false, false, false)),
            ("pytorch_model.bin", of(true, true, false)),
            ("pytorch_model.bin.index.json", of(false, true, false)),
        ]
        .into_iter()
        .find_map(|(name, weights)| has(name).then_some(weights))
        .or_else(|| is_adapter.then_some(of(true, false, true)))
    }
}

/// True for the files that make a model here, which has its weights in `weights`.
pub fn is_model_file(name: &str, size: u64, weights: Weights) -> bool {
    let Weights { single, pickled, adapter } = weights;
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if name.starts_with('.') || !name.chars().all(plain) {
        return false;
    }
    // Beside a whole model it would say that the folder is an adapter.
    if ADAPTER_FILES.contains(&name) {
        return adapter;
    }
    match name.rsplit_once('.').map(|(_, extension)| extension) {
        Some("safetensors") if pickled || adapter => false,
        Some("safetensors") if single => name == "model.safetensors",
        Some("safetensors") => name.starts_with("model-"),
        Some("bin") if !pickled => false,
        Some("bin") if single => name == "pytorch_model.bin",
        Some("bin") => name.starts_with("pytorch_model-"),
        Some("json") if name.ends_with(".index.json") => {
            let of = if pickled { "pytorch_model.bin" } else { "model.safetensors" };
            !single && name.strip_suffix(".index.json") == Some(of)
        }
        Some("json" | "txt") => size <= LARGEST_TEXT,
        // A model of sentencepiece.
        Some("model") => TOKENIZER_FILES.contains(&name) && size <= LARGEST_TEXT,
        _ => false,
    }
}

fn no_weights(listing: &Listing) -> String {
    let name = &listing.name;
    let paths = listing.files.iter().map(|file| file.path.as_str());
    let other = pickle(paths).map(|file| format!(", only {file}")).unwrap_or_default();
    format!(
        "{name} has no model.safetensors and no pytorch_model.bin{other}; it cannot be trained here."
    )
}

/// The first of these files that is a pickle beside the config, made printable.
pub fn pickle<'a>(mut paths: impl Iterator<Item = &'a str>) -> Option<String> {
    let pickled = [".bin", ".pt", ".pth", ".ckpt", ".pkl"];
    let pickle =
        paths.find(|path| !path.contains('/') && pickled.iter().any(|end| path.ends_with(end)))?;
    Some(printable(pickle, 80).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::Sum;

    fn of(paths: &[&str]) -> Listing {
        let file = |path: &&str| Remote {
            path: (*path).to_owned(),
            size: path.len() as u64,
            sum: Sum::Git("0".repeat(40)),
        };
        Listing {
            name: "org/x".parse().unwrap(),
            commit: "0".repeat(40),
            licence: None,
            files: paths.iter().map(file).collect(),
        }
    }

    fn chosen(paths: &[&str]) -> Vec<String> {
        choose(&of(paths)).unwrap().files.into_iter().map(|file| file.path).collect()
    }

    #[test]
    fn only_what_a_model_here_is_made_of_is_taken() {
        let all = [
            "config.json",
            "model.safetensors",
            "tokenizer.json",
            "vocab.txt",
            "README.md",
            "run.py",
            "pytorch_model.bin",
            "pytorch_model.bin.index.json",
            "onnx/model.onnx",
            "tf_model.h5",
            "adapter_model.safetensors",
            ".gitattributes",
            "../config.json",
            "a/config.json",
            "model.safetensors.index.json",
            "x\u{1b}.json",
        ];
        let want = ["vocab.txt", "config.json", "tokenizer.json", "model.safetensors"];
        assert_eq!(chosen(&all), want);
        let shards = [
            "config.json",
            "model.safetensors.index.json",
            "model-00001-of-00002.safetensors",
            "model-00002-of-00002.safetensors",
            "consolidated.safetensors",
        ];
        assert_eq!(chosen(&shards).len(), 4);
    }

    #[test]
    fn a_pickle_is_taken_where_there_is_nothing_else() {
        let all = ["config.json", "pytorch_model.bin", "optimizer.bin", "training_args.bin"];
        assert_eq!(chosen(&all), ["config.json", "pytorch_model.bin"]);
        let shards = [
            "config.json",
            "pytorch_model.bin.index.json",
            "pytorch_model-00001-of-00002.bin",
            "pytorch_model-00002-of-00002.bin",
            "other.safetensors",
        ];
        assert_eq!(chosen(&shards).len(), 4);
        let why = choose(&of(&["config.json", "model.pt"])).unwrap_err().to_string();
        assert!(why.contains("no model.safetensors") && why.contains("model.pt"), "{why}");
        let why = choose(&of(&["model.safetensors"])).unwrap_err().to_string();
        assert!(why.contains("no config.json"), "{why}");
    }

    #[test]
    fn an_adapter_is_taken_without_a_config_and_not_beside_a_whole_model() {
        let adapter = ["adapter_config.json", "adapter_model.safetensors"];
        let more = ["README.md", "optimizer.pt", "tokenizer.json"];
        let all = [&adapter[..], &more].concat();
        assert_eq!(chosen(&all), [more[2], adapter[0], adapter[1]]);
        let all = [&["config.json", "model.safetensors"][..], &adapter].concat();
        assert_eq!(chosen(&all), ["config.json", "model.safetensors"]);
        assert!(choose(&of(&["adapter_config.json", "adapter_model.bin"])).is_err());
    }
}

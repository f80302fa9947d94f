use super::error::HubError;
use super::listing::{Listing, Remote};
use crate::spec::family::{POOLING_FILE, TOKENIZER_FILES, TokenizerKind};
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
/// `pytorch_model.bin` where there are none.
///
/// # Errors
/// A repository without weights of either kind.
pub fn choose(listing: &Listing) -> Result<Choice, HubError> {
    let has = |name: &str| listing.files.iter().any(|file| file.path == name);
    let weights = Weights::of(has).ok_or_else(|| HubError::Refused(no_weights(listing)))?;
    let wanted =
        |file: &&Remote| file.path == POOLING_FILE || is_model_file(&file.path, file.size, weights);
    let mut files: Vec<Remote> = listing.files.iter().filter(wanted).cloned().collect();
    if !files.iter().any(|file| file.path == "config.json") {
        return Err(HubError::Refused(format!("{} has no config.json.", listing.name)));
    }
    files.sort_by_key(|file| file.size);
    let has_tokenizer = TokenizerKind::Subwords.lacks(has).is_none();
    Ok(Choice { files, has_tokenizer, weights })
}

/// In which files a model's weights are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Weights {
    /// In one file, not in shards.
    pub single: bool,
    /// As `torch.save` writes them.
    pub pickled: bool,
}

impl Weights {
    /// Of a folder that `has` some files; `None` if it has no weights.
    pub fn of(has: impl Fn(&str) -> bool) -> Option<Self> {
        [
            ("model.safetensors", Self { single: true, pickled: false }),
            ("model.safetensors.index.json", Self { single: false, pickled: false }),
            ("pytorch_model.bin", Self { single: true, pickled: true }),
            ("pytorch_model.bin.index.json", Self { single: false, pickled: true }),
        ]
        .into_iter()
        .find_map(|(name, weights)| has(name).then_some(weights))
    }
}

/// True for the files that make a model here, which has its weights in `weights`.
pub fn is_model_file(name: &str, size: u64, weights: Weights) -> bool {
    let Weights { single, pickled } = weights;
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if name.starts_with('.') || !name.chars().all(plain) {
        return false;
    }
    match name.rsplit_once('.').map(|(_, extension)| extension) {
        Some("safetensors") if pickled => false,
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
}

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
}

/// A config or a vocabulary is never larger.
const LARGEST_TEXT: u64 = 256 << 20;

/// Takes the weights as safetensors and the JSON and text files beside them, and nothing else: no
/// pickles, no code, no formats of other frameworks, and of all folders only how a sentence encoder pools.
///
/// # Errors
/// A repository without safetensors, with the way to make them if it has a pickle.
pub fn choose(listing: &Listing) -> Result<Choice, HubError> {
    let has = |name: &str| listing.files.iter().any(|file| file.path == name);
    let single = has("model.safetensors");
    if !single && !has("model.safetensors.index.json") {
        return Err(HubError::Refused(no_weights(listing)));
    }
    let wanted =
        |file: &&Remote| file.path == POOLING_FILE || is_model_file(&file.path, file.size, single);
    let mut files: Vec<Remote> = listing.files.iter().filter(wanted).cloned().collect();
    if !files.iter().any(|file| file.path == "config.json") {
        return Err(HubError::Refused(format!("{} has no config.json.", listing.name)));
    }
    files.sort_by_key(|file| file.size);
    Ok(Choice { files, has_tokenizer: TokenizerKind::Subwords.lacks(has).is_none() })
}

/// True for the files that make a model here. `single` says that the weights are in one file.
pub fn is_model_file(name: &str, size: u64, single: bool) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if name.starts_with('.') || !name.chars().all(plain) {
        return false;
    }
    match name.rsplit_once('.').map(|(_, extension)| extension) {
        Some("safetensors") if single => name == "model.safetensors",
        Some("safetensors") => name.starts_with("model-"),
        Some("json") if name.ends_with(".index.json") => {
            !single && name == "model.safetensors.index.json"
        }
        Some("json" | "txt") => size <= LARGEST_TEXT,
        // A model of sentencepiece.
        Some("model") => TOKENIZER_FILES.contains(&name) && size <= LARGEST_TEXT,
        _ => false,
    }
}

fn no_weights(listing: &Listing) -> String {
    let name = &listing.name;
    match pickle(listing.files.iter().map(|file| file.path.as_str())) {
        None => format!("{name} has no model.safetensors; it cannot be trained here."),
        Some(file) => format!(
            "{name} has its weights only as a pickle ({file}), which can run any code when it is opened, \
             so it is not fetched. {} Some repositories have a safetensors branch already, as \
             {}@refs/pr/1.",
            conversion(&name.id),
            name.id
        ),
    }
}

/// The first of these files that is a pickle beside the config, made printable.
pub fn pickle<'a>(mut paths: impl Iterator<Item = &'a str>) -> Option<String> {
    let pickled = [".bin", ".pt", ".pth", ".ckpt", ".pkl"];
    let pickle =
        paths.find(|path| !path.contains('/') && pickled.iter().any(|end| path.ends_with(end)))?;
    Some(printable(pickle, 80).into_owned())
}

/// How a pickle becomes a model that can be used: a sentence.
pub fn conversion(from: &str) -> String {
    format!(
        "Convert it where you trust it, with transformers: \
         AutoModel.from_pretrained(\"{from}\").save_pretrained(\"DIR\") and \
         AutoTokenizer.from_pretrained(\"{from}\").save_pretrained(\"DIR\"); then `tuneboard models \
         add DIR`."
    )
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
    fn a_pickle_is_refused_with_the_way_out() {
        let why = choose(&of(&["config.json", "pytorch_model.bin"])).unwrap_err().to_string();
        assert!(why.contains("pytorch_model.bin") && why.contains("save_pretrained"), "{why}");
        let why = choose(&of(&["config.json"])).unwrap_err().to_string();
        assert!(why.contains("no model.safetensors"), "{why}");
        let why = choose(&of(&["model.safetensors"])).unwrap_err().to_string();
        assert!(why.contains("no config.json"), "{why}");
    }
}

//! Whether weights have the sizes that their config says, as far as their headers tell: what is wrong there would
//! end the run in its first second.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use serde_json::Value;

use super::header::header;
use crate::model_config::Architecture;
use crate::model_config::adapter::WEIGHTS;
use crate::spec::Family;
use crate::spec::family::whole;
use crate::weights::{Files, Format};

/// How the matrix of word vectors is called, at the end of its name.
const WORDS: [&str; 5] = [
    "embeddings.word_embeddings.weight",
    "embed_tokens.weight",
    "wte.weight",
    "embeddings.tok_embeddings.weight",
    "embed_in.weight",
];
/// What stands before the number of a layer.
const LAYERS: [&str; 4] = ["layer", "layers", "h", "albert_layer_groups"];

/// How a folder's weights differ from its config, as a fragment.
pub fn misfit(folder: &Path, family: Family, config: &Value) -> Option<String> {
    let files = Files::of(folder).ok().filter(|files| files.format == Format::Safetensors)?;
    let mut shapes: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    for path in &files.paths {
        for (name, tensor) in header(path).ok()? {
            let shape: Option<Vec<i64>> =
                tensor["shape"].as_array().map(|shape| shape.iter().filter_map(whole).collect());
            shapes.extend(shape.map(|shape| (name, shape)));
        }
    }
    let number = |key: &str| config.get(key).and_then(whole);
    let words = shapes
        .iter()
        .find(|(name, shape)| shape.len() == 2 && WORDS.iter().any(|end| name.ends_with(end)));
    if let (Some((_, shape)), Some(said)) = (words, number("vocab_size"))
        && shape[0] != said
    {
        return Some(format!(
            "its weights are of {} words, and config.json says vocab_size {said}",
            shape[0]
        ));
    }
    let width = ["embedding_size", "hidden_size", "n_embd", "dim"]
        .into_iter()
        .find_map(|key| Some((key, number(key)?)));
    if let (Some((_, shape)), Some((key, said))) = (words, width)
        && shape[1] != said
    {
        return Some(format!(
            "its weights are {} wide, and config.json says {key} {said}",
            shape[1]
        ));
    }
    // What is numbered in the others are not the layers of the config.
    let is_stack = !matches!(
        Architecture::of(family),
        Architecture::AwdLstm | Architecture::Elmo | Architecture::Gru
    );
    let layer = |name: &String| {
        let parts: Vec<&str> = name.split('.').collect();
        let at = parts
            .windows(2)
            .find(|two| LAYERS.contains(&two[0]) && two[1].parse::<u32>().is_ok())?;
        at[1].parse::<u32>().ok()
    };
    let (there, said) = (shapes.keys().filter_map(layer).max()? + 1, family.layers(config));
    (is_stack && there < said)
        .then(|| format!("its weights have {there} layers, and config.json says {said}"))
}

/// What keeps the adapter in `folder` from being read, as a fragment, as far as its header tells.
pub fn damaged_adapter(folder: &Path) -> Option<String> {
    let path = folder.join(WEIGHTS);
    match header(&path) {
        Ok(_) => None,
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            let is_pickled = folder.join("adapter_model.bin").is_file();
            let only =
                if is_pickled { ", only adapter_model.bin, which peft can save anew" } else { "" };
            Some(format!("no {WEIGHTS}{only}"))
        }
        Err(e) => Some(format!("{WEIGHTS}: {e}")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn weights_that_their_config_does_not_fit_are_told() {
        let folder = tempfile::tempdir().unwrap();
        let tensors = json!({
            "bert.embeddings.word_embeddings.weight": { "shape": [30, 8] },
            "bert.encoder.layer.0.output.dense.weight": { "shape": [8, 8] },
            "bert.encoder.layer.1.output.dense.weight": { "shape": [8, 8] },
        });
        let header = tensors.to_string();
        let bytes = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes()].concat();
        std::fs::write(folder.path().join("model.safetensors"), bytes).unwrap();
        let said = |words: i64, width: i64, layers: i64| {
            let config =
                json!({ "vocab_size": words, "hidden_size": width, "num_hidden_layers": layers });
            misfit(folder.path(), Family::Bert, &config)
        };
        assert_eq!(said(30, 8, 2), None);
        assert_eq!(said(30, 8, 1), None, "the first layers of more are a model too");
        assert!(said(29, 8, 2).unwrap().contains("30 words"));
        assert!(said(30, 16, 2).unwrap().contains("hidden_size 16"));
        assert!(said(30, 8, 5).unwrap().contains("2 layers, and config.json says 5"));
        let ulmfit = json!({ "n_layers": 5 });
        assert_eq!(misfit(folder.path(), Family::AwdLstm, &ulmfit), None);
    }
}

//! Tokenizers made of lists: `vocab.txt`, or `vocab.json` and `merges.txt`.

use std::fs;
use std::path::Path;

use serde_json::{Map, Value, json};

use super::{Parts, Recipe, part};
use crate::tokenize::specials::Specials;

/// BERT's word pieces: a line of vocab.txt each.
pub(super) fn word_pieces(
    folder: &Path,
    config: &Value,
    specials: &Specials,
) -> Result<Parts, String> {
    let text = text(folder, "vocab.txt")?;
    let mut vocabulary = Map::new();
    for (id, line) in text.lines().enumerate() {
        vocabulary.insert(line.to_owned(), json!(id));
    }
    let is = |key: &str, usual: bool| config.get(key).and_then(Value::as_bool).unwrap_or(usual);
    let unknown = specials.text("unk_token").unwrap_or("[UNK]");
    if !vocabulary.contains_key(unknown) {
        return Err(format!("vocab.txt has no line `{unknown}`"));
    }
    Ok(Parts {
        model: part(json!({
            "type": "WordPiece", "vocab": vocabulary, "unk_token": unknown,
            "continuing_subword_prefix": "##", "max_input_chars_per_word": 100,
        }))?,
        normalizer: Some(part(json!({
            "type": "BertNormalizer", "clean_text": true,
            "handle_chinese_chars": is("tokenize_chinese_chars", true),
            "strip_accents": config.get("strip_accents").cloned().unwrap_or_default(),
            "lowercase": is("do_lower_case", true),
        }))?),
        words: json!({ "type": "BertPreTokenizer" }),
        decoder: json!({ "type": "WordPiece", "prefix": "##", "cleanup": true }),
        controls: Vec::new(),
    })
}

/// How Qwen splits texts into words.
const QWEN_WORDS: &str = "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| \
                          ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

/// Byte pairs: ids in vocab.json, merges in merges.txt, the best first.
pub(super) fn byte_pairs(folder: &Path, recipe: Recipe, config: &Value) -> Result<Parts, String> {
    let vocabulary: Map<String, Value> = serde_json::from_str(&text(folder, "vocab.json")?)
        .map_err(|e| format!("vocab.json is no list of tokens: {e}"))?;
    let merges = text(folder, "merges.txt")?;
    let merges: Vec<(&str, &str)> = merges
        .lines()
        .enumerate()
        .filter(|(at, line)| !(line.is_empty() || *at == 0 && line.starts_with("#version")))
        .map(|(at, line)| {
            line.split_once(' ')
                .filter(|(_, right)| !right.contains(' '))
                .ok_or_else(|| format!("line {} of merges.txt is no pair", at + 1))
        })
        .collect::<Result<_, _>>()?;
    let is = |key: &str| config.get(key).and_then(Value::as_bool).unwrap_or(false);
    let spaced = is("add_prefix_space");
    let byte_level = |regex: bool| {
        json!({
            "type": "ByteLevel", "add_prefix_space": spaced, "trim_offsets": true,
            "use_regex": regex,
        })
    };
    let is_qwen = recipe == Recipe::Qwen2;
    let words = if is_qwen {
        let split = json!({
            "type": "Split", "pattern": { "Regex": QWEN_WORDS }, "behavior": "Isolated",
            "invert": false,
        });
        json!({ "type": "Sequence", "pretokenizers": [split, byte_level(false)] })
    } else {
        byte_level(true)
    };
    let normalizer = if is_qwen { Some(part(json!({ "type": "NFC" }))?) } else { None };
    Ok(Parts {
        model: part(json!({
            "type": "BPE", "vocab": vocabulary, "merges": merges, "dropout": null,
            "unk_token": null, "continuing_subword_prefix": "", "end_of_word_suffix": "",
            "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
        }))?,
        normalizer,
        words,
        decoder: json!({
            "type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true,
            "use_regex": true,
        }),
        controls: Vec::new(),
    })
}

fn text(folder: &Path, name: &str) -> Result<String, String> {
    fs::read_to_string(folder.join(name)).map_err(|e| format!("{name} cannot be read: {e}"))
}

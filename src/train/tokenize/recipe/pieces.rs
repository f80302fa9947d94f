//! Tokenizers made of a model of sentencepiece.

use std::fs;
use std::path::Path;

use serde_json::{Map, Value, json};
use tokenizers::Model;
use tokenizers::models::ModelWrapper;
use tokenizers::models::unigram::Unigram;
use tokenizers::normalizers::{NormalizerWrapper, Precompiled, Sequence};

use super::{Parts, Recipe, part};
use crate::tokenize::sentencepiece::{self, Algorithm, Piece, PieceKind, Pieces};

/// A model of sentencepiece.
pub(super) fn from_pieces(
    folder: &Path,
    file: &str,
    recipe: Recipe,
    config: &Value,
) -> Result<Parts, String> {
    let bytes = fs::read(folder.join(file)).map_err(|e| format!("it cannot be read: {e}"))?;
    let mut pieces = sentencepiece::read(&bytes)?;
    rearrange(&mut pieces, recipe)?;
    let model = match pieces.algorithm {
        Algorithm::Unigram => {
            let scored = pieces.all.iter().map(|piece| (piece.text.clone(), piece.score));
            let model = Unigram::from(scored.collect(), Some(pieces.unknown), pieces.has_bytes);
            ModelWrapper::from(model.map_err(|e| e.to_string())?)
        }
        Algorithm::Bpe => {
            let ids = pieces.all.iter().enumerate();
            let ids: Map<String, Value> =
                ids.map(|(id, piece)| (piece.text.clone(), json!(id))).collect();
            let unknown = pieces.all.get(pieces.unknown).map(|piece| piece.text.as_str());
            part(json!({
                "type": "BPE", "vocab": ids, "merges": sentencepiece::merges(&pieces.all),
                "dropout": null, "unk_token": unknown, "continuing_subword_prefix": null,
                "end_of_word_suffix": null, "fuse_unk": true, "byte_fallback": pieces.has_bytes,
                "ignore_merges": false,
            }))?
        }
    };
    let controls = pieces
        .all
        .iter()
        .filter(|piece| matches!(piece.kind, PieceKind::Control | PieceKind::UserDefined))
        .filter(|piece| model.token_to_id(&piece.text).is_some())
        .map(|piece| (piece.text.clone(), piece.kind == PieceKind::Control))
        .collect();
    let metaspace = json!({
        "type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true,
    });
    let is = |key: &str, usual: bool| config.get(key).and_then(Value::as_bool).unwrap_or(usual);
    let words = match recipe {
        Recipe::Gemma => json!({
            "type": "Split", "pattern": { "String": " " }, "behavior": "MergedWithPrevious",
            "invert": false,
        }),
        Recipe::Llama if is("legacy", true) => Value::Null,
        Recipe::Llama => json!({
            "type": "Metaspace", "replacement": "▁", "split": false,
            "prepend_scheme": if is("add_prefix_space", true) { "first" } else { "never" },
        }),
        Recipe::Deberta if is("split_by_punct", false) => {
            let punctuation = json!({ "type": "Punctuation", "behavior": "Isolated" });
            json!({ "type": "Sequence", "pretokenizers": [punctuation, metaspace.clone()] })
        }
        _ => metaspace.clone(),
    };
    let decoder = match recipe {
        Recipe::Gemma | Recipe::Llama => {
            let spaces = json!({ "type": "Replace", "pattern": { "String": "▁" }, "content": " " });
            let bytes = json!({ "type": "ByteFallback" });
            json!({ "type": "Sequence", "decoders": [spaces, bytes, { "type": "Fuse" }] })
        }
        _ => metaspace,
    };
    Ok(Parts {
        model,
        normalizer: match recipe {
            Recipe::Llama if !is("legacy", true) => None,
            _ => Some(normalizer(&pieces, recipe, &is)?),
        },
        words,
        decoder,
        controls,
    })
}

/// What happens to characters before a text is cut.
fn normalizer(
    pieces: &Pieces,
    recipe: Recipe,
    is: &impl Fn(&str, bool) -> bool,
) -> Result<NormalizerWrapper, String> {
    let replace = |what: &str, by: &str| {
        part(json!({ "type": "Replace", "pattern": { "String": what }, "content": by }))
    };
    let spaces = |by: &str| {
        part(json!({ "type": "Replace", "pattern": { "Regex": " {2,}" }, "content": by }))
    };
    let strip =
        |left: bool| part(json!({ "type": "Strip", "strip_left": left, "strip_right": true }));
    let named = |name: &str| part(json!({ "type": name }));
    let mut steps: Vec<NormalizerWrapper> = Vec::new();
    let map = if pieces.character_map.is_empty() {
        None
    } else {
        let map = Precompiled::from(&pieces.character_map).map_err(|e| e.to_string())?;
        Some(NormalizerWrapper::from(map))
    };
    match recipe {
        Recipe::Gemma => return replace(" ", "▁"),
        Recipe::Llama => {
            if is("add_prefix_space", true) {
                steps.push(part(json!({ "type": "Prepend", "prepend": "▁" }))?);
            }
            steps.push(replace(" ", "▁")?);
        }
        Recipe::Albert => {
            steps.extend([replace("``", "\"")?, replace("''", "\"")?]);
            if !is("keep_accents", false) {
                steps.extend([named("NFKD")?, named("StripAccents")?]);
            }
            if is("do_lower_case", true) {
                steps.push(named("Lowercase")?);
            }
            steps.extend(map);
            steps.push(spaces(" ")?);
        }
        Recipe::Deberta => {
            if is("do_lower_case", false) {
                steps.push(named("Lowercase")?);
            }
            steps.push(strip(true)?);
            steps.extend(map);
            steps.push(spaces(" ")?);
        }
        _ => {
            steps.extend(map);
            steps.extend([strip(false)?, spaces("▁")?]);
        }
    }
    Ok(NormalizerWrapper::from(Sequence::new(steps)))
}

/// Brings the pieces into the order that a model was trained with, where that is not the file's.
fn rearrange(pieces: &mut Pieces, recipe: Recipe) -> Result<(), String> {
    let piece =
        |text: &str, score: f64| Piece { text: text.into(), score, kind: PieceKind::Normal };
    let few = || "it holds too few pieces".to_owned();
    match recipe {
        Recipe::XlmRoberta => {
            let rest = pieces.all.get(3..).ok_or_else(few)?.to_vec();
            let first = ["<s>", "<pad>", "</s>", "<unk>"].map(|text| piece(text, 0.0));
            pieces.all = first.into_iter().chain(rest).chain([piece("<mask>", 0.0)]).collect();
            pieces.unknown = 3;
        }
        Recipe::Camembert => {
            let rest = pieces.all.get(1..).ok_or_else(few)?.to_vec();
            let first = [
                piece("<s>NOTUSED", 0.0),
                piece("<pad>", 0.0),
                piece("</s>NOTUSED", 0.0),
                piece("<unk>", 0.0),
                piece("<unk>NOTUSED", -100.0),
            ];
            pieces.all = first.into_iter().chain(rest).chain([piece("<mask>", 0.0)]).collect();
            pieces.unknown = 3;
        }
        // A number and the comma behind it are better apart.
        Recipe::Albert => {
            for piece in &mut pieces.all {
                let mut last = piece.text.chars().rev();
                let (comma, digit) = (last.next(), last.next());
                if comma == Some(',') && digit.is_some_and(char::is_numeric) {
                    piece.score -= 100.0;
                }
            }
        }
        _ => {}
    }
    Ok(())
}

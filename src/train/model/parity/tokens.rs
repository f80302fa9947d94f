use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use super::*;
use crate::batch;
use crate::tokenize::{Subwords, Tokens};

fn folder(name: &str) -> PathBuf {
    fixtures().join("tokenizers").join(name)
}

fn json(name: &str) -> Value {
    serde_json::from_str(&fs::read_to_string(folder(name)).unwrap()).unwrap()
}

fn cases(name: &str) -> Vec<Value> {
    let text = fs::read_to_string(folder(name)).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn ids(json: &Value) -> Vec<i64> {
    json.as_array().unwrap().iter().map(|id| id.as_i64().unwrap()).collect()
}

fn rows(json: &Value) -> Vec<Vec<i64>> {
    json.as_array().unwrap().iter().map(ids).collect()
}

/// Ids and mask as the trainer makes a batch of them.
fn batch(name: &str, texts: &[String], most: usize, padding: Padding) -> [Vec<Vec<i64>>; 2] {
    let tokenizer = Subwords::read(&folder(name), Some(most)).unwrap();
    let tokens = Tokens::of(&tokenizer, texts, 2).unwrap();
    let all = 0..texts.len() as u32;
    let all: Vec<u32> = all.collect();
    let inputs = batch::collate(all.into_iter(), &tokens, padding, Device::Cpu).unwrap();
    let mask = inputs.mask.unwrap_or_else(|| inputs.ids.ones_like());
    [Vec::try_from(&inputs.ids).unwrap(), Vec::try_from(&mask).unwrap()]
}

fn right(length: Option<usize>) -> Padding {
    Padding { id: 0, side: Side::Right, length }
}

fn left(length: Option<usize>) -> Padding {
    Padding { id: 50256, side: Side::Left, length }
}

fn check_cases(name: &str, padded: &str, padding: Padding) {
    let tokenizer = Subwords::read(&folder(name), None).unwrap();
    let cases = cases(&format!("{name}_cases.jsonl"));
    assert!(cases.len() >= 100);
    for case in &cases {
        let text = case["text"].as_str().unwrap();
        let bare = tokenizer.ids(text, false).unwrap();
        let tokens: Vec<String> = bare.iter().map(|id| tokenizer.token(*id)).collect();
        assert_eq!(serde_json::json!(tokens), case["tokens"], "{text:?}");
        assert_eq!(serde_json::json!(bare), case["ids"], "{text:?}");
        if let Some(want) = case.get("with_specials") {
            assert_eq!(&serde_json::json!(tokenizer.ids(text, true).unwrap()), want, "{text:?}");
        }
    }
    let texts: Vec<String> = cases.iter().map(|c| c["text"].as_str().unwrap().into()).collect();
    let [got, mask] = batch(name, &texts, 16, padding);
    for (case, (got, mask)) in cases.iter().zip(got.iter().zip(&mask)) {
        assert_eq!(got, &ids(&case[padded]["input_ids"]), "{}", case["text"]);
        assert_eq!(mask, &ids(&case[padded]["attention_mask"]), "{}", case["text"]);
    }
}

#[test]
fn word_pieces_are_transformers() {
    check_cases("bert", "pad16", right(Some(16)));
}

#[test]
fn byte_pairs_are_transformers() {
    check_cases("gpt2", "pad16_left", left(Some(16)));
}

#[test]
fn batches_are_padded_as_transformers_pads_them() {
    let batches = json("batch_cases.json");
    for case in batches.as_array().unwrap() {
        let texts = case["texts"].as_array().unwrap();
        let texts: Vec<String> = texts.iter().map(|t| t.as_str().unwrap().into()).collect();
        for (name, key, padding) in
            [("bert", "bert_longest_64", right(None)), ("gpt2", "gpt2_left_longest_64", left(None))]
        {
            let [got, mask] = batch(name, &texts, 64, padding);
            assert_eq!(got, rows(&case[key]["input_ids"]), "{key}");
            assert_eq!(mask, rows(&case[key]["attention_mask"]), "{key}");
        }
    }
}

/// What the notebook prints of its two examples.
#[test]
fn the_notebooks_examples_have_its_tokens_and_ids() {
    let known = json("known_cases.json");
    for name in ["bert", "gpt2"] {
        let known = &known[name];
        let text = known["text"].as_str().unwrap();
        let tokenizer = Subwords::read(&folder(name), None).unwrap();
        let bare = tokenizer.ids(text, false).unwrap();
        let tokens: Vec<String> = bare.iter().map(|id| tokenizer.token(*id)).collect();
        assert_eq!(serde_json::json!(tokens), known["tokens"]);
        if let Some(want) = known.get("ids") {
            assert_eq!(&serde_json::json!(bare), want);
        }
        for length in [6, 10, 13, 16] {
            let Some(want) = known.get(format!("max_length_{length}")) else { continue };
            let padding = if name == "bert" { right(Some(length)) } else { left(Some(length)) };
            let [got, mask] = batch(name, &[text.to_owned()], length, padding);
            assert_eq!(got, [ids(&want["input_ids"])], "{name} {length}");
            assert_eq!(mask, [ids(&want["attention_mask"])], "{name} {length}");
        }
    }
}

/// Every code point between two letters, digested by blocks of 256. The fixtures in the repository are
/// run at every eighth block, others in full.
#[test]
fn every_code_point_gives_transformers_ids() {
    let sweep = json("codepoint_sweep.json");
    let step = if env::var_os("TUNEBOARD_FIXTURES").is_some() { 1 } else { 8 };
    for (column, name) in sweep["columns"].as_array().unwrap().iter().enumerate() {
        let tokenizer = Subwords::read(&folder(name.as_str().unwrap()), None).unwrap();
        for (start, digests) in sweep["blocks"].as_object().unwrap().iter().step_by(step) {
            let start = u32::from_str_radix(start, 16).unwrap();
            let lists: Vec<Vec<u32>> = (start..start + 256)
                .filter_map(char::from_u32)
                .map(|c| tokenizer.ids(&format!("a{c}b"), false).unwrap())
                .collect();
            let digest = Sha256::digest(serde_json::to_string(&lists).unwrap());
            let digest = digest.iter().take(8).fold(String::new(), |mut hex, byte| {
                let _ = write!(hex, "{byte:02x}");
                hex
            });
            assert_eq!(digest, digests[column].as_str().unwrap(), "{name} U+{start:04X}");
        }
    }
}

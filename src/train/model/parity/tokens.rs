//! Every folder of `tokenizers/`, and the tokenizers of the models.

use serde_json::json;
use sha2::{Digest, Sha256};

use super::*;
use crate::batch;
use crate::tokenize::{Subwords, Tokenizer, Tokens};

/// The folders of tokenizers that there are.
fn folders() -> Vec<PathBuf> {
    parity::folders("tokenizers", "tokenizer.json")
}

fn beside(name: &str) -> PathBuf {
    parity::root().join("tokenizers").join(name)
}

/// The folder that the name of a case or of a file begins with.
fn folder_of(name: &str) -> Option<PathBuf> {
    let all = folders().into_iter();
    let fitting = all.filter(|folder| name.starts_with(&parity::name(folder)));
    fitting.max_by_key(|folder| parity::name(folder).len())
}

fn ids(json: &Value) -> Vec<i64> {
    json.as_array().unwrap().iter().map(|id| id.as_i64().unwrap()).collect()
}

fn rows(json: &Value) -> Vec<Vec<i64>> {
    json.as_array().unwrap().iter().map(ids).collect()
}

/// The first whole number in a name such as `pad16_left`.
fn length_in(name: &str) -> usize {
    let digits = name.trim_start_matches(|c: char| !c.is_ascii_digit());
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    digits[..end].parse().unwrap_or_else(|_| panic!("no length in {name}"))
}

fn side_in(name: &str) -> Side {
    if name.split('_').any(|word| word == "left") { Side::Left } else { Side::Right }
}

/// Ids and mask as the trainer makes a batch of them: cut to `most` tokens, filled on one side, up to
/// `length` or to the longest text.
fn batch(
    folder: &Path,
    texts: &[String],
    most: usize,
    (side, length): (Side, Option<usize>),
) -> [Vec<Vec<i64>>; 2] {
    let tokenizer = Subwords::read(folder, Some(most)).unwrap();
    let id = i64::from(padding_id(folder, &tokenizer).unwrap());
    let tokens = Tokens::of(&tokenizer, texts, 2).unwrap();
    let all: Vec<u32> = (0..texts.len() as u32).collect();
    let padding = Padding { id, side, length };
    let inputs = batch::collate(all.into_iter(), &tokens, padding, Device::Cpu).unwrap();
    let mask = inputs.mask.unwrap_or_else(|| inputs.ids.ones_like());
    [Vec::try_from(&inputs.ids).unwrap(), Vec::try_from(&mask).unwrap()]
}

/// Tokens and ids of one text, without specials.
fn check_text(tokenizer: &Subwords, case: &Value) {
    let text = case["text"].as_str().unwrap();
    let bare = tokenizer.ids(text, false).unwrap();
    let tokens: Vec<String> = bare.iter().map(|id| tokenizer.token(*id)).collect();
    assert_eq!(json!(tokens), case["tokens"], "{text:?}");
    if let Some(want) = case.get("ids") {
        assert_eq!(&json!(bare), want, "{text:?}");
    }
    if let Some(want) = case.get("with_specials") {
        assert_eq!(&json!(tokenizer.ids(text, true).unwrap()), want, "{text:?}");
    }
}

#[test]
fn sub_words_and_padded_rows_are_transformers() {
    let mut tally = Tally::of("texts of tokenizers");
    for folder in folders() {
        let name = parity::name(&folder);
        tally.add(&name, 0);
        let tokenizer = Subwords::read(&folder, None).unwrap();
        let cases = parity::json_lines(&beside(&format!("{name}_cases.jsonl")));
        for case in &cases {
            check_text(&tokenizer, case);
        }
        let texts: Vec<String> = cases.iter().map(|c| c["text"].as_str().unwrap().into()).collect();
        let first = cases[0].as_object().unwrap();
        for padded in first.keys().filter(|key| key.starts_with("pad")) {
            let length = length_in(padded);
            let [got, mask] = batch(&folder, &texts, length, (side_in(padded), Some(length)));
            for (case, (got, mask)) in cases.iter().zip(got.iter().zip(&mask)) {
                assert_eq!(got, &ids(&case[padded]["input_ids"]), "{}", case["text"]);
                assert_eq!(mask, &ids(&case[padded]["attention_mask"]), "{}", case["text"]);
            }
        }
        tally.add(&name, cases.len());
    }
    tally.end();
}

#[test]
fn batches_are_padded_as_transformers_pads_them() {
    let mut tally = Tally::of("batches of tokenizers");
    for case in parity::json(&beside("batch_cases.json")).as_array().unwrap() {
        let texts = parity::strings(&case["texts"]);
        // `bert_longest_64`, `gpt2_left_longest_64`; a model reads no pairs of texts.
        let batches = case.as_object().unwrap().iter();
        for (key, want) in batches.filter(|(key, _)| *key != "texts" && !key.contains("pairs")) {
            let folder = folder_of(key).unwrap_or_else(|| panic!("no tokenizer for {key}"));
            let [got, mask] = batch(
                &folder,
                &texts,
                length_in(&key[parity::name(&folder).len()..]),
                (side_in(key), None),
            );
            assert_eq!(got, rows(&want["input_ids"]), "{key}");
            assert_eq!(mask, rows(&want["attention_mask"]), "{key}");
            tally.add(&parity::name(&folder), 1);
        }
    }
    tally.end();
}

/// What the notebook prints of its two examples.
#[test]
fn the_notebooks_examples_have_its_tokens_and_ids() {
    let mut tally = Tally::of("the notebook's examples");
    for (name, known) in parity::json(&beside("known_cases.json")).as_object().unwrap() {
        let folder = folder_of(name).unwrap_or_else(|| panic!("no tokenizer for {name}"));
        check_text(&Subwords::read(&folder, None).unwrap(), known);
        let side = known["padding_side"].as_str().map_or(Side::Right, side_in);
        let text = [known["text"].as_str().unwrap().to_owned()];
        let lengths = known.as_object().unwrap().iter();
        for (key, want) in lengths.filter(|(key, _)| key.starts_with("max_length_")) {
            let length = length_in(key);
            let [got, mask] = batch(&folder, &text, length, (side, Some(length)));
            assert_eq!(got, [ids(&want["input_ids"])], "{name} {length}");
            assert_eq!(mask, [ids(&want["attention_mask"])], "{name} {length}");
        }
        tally.add(name, 1);
    }
    tally.end();
}

/// Every code point between two letters, digested by blocks of 256. The fixtures in the repository are
/// run at every eighth block, others in full.
#[test]
fn every_code_point_gives_transformers_ids() {
    let mut tally = Tally::of("blocks of code points");
    let sweep = parity::json(&beside("codepoint_sweep.json"));
    let step = if parity::root() == parity::own() { 8 } else { 1 };
    for (column, name) in parity::strings(&sweep["columns"]).iter().enumerate() {
        let folder = folder_of(name).unwrap_or_else(|| panic!("no tokenizer for {name}"));
        let tokenizer = Subwords::read(&folder, None).unwrap();
        for (start, digests) in sweep["blocks"].as_object().unwrap().iter().step_by(step) {
            let start = u32::from_str_radix(start, 16).unwrap();
            let lists: Vec<Vec<u32>> = (start..start + 256)
                .filter_map(char::from_u32)
                .map(|c| tokenizer.ids(&format!("a{c}b"), false).unwrap())
                .collect();
            let digest = Sha256::digest(serde_json::to_string(&lists).unwrap());
            let digest = tuneboard::spec::hex(&digest[..8]);
            assert_eq!(digest, digests[column].as_str().unwrap(), "{name} U+{start:04X}");
            tally.add(name, 1);
        }
    }
    tally.end();
}

/// The texts that outputs were made from, through the tokenizer of the model.
#[test]
fn the_models_own_tokenizers_give_the_ids_of_their_outputs() {
    let mut tally = Tally::of("texts of models");
    let of_bert = models(Family::Bert).into_iter().map(|folder| (folder, "last_hidden_state"));
    let of_gpt2 = models(Family::Gpt2).into_iter().map(|folder| (folder, "sdpa.last_hidden_state"));
    for (folder, vectors) in of_bert.chain(of_gpt2) {
        let name = parity::name(&folder);
        let Some((stem, want)) = outputs(&folder, vectors) else { continue };
        let told = parity::json(&expected(&format!("{stem}_outputs.json")));
        for (case, told) in told.as_object().unwrap() {
            let Some(texts) = told.get("texts").map(parity::strings) else { continue };
            let length = told["max_length"].as_u64().unwrap() as usize;
            let side = told["padding_side"].as_str().map_or(Side::Right, side_in);
            let filled = (told["padding"] == "max_length").then_some(length);
            let [got, mask] = batch(&folder, &texts, length, (side, filled));
            let of = |what: &str| -> Vec<Vec<i64>> {
                Vec::try_from(&want[&format!("{case}.{what}")]).unwrap()
            };
            assert_eq!(mask, of("attention_mask"), "{name} {case}");
            // What fills a row is hidden, and no two of these checkpoints agree on it.
            for ((got, want), mask) in got.iter().zip(of("input_ids")).zip(&mask) {
                let real = |ids: &[i64]| -> Vec<i64> {
                    ids.iter()
                        .zip(mask)
                        .filter(|(_, real)| **real == 1)
                        .map(|(id, _)| *id)
                        .collect()
                };
                assert_eq!(real(got), real(&want), "{name} {case}");
            }
            tally.add(&name, texts.len());
        }
    }
    tally.end();
}

//! Ids of texts and pairs against transformers: tokenizer.json of every family, and the tokenizers that are
//! put together where there is none.

use super::*;
use crate::tokenize::{Tokenizer, sentencepiece_file};

fn lines(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn ids(value: &Value) -> Option<Vec<u32>> {
    let ids = value.as_array()?;
    Some(ids.iter().map(|id| id.as_u64().unwrap() as u32).collect())
}

/// What was compared, and what was wrong.
#[derive(Default)]
struct Comparison {
    compared: usize,
    wrong: Vec<String>,
}

impl Comparison {
    fn same(&mut self, what: &str, got: &[u32], want: &[u32]) {
        self.compared += 1;
        if got != want {
            self.wrong.push(format!("{what}: {got:?} {want:?}"));
        }
    }
}

fn of_text(tokenizer: &dyn Tokenizer, case: &Value) -> Vec<u32> {
    tokenizer.ids(case["text"].as_str().unwrap(), true).unwrap()
}

/// `tokenizers/KIND/cases.jsonl`: texts, pairs, and pairs that are cut.
fn check_kinds(root: &Path, report: &mut Comparison) {
    let kinds = fs::read_to_string(root.join("tokenizers/kinds.json")).unwrap_or("{}".into());
    let kinds: Value = serde_json::from_str(&kinds).unwrap();
    for (kind, about) in kinds.as_object().unwrap() {
        let folder = root.join("tokenizers").join(about["folder"].as_str().unwrap());
        // The repository holds some of the folders only.
        if !folder.is_dir() {
            continue;
        }
        let before = report.compared;
        let of = |length| tokenizer(&folder, length).unwrap();
        let whole = of(None);
        let cut = [12, 16, 24].map(|length| (format!("longest_first_{length}"), of(Some(length))));
        for case in lines(&root.join("tokenizers").join(kind).join("cases.jsonl")) {
            let what = format!("{kind} {}", case["id"]);
            let want = ids(&case["ids"]).unwrap();
            let Some(pair) = case["pair"].as_array() else {
                report.same(&what, &of_text(&*whole, &case), &want);
                continue;
            };
            let [one, two] = [0, 1].map(|at| pair[at].as_str().unwrap());
            let (got, segments) = whole.pair(one, two).unwrap();
            report.same(&what, &got, &want);
            if let Some(want) = ids(&case["token_type_ids"]) {
                report.same(&format!("{what} segments"), &segments, &want);
            }
            for (key, tokenizer) in &cut {
                if let Some(want) = ids(&case[key]) {
                    let (got, _) = tokenizer.pair(one, two).unwrap();
                    report.same(&format!("{what} {key}"), &got, &want);
                }
            }
        }
        let line = format!("parity: tokens of {kind}: {} cases", report.compared - before);
        crate::progress::err(&line);
    }
}

/// `NAME/tokenizer_cases.jsonl`: where transformers of two versions and sentencepiece itself differ, ids
/// are those of the fast tokenizer of version 4.
fn check_folders(root: &Path, report: &mut Comparison) {
    let entries = fs::read_dir(root).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut folders: Vec<PathBuf> = entries.collect();
    folders.sort();
    for folder in folders {
        let cases = lines(&folder.join("tokenizer_cases.jsonl"));
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        if cases.is_empty() {
            continue;
        }
        let tokenizer = match tokenizer(&folder, None) {
            Ok(tokenizer) => tokenizer,
            Err(error) => {
                report.wrong.push(format!("{name}: {error}"));
                continue;
            }
        };
        for case in &cases {
            let want = ids(&case["ids_transformers4_fast"]).or_else(|| ids(&case["ids"]));
            let what = format!("{name} {}", case["text"]);
            report.same(&what, &of_text(&*tokenizer, case), &want.unwrap());
        }
        crate::progress::err(&format!("parity: tokens of {name}: {} cases", cases.len()));
    }
}

/// The texts and pairs of each folder's own cases, as they went into the model.
fn check_inputs(root: &Path, report: &mut Comparison) {
    let entries = fs::read_dir(root).into_iter().flatten().flatten().map(|entry| entry.path());
    for folder in entries {
        let Ok(text) = fs::read_to_string(folder.join("expected.json")) else { continue };
        let expected: Value = serde_json::from_str(&text).unwrap();
        let path = folder.join("expected.safetensors");
        let Some(cases) = expected["cases"].as_object().filter(|_| path.is_file()) else {
            continue;
        };
        let tensors = weights::read_all(&path).unwrap();
        for (name, case) in cases.iter().filter(|(_, case)| case["max_length"].is_u64()) {
            let length = case["max_length"].as_u64().map(|length| length as usize);
            let tokenizer = tokenizer(&folder, length).unwrap();
            let want = &tensors[&format!("{name}.input_ids")];
            let mask = &tensors[&format!("{name}.attention_mask")];
            let texts = case["texts"].as_array().or_else(|| case["pairs"].as_array()).unwrap();
            for (row, text) in texts.iter().enumerate() {
                let (got, segments) = match text.as_array() {
                    Some(pair) => {
                        let [one, two] = [0, 1].map(|at| pair[at].as_str().unwrap());
                        tokenizer.pair(one, two).unwrap()
                    }
                    None => (tokenizer.ids(text.as_str().unwrap(), true).unwrap(), Vec::new()),
                };
                let real = mask.get(row as i64).ne(0);
                let row_of = |tensor: &Tensor| -> Vec<u32> {
                    let ids = tensor.get(row as i64).masked_select(&real);
                    Vec::<i64>::try_from(ids).unwrap().iter().map(|id| *id as u32).collect()
                };
                let what = format!("{} {name} {row}", folder.display());
                report.same(&what, &got, &row_of(want));
                if let Some(want) = tensors.get(&format!("{name}.token_type_ids"))
                    && !segments.is_empty()
                {
                    report.same(&format!("{what} segments"), &segments, &row_of(want));
                }
            }
        }
    }
}

#[test]
fn tokens_of_all_families_are_transformers() {
    let root = fixtures().join("families");
    let mut report = Comparison::default();
    check_kinds(&root, &mut report);
    check_folders(&root, &mut report);
    check_inputs(&root, &mut report);
    parity::compared("tokens of families", "families", report.compared);
    assert!(report.wrong.is_empty(), "{} differ:\n{}", report.wrong.len(), report.wrong.join("\n"));
}

/// Gemma's tokenizer, from a sentencepiece model of the same pieces: their ranks are their scores.
#[test]
fn byte_pairs_of_sentencepiece_are_those_of_the_tokenizer_json() {
    let folder = fixtures().join("families/gemma3");
    let Ok(text) = fs::read_to_string(folder.join("tokenizer.json")) else { return };
    let json: Value = serde_json::from_str(&text).unwrap();
    let mut vocabulary: Vec<(&str, u64)> = json["model"]["vocab"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(text, id)| (text.as_str(), id.as_u64().unwrap()))
        .collect();
    vocabulary.sort_by_key(|(_, id)| *id);
    let pieces: Vec<(&str, f32, u8)> = vocabulary
        .iter()
        .map(|(text, id)| {
            let kind = match *text {
                "<unk>" => 2,
                "<pad>" | "<eos>" | "<bos>" => 3,
                "<mask>" => 4,
                text if text.starts_with("<0x") => 6,
                _ => 1,
            };
            (*text, -(*id as f32), kind)
        })
        .collect();
    let made = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| fs::write(made.path().join(name), bytes).unwrap();
    write("tokenizer.model", &sentencepiece_file(&pieces, &[(3, 2), (35, 1), (40, 3)], b""));
    write("tokenizer_config.json", br#"{"tokenizer_class": "GemmaTokenizer"}"#);
    let [ours, theirs] = [made.path(), &folder].map(|folder| tokenizer(folder, None).unwrap());
    let texts = ["Free entry in 2 a wkly comp", "  two  spaces\n", "naïve 日本 🥳", "", "<bos> a"];
    for text in texts {
        assert_eq!(ours.ids(text, true).unwrap(), theirs.ids(text, true).unwrap(), "{text}");
    }
}

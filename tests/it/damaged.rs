//! Checkpoints that are damaged, or lie: the real trainer names the file and the tensor, does not panic
//! and does not take memory that the file does not have.

#![cfg(feature = "train")]

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::{Map, Value, json};

type Header = Map<String, Value>;

fn original(file: &str) -> Vec<u8> {
    let folder =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/models/tiny-bert-seqcls");
    fs::read(folder.join(file)).unwrap()
}

/// A model folder of which one file (or none, `None`) is replaced; what `predict` makes of it.
fn predict(file: &str, bytes: Option<&[u8]>) -> Output {
    let folder = tempfile::tempdir().unwrap();
    for name in ["config.json", "tokenizer.json", "model.safetensors"] {
        fs::write(folder.path().join(name), original(name)).unwrap();
    }
    let _ = fs::remove_file(folder.path().join(file));
    if let Some(bytes) = bytes {
        fs::write(folder.path().join(file), bytes).unwrap();
    }
    let mut child = Command::new(env!("CARGO_BIN_EXE_tuneboard-train"))
        .args(["predict", "--device", "cpu", "--precision", "fp32"])
        .arg(folder.path())
        .env("TUNEBOARD_THREADS", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let text = json!({ "text": "see you at home" }).to_string();
    // It may be gone before it reads.
    let _ = child.stdin.take().unwrap().write_all(text.as_bytes());
    child.wait_with_output().unwrap()
}

/// It must be refused with these words, in one sentence.
fn refused(what: &str, file: &str, bytes: Option<&[u8]>, words: &[&str]) {
    let output = predict(file, bytes);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    println!("{what}: {}", said.trim());
    assert_eq!(output.status.code(), Some(2), "{what}: {said}");
    assert!(words.iter().all(|word| said.contains(word)), "{what}: {said} lacks one of {words:?}");
    assert!(said.trim_end().ends_with('.') && said.lines().count() == 1, "{what}: {said}");
    assert!(!said.chars().any(|c| c.is_control() && c != '\n'), "{what}: {said:?}");
}

fn weights() -> (Header, Vec<u8>) {
    let bytes = original("model.safetensors");
    let length = u64::from_le_bytes(*bytes.first_chunk().unwrap()) as usize;
    (serde_json::from_slice(&bytes[8..8 + length]).unwrap(), bytes[8 + length..].to_vec())
}

fn file(header: &Header, data: &[u8]) -> Vec<u8> {
    let header = serde_json::to_vec(header).unwrap();
    [&(header.len() as u64).to_le_bytes()[..], &header, data].concat()
}

/// The sound file with a header that was tampered with.
fn tampered(change: impl FnOnce(&mut Header)) -> Vec<u8> {
    let (mut header, data) = weights();
    change(&mut header);
    file(&header, &data)
}

const NAME: &str = "classifier.weight";
/// Not square.
const WIDE: &str = "bert.encoder.layer.0.output.dense.weight";

#[test]
fn the_sound_folder_is_answered() {
    let output = predict("none", None);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8_lossy(&output.stdout).lines().count(), 2);
}

const WEIGHTS: &str = "model.safetensors";

/// What is wrong, the file with it, and words that the refusal says.
type Cases<'a> = Vec<(&'a str, Vec<u8>, Vec<&'a str>)>;

fn all_refused(cases: Cases<'_>) {
    for (what, bytes, words) in cases {
        refused(what, WEIGHTS, Some(&bytes), &words);
    }
}

#[test]
fn weights_that_are_cut_or_no_weights_at_all() {
    let whole = original(WEIGHTS);
    let (header, _) = weights();
    let length = |n: u64| [&n.to_le_bytes()[..], &whole[8..]].concat();
    let last = header
        .iter()
        .filter(|(name, _)| *name != "__metadata__")
        .max_by_key(|(_, tensor)| tensor["data_offsets"][1].as_u64())
        .map(|(name, _)| name.clone())
        .unwrap();
    let deep = [b"{\"a\":".to_vec(), vec![b'['; 100_000]].concat();
    let deep = [&(deep.len() as u64).to_le_bytes()[..], &deep].concat();
    all_refused(vec![
        ("empty", vec![], vec![WEIGHTS, "only 0 bytes"]),
        ("seven bytes", whole[..7].to_vec(), vec![WEIGHTS, "only 7 bytes"]),
        ("an endless header", length(u64::MAX), vec![WEIGHTS, "announces a header"]),
        (
            "a header beyond the file",
            length(whole.len() as u64),
            vec![WEIGHTS, "announces a header"],
        ),
        ("a header that is cut", whole[..200].to_vec(), vec![WEIGHTS, "announces a header"]),
        ("half", whole[..whole.len() / 2].to_vec(), vec![WEIGHTS, "the tensor `", "cut short"]),
        ("a byte less", whole[..whole.len() - 1].to_vec(), vec![WEIGHTS, &last, "cut short"]),
        ("a byte more", [&whole[..], b"x"].concat(), vec![WEIGHTS, &last, "1 bytes behind"]),
        ("a text", vec![b'x'; 4000], vec![WEIGHTS, "announces a header"]),
        ("a list for a header", file_of(b"[]"), vec![WEIGHTS, "JSON"]),
        ("a flipped bit in the header", flipped(&whole, 8), vec![WEIGHTS, "JSON"]),
        ("a deep header", deep, vec![WEIGHTS]),
    ]);
    refused("no weights", WEIGHTS, None, &[WEIGHTS]);
}

#[test]
fn weights_whose_header_lies() {
    let (header, data) = weights();
    let begin = header[NAME]["data_offsets"][0].as_u64().unwrap() as usize;
    let mut not_a_number = data.clone();
    not_a_number[begin..begin + 4].copy_from_slice(&f32::NAN.to_le_bytes());
    all_refused(vec![
        ("no number", file(&header, &not_a_number), vec![WEIGHTS, NAME, "no finite numbers"]),
        (
            "an endless shape",
            tampered(|h| h[NAME]["shape"] = json!([1u64 << 62, 1u64 << 62])),
            vec![WEIGHTS, NAME, "no memory holds"],
        ),
        (
            "another shape",
            tampered(|h| {
                let shape = h[WIDE]["shape"].as_array().unwrap().iter().rev().cloned();
                h[WIDE]["shape"] = shape.collect();
            }),
            vec![WEIGHTS, WIDE, "config.json asks for"],
        ),
        (
            "a shape of other size",
            tampered(|h| h[NAME]["shape"] = json!([3, 63])),
            vec![WEIGHTS, NAME, "takes 756 bytes"],
        ),
        (
            "overlapping ranges",
            tampered(|h| h[NAME]["data_offsets"] = json!([begin - 768, begin])),
            vec![WEIGHTS, NAME, "overlap"],
        ),
        (
            "a range beyond the file",
            tampered(|h| h[NAME]["data_offsets"] = json!([1u64 << 60, (1u64 << 60) + 768])),
            vec![WEIGHTS, NAME, "cut short"],
        ),
        (
            "an end before the beginning",
            tampered(|h| h[NAME]["data_offsets"] = json!([768, 0])),
            vec![WEIGHTS, NAME, "before it begins"],
        ),
        (
            "negative offsets",
            tampered(|h| h[NAME]["data_offsets"] = json!([-1, 767])),
            vec![WEIGHTS, NAME],
        ),
        ("integers", tampered(|h| h[NAME]["dtype"] = json!("I32")), vec![WEIGHTS, NAME, "I32"]),
        (
            "an unknown type",
            tampered(|h| h[NAME]["dtype"] = json!("F31")),
            vec![WEIGHTS, NAME, "unknown type F31"],
        ),
        (
            "a tensor less",
            tampered(|h| rename(h, "bert.encoder.layer.1.output.dense.weight", "other")),
            vec![WEIGHTS, "encoder.layer.1.output.dense.weight"],
        ),
        (
            "a name with escape codes",
            tampered(|h| {
                h[NAME]["dtype"] = json!("F31");
                rename(h, NAME, "\u{1b}[2Jclassifier");
            }),
            vec![WEIGHTS, "classifier", "F31"],
        ),
    ]);
}

fn rename(header: &mut Header, from: &str, to: &str) {
    let tensor = header.remove(from).unwrap();
    header.insert(to.to_owned(), tensor);
}

fn file_of(header: &[u8]) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes()[..], header].concat()
}

fn flipped(bytes: &[u8], at: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[at] ^= 0x40;
    bytes
}

#[test]
fn tokenizers_that_are_damaged_or_lie() {
    let whole = original("tokenizer.json");
    let mut json: Value = serde_json::from_slice(&whole).unwrap();
    let mut with = |pointer: &str, value: Value| {
        let before =
            json.pointer_mut(pointer).map(|place| std::mem::replace(place, value)).unwrap();
        let bytes = serde_json::to_vec(&json).unwrap();
        *json.pointer_mut(pointer).unwrap() = before;
        bytes
    };
    let name = "tokenizer.json";
    let deep = vec![b'['; 200_000];
    for (what, bytes, words) in [
        ("empty", vec![], &[name][..]),
        ("half", whole[..whole.len() / 2].to_vec(), &[name]),
        ("a text", b"hello".to_vec(), &[name]),
        ("no fields", b"{}".to_vec(), &[name]),
        ("a list", b"[]".to_vec(), &[name]),
        ("deep", deep, &[name]),
        ("another model", with("/model/type", json!("Nonsense")), &[name]),
        ("no vocabulary", with("/model/vocab", json!(7)), &[name]),
        ("words beyond the embeddings", with("/model/vocab/you", json!(999_999)), &["config.json"]),
        ("a negative id", with("/model/vocab/you", json!(-1)), &[name]),
        ("not UTF-8", vec![0xff; 100], &[name]),
    ] {
        refused(what, name, Some(&bytes), words);
    }
    refused("no tokenizer", name, None, &[name]);
}

/// Whatever bit flips, the trainer answers or refuses; it never says that it has a bug.
#[test]
fn flipped_bits_anywhere() {
    for file in ["config.json", "tokenizer.json", "model.safetensors"] {
        let whole = original(file);
        // The head of the weights, where structure is; all of the others.
        let reach = whole.len().min(6000);
        for i in 0..12 {
            let at = i * reach / 12 + i % 7;
            let output = predict(file, Some(&flipped(&whole, at.min(whole.len() - 1))));
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            let code = output.status.code();
            assert!(code == Some(0) || code == Some(2), "{file} at {at}: {code:?} {said}");
            assert!(!said.contains("bug of its own"), "{file} at {at}: {said}");
        }
    }
}

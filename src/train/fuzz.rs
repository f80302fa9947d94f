//! A checkpoint's files, as the trainer reads them, against random damage (tests/fuzz/engine.rs).

use std::fs;
use std::path::{Path, PathBuf};

use tch::{Device, Kind};

use crate::model::{Request, load, tokenizer, weights};

#[path = "../../tests/fuzz/engine.rs"]
mod engine;
use engine::fuzz;

fn original() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/models/tiny-bert-seqcls")
}

fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for name in ["config.json", "tokenizer.json", "model.safetensors"] {
        fs::copy(original().join(name), dir.path().join(name)).unwrap();
    }
    dir
}

#[test]
fn safetensors() {
    let sound = fs::read(original().join("model.safetensors")).unwrap();
    let length = u64::from_le_bytes(*sound.first_chunk().unwrap()) as usize;
    // Little more than the header: that is where there is something to misunderstand.
    let short = sound[..(length + 4096).min(sound.len())].to_vec();
    let words = ["\"dtype\"", "\"F16\"", "\"shape\"", "\"data_offsets\"", "__metadata__"];
    fuzz("safetensors", &[short, sound], &words, |bytes| {
        let _ = weights::from_bytes(bytes, Path::new("model.safetensors"));
    });
}

#[test]
fn tokenizer_json() {
    let dir = folder();
    let sound = fs::read(dir.path().join("tokenizer.json")).unwrap();
    let words =
        ["\"Replace\"", "\"Regex\"", "\"Precompiled\"", "\"Sequence\"", "(a+)+", "\"vocab\""];
    fuzz("tokenizer", &[sound], &words, |bytes| {
        fs::write(dir.path().join("tokenizer.json"), bytes).unwrap();
        if let Ok(tokenizer) = tokenizer(dir.path(), Some(16)) {
            let _ = tokenizer.ids("see you at home, Mr. O'Neill", true);
        }
    });
}

#[test]
fn config_json() {
    let dir = folder();
    let sound = fs::read(dir.path().join("config.json")).unwrap();
    let words = ["\"hidden_size\"", "\"num_hidden_layers\"", "\"model_type\"", "\"gpt2\"", "1e9"];
    fuzz("config-json", &[sound], &words, |bytes| {
        fs::write(dir.path().join("config.json"), bytes).unwrap();
        let _ = load(dir.path(), &Request::as_saved(Device::Cpu, Kind::Float));
    });
}

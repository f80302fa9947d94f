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

/// An adapter's config, and the header and numbers of its weights, beside a sound base.
#[test]
fn adapters() {
    let families = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/families");
    let nonzero = families.join("lora/roberta/nonzero");
    let dir = tempfile::tempdir().unwrap();
    let base = dir.path().join("models/roberta");
    let adapter = dir.path().join("models/adapter");
    for folder in [&base, &adapter] {
        fs::create_dir_all(folder).unwrap();
    }
    for file in ["config.json", "model.safetensors"] {
        fs::copy(families.join("roberta").join(file), base.join(file)).unwrap();
    }
    let config = fs::read_to_string(nonzero.join("adapter_config.json")).unwrap();
    let mut config: serde_json::Value = serde_json::from_str(&config).unwrap();
    config["base_model_name_or_path"] = "../roberta".into();
    let config = config.to_string().into_bytes();
    let tensors = fs::read(nonzero.join("adapter_model.safetensors")).unwrap();
    let words = ["\"r\"", "lora_alpha", "LORA", "lora_A", "base_model.model.", "1e308"];
    for (file, sound) in [("adapter_config.json", &config), ("adapter_model.safetensors", &tensors)]
    {
        fs::write(adapter.join("adapter_config.json"), &config).unwrap();
        fs::write(adapter.join("adapter_model.safetensors"), &tensors).unwrap();
        fuzz(&format!("adapters-{file}"), std::slice::from_ref(sound), &words, |bytes| {
            fs::write(adapter.join(file), bytes).unwrap();
            let _ = load(&adapter, &Request::as_saved(Device::Cpu, Kind::Float));
        });
    }
}

/// The models of sentencepiece, by whatever family they are of.
#[test]
fn sentencepiece_models() {
    let families = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/families");
    for (family, file) in [
        ("spm-albert", "spiece.model"),
        ("spm-deberta-v2", "spm.model"),
        ("spm-xlm-roberta", "sentencepiece.bpe.model"),
        ("spm-llama", "tokenizer.model"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        for entry in fs::read_dir(families.join(family)).unwrap().flatten() {
            fs::copy(entry.path(), dir.path().join(entry.file_name())).unwrap();
        }
        let sound = fs::read(dir.path().join(file)).unwrap();
        fuzz(&format!("spm-{family}"), &[sound], &["\u{2581}", "<unk>", "<0x41>"], |bytes| {
            fs::write(dir.path().join(file), bytes).unwrap();
            if let Ok(tokenizer) = tokenizer(dir.path(), Some(16)) {
                let _ = tokenizer.ids("see you at home, Mr. O'Neill", true);
            }
        });
    }
}

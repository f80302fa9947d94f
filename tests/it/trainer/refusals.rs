//! What the trainer refuses, and how it says so.

use std::fs;
use std::path::Path;

use safetensors::SafeTensors;
use tuneboard::events::Ending;

use super::{Desk, SMALL, ending, events};

#[test]
fn a_loss_that_is_no_number_ends_the_run_with_a_sentence() {
    let desk = Desk::new();
    let more = SMALL.replace("lr = 1e-3", "lr = 10\noptimizer = \"sgd\"\nclip = 0\nwarmup = 0");
    let run = desk.run_folder("r1", &more);
    // Weights so large that the second step overflows.
    scale_weights(&desk.path("models/tiny/model.safetensors"), "pooler");
    scale_weights(&desk.path("models/tiny/model.safetensors"), "layer.1.output.LayerNorm.weight");
    let output = desk.train("r1");
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.starts_with("The loss became "), "{stderr}");
    assert_eq!(ending(&events(&run)), Some(Ending::Failed));
}

/// Multiplies the weights of the tensors whose names contain `part` by 2^100, in place.
fn scale_weights(path: &Path, part: &str) {
    let mut bytes = fs::read(path).unwrap();
    let (header, _) = SafeTensors::read_metadata(&bytes).unwrap();
    let ranges: Vec<_> = {
        let tensors = SafeTensors::deserialize(&bytes).unwrap();
        let base = bytes.as_ptr() as usize;
        let found = tensors.iter().filter(|(name, _)| name.contains(part));
        found
            .map(|(_, t)| {
                let start = t.data().as_ptr() as usize - base;
                start..start + t.data().len()
            })
            .collect()
    };
    assert!(header > 0 && !ranges.is_empty());
    for range in ranges {
        for word in bytes[range].chunks_exact_mut(4) {
            let x = f32::from_le_bytes(word.try_into().unwrap());
            word.copy_from_slice(&(x * 2f32.powi(100)).to_le_bytes());
        }
    }
    fs::write(path, bytes).unwrap();
}

const CONFIG: &str = "models/tiny/config.json";
const WEIGHTS: &str = "models/tiny/model.safetensors";
const TOKENIZER: &str = "models/tiny/tokenizer.json";
const SPEC: &str = "r1/spec.toml";

fn edit(desk: &Desk, file: &str, from: &str, to: &str) {
    let path = desk.path(file);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{file} has no {from}");
    fs::write(path, text.replace(from, to)).unwrap();
}

/// What is wrong is said in one sentence, with exit code 2, and the events file says it too.
fn says(name: &str, spoil: impl Fn(&Desk), want: &str) {
    let desk = Desk::new();
    let run = desk.run_folder("r1", SMALL);
    spoil(&desk);
    let output = desk.train("r1");
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{name}: {stderr}");
    assert!(stderr.contains(want), "{name}: {stderr}");
    assert!(!stderr.contains("panicked") && !stderr.contains('\u{1b}'), "{name}: {stderr}");
    assert_eq!(stderr.trim_end().lines().count(), 1, "{name}: {stderr}");
    assert_eq!(ending(&events(&run)), Some(Ending::Failed), "{name}");
}

#[test]
fn files_of_a_model_that_are_damaged_or_missing() {
    let truncate = |d: &Desk| {
        let bytes = fs::read(d.path(WEIGHTS)).unwrap();
        fs::write(d.path(WEIGHTS), &bytes[..bytes.len() / 2]).unwrap();
    };
    says("truncated weights", truncate, "no sound safetensors file");
    let lie = |d: &Desk| {
        let mut bytes = fs::read(d.path(WEIGHTS)).unwrap();
        bytes[..8].copy_from_slice(&u64::MAX.to_le_bytes());
        fs::write(d.path(WEIGHTS), bytes).unwrap();
    };
    says("a header that lies about its length", lie, "no sound safetensors file");
    let pickle = |d: &Desk| {
        fs::rename(d.path(WEIGHTS), d.path("models/tiny/pytorch_model.bin")).unwrap();
    };
    says("a pickle only", pickle, "no file of torch.save");
    for (name, file, text, want) in [
        ("empty weights", WEIGHTS, Some(""), "model.safetensors"),
        ("no weights", WEIGHTS, None, "holds no model.safetensors"),
        ("a config that is no JSON", CONFIG, Some("{"), "not valid JSON"),
        ("a tokenizer that is no JSON", TOKENIZER, Some("[1,"), "no sound tokenizer"),
        ("no tokenizer", TOKENIZER, None, "holds no tokenizer.json"),
        ("a spec that is no TOML", SPEC, Some("x = = 1"), "TOML"),
    ] {
        let spoil = |d: &Desk| match text {
            Some(text) => fs::write(d.path(file), text).unwrap(),
            None => fs::remove_file(d.path(file)).unwrap(),
        };
        says(name, spoil, want);
    }
}

#[test]
fn sizes_and_words_that_make_no_model_or_no_run() {
    let (layers, wide) = ("\"num_hidden_layers\": ", "\"intermediate_size\": ");
    let heads = "\"num_attention_heads\": ";
    for (name, file, key, from, to, want) in [
        ("a layer too many", CONFIG, layers, "2", "3", "has no tensor `encoder.layer.2."),
        (
            "another width",
            CONFIG,
            wide,
            "128",
            "96",
            "has the shape [128, 64]; config.json asks for [96, 64]",
        ),
        ("a T5", CONFIG, "\"model_type\": ", "\"bert\"", "\"t5\"", "model_type `t5`"),
        ("heads that do not divide", CONFIG, heads, "4", "5", "cannot be shared among 5"),
        ("a size below zero", CONFIG, "\"vocab_size\": ", "1000", "-1", "vocab_size is -1"),
        ("an unknown activation", CONFIG, "\"hidden_act\": ", "\"gelu\"", "\"swash\"", "swash"),
        (
            "more tokens than positions",
            SPEC,
            "max_length = ",
            "24",
            "64",
            "max_length=64 is more than the 40 positions",
        ),
        ("an unknown model", SPEC, "model = ", "\"tiny\"", "\"tony\"", "no model `tony`"),
        ("an unknown key", SPEC, "", "epochs", "epoch", "did you mean `epochs`?"),
        ("no data", SPEC, "data = ", "\"sms.csv\"", "\"sns.csv\"", "sns.csv"),
        (
            "a GPU that is not there",
            SPEC,
            "",
            "max_length",
            "device = \"cuda:63\"\nmax_length",
            "cuda:63 cannot be used",
        ),
    ] {
        says(name, |d| edit(d, file, &format!("{key}{from}"), &format!("{key}{to}")), want);
    }
    let beyond = |d: &Desk| {
        edit(d, TOKENIZER, "\"to\": 111", "\"to\": 70000");
        edit(d, SPEC, "limit = 400\n", "");
    };
    says("ids beyond the embeddings", beyond, "word embeddings");
}

#[test]
fn a_spec_that_changed_under_a_checkpoint_is_refused() {
    let desk = Desk::new();
    let run = desk.run_folder("r1", SMALL);
    desk.stop_at("r1", 5);
    desk.run_folder("r1", &SMALL.replace("lr = 1e-3", "lr = 2e-3"));
    fs::remove_file(run.join("events.jsonl")).unwrap();
    let output = desk.train("r1");
    assert_eq!(output.status.code(), Some(2));
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(stderr.contains("has changed since checkpoints/last"), "{stderr}");
}

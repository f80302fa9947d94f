//! Adapters that peft made, as people have them: a folder without a config.json, whose base is found by its name.

#![cfg(feature = "train")]

use std::fs;
use std::path::{Path, PathBuf};

use safetensors::SafeTensors;
use serde_json::{Value, json};
use tuneboard::board::is_within;

use super::shell::Shell;

const KEYS: [&str; 8] = [
    "run",
    "data=data/mail.csv",
    "epochs=1",
    "max_length=12",
    "device=cpu",
    "precision=fp32",
    "lr=1e-3",
    "--wait",
];

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/families")
}

/// Writes the fixture's adapter into `folder`, as one that stands beside `base`.
fn adapter(shell: &Shell, folder: &str, base: &str) {
    let from = fixtures().join("lora/roberta/nonzero");
    let text = fs::read_to_string(from.join("adapter_config.json")).unwrap();
    let mut config: Value = serde_json::from_str(&text).unwrap();
    config["base_model_name_or_path"] = base.into();
    shell.write(&format!("{folder}/adapter_config.json"), config.to_string());
    let weights = fs::read(from.join("adapter_model.safetensors")).unwrap();
    shell.write(&format!("{folder}/adapter_model.safetensors"), weights);
}

/// Copies the base of the fixture's adapter to `to`.
fn base(to: &Path) {
    fs::create_dir_all(to).unwrap();
    for file in ["config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors"] {
        fs::copy(fixtures().join("roberta").join(file), to.join(file)).unwrap();
    }
}

/// What peft's logits of the fixture's cases differ from those of `model` by at most.
fn gap(shell: &Shell, model: &str) -> f32 {
    let bytes = fs::read(fixtures().join("lora/roberta/expected.safetensors")).unwrap();
    let given = fs::read(fixtures().join("roberta/expected.safetensors")).unwrap();
    let (want, given) =
        (SafeTensors::deserialize(&bytes).unwrap(), SafeTensors::deserialize(&given).unwrap());
    let floats = |bytes: &[u8]| -> Vec<f32> {
        bytes.chunks_exact(4).map(|x| f32::from_le_bytes(x.try_into().unwrap())).collect()
    };
    let mut most = 0_f32;
    let names = want.names();
    let cases: Vec<&str> =
        names.iter().filter_map(|name| name.strip_suffix(".logits_nonzero")).collect();
    assert!(!cases.is_empty());
    for case in cases {
        let of = |key: &str| {
            let name = format!("{case}.{key}");
            want.tensor(&name).or_else(|_| given.tensor(&name)).ok()
        };
        let fed = ["input_ids", "attention_mask"].map(|key| (key, of(key)));
        let fed = fed.into_iter().filter_map(|(key, tensor)| Some((key, tensor?)));
        shell.write("in.safetensors", safetensors::serialize(fed, None).unwrap());
        let done = shell.trainer(&[
            "forward",
            model,
            "--input",
            "in.safetensors",
            "--output",
            "out.safetensors",
        ]);
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        let out = fs::read(shell.path("out.safetensors")).unwrap();
        let out = SafeTensors::deserialize(&out).unwrap();
        let ours = floats(out.tensor("logits").unwrap().data());
        let theirs = floats(want.tensor(&format!("{case}.logits_nonzero")).unwrap().data());
        assert_eq!(ours.len(), theirs.len());
        let apart = ours.iter().zip(&theirs).map(|(a, b)| (a - b).abs());
        most = apart.fold(most, f32::max);
    }
    most
}

fn run<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&KEYS[..], more].concat()
}

#[test]
fn an_adapter_of_pefts_waits_for_its_base_and_then_runs_predicts_and_is_gone_on_with() {
    let shell = Shell::training();
    adapter(&shell, "peft/mine", "org/roberta");
    let pull =
        "`org/roberta` is not on this machine; `tuneboard models pull org/roberta` fetches it";
    shell.refuses(&run(&["model=peft/mine"]), 2, pull);
    base(&shell.path("models/roberta"));
    assert!(gap(&shell, "peft/mine") < 2e-5);

    shell.ok(&run(&["model=peft/mine"]));
    shell.ok(&run(&["model=peft/mine", "adapter=lora", "lora_rank=4", "lora_alpha=8"]));
    assert!(shell.path("runs/r1/checkpoints/best/model.safetensors").is_file());
    let kept = fs::read_to_string(shell.path("runs/r2/checkpoints/best/adapter_config.json"));
    let kept: Value = serde_json::from_str(&kept.unwrap()).unwrap();
    assert_eq!(kept["base_model_name_or_path"], "models/roberta", "{kept}");
    for id in ["r1", "r2"] {
        let said = shell.json(&["predict", id, "text number 3"]);
        assert!(said[0]["probabilities"]["ham"].is_number(), "{said}");
    }
    shell.ok(&run(&["init=r2", "adapter=lora", "lora_rank=4", "lora_alpha=8", "model=peft/mine"]));

    for (more, want) in [
        (&["adapter=lora"][..], "it is an adapter with lora_rank=4, not 8: set lora_rank=4"),
        (&["adapter=lora", "init=r2"], "it is an adapter with lora_rank=4"),
        (&["init=random"], "which init=random has no use for"),
        (&["task=lm"], "which task=lm cannot start from; `tuneboard-train merge "),
        (&["init=peft/mine"], "a folder is what model= takes"),
        (&["max_length=5000"], "positions of peft/mine"),
    ] {
        shell.refuses(&run(&[&["model=peft/mine"][..], more].concat()), 2, want);
    }

    let same = |model: &str| shell.json(&["tokenize", model, "text number 3"])[0]["ids"].clone();
    assert_eq!(same("peft/mine"), same("roberta"));
    shell.ok(&["models", "add", "peft/mine"]);
    let listed = shell.json(&["models"]);
    let mine = listed.as_array().unwrap().iter().find(|model| model["name"] == "mine").unwrap();
    assert_eq!((&mine["problem"], &mine["family"]), (&Value::Null, &json!("roberta")));
    assert!(mine["parameters"].as_u64().unwrap() > 1000);
    assert!(gap(&shell, "models/mine") < 2e-5);
}

/// By a path from the adapter's own folder, also once it has been moved; and where the hub's tools keep it.
#[test]
fn a_base_is_found_beside_its_adapter_and_in_the_hubs_cache() {
    let shell = Shell::training();
    base(&shell.path("far/away/base"));
    adapter(&shell, "far/adapters/one", "../../away/base");
    shell.ok(&["models", "add", "far/adapters/one"]);
    for model in ["far/adapters/one", "models/one"] {
        assert!(gap(&shell, model) < 2e-5, "{model}");
    }

    adapter(&shell, "hub", "org/cached.v1");
    let run = [&KEYS[..], &["model=hub"]].concat();
    shell.refuses(&run, 2, "`tuneboard models pull org/cached.v1`");
    let cache = shell.home().join(".cache/huggingface/hub/models--org--cached.v1");
    base(&cache.join("blobs"));
    let snapshot = cache.join("snapshots/0123abc");
    fs::create_dir_all(&snapshot).unwrap();
    for entry in fs::read_dir(cache.join("blobs")).unwrap().flatten() {
        let to = Path::new("../../blobs").join(entry.file_name());
        std::os::unix::fs::symlink(to, snapshot.join(entry.file_name())).unwrap();
    }
    assert!(is_within(&snapshot, &snapshot.join("config.json")));
    fs::create_dir_all(cache.join("refs")).unwrap();
    for hostile in ["../../../../../etc", "", "a/b", &"x".repeat(1 << 20)] {
        fs::write(cache.join("refs/main"), hostile).unwrap();
        shell.refuses(&run, 2, "`tuneboard models pull org/cached.v1`");
    }
    fs::write(cache.join("refs/main"), "0123abc").unwrap();
    shell.ok(&run);
}

/// Each is refused before a run is queued, by what it says of its base.
#[test]
fn names_of_bases_that_lead_nowhere_good_are_refused() {
    let shell = Shell::training();
    base(&shell.path("models/roberta"));
    adapter(&shell, "models/fro", "to");
    for (name, of, want) in [
        ("self", "self", "is an adapter itself"),
        ("to", "fro", "is an adapter itself"),
        ("fro", "to", "is an adapter itself"),
        ("out", "../../../../../../../../etc", "is not on this machine"),
        ("root", "/", "is not on this machine"),
        ("escape", "a\u{1b}[2Jb", "is no name of a model"),
        ("long", &"x/".repeat(1 << 16), "is no name of a model"),
        ("none", "", "names no base_model_name_or_path"),
    ] {
        adapter(&shell, &format!("models/{name}"), of);
        shell.refuses(&[&KEYS[..], &[&format!("model={name}")]].concat(), 2, want);
    }
    // A base of another shape, and what is no adapter at all.
    adapter(&shell, "models/other", "tiny");
    let done = shell.run(&[&KEYS[..], &["model=other"]].concat());
    assert!(done.code != 0 && !done.err.is_empty(), "{done}");
    adapter(&shell, "models/cut", "roberta");
    shell.write("models/cut/adapter_model.safetensors", "half");
    shell.refuses(&[&KEYS[..], &["model=cut"]].concat(), 2, "adapter_model.safetensors: ");
    fs::remove_file(shell.path("models/cut/adapter_model.safetensors")).unwrap();
    shell.refuses(&[&KEYS[..], &["model=cut"]].concat(), 2, "no adapter_model.safetensors");
    let listed = shell.json(&["models"]);
    let bad = listed.as_array().unwrap().iter().filter(|model| model["problem"].is_string());
    assert_eq!(bad.count(), 9, "{listed}");
}

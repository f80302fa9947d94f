//! Checkpoints are Hugging Face folders: by their files, and by transformers itself where it is there.

#![cfg(feature = "train")]

use std::path::Path;
use std::process::Command;

use safetensors::SafeTensors;
use serde_json::{Value, json};

use super::shell::Shell;
use super::tasks;

const RUN: [&str; 10] = [
    "run",
    "model=tiny",
    "data=data/mail.csv",
    "epochs=1",
    "max_length=16",
    "device=cpu",
    "precision=fp32",
    "lr=1e-3",
    "keep=both",
    "--wait",
];

/// A board with one run of the tiny BERT, with that pool, done.
fn trained(pool: &str) -> Shell {
    let shell = Shell::training();
    shell.ok(&[&RUN[..], &[pool]].concat());
    shell
}

fn config(shell: &Shell, checkpoint: &str) -> Value {
    let path = shell.path(&format!("{checkpoint}/config.json"));
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

#[test]
fn best_and_last_are_folders_as_transformers_writes_them() {
    let shell = trained("pool=cls");
    for name in ["best", "last"] {
        let folder = format!("runs/r1/checkpoints/{name}");
        let config = config(&shell, &folder);
        assert_eq!(config["architectures"], json!(["BertForSequenceClassification"]));
        assert_eq!(config["model_type"], json!("bert"));
        assert_eq!(config["problem_type"], json!("single_label_classification"));
        assert_eq!(config["id2label"], json!({ "0": "ham", "1": "spam" }));
        assert_eq!(config["label2id"], json!({ "ham": 0, "spam": 1 }));
        assert_eq!(
            (&config["dtype"], &config["torch_dtype"]),
            (&json!("float32"), &json!("float32"))
        );
        let bytes = std::fs::read(shell.path(&format!("{folder}/model.safetensors"))).unwrap();
        let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
        assert_eq!(header.metadata().as_ref().unwrap()["format"], "pt");
        let names: Vec<String> = header.tensors().into_keys().collect();
        for part in ["bert.embeddings.", "bert.encoder.layer.1.", "bert.pooler.", "classifier."] {
            assert!(names.iter().any(|name| name.starts_with(part)), "{part} of {names:?}");
        }
        assert!(names.iter().all(|n| n.starts_with("bert.") || n.starts_with("classifier.")));
        assert!(shell.path(&format!("{folder}/tokenizer.json")).is_file());
    }
}

#[test]
fn a_head_that_transformers_lacks_is_not_called_one_of_its_own() {
    let shell = trained("pool=mean");
    let config = config(&shell, "runs/r1/checkpoints/best");
    assert_eq!(config.get("architectures"), None);
    assert_eq!(config["tuneboard_pool"], json!("mean"));
}

/// Ids and logits of checkpoints by transformers, and by peft where one is an adapter.
fn are_as_transformers_has_them(shell: &Shell, folders: &[String]) {
    let python = std::env::var("TUNEBOARD_PYTHON").unwrap_or_else(|_| "python3".into());
    let checked = Command::new(python.clone())
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/check_huggingface.py"))
        .arg(folders.join(":"))
        .arg(env!("CARGO_BIN_EXE_tuneboard-train"))
        .args(["free entry to win a prize", "ok, see you at home", "a"])
        .current_dir(shell.path("."))
        .env("TUNEBOARD_DEVICE", "cpu")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&checked.stdout);
    println!("{said}{}", String::from_utf8_lossy(&checked.stderr));
    assert!(checked.status.success(), "{python}: {:?}", checked.status.code());
}

/// Each family of the fixtures, its whole weights trained and an adapter beside them.
#[test]
#[ignore = "needs a Python with transformers and torch: TUNEBOARD_PYTHON"]
fn every_familys_checkpoints_and_adapters_give_the_same_in_transformers_and_peft() {
    let shell = Shell::training();
    let families = shell.families();
    assert!(families.len() > 10);
    let mut folders = Vec::new();
    for family in families {
        for adapter in ["none", "lora"] {
            let run = format!("{family}-{adapter}");
            let pool = if family.starts_with("modernbert") { "mean" } else { "auto" };
            shell.write(
                &format!("{run}/spec.toml"),
                format!(
                    "data = \"data/mail.csv\"\nmodel = \"models/{family}\"\nadapter = \"{adapter}\"\n\
                     epochs = 1\nmax_length = 16\nlr = 1e-3\ndevice = \"cpu\"\nprecision = \"fp32\"\n\
                     pool = \"{pool}\"\n"
                ),
            );
            let done = shell.trainer(&[&run]);
            assert!(done.status.success(), "{run}: {}", String::from_utf8_lossy(&done.stderr));
            folders.push(format!("{run}/checkpoints/best"));
        }
    }
    are_as_transformers_has_them(&shell, &folders);
}

/// The Python to ask: `TUNEBOARD_PYTHON`, else `python3`. `.ci/run` asks it where it has transformers.
#[test]
#[ignore = "needs a Python with transformers and torch: TUNEBOARD_PYTHON"]
fn transformers_gives_the_same_ids_and_logits() {
    let shell = trained("pool=cls");
    let python = std::env::var("TUNEBOARD_PYTHON").unwrap_or_else(|_| "python3".into());
    for name in ["best", "last"] {
        let checked = Command::new(python.clone())
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/check_huggingface.py"))
            .arg(shell.path(&format!("runs/r1/checkpoints/{name}")))
            .arg(env!("CARGO_BIN_EXE_tuneboard-train"))
            .args([
                "free entry to win a prize, text now",
                "ok, see you at home",
                "",
                "naïve Ünïcode 😀",
            ])
            .env("TUNEBOARD_DEVICE", "cpu")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&checked.stdout);
        println!("{said}{}", String::from_utf8_lossy(&checked.stderr));
        assert!(checked.status.success(), "{python}: {:?}", checked.status.code());
    }
}

/// Exports of every task: transformers' own classes, its outputs, our answers.
#[test]
#[ignore = "needs a Python with transformers and torch: TUNEBOARD_PYTHON"]
fn every_tasks_export_gives_the_same_in_transformers() {
    let shell = tasks::board();
    shell.write("data/nli.tsv", tasks::matching(80));
    shell.write("data/scores.csv", tasks::scores(80));
    let one = tasks::scores(80);
    let two = one.lines().enumerate().map(|(i, line)| match i {
        0 => format!("{line},b\n"),
        _ => format!("{line},{}\n", i % 4),
    });
    shell.write("data/two.csv", two.collect::<String>());
    shell.write("data/lists.csv", tasks::labelled(80, "lists"));
    let sets =
        tasks::matching(80).replace("\tlabel\n", "\tlabels\n").replace("\tsame\n", "\tsame;like\n");
    shell.write("data/sets.tsv", sets);
    let mut folders = Vec::new();
    for model in ["model=bert", "model=roberta"] {
        for args in [
            &["data=data/nli.tsv", "pool=cls"][..],
            &["data=data/scores.csv", "task=regress", "pool=cls"],
            &["data=data/two.csv", "task=regress", "label=score,b", "pool=cls"],
            &["data=data/lists.csv", "task=multilabel", "pool=cls"],
            &["data=data/sets.tsv", "task=multilabel", "pool=cls"],
            &["data=data/ner.conll", "task=tag"],
        ] {
            let id = format!("r{}", folders.len() + 1);
            let usual =
                ["device=cpu", "precision=fp32", "max_length=24", "epochs=1", "lr=3e-3", "--wait"];
            shell.ok(&[&["run", model], args, &usual].concat());
            let to = format!("out-{id}");
            shell.ok(&["export", &id, "--to", &to]);
            folders.push(to);
        }
    }
    are_as_transformers_has_them(&shell, &folders);
}

/// A head that no class of transformers has is exported under a `model_type` that transformers does not know, with a
/// class of its own; the card claims nothing else. tuneboard takes the folder back.
#[test]
fn a_card_claims_only_what_is_so() {
    let export = |pool: &str| {
        let shell = trained(pool);
        let told = shell.run(&["export", "r1", "--to", "out"]);
        let card = std::fs::read_to_string(shell.path("out/README.md")).unwrap();
        (told.err.contains("transformers has no class with this head"), card, shell)
    };
    let (warned, mean, shell) = export("pool=mean");
    assert!(warned && mean.contains("trust_remote_code=True"), "{mean}");
    assert!(mean.contains("custom_code"), "{mean}");
    let exported = config(&shell, "out");
    assert_eq!(exported["model_type"], "tuneboard-bert");
    let class = exported["architectures"][0].as_str().unwrap();
    let code = std::fs::read_to_string(shell.path("out/modeling_tuneboard.py")).unwrap();
    assert!(code.contains(&format!("class {class}(")), "{class}");
    // Trained on, it is a BERT again.
    shell.ok(&["clone", "r1", "model=out", "--wait"]);
    let again = config(&shell, "runs/r2/checkpoints/best");
    assert_eq!((&again["model_type"], again.get("auto_map")), (&json!("bert"), None));
    let ask = |id: &str| shell.json(&["predict", id, "free entry to win"])[0].clone();
    assert_eq!(ask("r1")["probabilities"].as_object().unwrap().len(), 2);
    let (warned, cls, _) = export("pool=cls");
    assert!(!warned && cls.contains("library_name: transformers"), "{cls}");
    assert!(cls.contains("BertForSequenceClassification.from_pretrained"), "{cls}");
}

/// By the lines of its card the exported model says what the run says; without trust transformers refuses it.
#[test]
#[ignore = "needs a Python with transformers and torch: TUNEBOARD_PYTHON"]
fn the_lines_of_the_card_give_what_the_run_says() {
    let texts = ["free entry to win a prize, text now", "ok, see you at home", "naïve Ünïcode 😀"];
    let python = std::env::var("TUNEBOARD_PYTHON").unwrap_or_else(|_| "python3".into());
    for pool in ["pool=auto", "pool=mean", "pool=max", "pool=cls"] {
        let shell = trained(pool);
        shell.ok(&["export", "r1", "--to", "out"]);
        let card = std::fs::read_to_string(shell.path("out/README.md")).unwrap();
        let lines = card.split("```python").nth(1).unwrap().split("```").next().unwrap();
        let code = format!(
            "{lines}
import json, sys, torch
from transformers import AutoModelForSequenceClassification
batch = tokenizer(sys.argv[1:], padding=True, return_tensors='pt')
with torch.no_grad():
    print(json.dumps(torch.softmax(model.eval()(**batch).logits, -1).tolist()))
try:
    again, told = AutoModelForSequenceClassification.from_pretrained('.', trust_remote_code=False,
                                                                     output_loading_info=True)
    assert not told['missing_keys'] and type(again) is type(model), told
except ValueError as refused:
    assert 'trust_remote_code' in str(refused), refused
"
        );
        let said = Command::new(&python)
            .args(["-c", &code])
            .args(texts)
            .current_dir(shell.path("out"))
            .output()
            .unwrap();
        assert!(said.status.success(), "{pool}: {}", String::from_utf8_lossy(&said.stderr));
        let theirs: Vec<[f64; 2]> = serde_json::from_slice(&said.stdout).unwrap();
        let ours = shell.json(&[&["predict", "r1"], &texts[..]].concat());
        for (ours, theirs) in ours.as_array().unwrap().iter().zip(&theirs) {
            let p = |class: &str| ours["probabilities"][class].as_f64().unwrap();
            let off = (p("ham") - theirs[0]).abs().max((p("spam") - theirs[1]).abs());
            assert!(off < 1e-5, "{pool}: {ours} {theirs:?}");
        }
    }
}

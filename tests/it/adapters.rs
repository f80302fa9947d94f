//! Every family from end to end, its whole weights and an adapter beside them; and an adapter on a board.

#![cfg(feature = "train")]

use std::fs;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::thread;

use serde_json::{Value, json};

use super::shell::Shell;

fn spec(family: &str, adapter: &str) -> String {
    format!(
        "data = \"data/mail.csv\"\nmodel = \"models/{family}\"\nadapter = \"{adapter}\"\nepochs = 1\n\
         max_length = 12\nbatch_size = 8\nlr = 1e-3\ndevice = \"cpu\"\nprecision = \"fp32\"\nthreads = 1\n"
    )
}

fn train(shell: &Shell, run: &str) -> Vec<Value> {
    let done = shell.trainer(&[run]);
    assert!(done.status.success(), "{run}: {}", String::from_utf8_lossy(&done.stderr));
    let text = fs::read_to_string(shell.path(&format!("{run}/events.jsonl"))).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The figures of the test rows.
fn tested(events: &[Value]) -> Value {
    let of = |event: &Value| {
        let eval = &event["kind"]["eval"];
        (eval["split"] == "test").then(|| eval["values"].clone())
    };
    events.iter().rev().find_map(of).expect("the test rows were looked at")
}

/// What the trainer says of texts, one JSON object a line.
fn asked(shell: &Shell, verb: &str, folder: &str) -> Vec<Value> {
    use std::io::Write as _;
    let mut child = Command::new(env!("CARGO_BIN_EXE_tuneboard-train"))
        .args([verb, folder])
        .current_dir(shell.path("."))
        .env("TUNEBOARD_DEVICE", "cpu")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = ["text number 3", "another, longer text"].map(|text| json!({ "text": text }));
    let lines = lines.map(|line| format!("{line}\n")).concat();
    child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{verb} {folder}");
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn probabilities(said: &[Value]) -> Vec<f64> {
    let all = said.iter().filter_map(|line| line["probabilities"].as_array()).flatten();
    all.map(|x| x.as_f64().unwrap()).collect()
}

fn one_family(shell: &Shell, family: &str) {
    for adapter in ["none", "lora"] {
        let run = format!("{family}-{adapter}");
        shell.write(&format!("{run}/spec.toml"), spec(family, adapter));
        let events = train(shell, &run);
        let started = &events[0]["kind"]["started"];
        let [all, learn] = ["parameters", "trainable"].map(|key| started[key].as_u64().unwrap());
        assert!(
            if adapter == "lora" { learn < all / 2 } else { learn == all },
            "{run}: {learn}/{all}"
        );

        let best = format!("{run}/checkpoints/best");
        let has = |file: &str| shell.path(&format!("{best}/{file}")).is_file();
        assert_eq!(has("adapter_model.safetensors"), adapter == "lora", "{run}");
        assert_eq!(has("model.safetensors"), adapter == "none", "{run}");
        let said = asked(shell, "predict", &best);
        assert_eq!(said[0], json!({ "labels": ["ham", "spam"] }), "{run}");
        assert_eq!(said.len(), 3, "{run}");

        if adapter == "lora" {
            // As one checkpoint it says the same, and can be gone on from whole.
            let merged = format!("models/{family}-merged");
            let done = shell.trainer(&["merge", &best, &merged]);
            assert!(done.status.success(), "{run}: {}", String::from_utf8_lossy(&done.stderr));
            let again = asked(shell, "predict", &merged);
            let apart = probabilities(&said).into_iter().zip(probabilities(&again));
            assert!(apart.map(|(a, b)| (a - b).abs()).all(|gap| gap < 1e-5), "{run}");
        } else {
            assert_eq!(asked(shell, "tokenize", &best).len(), 2, "{run}");
        }
        // The trainer that goes on from what is saved tests the same.
        let path = shell.path(&format!("{run}/events.jsonl"));
        let text = fs::read_to_string(&path).unwrap();
        let kept: Vec<&str> = text.lines().filter(|line| !line.contains("\"ended\"")).collect();
        fs::write(&path, kept.join("\n") + "\n").unwrap();
        assert_eq!(tested(&train(shell, &run)), tested(&events), "{run}");
    }
}

#[test]
fn every_family_trains_goes_on_predicts_and_is_merged() {
    let shell = Shell::training();
    let mut families = shell.families();
    for (name, fixture) in [("bert", "tiny-bert"), ("gpt2", "tiny-gpt2")] {
        shell.model(name, fixture);
        families.push(name.to_owned());
    }
    assert!(families.len() > 16, "{families:?}");
    let left = Mutex::new(families);
    let next = || left.lock().unwrap().pop();
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while let Some(family) = next() {
                    one_family(&shell, &family);
                }
            });
        }
    });
}

/// Numbers of the adapter of r1, without its head.
fn lora_numbers(shell: &Shell) -> u64 {
    let bytes = fs::read(shell.path("runs/r1/checkpoints/best/adapter_model.safetensors")).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap().tensors();
    let narrow = tensors.iter().filter(|(name, _)| name.contains(".lora_"));
    narrow.map(|(_, view)| view.shape().iter().product::<usize>() as u64).sum()
}

#[test]
fn an_adapter_is_run_shown_compared_gone_on_from_and_exported() {
    let shell = Shell::training();
    let run = |more: &[&str]| {
        let keys =
            ["run", "model=tiny", "data=data/mail.csv", "epochs=1", "max_length=16", "device=cpu"];
        shell.ok(&[&keys[..], &["lr=1e-3", "--wait"], more].concat());
    };
    run(&["adapter=lora", "lora_rank=2", "lora_alpha=4"]);
    run(&["init=r1"]);
    run(&["init=r1", "adapter=lora", "lora_rank=2", "lora_alpha=4"]);
    let shown = shell.json(&["show", "r1"]);
    let (all, learn) = (&shown["facts"]["parameters"], &shown["trainable_parameters"]);
    assert!(learn.as_u64().unwrap() < all.as_u64().unwrap() / 5, "{shown}");
    assert!(shell.ok(&["show", "r1"]).contains(" learn  "));
    let compared = shell.json(&["compare", "r1", "r2", "r3"]);
    // All weights of the second run learn, and those of an adapter come on top of what it stands beside.
    let whole = all.as_u64().unwrap() - lora_numbers(&shell);
    assert_eq!(compared["trainable_parameters"], json!([learn, whole, learn]));
    // What goes on from an adapter with all weights is a whole model again.
    assert!(shell.path("runs/r2/checkpoints/best/model.safetensors").is_file());
    assert!(shell.path("runs/r3/checkpoints/best/adapter_model.safetensors").is_file());
    let keys = ["run", "model=tiny", "data=data/mail.csv", "max_length=16", "adapter=lora"];
    for (more, want) in [
        (&["lora_targets=query+valeu"][..], "did you mean `value`?"),
        (&["unfreeze=head"], "only the head learns"),
        (&["init=random"], "init=random has none"),
        (&["lora_rank=0"], "a whole number from 1"),
        (&["task=lm"], "adapters are for the tasks with a head"),
    ] {
        shell.refuses(&[&keys[..], more].concat(), 2, want);
    }
    shell.refuses(&["run", "model=gru", "data=data/mail.csv", "adapter=lora"], 2, "model=gru");

    shell.ok(&["export", "r1", "--to", "out"]);
    let config = fs::read_to_string(shell.path("out/adapter_config.json")).unwrap();
    let config: Value = serde_json::from_str(&config).unwrap();
    assert!(config["base_model_name_or_path"].as_str().unwrap().starts_with('/'), "{config}");
    assert!(shell.path("out/adapter_model.safetensors").is_file());
    shell.ok(&["export", "r1", "--merge", "--to", "models/merged"]);
    let model = shell.json(&["models"]);
    let model = model.as_array().unwrap().iter().find(|m| m["name"] == "merged").unwrap().clone();
    assert_eq!((&model["problem"], &model["parameters"]), (&Value::Null, &json!(whole)));
    shell.refuses(&["export", "r2", "--merge", "--to", "none"], 2, "r2 has no adapter");
    let answers = shell.json(&["predict", "r1", "text number 3"]);
    assert!(answers[0]["label"] == "ham" || answers[0]["label"] == "spam", "{answers}");
}

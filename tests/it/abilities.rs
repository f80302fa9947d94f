//! What every family can, or is refused by its name: the rows of the table of families, each on a small model.

#![cfg(feature = "train")]

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::thread;

use safetensors::tensor::{Dtype, TensorView};
use serde_json::{Value, json};
use tuneboard::spec::Family;
use tuneboard::spec::family::LanguageModel;

use super::elmo;
use super::shell::Shell;

/// What is asked of each family, and whether its row says that it has it.
type Ability = (&'static str, &'static [&'static str], fn(Family) -> bool);

fn is_encoder(family: Family) -> bool {
    family.class(tuneboard::spec::Pool::Cls).is_some() && family != Family::ModernBert
}

const ABILITIES: [Ability; 7] = [
    ("gradual", &["unfreeze=gradual", "layer_decay=0.5", "epochs=2"], |_| true),
    ("frozen", &["unfreeze=head", "epochs=1"], |_| true),
    ("lm", &["task=lm", "epochs=1"], |family| family.row().language_model != LanguageModel::No),
    ("lm-gradual", &["task=lm", "unfreeze=gradual", "epochs=1"], |family| {
        matches!(family.row().language_model, LanguageModel::Masked(_) | LanguageModel::Stream)
    }),
    ("tag", &["task=tag", "data=data/ner.conll", "epochs=1"], is_encoder),
    ("lora", &["adapter=lora", "epochs=1"], |family| !family.row().lora.is_empty()),
    ("stateful", &["stateful=true", "epochs=1"], |family| family == Family::Elmo),
];

/// A model of every family of the table, by what model= takes.
fn models(shell: &Shell) -> BTreeMap<&'static str, String> {
    let mut names = shell.families();
    for (name, fixture) in [("bert", "tiny-bert"), ("gpt2", "tiny-gpt2")] {
        shell.model(name, fixture);
        names.push(name.to_owned());
    }
    elmo::published(shell);
    // What these two are made of comes from the train rows of a run.
    for name in ["gru", "ulmfit"] {
        let keys = ["data=data/mail.csv", "epochs=1", "device=cpu", "lr=1e-3", "--wait"];
        let model = format!("model={name}");
        shell.ok(&[&["run", model.as_str()][..], &keys].concat());
    }
    let paths = names.iter().map(|name| format!("models/{name}"));
    let made = ["r1", "r2"].map(|id| format!("runs/{id}/checkpoints/best"));
    let mut models = BTreeMap::from([("elmo", "models/elmo".to_owned())]);
    for path in paths.chain(made) {
        let config = fs::read(shell.path(&format!("{path}/config.json"))).unwrap();
        let mut config: Value = serde_json::from_slice(&config).unwrap();
        let family = Family::of_config(&config).unwrap();
        let speaks = family.row().language_model != LanguageModel::No;
        if speaks && config["tie_word_embeddings"] == false {
            let model = format!("model={path}");
            let keys = ["run", model.as_str(), "data=data/mail.csv", "task=lm", "max_length=16"];
            shell.refuses(&keys, 2, "cannot be trained: its tie_word_embeddings is false");
            config["tie_word_embeddings"] = true.into();
            shell.write(&format!("{path}/config.json"), config.to_string());
        }
        models.insert(family.name(), path);
    }
    models
}

/// Lines in, lines out.
fn tokenized(shell: &Shell, model: &str, line: &Value) -> Result<Value, String> {
    let mut child = Command::new(env!("CARGO_BIN_EXE_tuneboard-train"))
        .args(["tokenize", model])
        .current_dir(shell.path("."))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(format!("{line}\n").as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    if !output.status.success() {
        return Err(String::from_utf8(output.stderr).unwrap());
    }
    Ok(serde_json::from_slice(&output.stdout).unwrap())
}

/// `forward` gives a vector of each token, `tokenize` takes pairs.
fn is_looked_into(shell: &Shell, family: Family, model: &str) {
    let one = tokenized(shell, model, &json!({ "text": "text number 3" })).unwrap();
    let ids = |line: &Value| -> Vec<i64> {
        line["ids"].as_array().unwrap().iter().map(|id| id.as_i64().unwrap()).collect()
    };
    assert!(!ids(&one).is_empty(), "{family}");
    match tokenized(shell, model, &json!({ "text": "text number 3", "pair": "another one" })) {
        Ok(pair) => assert!(ids(&pair).len() > ids(&one).len(), "{family}: {one} {pair}"),
        Err(said) => assert!(said.contains("pair") && family == Family::Elmo, "{family}: {said}"),
    }

    // ELMo reads 50 characters of each word.
    let width = if family == Family::Elmo { 50 } else { 1 };
    let ids: Vec<u8> = (0..6 * width).flat_map(|at: i64| (1 + at % 3).to_le_bytes()).collect();
    let fed = TensorView::new(Dtype::I64, vec![1, 6 * width as usize], &ids).unwrap();
    let [from, to] = ["in", "out"].map(|word| format!("{word}-{family}.safetensors"));
    shell.write(&from, safetensors::serialize([("input_ids", fed)], None).unwrap());
    let done = shell.trainer(&["forward", model, "--input", &from, "--output", &to]);
    assert!(done.status.success(), "{family}: {}", String::from_utf8_lossy(&done.stderr));
    let out = fs::read(shell.path(&to)).unwrap();
    let out = safetensors::SafeTensors::deserialize(&out).unwrap();
    let hidden = out.tensor("last_hidden_state").unwrap().shape().to_vec();
    assert_eq!(hidden[..2], [1, 6], "{family}");
}

fn one_family(shell: &Shell, family: Family, model: &str) {
    is_looked_into(shell, family, model);
    let usual = [
        "max_length=16",
        "batch_size=8",
        "lr=1e-3",
        "device=cpu",
        "precision=fp32",
        "limit=30",
        "threads=1",
    ];
    for (ability, keys, has) in ABILITIES {
        let model = format!("model={model}");
        let mut all = vec!["run", model.as_str()];
        if !keys.iter().any(|key| key.starts_with("data=")) {
            all.push("data=data/mail.csv");
        }
        all.extend(keys);
        all.extend(usual);
        all.push("--dry-run");
        if !has(family) {
            let done = shell.run(&all);
            let why = done.err.split_once("cannot be trained: ").map_or("", |(_, why)| why);
            let is_named = why.contains(family.name());
            assert!(done.code == 2 && is_named, "{family} lacks {ability}: {done}");
            continue;
        }
        shell.ok(&all);
        // As it is queued, so it is trained.
        let run = format!("{family}-{ability}");
        let pairs = all[1..all.len() - 1].iter().filter_map(|pair| pair.split_once('='));
        let pairs: BTreeMap<&str, &str> = pairs.collect();
        let plain = |value: &str| value.parse::<f64>().is_ok();
        let lines = pairs.iter().map(|(key, value)| match *value {
            "true" => format!("{key} = true\n"),
            value if plain(value) => format!("{key} = {value}\n"),
            value => format!("{key} = \"{value}\"\n"),
        });
        shell.write(&format!("{run}/spec.toml"), lines.collect::<String>());
        let cache = shell.path(&format!("{run}/cache"));
        let done = Command::new(env!("CARGO_BIN_EXE_tuneboard-train"))
            .arg(&run)
            .current_dir(shell.path("."))
            .env("TUNEBOARD_CACHE_DIR", &cache)
            .output()
            .unwrap();
        assert!(done.status.success(), "{run}: {}", String::from_utf8_lossy(&done.stderr));
        // A frozen encoder's vectors are kept.
        let kept = fs::read_dir(&cache).into_iter().flatten().flatten();
        let names = kept.map(|entry| entry.file_name().to_string_lossy().into_owned());
        let has_vectors = names.into_iter().any(|name| name.starts_with("vectors-"));
        assert!(has_vectors || ability != "frozen", "{run}");
        let events = fs::read_to_string(shell.path(&format!("{run}/events.jsonl"))).unwrap();
        assert!(events.contains(r#""ending":"done""#), "{run}");
    }
}

#[test]
fn every_family_does_what_its_row_says_or_is_refused_by_name() {
    let shell = Shell::training();
    let sentences: Vec<String> =
        (0..30).map(|i| format!("text O\nnumber O\nAnna{i} B-PER\n\n")).collect();
    shell.write("data/ner.conll", sentences.concat());
    let models = models(&shell);
    let missing = Family::ALL.iter().filter(|family| !models.contains_key(family.name()));
    assert_eq!(missing.collect::<Vec<_>>(), Vec::<&Family>::new(), "{models:?}");
    let left = Mutex::new(Family::ALL.to_vec());
    let next = || left.lock().unwrap().pop();
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while let Some(family) = next() {
                    one_family(&shell, family, &models[family.name()]);
                }
            });
        }
    });
}

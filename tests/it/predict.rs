//! A trained run is asked, taken apart and given away, through the real executables.

#![cfg(feature = "train")]

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::process::Stdio;

use serde_json::{Value, json};
use tuneboard::dataset::predictions;

use super::shell::Shell;

fn trained() -> Shell {
    let shell = Shell::training();
    let run = ["run", "model=tiny", "data=data/mail.csv", "epochs=2", "max_length=16", "lr=1e-3"];
    shell
        .ok(&[&run[..], &["pool=cls", "device=cpu", "precision=fp32", "keep=both", "--wait"]]
            .concat());
    shell
}

/// What is predicted is what the run itself said of its test rows; gives the lines of the answer.
fn answers(shell: &Shell, id: &str) -> Vec<Value> {
    let test = std::fs::read_dir(shell.path(&format!("runs/{id}/predictions"))).unwrap();
    let test = test.flatten().find(|e| e.file_name().to_string_lossy().starts_with("test-"));
    let said = predictions::read(&test.unwrap().path()).unwrap();
    let want: BTreeMap<u64, f32> =
        said.rows.iter().copied().zip(said.probabilities[1].iter().copied()).collect();

    shell.ok(&["predict", id, "--data", "data/mail.csv", "--out", "preds.jsonl"]);
    let text = std::fs::read_to_string(shell.path("preds.jsonl")).unwrap();
    let lines: Vec<Value> = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(lines.len(), 40);
    let mut compared = 0;
    for line in &lines {
        let p = line["p_spam"].as_f64().unwrap();
        if let Some(want) = want.get(&line["row"].as_u64().unwrap()) {
            assert!((p - f64::from(*want)).abs() < 1e-5, "{id}: {line}, not {want}");
            compared += 1;
        }
        let label = if p > 0.5 { "spam" } else { "ham" };
        assert_eq!(line["predicted"], json!(label), "{id}: {line}");
    }
    assert!(compared > 0 && compared == want.len(), "{id}");
    lines
}

#[test]
fn a_file_is_answered_as_the_run_answered_it() {
    let shell = trained();
    let lines = answers(&shell, "r1");
    for name in ["preds.parquet", "preds.csv"] {
        shell.ok(&["predict", "r1", "--data", "data/mail.csv", "--out", name]);
        // What was written is data again.
        let again = shell.json(&["predict", "r1", "--data", name, "--text", "text"]);
        assert_eq!(again.as_array().unwrap().len(), 40, "{name}");
        assert_eq!(again[0]["label"], lines[0]["predicted"]);
    }
}

/// Baselines, a recurrent network, and a head that reads every token.
#[test]
fn every_kind_of_model_answers_as_its_run_did() {
    let shell = Shell::training();
    shell.model("gpt", "tiny-gpt2");
    // Words that come back, so that a vocabulary made from the train rows knows them.
    let row = |i: usize| match i % 3 {
        0 => "win a prize now,spam\n",
        1 => "see you at home,ham\n",
        _ => "are you at lunch now,ham\n",
    };
    shell.write("data/mail.csv", format!("text,label\n{}", (0..40).map(row).collect::<String>()));
    let rest = ["data=data/mail.csv", "epochs=1", "max_length=16", "device=cpu", "--wait"];
    let models = "model=majority,count-nb,tfidf-nb,tfidf-logreg,gru";
    shell.ok(&[&["sweep", models, "lr=1e-2"], &rest[..]].concat());
    shell.ok(&[&["run", "model=gpt", "pool=flatten", "precision=fp32"], &rest[..]].concat());
    let runs = shell.json(&["ls"]);
    let mut spread = BTreeMap::new();
    for run in runs.as_array().unwrap() {
        let id = run["id"].as_str().unwrap();
        let lines = answers(&shell, id);
        let said: BTreeSet<String> = lines.iter().map(|l| l["p_spam"].to_string()).collect();
        spread.insert(run["spec"]["model"].as_str().unwrap().to_owned(), said.len());
    }
    assert_eq!(spread.len(), 6, "{spread:?}");
    // Only the one that does not look at the texts says the same of all.
    assert!(spread.iter().all(|(model, n)| (*n == 1) == (model == "majority")), "{spread:?}");
}

/// A baseline's model leaves the board whole: what was exported answers as the run does.
#[test]
fn an_exported_baseline_answers() {
    let shell = Shell::training();
    shell.ok(&["run", "model=tfidf-nb", "data=data/mail.csv", "--wait"]);
    let said = shell.json(&["export", "r1", "--to", "spam"]);
    assert_eq!(
        said["files"],
        json!(["config.json", "model.safetensors", "vocabulary.json", "README.md"])
    );
    let card = std::fs::read_to_string(shell.path("spam/README.md")).unwrap();
    assert!(!card.contains("transformers"), "{card}");
    std::fs::remove_dir_all(shell.path("runs/r1/checkpoints/best")).unwrap();
    std::fs::rename(shell.path("spam"), shell.path("runs/r1/checkpoints/best")).unwrap();
    answers(&shell, "r1");
}

/// The trainer's sentence, and the exit code of bad input.
#[test]
fn damaged_checkpoints_are_refused() {
    let shell = trained();
    shell.ok(&["run", "model=count-nb", "data=data/mail.csv", "--wait"]);
    let text = "see you at home";
    let refused = |file: &str, change: &dyn Fn(Vec<u8>) -> Vec<u8>, verbs: &[[&str; 2]], words| {
        let whole = std::fs::read(shell.path(file)).unwrap();
        shell.write(file, change(whole.clone()));
        for [verb, run] in verbs {
            let done = shell.run(&[*verb, *run, text]);
            assert_eq!(done.code, 2, "{done}");
            let name = file.rsplit('/').next().unwrap();
            assert!(done.err.contains(name) && done.err.contains(words), "{words}: {done}");
            assert!(!done.err.contains("tuneboard-train"), "{done}");
            assert_eq!((done.err.lines().count(), done.out.as_str()), (1, ""), "{done}");
        }
        shell.write(file, whole);
        for [verb, run] in verbs {
            shell.ok(&[*verb, *run, text]);
        }
    };
    let half = |bytes: Vec<u8>| bytes[..bytes.len() / 2].to_vec();
    let both = [["predict", "r1"], ["tokenize", "r1"]];
    refused("runs/r1/checkpoints/best/model.safetensors", &half, &both[..1], "cut short");
    refused("runs/r1/checkpoints/best/tokenizer.json", &half, &both, "no sound tokenizer");
    refused("runs/r1/checkpoints/best/config.json", &half, &both, "not valid JSON");

    let counts = [["predict", "r2"]];
    let replaced = |from: &'static str, to: &'static str| {
        move |bytes: Vec<u8>| String::from_utf8(bytes).unwrap().replace(from, to).into_bytes()
    };
    let nan = |mut bytes: Vec<u8>| {
        let end = bytes.len() - 8;
        bytes[end..].copy_from_slice(&f64::NAN.to_le_bytes());
        bytes
    };
    let best = "runs/r2/checkpoints/best";
    refused(&format!("{best}/model.safetensors"), &half, &counts, "the tensor `");
    refused(&format!("{best}/model.safetensors"), &nan, &counts, "NaN");
    refused(&format!("{best}/vocabulary.json"), &half, &counts, "is damaged");
    let label = replaced("\"1\"", "\"7\"");
    refused(&format!("{best}/config.json"), &label, &counts, "does not count from 0");
    // Weights of another vocabulary.
    let fewer = |_| b"[\"number\"]".to_vec();
    let file = format!("{best}/vocabulary.json");
    let whole = std::fs::read(shell.path(&file)).unwrap();
    shell.write(&file, fewer(whole));
    shell.refuses(&["predict", "r2", text], 2, "instead of F64 [1, 2]");
}

#[test]
fn texts_come_as_words_or_as_lines() {
    let shell = trained();
    let texts = ["win a prize now", "see you \u{1b}[2J at home", ""];
    let answers = shell.json(&[&["predict", "r1"], &texts[..]].concat());
    for (answer, text) in answers.as_array().unwrap().iter().zip(texts) {
        assert_eq!(answer["text"], json!(text));
        let p = &answer["probabilities"];
        let sum = p["ham"].as_f64().unwrap() + p["spam"].as_f64().unwrap();
        assert!((sum - 1.0).abs() < 1e-5, "{answer}");
        assert_eq!(answer["probability"], p[answer["label"].as_str().unwrap()]);
    }
    let table = shell.ok(&[&["predict", "r1", "--checkpoint", "last"], &texts[..]].concat());
    assert_eq!(table.lines().count(), 4, "{table}");

    let mut child = shell
        .command(&["predict", "r1", "--json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all("win a prize now\n\nok\n".as_bytes()).unwrap();
    let piped = child.wait_with_output().unwrap();
    let piped: Value = serde_json::from_slice(&piped.stdout).unwrap();
    // As many answers as lines, blank ones included.
    assert_eq!(piped.as_array().unwrap().len(), 3);
    assert_eq!(piped[0], answers[0]);
}

#[test]
fn an_exported_model_is_one_to_start_from() {
    let shell = trained();
    let said = shell.json(&["export", "r1", "--to", "models/spam"]);
    assert_eq!(
        said["files"],
        json!(["config.json", "model.safetensors", "tokenizer.json", "README.md"])
    );
    let of =
        |folder: &str| std::fs::read(shell.path(&format!("{folder}/model.safetensors"))).unwrap();
    assert_eq!(of("models/spam"), of("runs/r1/checkpoints/best"));
    assert_eq!(std::fs::read_dir(shell.path("models/spam")).unwrap().count(), 4);
    shell.refuses(&["export", "r1", "--to", "models/spam"], 2, "holds files already");
    shell.refuses(&["export", "r1", "--to", "no/such/place"], 2, "does not exist");
    let run = ["run", "model=spam", "data=data/mail.csv", "epochs=1", "max_length=16"];
    shell.ok(&[&run[..], &["device=cpu", "--wait"]].concat());
    let told = shell.ok(&["show", "r2"]);
    assert!(!told.contains("head is new"), "{told}");
}

#[test]
fn tokens_are_shown_as_the_run_sees_them() {
    let shell = trained();
    let shown = shell.json(&["tokenize", "tiny", "see you", "at home"]);
    let tokens = shown[0]["tokens"].as_array().unwrap();
    assert_eq!((tokens.first(), tokens.last()), (Some(&json!("[CLS]")), Some(&json!("[SEP]"))));
    assert_eq!(shown.as_array().unwrap().len(), 2);
    assert_eq!(shell.json(&["tokenize", "r1", "see you", "at home"]), shown);
    let cut = shell.json(&["tokenize", "tiny", "see you at home", "--max-length", "3"]);
    assert_eq!(cut[0]["ids"].as_array().unwrap().len(), 3);
    assert!(shell.ok(&["tokenize", "tiny", "see", "--no-specials"]).contains("token"));
}

#[test]
fn what_cannot_be_answered_is_refused() {
    let shell = Shell::training();
    shell.ok(&["run", "model=tiny", "data=data/mail.csv", "epochs=1", "max_length=16", "--hold"]);
    shell.refuses(&["predict", "r1", "x"], 2, "no checkpoint `best`");
    shell.refuses(&["predict", "r9", "x"], 2, "There is no run r9");
    shell.refuses(&["export", "r1", "--to", "x"], 2, "no checkpoint `best`");
    shell.refuses(&["predict", "r1", "x", "--out", "x.xls"], 2, ".parquet, .csv or .jsonl");
    shell.refuses(&["tokenize", "tinny", "x"], 2, "tiny");
}

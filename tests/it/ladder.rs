//! Models of different kinds side by side, from one sweep to one table, with the real trainer.

#![cfg(feature = "train")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::elmo::published;
use super::shell::Shell;

/// Simple ones first, then a small BERT: all end Done, in one table, with the same figures.
#[test]
fn a_sweep_takes_baselines_beside_a_transformer() {
    let shell = Shell::training();
    published(&shell);
    let models =
        ["majority", "count-nb", "tfidf-nb", "tfidf-logreg", "gru", "ulmfit", "elmo", "tiny"];
    let model = format!("model={}", models.join(","));
    let rest = ["epochs=2", "max_length=16", "device=cpu", "threads=1", "split=0.6,0.2,0.2"];
    shell.ok(&[&["sweep", &model, "data=data/mail.csv", "--wait"], &rest[..]].concat());
    let runs = shell.json(&["ls"]);
    let runs = runs.as_array().unwrap();
    assert_eq!(runs.len(), models.len());
    for model in models {
        let run = runs.iter().find(|r| r["spec"]["model"] == json!(model)).unwrap();
        assert_eq!(run["outcome"], json!("done"), "{run}");
        let epochs = if ["tiny", "gru", "ulmfit", "elmo"].contains(&model) { 2 } else { 1 };
        assert_eq!(run["epochs"], json!(epochs), "{model}");
        assert_eq!(run["epoch"], json!(f64::from(epochs)), "{model}");
        for metric in [
            "train/loss",
            "train/acc",
            "train/examples_per_s",
            "train/tokens_per_s",
            "train/peak_memory_bytes",
            "val/loss",
            "val/acc",
            "val/f1",
            "test/loss",
            "test/acc",
            "test/f1",
        ] {
            let value = &run["last"][metric];
            assert!(value.as_f64().is_some_and(f64::is_finite), "{model} {metric}: {value}");
        }
        let id = run["id"].as_str().unwrap();
        let confusion = shell.json(&["confusion", id, "--split", "test"]);
        let counts: Vec<Vec<u64>> = serde_json::from_value(confusion["counts"].clone()).unwrap();
        assert_eq!(counts.iter().flatten().sum::<u64>(), 8, "{model}");
        let log_loss = confusion["probabilities"]["log_loss"].as_f64().unwrap();
        assert!((log_loss - run["last"]["test/loss"].as_f64().unwrap()).abs() < 1e-6, "{model}");
    }
    // What the events files tell is all there is to know.
    shell.ok(&["reindex"]);
    assert_eq!(shell.json(&["ls"]).as_array().unwrap().len(), models.len());
}

/// Two families of transformers from one sweep: one table, and a pair that is tested on the same rows.
#[test]
fn a_sweep_compares_bert_and_gpt2() {
    let shell = Shell::training();
    shell.model("gpt2-tiny", "tiny-gpt2");
    let rest = ["data=data/mail.csv", "epochs=1", "max_length=16", "device=cpu", "--wait"];
    shell.ok(&[&["sweep", "model=tiny,gpt2-tiny", "split=0.5,0.2,0.3"], &rest[..]].concat());
    let runs = shell.json(&["ls"]);
    let runs = runs.as_array().unwrap();
    assert_eq!(runs.len(), 2);
    let models: BTreeSet<&str> =
        runs.iter().map(|run| run["spec"]["model"].as_str().unwrap()).collect();
    assert_eq!(models, BTreeSet::from(["gpt2-tiny", "tiny"]));
    for run in runs {
        assert_eq!((&run["outcome"], &run["sweep"]), (&json!("done"), &json!("s1")), "{run}");
        let id = run["id"].as_str().unwrap();
        // The figures of each class are those of the test rows' counts.
        let shown = shell.json(&["show", id]);
        let confusion = shell.json(&["confusion", id, "--split", "test"]);
        let classes = shown["classes"].as_array().unwrap();
        let labels: Vec<&Value> = classes.iter().map(|class| &class["label"]).collect();
        assert_eq!(json!(labels), confusion["labels"]);
        for (class, want) in classes.iter().zip(confusion["classes"].as_array().unwrap()) {
            for figure in ["support", "predicted", "precision", "recall", "f1"] {
                assert!(want[figure].is_number() && class[figure] == want[figure], "{class}");
            }
        }
        let support: u64 = classes.iter().map(|class| class["support"].as_u64().unwrap()).sum();
        assert_eq!(support, 12, "{id}");
        let told = shell.ok(&["show", id]);
        let head = told.lines().skip_while(|line| *line != "The test rows by class").nth(1);
        let head: Vec<&str> = head.unwrap_or_default().split_whitespace().collect();
        assert_eq!(head, ["class", "rows", "precision", "recall", "f1"], "{told}");
    }
    let compared = shell.json(&["compare", "r1", "r2"]);
    assert_eq!(compared["differs"], json!({ "model": ["tiny", "gpt2-tiny"] }));
    assert_eq!(compared["unpaired"], json!([]));
    let pair = &compared["pairs"][0];
    assert_eq!((&pair["a"], &pair["b"], &pair["n"]), (&json!("r1"), &json!("r2"), &json!(12)));
    let acc = |run: usize| runs.iter().find(|r| r["id"] == compared["runs"][run]).unwrap();
    let acc = |run: usize| acc(run)["last"]["test/acc"].as_f64().unwrap();
    let difference = pair["accuracy_diff"].as_f64().unwrap();
    assert!((difference - (acc(1) - acc(0))).abs() < 1e-9, "{pair}");
}

/// What a baseline does not obey makes no run of its own, and no value of it is shown.
#[test]
fn a_sweep_runs_a_baseline_once() {
    let shell = Shell::training();
    let sweep = ["sweep", "model=majority,tiny", "lr=1e-3,2e-3", "epochs=1,2"];
    let rest = ["data=data/mail.csv", "max_length=8", "split=0.6,0.2,0.2"];
    let words = [&sweep[..], &rest].concat();
    let told = shell.ok(&[&words[..], &["--dry-run"]].concat());
    assert!(told.contains("8 combinations, 5 runs: a baseline runs once"), "{told}");
    let row = told.lines().find(|line| line.contains("majority")).unwrap();
    assert_eq!(row.split_whitespace().collect::<Vec<_>>(), ["1", "majority", "–", "–"]);
    let plan = shell.json(&[&words[..], &["--dry-run"]].concat());
    assert_eq!(plan["combinations"], json!(8));
    let names: Vec<&str> =
        plan["runs"].as_array().unwrap().iter().map(|r| r["name"].as_str().unwrap()).collect();
    assert_eq!(names[..2], ["model=majority", "model=tiny lr=0.001 epochs=1"]);

    shell.ok(&[&words[..], &["--wait"]].concat());
    let runs = shell.json(&["ls"]);
    assert_eq!(runs.as_array().unwrap().len(), 5);
    // It is the same experiment whatever its learning rate, and that is noticed.
    let again =
        shell.json(&[&["sweep", "--dry-run", "model=majority", "lr=5,6"], &rest[..]].concat());
    assert_eq!(again["runs"].as_array().unwrap().len(), 1);
    assert_eq!(again["runs"][0]["already"], json!("r1"));
    let table = shell.ok(&["compare", "r1", "r2"]);
    let lr = table.lines().find(|line| line.starts_with("epochs"));
    assert!(lr.is_none(), "one run alone obeys it: {table}");
    let table = shell.ok(&["compare", "r1", "r2", "r4"]);
    let lr = table.lines().find(|line| line.split_whitespace().next() == Some("lr")).unwrap();
    assert!(lr.contains('–') && lr.contains("0.001") && lr.contains("0.002"), "{table}");
}

/// The figures that scikit-learn gives on the bundled data (tests/fixtures/baselines/sms_spam.json).
#[test]
fn baselines_reach_scikit_learns_accuracy_on_the_sms_data() {
    let shell = Shell::training();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    shell.write("data/sms.csv", fs::read(root.join("data/sms_spam.csv")).unwrap());
    let fixture = fs::read(root.join("tests/fixtures/baselines/sms_spam.json")).unwrap();
    let fixture: Value = serde_json::from_slice(&fixture).unwrap();
    let names = [
        ("majority", "majority"),
        ("count-nb", "multinomial_nb_counts"),
        ("tfidf-nb", "multinomial_nb_tfidf"),
        ("tfidf-logreg", "logreg_tight"),
    ];
    shell.ok(&[
        "sweep",
        "model=majority,count-nb,tfidf-nb,tfidf-logreg",
        "data=data/sms.csv",
        "--wait",
    ]);
    let runs = shell.json(&["ls"]);
    for (model, name) in names {
        let mut all = runs.as_array().unwrap().iter();
        let run = all.find(|r| r["spec"]["model"] == json!(model)).unwrap();
        let want = &fixture["models"][name];
        for (metric, part, figure) in [
            ("test/acc", "test", "accuracy"),
            ("test/f1", "test", "macro_f1"),
            ("val/acc", "valid", "accuracy"),
            ("val/f1", "valid", "macro_f1"),
        ] {
            let (got, want) = (&run["last"][metric], &want[part][figure]);
            let gap = (got.as_f64().unwrap() - want.as_f64().unwrap()).abs();
            assert!(gap < 1e-9, "{model} {metric}: {got} {want}");
        }
    }
}

/// From random vectors to a model that knows spam, and from its checkpoint on.
#[test]
fn a_recurrent_network_learns_from_nothing_and_goes_on_from_its_checkpoint() {
    let shell = Shell::training();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    shell.write("data/sms.csv", fs::read(root.join("data/sms_spam.csv")).unwrap());
    let rest = ["data=data/sms.csv", "limit=1500", "max_length=40", "device=cpu", "threads=1"];
    shell.ok(&[&["run", "model=gru", "lr=3e-3", "epochs=3", "--wait"], &rest[..]].concat());
    let run = shell.json(&["show", "r1"]);
    let losses = run["curves"]["train/loss"].as_array().unwrap();
    assert!(losses[2][1].as_f64().unwrap() < 0.5 * losses[0][1].as_f64().unwrap(), "{losses:?}");
    // 87 of 100 texts are no spam.
    assert!(run["last"]["test/acc"].as_f64().unwrap() > 0.92, "{}", run["last"]);

    let best = "model=runs/r1/checkpoints/best";
    shell.ok(&[&["run", best, "lr=0", "epochs=1", "--wait"], &rest[..]].concat());
    let again = shell.json(&["show", "r2"]);
    for metric in ["test/acc", "test/loss"] {
        let (a, b) = (&run["last"][metric], &again["last"][metric]);
        assert!((a.as_f64().unwrap() - b.as_f64().unwrap()).abs() < 1e-6, "{metric}: {a} {b}");
    }

    // At a rate for pretrained networks it would hardly move; that is said.
    shell.ok(&[&["run", "model=gru", "epochs=1", "limit=100", "--wait"], &rest[..1]].concat());
    assert!(shell.ok(&["logs", "r3"]).contains("slow for a gru model"));
}

/// A baseline that was killed before its end starts over; a folder of its name is not taken for it.
#[test]
fn baselines_start_over_and_have_their_words_counted() {
    let shell = Shell::training();
    shell.ok(&["run", "model=tfidf-nb", "data=data/mail.csv", "split=0.6,0.2,0.2", "--wait"]);
    let run = shell.path("runs/r1");
    let text = fs::read_to_string(run.join("events.jsonl")).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    fs::write(run.join("events.jsonl"), lines[..lines.len() - 2].join("\n") + "\n").unwrap();
    let done = shell.trainer(&["runs/r1"]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let text = fs::read_to_string(run.join("events.jsonl")).unwrap();
    assert!(text.contains(r#""resumed":{"epoch":0,"attempt":2}"#), "{text}");
    assert!(text.lines().last().unwrap().contains(r#""ending":"done""#));

    // "text number 7": three words, of which the digit is none.
    let profile = shell.json(&["data", "data/mail.csv", "--model", "tfidf-nb"]);
    assert_eq!(profile["tokens"]["min"], json!(2));
    assert_eq!(profile["tokens"]["max"], json!(3));

    shell.refuses(&["run", "model=tfidf-lr", "data=data/mail.csv"], 2, "`tfidf-nb`");
    let done = shell.trainer(&["tokenize", "tfidf-nb"]);
    assert_eq!(done.status.code(), Some(2));
    let told = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(told.contains("makes its words from the train rows"), "{told}");
}

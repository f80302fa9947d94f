//! Honest probabilities: what a run reports, what `calibrate` keeps, and who obeys it.

#![cfg(feature = "train")]

use std::fs;

use serde_json::Value;

use super::shell::Shell;
use super::tasks::{board, scores};

/// Every seventh label is wrong, so that nobody can be as sure as texts look.
fn noisy(rows: usize) -> String {
    let row = |i: usize| {
        let is = (i / 3).is_multiple_of(2) != (i % 7 == 3);
        let word = if (i / 3).is_multiple_of(2) { "good" } else { "bad" };
        format!("a {word} film {},{}\n", i % 5, if is { "pos" } else { "neg" })
    };
    format!("text,label\n{}", (0..rows).map(row).collect::<String>())
}

fn noisy_sets(rows: usize) -> String {
    let row = |i: usize| {
        let flag = |k: usize| u8::from((i / k).is_multiple_of(2) != (i % 7 == k));
        let word = |k: usize, w: &'static str| if (i / k).is_multiple_of(2) { w } else { "some" };
        format!("{} film {} {},{},{}\n", word(2, "good"), word(3, "long"), i % 5, flag(2), flag(3))
    };
    format!("text,good,long\n{}", (0..rows).map(row).collect::<String>())
}

fn config(shell: &Shell, folder: &str) -> Value {
    serde_json::from_slice(&fs::read(shell.path(&format!("{folder}/config.json"))).unwrap())
        .unwrap()
}

fn p(shell: &Shell, id: &str, text: &str, class: &str) -> f64 {
    shell.json(&["predict", id, text])[0]["probabilities"][class].as_f64().unwrap()
}

const BEST: &str = "checkpoints/best";

#[test]
fn a_temperature_is_fitted_reported_kept_and_obeyed() {
    let shell = board();
    shell.write("data/noisy.csv", noisy(420));
    shell.write("data/sets.csv", noisy_sets(420));
    let usual = ["device=cpu", "precision=fp32", "max_length=16", "epochs=3", "lr=1e-2", "--wait"];
    for (n, (args, text, class)) in [
        (["model=tfidf-logreg", "data=data/noisy.csv", "task=classify"], "a good film 1", "pos"),
        (["model=bert", "data=data/noisy.csv", "task=classify"], "a bad film 2", "neg"),
        (["model=gru", "data=data/sets.csv", "task=multilabel"], "good film some 1", "good"),
    ]
    .into_iter()
    .enumerate()
    {
        let id = format!("r{}", n + 1);
        shell.ok(&[&["run"], &args[..], &usual].concat());
        let shown = shell.json(&["show", &id]);
        let figure = |name: &str| {
            shown["last"][name].as_f64().unwrap_or_else(|| panic!("no {name} in {shown}"))
        };
        let fitted = figure("test/temperature");
        assert!(fitted.is_finite() && fitted > 0.0);
        let [before, after] = [figure("test/ece"), figure("test/calibrated_ece")];
        assert!((0.0..=1.0).contains(&before) && (0.0..=1.0).contains(&after), "{before} {after}");
        assert_eq!(shown["temperature"], Value::Null, "{id}: nothing is divided unasked");
        let folder = format!("runs/{id}/{BEST}");
        let raw = p(&shell, &id, text, class);
        let labels = shell.json(&["predict", &id, text])[0].clone();

        let told = shell.json(&["calibrate", &id]);
        let temperature = told["temperature"].as_f64().unwrap();
        assert!((temperature - fitted).abs() < 1e-6, "{id}: {temperature} {fitted}");
        assert!((told["test"]["ece"][0].as_f64().unwrap() - before).abs() < 1e-9, "{told}");
        assert!((told["test"]["ece"][1].as_f64().unwrap() - after).abs() < 1e-6, "{told}");
        let loss = |at: usize| told["val"]["loss"][at].as_f64().unwrap();
        assert!(loss(1) <= loss(0), "it is the best for the val rows: {told}");
        assert_eq!(config(&shell, &folder)["tuneboard_temperature"].as_f64(), Some(temperature));
        assert_eq!(shell.json(&["show", &id])["temperature"].as_f64(), Some(temperature));
        assert!(shell.ok(&["show", &id]).contains("predict divides logits by"));

        // Two classes, or a label by itself: the logit of the probability is divided.
        let odds = (raw / (1.0 - raw)).powf(1.0 / temperature);
        let honest = p(&shell, &id, text, class);
        assert!(
            (honest - odds / (1.0 + odds)).abs() < 1e-4,
            "{id}: {raw} {honest} at {temperature}"
        );
        let again = shell.json(&["predict", &id, text])[0].clone();
        for same in ["label", "labels"] {
            assert_eq!(again.get(same), labels.get(same), "{id}");
        }
        let to = format!("out-{n}");
        shell.ok(&["export", &id, "--to", &to]);
        assert_eq!(config(&shell, &to)["tuneboard_temperature"].as_f64(), Some(temperature));
        let card = fs::read_to_string(shell.path(&format!("{to}/README.md"))).unwrap();
        assert!(card.contains(&format!("(logits / {temperature}")), "{card}");
        shell.ok(&["calibrate", &id, "--off"]);
        assert_eq!(p(&shell, &id, text, class), raw, "{id}");
        assert_eq!(config(&shell, &folder).get("tuneboard_temperature"), None);
        assert!(shell.ok(&["calibrate", &id]).contains("ECE before"));
    }
    // A run that goes on from another has probabilities of its own.
    shell.ok(&[&["run", "init=r2", "data=data/noisy.csv"], &usual[..]].concat());
    assert_eq!(config(&shell, &format!("runs/r4/{BEST}")).get("tuneboard_temperature"), None);
    // The honest probabilities of the members are what an ensemble averages.
    let judged = shell.json(&["ensemble", "r2", "r4"]);
    assert!(judged["figures"]["acc"].is_number(), "{judged}");
    shell.write("data/scores.csv", scores(60));
    shell.ok(&[&["run", "model=gru", "data=data/scores.csv", "task=regress"], &usual[..]].concat());
    shell.refuses(
        &["calibrate", "r5"],
        2,
        "r5 learnt task=regress, which predicts numbers and no probabilities",
    );
    assert_eq!(shell.json(&["show", "r5"])["last"].get("test/ece"), None);
}

/// Words are rows: a temperature of tags, an ensemble of taggers by the mean over their tags' probabilities, and new texts.
#[test]
fn taggers_are_calibrated_and_answer_together() {
    let shell = board();
    let usual = ["device=cpu", "precision=fp32", "max_length=24", "epochs=2", "batch_size=4"];
    let args = [
        "sweep",
        "model=bert",
        "data=data/ner.conll",
        "task=tag",
        "lr=1e-2",
        "seed=0..2",
        "--wait",
    ];
    shell.ok(&[&args[..], &usual].concat());
    let shown = shell.json(&["show", "r1"]);
    let ece = shown["last"]["test/ece"].as_f64().unwrap_or_else(|| panic!("{shown}"));
    let rows = shell.json(&["ensemble", "s1"]);
    let members = rows["runs"].as_array().unwrap();
    assert_eq!(members.len(), 3);
    for (member, id) in members.iter().zip(["r1", "r2", "r3"]) {
        let own = shell.json(&["show", id])["last"]["test/f1"].as_f64().unwrap();
        assert!((member["figures"]["f1"].as_f64().unwrap() - own).abs() < 1e-9, "{member}");
        let diff = member["against"]["diff"].as_f64().unwrap();
        let together = rows["figures"]["f1"].as_f64().unwrap();
        assert!((diff - (together - own)).abs() < 1e-9, "{member} {together}");
    }
    assert!(shell.ok(&["ensemble", "s1"]).contains("The mean of probabilities of 3 runs"));
    // New texts: the mean of the three, word by word.
    let line = "Mary Ann lives in New York";
    let said = shell.json(&["predict", "s1", line])[0].clone();
    let tags: Vec<String> = serde_json::from_value(said["tags"].clone()).unwrap();
    let sure: Vec<f64> = serde_json::from_value(said["probabilities"].clone()).unwrap();
    assert_eq!((tags.len(), sure.len()), (6, 6), "{said}");
    let own = |id: &str| shell.json(&["predict", id, line])[0].clone();
    let most = ["r1", "r2", "r3"].map(|id| own(id)["probabilities"][0].as_f64().unwrap());
    assert!(sure[0] <= most.iter().copied().fold(0.0, f64::max) + 1e-6, "{sure:?} {most:?}");
    // Three times the same run is that run.
    let alone = own("r1");
    let thrice = shell.json(&["predict", "r1,r1", line])[0].clone();
    assert_eq!(thrice["tags"], alone["tags"]);
    let (Some(same), Some(one)) =
        (thrice["probabilities"][3].as_f64(), alone["probabilities"][3].as_f64())
    else {
        panic!("{thrice} {alone}")
    };
    assert!((same - one).abs() < 1e-6);
    // The file has two decimals of each logarithm.
    let read = shell.json(&["confusion", "r1"]);
    assert!((read["probabilities"]["ece"].as_f64().unwrap() - ece).abs() < 0.01, "{read} {ece}");
    shell.ok(&["confusion", "r1", "--calibration"]);
    let told = shell.json(&["calibrate", "r1"]);
    let temperature = told["temperature"].as_f64().unwrap();
    let loss = |at: usize| told["val"]["loss"][at].as_f64().unwrap();
    assert!(temperature > 0.0 && loss(1) <= loss(0) + 1e-4, "{told}");
    let honest = own("r1");
    assert_eq!(honest["tags"], alone["tags"], "a temperature changes no tag");
    let (before, after) = (alone["probabilities"][0].as_f64(), honest["probabilities"][0].as_f64());
    assert_ne!(before, after, "at {temperature}");
    shell.ok(&["calibrate", "r1", "--off"]);
    assert_eq!(own("r1")["probabilities"], alone["probabilities"]);
}

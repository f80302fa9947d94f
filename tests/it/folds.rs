//! Cross-validation of every task: which rows are held out, what a sweep over folds says, and what is refused.

#![cfg(feature = "train")]

mod confirm;
mod screen;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use tuneboard::analysis::confusion::Matrix;
use tuneboard::analysis::together::Together;
use tuneboard::dataset::predictions::Pass;
use tuneboard::dataset::{self, Dataset};
use tuneboard::spec::{RunId, RunSpec};
use tuneboard::store::{Reader, Split};

use super::shell::Shell;
use super::tasks::{board, labelled, matching, scores};

fn fold(pairs: &[(&str, &str)], fold: usize, root: &Path) -> Dataset {
    let mut spec = RunSpec { model: "m".into(), ..RunSpec::default() };
    let fold = fold.to_string();
    for (key, value) in pairs.iter().chain(&[("fold", fold.as_str())]) {
        spec.set(key, value).unwrap();
    }
    spec.check().unwrap();
    dataset::load(&spec, root).unwrap()
}

/// 200 texts of 53 authors, three of whom write a fifth of them.
fn authored() -> String {
    let row = |i: usize| {
        let author = if i.is_multiple_of(5) { i % 3 } else { 3 + (i * 37) % 50 };
        let label = if i.is_multiple_of(4) { "spam" } else { "ham" };
        let author = if i == 7 { String::new() } else { format!("a{author}") };
        format!("a {label} text {},{label},{author}\n", i % 9)
    };
    format!("text,label,author\n{}", (0..200).map(row).collect::<String>())
}

#[test]
fn every_row_is_held_out_once_and_every_fold_is_like_the_others() {
    let shell = Shell::empty();
    shell.write("classes.csv", authored());
    shell.write("pairs.tsv", matching(160));
    shell.write("numbers.csv", scores(150));
    shell.write("sets.csv", labelled(120, "lists"));
    let tags = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tasks/ner.conll");
    shell.write("tags.conll", fs::read(tags).unwrap());
    let root = shell.path("");
    for pairs in [
        &[("data", "classes.csv")][..],
        &[("data", "pairs.tsv")],
        &[("data", "numbers.csv"), ("task", "regress")],
        &[("data", "sets.csv"), ("task", "multilabel")],
        &[("data", "tags.conll"), ("task", "tag")],
        &[("data", "classes.csv"), ("task", "lm")],
        &[("data", "classes.csv"), ("group", "author")],
        &[("data", "pairs.tsv"), ("group", "premise")],
        &[("data", "classes.csv"), ("group", "author"), ("limit", "120")],
    ] {
        let pairs = [pairs, &[("folds", "5")]].concat();
        let all: Vec<Dataset> = (1..=5).map(|k| fold(&pairs, k, &root)).collect();
        let used: BTreeSet<u32> =
            all[0].parts().iter().flat_map(|(_, rows)| rows.to_vec()).collect();
        let mut held = Vec::new();
        let mut hashes = BTreeSet::new();
        for data in &all {
            let [train, val, test] = [&data.train, &data.val, &data.test];
            let parts: BTreeSet<u32> = train.iter().chain(val).chain(test).copied().collect();
            assert_eq!(parts.len(), train.len() + val.len() + test.len(), "{pairs:?}");
            assert_eq!(parts, used, "{pairs:?}");
            // The val rows are a ninth of the others, as 0.1 is of 0.9.
            let ninth = (parts.len() - test.len()) / 9;
            assert!(val.len().abs_diff(ninth) <= 8, "{pairs:?} {} of {ninth}", val.len());
            // Groups of premises have eleven rows each.
            let slack = if pairs.contains(&("group", "premise")) { 11 } else { 6 };
            assert!(test.len().abs_diff(used.len() / 5) <= slack, "{pairs:?} {}", test.len());
            held.extend(test.iter().copied());
            assert!(hashes.insert(data.hash.clone()));
            assert_eq!(data.hash, fold(&pairs, hashes.len(), &root).hash, "the same again");
        }
        held.sort_unstable();
        assert_eq!(held, used.into_iter().collect::<Vec<u32>>(), "{pairs:?}");
        let other = [&pairs[..], &[("split_seed", "1")]].concat();
        assert_ne!(fold(&other, 1, &root).test, all[0].test, "{pairs:?}");
        is_alike(&pairs, &all);
    }
}

/// Classes, labels and means of numbers are alike in all folds; groups are whole.
fn is_alike(pairs: &[(&str, &str)], all: &[Dataset]) {
    let grouped = pairs.iter().any(|(key, _)| *key == "group");
    let slack = if grouped { 6 } else { 1 };
    let between = |counts: &[usize]| counts.iter().max().unwrap() - counts.iter().min().unwrap();
    let names = all[0].label_names.len();
    for label in 0..names as u32 {
        let count = |data: &Dataset| {
            let has = |row: &&u32| match pairs.iter().find(|(key, _)| *key == "task") {
                None => data.labels[**row as usize] == label,
                Some((_, "multilabel")) => data.targets.set(**row, names)[label as usize],
                _ => false,
            };
            data.test.iter().filter(has).count()
        };
        let counts: Vec<usize> = all.iter().map(count).collect();
        assert!(between(&counts) <= slack, "{pairs:?} {label} {counts:?}");
    }
    if pairs.contains(&("task", "regress")) {
        let mean = |data: &Dataset| {
            let sum: f64 = data.test.iter().map(|row| data.targets.numbers(*row, 1)[0]).sum();
            sum / data.test.len() as f64
        };
        let means: Vec<f64> = all.iter().map(mean).collect();
        assert!(means.iter().all(|m| (m - 1025.0).abs() < 3.0), "{means:?}");
    }
    if pairs.contains(&("group", "author")) {
        let mut part: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
        for (name, rows) in all[2].parts() {
            for row in rows {
                let number = all[2].rows[*row as usize] as usize;
                let author =
                    authored().lines().nth(number).unwrap().rsplit(',').next().unwrap().to_owned();
                part.entry(author).or_default().insert(name);
            }
        }
        let split = part.iter().filter(|(author, parts)| !author.is_empty() && parts.len() > 1);
        assert_eq!(split.count(), 0, "{part:?}");
        assert!(
            all[0].notes.iter().any(|n| n.starts_with("Rows with the same `author` stay together"))
        );
    }
}

#[test]
fn a_sweep_over_folds_is_one_row_a_setting_and_its_folds_one_matrix() {
    let shell = Shell::training();
    shell.write("data/authored.csv", authored());
    let base =
        ["sweep", "model=tfidf-logreg", "data=data/authored.csv", "folds=4", "fold=1..4", "--wait"];
    shell.ok(&[&base[..], &["class_weights=none,balanced", "group=author"]].concat());
    let analysis = shell.json(&["show", "s1", "--analysis"]);
    assert_eq!((&analysis["metric"], &analysis["folds"]), (&json!("test/acc"), &json!(4)));
    assert_eq!((&analysis["axes"], &analysis["best"]), (&json!(["class_weights"]), &Value::Null));
    let settings = analysis["settings"].as_array().unwrap();
    assert_eq!(settings.len(), 2, "{settings:?}");
    for setting in settings {
        let runs: Vec<String> = serde_json::from_value(setting["runs"].clone()).unwrap();
        let scores: Vec<f64> = runs
            .iter()
            .map(|run| shell.json(&["show", run])["last"]["test/acc"].as_f64().unwrap())
            .collect();
        let mean = scores.iter().sum::<f64>() / 4.0;
        let sd = (scores.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 3.0).sqrt();
        assert!((setting["score"]["mean"].as_f64().unwrap() - mean).abs() < 1e-12, "{setting}");
        assert!((setting["score"]["sd"].as_f64().unwrap() - sd).abs() < 1e-12, "{setting}");
        // Out-of-fold predictions: every row once, in one matrix.
        let word = runs.join(",");
        let pooled = shell.json(&["confusion", &word]);
        let counts: Vec<Vec<u64>> = serde_json::from_value(pooled["counts"].clone()).unwrap();
        assert_eq!(counts.iter().flatten().sum::<u64>(), 200);
        assert_eq!(pooled["runs"], json!(runs));
        assert_eq!(pooled["accuracy_over_runs"]["n"], 4, "{pooled}");
        assert!(pooled["probabilities"]["roc_auc"].is_number(), "{pooled}");
        let right: u64 = (0..2).map(|i| counts[i][i]).sum();
        let accuracy = pooled["figures"]["accuracy"].as_f64().unwrap();
        assert!((accuracy - right as f64 / 200.0).abs() < 1e-12);
    }
    let text = shell.ok(&["show", "s1"]);
    assert!(text.contains("Settings, best first, folds and seeds folded"), "{text}");
    assert!(text.contains("`tuneboard compare s1` tests") && !text.contains("Pruning"), "{text}");
    assert!(text.contains("over 4 held-out folds") && text.contains(" +- "), "{text}");
    let best = shell.ok(&["confusion", "s1"]);
    assert!(best.contains("s1, the best of 2 settings, class_weights="), "{best}");
    assert!(best.contains("test rows of 4 held-out folds together (accuracy "), "{best}");
    shell.ok(&["confusion", "s1", "--calibration"]);
    shell.ok(&["confusion", "s1", "--threshold", "spam"]);
    shell.refuses(&["confusion", "s1", "r1"], 2, "Counts are subtracted run by run");
    shell.refuses(&["confusion", "r1..r8"], 2, "differ in class_weights");
    counted_as_on_screen(&shell, settings);
    // Its two settings are one test over all folds.
    let compared = shell.json(&["compare", "s1"]);
    let [over] = compared["folds"].as_array().unwrap().as_slice() else { panic!("{compared}") };
    assert_eq!((&over["n"], &over["folds"], &over["of"]), (&json!(200), &json!(4), &json!(4)));
    for (side, setting) in ["a", "b"].iter().zip([&over["a"], &over["b"]]) {
        let own = settings.iter().find(|s| s["runs"] == *setting).unwrap();
        let pooled = own["pooled"]["figures"]["acc"].as_f64().unwrap();
        assert!((over["figures"][0][side].as_f64().unwrap() - pooled).abs() < 1e-12, "{over}");
    }
    let mean = |runs: &Value| {
        settings.iter().find(|s| s["runs"] == *runs).unwrap()["score"]["mean"].as_f64()
    };
    let diff = over["figures"][0]["diff"].as_f64().unwrap();
    assert!((diff - (mean(&over["b"]).unwrap() - mean(&over["a"]).unwrap())).abs() < 1e-12);
    assert!(over["mcnemar_p"].is_number() && compared["unpaired"] == json!([]), "{compared}");
    let said = shell.ok(&["compare", "s1"]);
    assert!(said.contains(" over 4 folds, n=") && said.contains("Nadeau & Bengio 2003"), "{said}");
    // Folds of one setting are no comparison, and test other rows each.
    let compared = shell.run(&["compare", "r1", "r3"]);
    assert!(compared.out.contains("fold is 1 in r1 and"), "{} {}", compared.out, compared.err);
    // A fold is part of what a run is, and of its name.
    let listed = shell.json(&["ls"]);
    let names: BTreeSet<&str> =
        listed.as_array().unwrap().iter().filter_map(|r| r["name"].as_str()).collect();
    assert!(names.iter().any(|name| name.contains("fold=3")), "{names:?}");
}

/// The dashboard counts the settings of s1, best first, as the command line does.
fn counted_as_on_screen(shell: &Shell, settings: &[Value]) {
    let reader = Reader::open(&shell.path("runs/board.db")).unwrap();
    for (setting, word) in settings.iter().map(|s| &s["runs"]).zip(["s1", ""]) {
        let ids: Vec<RunId> = serde_json::from_value::<Vec<String>>(setting.clone())
            .unwrap()
            .iter()
            .map(|id| id.parse().unwrap())
            .collect();
        let folder = |id| shell.path(&format!("runs/{id}/predictions"));
        let of = Together::read(&reader, &reader.runs(&ids).unwrap(), Split::Test, folder).unwrap();
        assert_eq!((of.runs.len(), of.missing, of.are_folds), (4, 0, true));
        let Ok(Pass::Classes(pass)) = of.pass else { panic!("{:?}", of.pass) };
        assert_eq!(Matrix::from_predictions(&pass).counts(), of.confusion.as_ref().unwrap().counts);
        if word == "s1" {
            let counts = json!(of.confusion.unwrap().counts);
            assert_eq!(shell.json(&["confusion", word])["counts"], counts);
        }
    }
    let all: Vec<RunId> = (1..=8).map(RunId).collect();
    let mixed =
        Together::read(&reader, &reader.runs(&all).unwrap(), Split::Test, |_| shell.path("x"));
    assert!(mixed.unwrap_err().contains("differ in class_weights"));
}

/// Two folds of each task are trained, judged and asked together.
#[test]
fn folds_of_every_task_are_trained_and_tested() {
    let shell = board();
    shell.write("data/scores.csv", scores(90));
    shell.write("data/lists.csv", labelled(90, "lists"));
    let usual = [
        "device=cpu",
        "precision=fp32",
        "max_length=24",
        "epochs=1",
        "folds=2",
        "fold=1,2",
        "--wait",
    ];
    for (n, (args, metric)) in [
        (["model=gru", "data=data/scores.csv", "task=regress"], "test/pearson"),
        (["model=gru", "data=data/lists.csv", "task=multilabel"], "test/micro_f1"),
        (["model=bert", "data=data/ner.conll", "task=tag"], "test/f1"),
    ]
    .into_iter()
    .enumerate()
    {
        shell.ok(&[&["sweep"], &args[..], &usual, &["lr=1e-3,3e-3"]].concat());
        let sweep = format!("s{}", n + 1);
        let compared = shell.json(&["compare", &sweep]);
        let score = &compared["folds"][0]["figures"][0];
        assert_eq!(score["metric"], metric.trim_start_matches("test/"), "{compared}");
        assert_eq!(
            (&compared["folds"][0]["mcnemar_p"], &compared["unpaired"]),
            (&Value::Null, &json!([]))
        );
        let analysis = shell.json(&["show", &sweep, "--analysis"]);
        assert_eq!(analysis["metric"], metric);
        let setting = &analysis["settings"][0];
        assert_eq!(setting["runs"].as_array().map(Vec::len), Some(2), "{analysis}");
        // Scores of all held-out rows at once, where every run has one.
        let pooled = &setting["pooled"];
        let rows: u64 = setting["runs"]
            .as_array()
            .unwrap()
            .iter()
            .map(|run| {
                shell.json(&["show", run.as_str().unwrap()])["facts"]["rows"][2].as_u64().unwrap()
            })
            .sum();
        assert_eq!(pooled["rows"], rows, "{setting}");
        assert!(pooled["figures"].get(metric.trim_start_matches("test/")).is_some(), "{pooled}");
        shell.ok(&["show", &sweep]);
    }
    shell.ok(&["confusion", "s3"]);
    shell.refuses(&["confusion", "s1"], 2, "lists the largest residuals");
    shell.refuses(&["confusion", "r5"], 2, "labels missed and added");
}

#[test]
fn keys_that_make_no_cross_validation_are_refused_in_words() {
    let shell = Shell::board();
    for (args, want) in [
        (&["folds=5"][..], "fold=1..5"),
        (&["fold=2"], "say folds=2, or more"),
        (&["folds=3", "fold=4"], "folds=3 has fold=1 to 3"),
        (&["folds=1", "fold=1"], "two folds are the least"),
        (&["folds=2", "fold=1", "test=data/mail.csv"], "drop test= or folds="),
        (&["folds=2", "fold=1", "split_column=label"], "split_column= says already"),
        (&["group=author"], "has no column `author` for group="),
        (&["label=label", "group=label"], "given as group and as label"),
        (&["folds=900", "fold=900"], "There are no test rows: 40 rows and folds=900"),
    ] {
        shell.refuses(&[&["run", "model=fake", "data=data/mail.csv"], args].concat(), 2, want);
    }
    for more in ["trials=4", "prune=asha", "prune=median", "until=2h"] {
        let sweep = ["sweep", "model=fake", "data=data/mail.csv", "folds=3", "fold=1..3", more];
        shell.refuses(&sweep, 2, "a setting is judged by all of its folds");
    }
}

fn figure(value: &Value, name: &str) -> f64 {
    value["figures"][name].as_f64().unwrap_or_else(|| panic!("no {name} in {value}"))
}

#[test]
fn runs_answer_together_and_are_tested_against_each_of_them() {
    let shell = board();
    shell.write("data/authored.csv", authored());
    shell.write("data/scores.csv", scores(90));
    shell.write("data/lists.csv", labelled(90, "lists"));
    let usual =
        ["device=cpu", "precision=fp32", "max_length=24", "epochs=1", "seed=0..2", "--wait"];
    for args in [
        ["model=gru", "data=data/authored.csv", "task=classify"],
        ["model=gru", "data=data/scores.csv", "task=regress"],
        ["model=gru", "data=data/lists.csv", "task=multilabel"],
    ] {
        shell.ok(&[&["sweep"], &args[..], &usual].concat());
    }
    let p = |id: &str, text: &str| shell.json(&["predict", id, text])[0].clone();
    for (word, ids, metric, text) in [
        ("s1", ["r1", "r2", "r3"], "acc", "a spam text 1"),
        ("r4..r6", ["r4", "r5", "r6"], "pearson", "good good bad bad bad 1"),
        ("s3", ["r7", "r8", "r9"], "micro_f1", "it crashes right now number 1"),
    ] {
        let judged = shell.json(&["ensemble", word]);
        assert_eq!(judged["runs"].as_array().unwrap().len(), 3);
        for (member, id) in judged["runs"].as_array().unwrap().iter().zip(ids) {
            let own = shell.json(&["show", id])["last"][format!("test/{metric}")].as_f64().unwrap();
            assert!((figure(member, metric) - own).abs() < 1e-9, "{id}: {member}");
            let (against, together) = (&member["against"], figure(&judged, metric));
            let diff =
                against.get("accuracy_diff").or(against.get("diff")).unwrap().as_f64().unwrap();
            assert!((diff - (together - own)).abs() < 1e-9, "{id}: {member} {together}");
            let p = against.get("mcnemar_p").or(against.get("p")).unwrap().as_f64().unwrap();
            assert!((0.0..=1.0).contains(&p), "{against}");
        }
        let shown = shell.ok(&["ensemble", word]);
        assert!(shown.contains("Is it better? The ensemble minus each run"), "{shown}");
        // New texts are asked of all, and the answer is the mean.
        let together = p(word, text);
        let (field, name) = match metric {
            "acc" => ("probabilities", "spam"),
            "pearson" => ("values", "score"),
            _ => ("probabilities", "bug"),
        };
        let mean =
            ids.iter().map(|id| p(id, text)[field][name].as_f64().unwrap()).sum::<f64>() / 3.0;
        let got = together[field][name].as_f64().unwrap();
        assert!((got - mean).abs() < 1e-6 * mean.abs().max(1.0), "{together} {mean}");
    }
    let tuned = shell.json(&["ensemble", "s3"]);
    assert_eq!(tuned["thresholds"].as_array().map(Vec::len), Some(2), "{tuned}");
    shell.ok(&["ensemble", "s1", "--out", "together.csv"]);
    let out = fs::read_to_string(shell.path("together.csv")).unwrap();
    assert!(out.starts_with("row,label,predicted,loss,p_ham,p_spam\n"), "{out}");
    shell.refuses(&["ensemble", "r1"], 2, "r1 alone is no ensemble");
    shell.refuses(&["ensemble", "r1", "r4"], 2, "r1 learnt task=classify and r4 task=regress");
    shell.refuses(&["predict", "r1,r7", "x"], 2, "they cannot answer together");
    shell.ok(&[
        &["run", "model=bert", "data=data/ner.conll", "task=tag"][..],
        &usual[..4],
        &["--wait"],
    ]
    .concat());
    shell.refuses(&["ensemble", "r10", "r10", "r1"], 2, "cannot answer together");
    shell.ok(&[
        &["run", "model=gru", "data=data/authored.csv", "split_seed=1"][..],
        &usual[..4],
        &["--wait"],
    ]
    .concat());
    shell.refuses(&["ensemble", "r1", "r11"], 2, "was judged on other rows");
    let folds =
        ["sweep", "model=tfidf-logreg", "data=data/authored.csv", "folds=2", "fold=1,2", "--wait"];
    shell.ok(&folds);
    shell.refuses(&["ensemble", "r12..r13"], 2, "hold out other folds");
    // Yet folds answer new texts together.
    let mean = ["r12", "r13"]
        .iter()
        .map(|id| p(id, "a spam text")["probabilities"]["spam"].as_f64().unwrap());
    let mean = mean.sum::<f64>() / 2.0;
    let got = p("r12..r13", "a spam text")["probabilities"]["spam"].as_f64().unwrap();
    assert!((got - mean).abs() < 1e-6, "{got} {mean}");
}

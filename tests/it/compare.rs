//! Questions over runs, as people and scripts ask them of the command line.

use serde_json::{Value, json};
use tuneboard::dataset::predictions::{self, Predictions};

use super::shell::Shell;

/// Two finished runs of a sweep (r1, r2) that were tested on the same 40 rows; r1 is wrong on two of
/// them, r2 on the first ten.
fn tested() -> Shell {
    let shell = Shell::board();
    let sweep =
        ["sweep", "model=fake epoch_ms=20", "data=data/mail.csv", "epochs=2", "lr=1e-5,5e-5"];
    shell.ok(&[&sweep[..], &["--wait"]].concat());
    save(&shell, "r1", |row| row < 2);
    save(&shell, "r2", |row| row < 10);
    shell
}

/// Saves what a run predicted for rows 1 to 40 of data/mail.csv.
fn save(shell: &Shell, id: &str, wrong: impl Fn(u32) -> bool) {
    let labels: Vec<u32> = (0..40).map(|i| u32::from(i % 3 == 0)).collect();
    let predicted: Vec<u32> =
        labels.iter().zip(0..).map(|(l, row)| if wrong(row) { 1 - l } else { *l }).collect();
    let p =
        |class: u32| predicted.iter().map(|x| if *x == class { 0.875 } else { 0.125 }).collect();
    let predictions = Predictions {
        rows: (1..=40).collect(),
        loss: labels.iter().zip(&predicted).map(|(l, p)| if l == p { 0.1 } else { 2.0 }).collect(),
        probabilities: vec![p(0), p(1)],
        label_names: vec!["ham".into(), "spam".into()],
        labels,
        predicted: predicted.clone(),
    };
    std::fs::create_dir_all(shell.path(&format!("runs/{id}/predictions"))).unwrap();
    let path = shell.path(&format!("runs/{id}/predictions/test-0002.parquet"));
    predictions::write(&path, &predictions).unwrap();
}

#[test]
fn compare_says_what_differs_and_whether_it_is_noise() {
    let shell = tested();
    let object = shell.json(&["compare", "r1", "r2"]);
    assert_eq!(object["runs"], json!(["r1", "r2"]));
    assert_eq!(object["differs"], json!({ "lr": [1e-5, 5e-5] }));
    let acc = &object["metrics"]["val/acc"][0];
    assert_eq!(
        (&acc["last"], &acc["best"], &acc["best_epoch"]),
        (&json!(2.0 / 3.0), &json!(2.0 / 3.0), &json!(2.0))
    );
    assert_eq!((&acc["min"], &acc["min_epoch"]), (&json!(0.5), &json!(1.0)));
    let pair = &object["pairs"][0];
    assert_eq!((&pair["a"], &pair["b"], &pair["n"]), (&json!("r1"), &json!("r2"), &json!(40)));
    assert_eq!(pair["accuracy_diff"], json!(0.75 - 0.95));
    // scipy.stats.binomtest(0, 8).pvalue
    assert!((pair["mcnemar_p"].as_f64().unwrap() - 0.0078125).abs() < 1e-12, "{pair}");
    let interval: Vec<f64> = serde_json::from_value(pair["ci95"].clone()).unwrap();
    assert!(interval[0] < -0.2 && -0.2 < interval[1] && interval[1] < 0.0, "{interval:?}");
    assert_eq!(object["unpaired"], json!([]));

    let said = shell.ok(&["compare", "r1", "r2", "--baseline", "r2"]);
    for line in ["What differs", "differ on these rows, p=0.008, n=40", "r2  r1   +0.2000"] {
        assert!(said.contains(line), "{line}\n{said}");
    }
    let all = shell.ok(&["compare", "s1", "--all"]);
    assert!(all.contains("weight_decay") && !said.contains("weight_decay"), "{all}");
}

#[test]
fn settings_over_several_seeds_answer_whether_it_is_noise() {
    let shell = Shell::board();
    let sweep = ["sweep", "model=fake epoch_ms=20", "data=data/mail.csv", "epochs=1", "--wait"];
    shell.ok(&[&sweep[..], &["lr=1e-5,5e-5", "seed=0..4"]].concat());
    // r1..r5 are of one rate, r6..r10 of the other; seeds decide which rows are wrong, the rate how many.
    for id in 1..=10_u32 {
        let wrong = if id > 5 { 14 } else { 4 };
        save(&shell, &format!("r{id}"), |row| (row * 7 + 3 * id) % 40 < wrong + id % 2);
    }
    let object = shell.json(&["compare", "r1..r10"]);
    let [settings] = object["settings"].as_array().unwrap().as_slice() else { panic!("{object}") };
    assert_eq!(settings["a"], json!(["r1", "r2", "r3", "r4", "r5"]));
    assert_eq!(
        (&settings["real"], &settings["by_seed"]),
        (&json!(true), &json!(true)),
        "{settings}"
    );
    let said = shell.ok(&["compare", "r1..r10"]);
    assert!(said.contains("real, p") && said.contains(" over 5+5 seeds, n="), "{said}");
    // Three seeds of one setting have nothing to compare but these models on these rows.
    let said = shell.ok(&["compare", "r1..r3"]);
    assert!(said.contains("seed alone, p=") && !said.contains("seeds, p="), "{said}");
    let two = shell.ok(&["compare", "r1", "r6"]);
    assert!(two.contains("only runs with other seeds can tell"), "{two}");
}

#[test]
fn a_sweep_is_shown_as_a_whole() {
    let shell = Shell::board();
    let axes = ["epochs=1,2", "lr=1e-5,5e-5", "seed=0..1"];
    let sweep = ["sweep", "model=fake epoch_ms=20", "data=data/mail.csv", "--wait"];
    shell.ok(&[&sweep[..], &axes].concat());
    // The fake trainer is right on half of the rows after one epoch, on two thirds after two.
    let all = shell.json(&["show", "s1", "--analysis"]);
    assert_eq!((&all["sweep"], &all["metric"]), (&json!("s1"), &json!("val/acc")));
    assert_eq!(all["axes"], json!(["epochs", "lr"]));
    let share = |axis: usize| all["effects"][axis]["share"].as_f64().unwrap();
    assert!((share(0) - 1.0).abs() < 1e-9 && share(1) < 1e-9, "{all}");
    assert_eq!(all["grid"]["columns"], json!(["1e-5", "5e-5"]));
    assert_eq!(all["grid"]["mean"], json!([[0.5, 0.5], [2.0 / 3.0, 2.0 / 3.0]]));
    let settings = all["settings"].as_array().unwrap();
    assert_eq!(settings.len(), 4, "seeds are folded");
    assert_eq!(settings[0]["values"]["epochs"], json!("2"));
    assert_eq!((&settings[0]["score"]["n"], &settings[0]["score"]["sd"]), (&json!(2), &json!(0.0)));
    assert!(settings.iter().any(|s| s["pareto"] == json!(true)), "{all}");
    let runs = all["runs"].as_array().unwrap();
    assert_eq!((runs.len(), &runs[0]["id"]), (8, &json!("r1")));
    let hours: f64 = runs.iter().map(|run| run["device_hours"].as_f64().unwrap()).sum();
    let spent = all["cpu_hours"].as_f64().unwrap() + all["gpu_hours"].as_f64().unwrap();
    assert!(spent > 0.0 && (hours - spent).abs() < 1e-9, "{all}");
    assert_eq!(shell.json(&["show", "s1"])[7]["id"], json!("r8"), "the runs, as ever");

    let told = shell.ok(&["show", "s1"]);
    for words in ["8 of 8 ended", "val/acc by epochs (down) and lr (right)", "0.6667 +- 0.0000"] {
        assert!(told.contains(words), "{words}: {told}");
    }
    let effect = told.lines().find(|line| line.starts_with("epochs  100 %"));
    assert!(effect.is_some(), "{told}");
    shell.refuses(&["show", "r1", "--analysis"], 2, "r1 is a run");
}

#[test]
fn compare_refuses_what_it_cannot_compare() {
    let shell = tested();
    shell.refuses(&["compare", "r1"], 2, "There is nothing to compare r1 with");
    shell.refuses(&["compare", "r1", "r1"], 2, "There is nothing to compare r1 with");
    shell.refuses(&["compare", "r1", "r7"], 2, "There is no run r7");
    shell.ok(&[
        "sweep",
        "model=fake epoch_ms=20",
        "data=data/mail.csv",
        "epochs=1",
        "lr=1e-6,2e-6,3e-6,4e-6,5e-6,6e-6,7e-6,8e-6",
        "--hold",
    ]);
    shell.refuses(
        &["compare", "r1", "s2"],
        2,
        "9 runs of 9 settings are too many to compare: name two to 8.",
    );
    // A torn file keeps the run from being tested, and nothing else.
    std::fs::write(shell.path("runs/r2/predictions/test-0002.parquet"), b"PAR1 torn").unwrap();
    let object = shell.json(&["compare", "r1", "r2", "r3"]);
    assert_eq!(object["pairs"], json!([]));
    let why: Vec<&str> =
        object["unpaired"].as_array().unwrap().iter().map(|u| u["why"].as_str().unwrap()).collect();
    assert!(why[0].starts_with("r2 has predictions that cannot be read: "), "{why:?}");
    assert_eq!(why[1], "r3 is queued still.");
    assert_eq!(object["metrics"]["val/acc"][2]["last"], Value::Null);
}

#[test]
fn errors_are_the_texts_behind_the_numbers() {
    let shell = tested();
    // The fake trainer saw other data, as its hash says.
    let first = shell.run(&["errors", "r1"]);
    assert!(first.err.contains("The texts cannot be shown: data/mail.csv has changed"), "{first}");
    assert!(
        first.out.starts_with("2 test rows that r1 gets wrong; highest loss first\n"),
        "{first}"
    );
    let cell = shell.json(&["errors", "r2", "--true", "spam", "--predicted", "ham"]);
    assert_eq!((&cell["total"], &cell["split"]), (&json!(4), &json!("test")));
    let first = &cell["errors"][0];
    assert_eq!((&first["row"], &first["label"]), (&json!(1), &json!("spam")));
    assert_eq!(
        (&first["predicted"], &first["probability"], &first["loss"]),
        (&json!("ham"), &json!(0.875), &json!(2.0))
    );
    // Wrong in both are rows 1 and 2; r1 is right on the other eight.
    assert_eq!(shell.json(&["errors", "s1"])["total"], json!(2));
    let unlike = shell.json(&["errors", "r2", "--right-in", "r1", "--limit", "3"]);
    assert_eq!((&unlike["total"], unlike["errors"].as_array().unwrap().len()), (&json!(8), 3));
    assert_eq!(unlike["errors"][0]["runs"][1]["id"], json!("r1"));

    shell.ok(&["errors", "s1", "--out", "suspects.csv"]);
    let csv = std::fs::read_to_string(shell.path("suspects.csv")).unwrap();
    let head = "row,text,label,characters,words,r1_predicted,r1_probability,r1_loss,r2_predicted,r2_probability,r2_loss";
    assert_eq!(csv.lines().next(), Some(head));
    assert_eq!(csv.lines().count(), 3);

    shell.refuses(
        &["errors", "r1", "--true", "spma"],
        2,
        "r1 has no class `spma`; did you mean `spam`?",
    );
    shell.refuses(
        &["errors", "r1", "--epoch", "9"],
        2,
        "r1 has no saved predictions of the test rows after epoch 9; it has test 2.",
    );
    shell.refuses(&["errors", "r1", "--right-in", "r1"], 2, "r1 cannot be both right and wrong.");
    shell.refuses(&["errors", "r1", "--out", "x.xls"], 2, ".csv, .jsonl, .md, .parquet");
}

#[test]
fn confusion_tells_of_two_runs_and_of_probabilities() {
    let shell = tested();
    let delta = shell.json(&["confusion", "r1", "r2"]);
    assert_eq!(delta["delta"], json!([[0, 0], [0, 0]]), "the fake trainer reports the same counts");
    let bins = shell.json(&["confusion", "r1", "--calibration"]);
    assert_eq!(bins["bins"][13]["rows"], json!(40));
    assert!((bins["ece"].as_f64().unwrap() - 0.075).abs() < 1e-9, "{bins}");
    let thresholds = shell.json(&["confusion", "r1", "--threshold", "spam"]);
    assert_eq!(thresholds["thresholds"][9]["threshold"], json!(0.5));
    assert_eq!(thresholds["thresholds"][9]["false_negatives"], json!(1));
    assert_eq!(thresholds["best"]["threshold"], json!(0.875));
    assert_eq!(thresholds["roc"]["thresholds"][0], json!("inf"));
    assert!(
        shell
            .ok(&["confusion", "r1", "--calibration"])
            .contains("expected calibration error 0.0750")
    );
    assert!(shell.ok(&["confusion", "r1", "--threshold", "spam"]).contains("highest F1"));
    shell.refuses(&["confusion", "r1", "--threshold", "eggs"], 2, "r1 has no class `eggs`");
}

#[test]
#[cfg(feature = "train")]
fn real_runs_are_compared_on_the_texts_they_saw() {
    let shell = Shell::training();
    let sweep =
        ["sweep", "model=tiny", "data=data/mail.csv", "epochs=1", "max_length=16", "lr=1e-6"];
    let place = ["device=cpu", "threads=1", "split=0.6,0.2,0.2", "seed=0..1", "--wait"];
    shell.ok(&[&sweep[..], &place].concat());
    let object = shell.json(&["compare", "s1"]);
    assert_eq!(object["differs"], json!({ "seed": [0, 1] }));
    assert_eq!((&object["pairs"][0]["n"], &object["pairs"][0]["real"]), (&json!(8), &json!(false)));
    let all = shell.json(&["errors", "r1", "--limit", "0"]);
    assert_eq!(all["notice"], Value::Null);
    for error in all["errors"].as_array().unwrap() {
        let text = error["text"].as_str().unwrap();
        let row = error["row"].as_u64().unwrap();
        assert_eq!(text, format!("text number {}", row - 1), "the number is that of the file");
    }
    let right = shell.json(&["errors", "r1", "--true", "ham", "--predicted", "ham"]);
    let wrong = all["total"].as_u64().unwrap();
    assert!(wrong + right["total"].as_u64().unwrap() <= 8 && wrong > 0, "{all}");
    // Other data under the same name: the numbers may mean other rows now.
    shell.write(
        "data/mail.csv",
        "text,label\nalpha,ham\nbeta,spam\ngamma,ham\ndelta,spam\n".repeat(5),
    );
    let changed = shell.run(&["errors", "r1"]);
    assert!(changed.out.contains("test row") && !changed.out.contains("alpha"), "{changed}");
}

#[test]
fn tables_leave_the_board_in_every_format() {
    let shell = tested();
    let csv = shell.ok(&["export", "predictions", "r1"]);
    assert_eq!(csv.lines().next(), Some("row,label,predicted,loss,p_ham,p_spam"));
    assert_eq!(csv.lines().nth(1), Some("1,spam,ham,2,0.875,0.125"));
    assert_eq!(csv.lines().count(), 41);
    let both = shell.ok(&["export", "predictions", "s1"]);
    assert_eq!(both.lines().next(), Some("run,row,label,predicted,loss,p_ham,p_spam"));
    assert_eq!(both.lines().count(), 81);

    let runs = shell.ok(&["export", "runs", "lr<3e-5", "--format", "jsonl"]);
    let run: Value = serde_json::from_str(runs.trim()).unwrap();
    assert_eq!(
        (&run["id"], &run["lr"], &run["state"]),
        (&json!("r1"), &json!(1e-5), &json!("done"))
    );
    assert_eq!((&run["val/acc"], &run["test/acc.last"]), (&json!(2.0 / 3.0), &json!(0.75)));
    assert_eq!(run["dropout"], Value::Null);
    let curves = shell.json(&["export", "curves", "r1", "--metric", "val/acc"]);
    let points: Vec<_> = curves.as_array().unwrap().iter().map(|p| p["value"].clone()).collect();
    assert_eq!(points, [json!(0.5), json!(2.0 / 3.0)]);
    let md = shell.ok(&["export", "confusion", "r2", "--format", "md"]);
    assert!(md.contains("| r2 | test | 2 | spam | ham | 2 |"), "{md}");

    let said = shell.ok(&["export", "predictions", "r1", "--out", "p.parquet"]);
    assert_eq!(said, "40 rows written to p.parquet.\n");
    let read = predictions::read(&shell.path("p.parquet")).unwrap();
    let saved = predictions::read(&shell.path("runs/r1/predictions/test-0002.parquet")).unwrap();
    assert_eq!(read, saved, "what is exported is what was saved");

    shell.refuses(&["export", "prediction", "r1"], 2, "did you mean `predictions`?");
    shell.refuses(&["export", "r1"], 2, "`tuneboard export r1 --to DIR`");
    shell.refuses(&["export", "predictions", "r1", "--epoch", "7"], 2, "it has test 2.");
    shell.refuses(&["export", "runs", "--out", "x.xls"], 2, ".csv, .jsonl, .md, .parquet");
    shell.refuses(&["export", "confusion", "r1", "--epoch", "9"], 2, "has confusion counts");
}

#[test]
fn curves_and_confusion_leave_the_board_as_pictures() {
    let shell = tested();
    let svg = shell.ok(&["export", "curves", "s1", "--format", "svg"]);
    assert!(svg.starts_with("<svg ") && svg.trim_end().ends_with("</svg>"), "{svg}");
    for words in ["val/loss", "val/acc", "r1 ", "r2 "] {
        assert!(svg.contains(words), "{words}: {svg}");
    }
    assert!(svg.matches("<polyline").count() >= 4, "two runs in two panels or more: {svg}");
    let said = shell.ok(&["export", "curves", "r1", "--metric", "val/acc", "--out", "acc.png"]);
    assert_eq!(said, "Written to acc.png.\n");
    let png = std::fs::read(shell.path("acc.png")).unwrap();
    assert!(png.starts_with(b"\x89PNG\r\n\x1a\n") && png.len() > 5000, "{}", png.len());
    shell.ok(&["export", "confusion", "r2", "--out", "matrix.svg"]);
    let matrix = std::fs::read_to_string(shell.path("matrix.svg")).unwrap();
    assert!(matrix.contains("spam") && matrix.contains("predicted"), "{matrix}");

    shell.refuses(&["export", "confusion", "s1", "--format", "png"], 2, "of one run");
    shell.refuses(&["export", "runs", "--out", "runs.svg"], 2, "only of curves and confusion");
    let wrong = ["export", "curves", "r1", "--metric", "val/ac", "--format", "svg"];
    shell.refuses(&wrong, 2, "did you mean `val/acc`?");
}

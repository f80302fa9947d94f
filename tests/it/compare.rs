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
    for line in ["What differs", "real, p=0.008, n=40", "r2   r1   +0.2000"] {
        assert!(said.contains(line), "{line}\n{said}");
    }
    let all = shell.ok(&["compare", "s1", "--all"]);
    assert!(all.contains("weight_decay") && !said.contains("weight_decay"), "{all}");
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
        "seed=0..7",
        "--hold",
    ]);
    shell.refuses(&["compare", "r1", "s2"], 2, "9 runs are too many to compare: name two to 8.");
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

//! Figures of the other tasks against scipy, scikit-learn and seqeval, from
//! `families/metrics/tasks_cases.json` of the fixtures.

use std::io::Write as _;
use std::path::Path;

use serde_json::Value;

use super::*;

/// The cases of one kind of task. `TUNEBOARD_FIXTURES` may lack the file; the repository does not.
fn each_case(kind: &str, check: impl Fn(&str, &Value)) {
    const FILE: &str = "families/metrics/tasks_cases.json";
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(FILE);
    let given = std::env::var_os("TUNEBOARD_FIXTURES").map(|root| Path::new(&root).join(FILE));
    let path = given.filter(|path| path.is_file()).unwrap_or(own);
    let file: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let cases = file[kind].as_array().unwrap();
    let _ = writeln!(std::io::stderr(), "parity: figures of {kind}: {} cases", cases.len());
    assert!(!cases.is_empty());
    for case in cases {
        check(case["name"].as_str().unwrap(), case);
    }
}

/// The number at a key, or in the `value` of the object there; `None` for what is undefined.
fn told(case: &Value, key: &str) -> Option<f64> {
    let at = case.get(key).unwrap_or_else(|| panic!("{} has no {key}", case["name"]));
    at.as_object().map_or(at, |object| &object["value"]).as_f64()
}

fn same(what: &str, got: Option<f64>, want: Option<f64>) {
    let close = match (got, want) {
        (Some(a), Some(b)) => (a - b).abs() <= 1e-9 * b.abs().max(1.0),
        (a, b) => a == b,
    };
    assert!(close, "{what}: {got:?}, not {want:?}");
}

/// Rows as columns.
fn columns<T: Copy>(rows: &[Vec<T>]) -> Vec<Vec<T>> {
    (0..rows[0].len()).map(|at| rows.iter().map(|row| row[at]).collect()).collect()
}

fn read<T: serde::de::DeserializeOwned>(value: &Value) -> T {
    serde_json::from_value(value.clone()).unwrap()
}

fn same_averages(what: &str, got: Averages, want: &Value, f1: &str) {
    for (key, got) in [("precision", got.precision), ("recall", got.recall), (f1, got.f1)] {
        same(&format!("{what} {key}"), Some(got), want[key].as_f64());
    }
}

#[test]
fn regression_is_scipys_and_scikit_learns() {
    each_case("regression", |name, case| {
        let got =
            Regression::of(&read::<Vec<f64>>(&case["y_true"]), &read::<Vec<f64>>(&case["y_pred"]));
        for (key, got) in [
            ("pearson", got.pearson),
            ("spearman", got.spearman),
            ("mse", got.mse),
            ("rmse", got.rmse),
            ("mae", got.mae),
            ("r2", got.r2),
        ] {
            same(&format!("{name} {key}"), got, told(case, key));
        }
    });
}

#[test]
fn many_labels_are_scikit_learns() {
    each_case("multilabel", |name, case| {
        let flags = |key: &str| -> Vec<Vec<bool>> {
            let rows: Vec<Vec<u8>> = read(&case[key]);
            columns(&rows).iter().map(|c| c.iter().map(|x| *x == 1).collect()).collect()
        };
        let truth = flags("y_true");
        let probabilities = columns(&read::<Vec<Vec<f64>>>(&case["y_prob"]));
        let predicted = given(&probabilities, &vec![0.5; truth.len()]);
        assert_eq!(predicted, flags("y_pred"), "{name}");
        let got = Multilabel::of(&truth, &predicted).unwrap();
        for (key, got) in [
            ("micro", got.micro),
            ("macro", got.macro_),
            ("weighted", got.weighted),
            ("samples", got.samples),
        ] {
            same_averages(&format!("{name} {key}"), got, &case[key], "f1");
        }
        same(&format!("{name} exact"), Some(got.exact_match), told(case, "subset_accuracy"));
        same(&format!("{name} hamming"), Some(got.hamming_loss), told(case, "hamming_loss"));
        for (at, label) in got.labels.iter().enumerate() {
            let of = |key: &str| case["per_label"][key][at].as_f64();
            let scores = label.scores();
            for (key, got) in [
                ("precision", scores.precision),
                ("recall", scores.recall),
                ("f1", scores.f1),
                ("support", label.support() as f64),
            ] {
                same(&format!("{name} {at} {key}"), Some(got), of(key));
            }
        }
        let areas = roc_auc_per_label(&truth, &probabilities);
        let precisions = average_precision_per_label(&truth, &probabilities);
        for (key, mean, figures) in [
            ("roc_auc_per_label", "roc_auc_macro", areas),
            ("average_precision_per_label", "mean_average_precision_macro", precisions),
        ] {
            for (at, got) in figures.iter().enumerate() {
                same(&format!("{name} {key} {at}"), *got, case[key][at]["value"].as_f64());
            }
            same(&format!("{name} {mean}"), mean_over_labels(&figures), told(case, mean));
        }
    });
}

#[test]
fn entities_are_seqevals() {
    each_case("seqeval", |name, case| {
        let truth: Vec<Vec<String>> = read(&case["y_true"]);
        let predicted: Vec<Vec<String>> = read(&case["y_pred"]);
        let [truth, predicted]: [Vec<Vec<&str>>; 2] = [&truth, &predicted]
            .map(|all| all.iter().map(|tags| tags.iter().map(String::as_str).collect()).collect());
        for (key, tagging) in [("default", Tagging::Lenient), ("strict_IOB2", Tagging::StrictIob2)]
        {
            let want = &case[key];
            let found = |texts: &[Vec<&str>]| -> Value {
                let all = texts.iter().map(|tags| {
                    let entities = tagging.entities(tags).into_iter();
                    entities.map(|e| serde_json::json!([e.kind, e.first, e.last])).collect()
                });
                all.collect::<Vec<Value>>().into()
            };
            let name = format!("{name} {key}");
            assert_eq!(found(&truth), want["entities_true [type, first, last token]"], "{name}");
            assert_eq!(found(&predicted), want["entities_pred"], "{name}");
            let got = EntityScores::of(&truth, &predicted, tagging);
            same(&name, got.tag_accuracy, told(case, "token_accuracy"));
            for (key, got) in [
                ("precision", got.micro().precision),
                ("recall", got.micro().recall),
                ("f1", got.micro().f1),
            ] {
                same(&format!("{name} {key}"), Some(got), told(want, key));
            }
            let report = want["report"].as_object().unwrap();
            let types = report.keys().filter(|key| !key.ends_with(" avg")).count();
            assert_eq!(got.types.len(), types, "{name}");
            for (kind, counts) in &got.types {
                let what = format!("{name} {kind}");
                same_averages(&what, counts.scores(), &report[kind], "f1-score");
                assert_eq!(counts.support(), report[kind]["support"].as_u64().unwrap(), "{what}");
            }
            same_averages(&name, got.micro(), &report["micro avg"], "f1-score");
            same_averages(&name, got.weighted(), &report["weighted avg"], "f1-score");
            match got.macro_() {
                Some(got) => same_averages(&name, got, &report["macro avg"], "f1-score"),
                None => assert!(report["macro avg"]["f1-score"].is_null(), "{name}"),
            }
        }
    });
}

#[test]
fn temperatures_are_the_optimum() {
    each_case("temperature", |name, case| {
        let labels: Vec<u32> = read(&case["y_true"]);
        let logits = columns(&read::<Vec<Vec<f64>>>(&case["logits"]));
        let check = |probabilities: &[Vec<f64>], when: &str| {
            let loss = log_loss(&labels, probabilities);
            same(&format!("{name} {when}"), loss, told(case, &format!("nll_{when}")));
            let bins = Calibration::of(&labels, probabilities, BINS).unwrap();
            let want = told(case, &format!("ece_15_{when}"));
            same(&format!("{name} {when} ece"), Some(bins.expected_error()), want);
        };
        check(&tempered(&logits, 1.0), "before");
        let got = temperature(&labels, &logits);
        let want = told(case, "temperature");
        assert_eq!(got.is_some(), want.is_some(), "{name}: {got:?} {want:?}");
        if let (Some(got), Some(want)) = (got, want) {
            assert!((got - want).abs() < 1e-6 * want, "{name}: {got} {want}");
            check(&tempered(&logits, got), "after");
        }
    });
}

#[test]
fn figures_of_nothing_are_undefined() {
    assert_eq!(Regression::of(&[], &[]), Regression::default());
    assert_eq!(Regression::of(&[1.0, f64::NAN], &[1.0, 2.0]), Regression::default());
    assert_eq!(Regression::of(&[1.0], &[1.0, 2.0]), Regression::default());
    assert_eq!(Multilabel::of(&[], &[]), None);
    assert_eq!(Multilabel::of(&[vec![true]], &[vec![true, false]]), None);
    assert_eq!(mean_over_labels(&[]), None);
    assert_eq!(EntityScores::of(&[], &[], Tagging::Lenient), EntityScores::default());
    assert_eq!(temperature::<f64>(&[], &[]), None);
    assert_eq!(temperature(&[0], &[vec![f64::NAN], vec![0.0]]), None);
    assert_eq!(temperature(&[7], &[vec![1.0], vec![0.0]]), None);
}

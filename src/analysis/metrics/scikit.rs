//! Every figure against scikit-learn's, from `metrics/metrics_cases.json` of the fixtures.

use std::io::Write as _;
use std::path::Path;

use serde_json::Value;

use super::*;
use crate::analysis::confusion::{Matrix, Normalise};

fn file() -> Value {
    let folder = std::env::var("TUNEBOARD_FIXTURES")
        .unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures").into());
    let path = Path::new(&folder).join("metrics/metrics_cases.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// One label set.
struct Case {
    name: String,
    expected: Value,
    labels: Vec<u32>,
    predicted: Vec<u32>,
    other: Vec<u32>,
    /// `[class][row]`
    probabilities: Vec<Vec<f64>>,
}

impl Case {
    fn of(expected: Value) -> Self {
        let ids = |key: &str| serde_json::from_value::<Vec<u32>>(expected[key].clone()).unwrap();
        let rows: Vec<Vec<f64>> = serde_json::from_value(expected["y_prob"].clone()).unwrap();
        let classes = expected["n_classes"].as_u64().unwrap() as usize;
        Self {
            name: expected["name"].as_str().unwrap().to_owned(),
            labels: ids("y_true"),
            predicted: ids("y_pred"),
            other: ids("y_pred_other_model"),
            probabilities: (0..classes).map(|c| rows.iter().map(|r| r[c]).collect()).collect(),
            expected,
        }
    }

    fn matrix(&self) -> Matrix {
        let n = self.probabilities.len();
        let mut counts = vec![vec![0; n]; n];
        for (label, predicted) in self.labels.iter().zip(&self.predicted) {
            counts[*label as usize][*predicted as usize] += 1;
        }
        Matrix::of(&counts, n)
    }

    /// The second class's probabilities and which rows are of it.
    fn binary(&self) -> (&[f64], Vec<bool>) {
        (&self.probabilities[1], self.labels.iter().map(|l| *l == 1).collect())
    }

    /// Compares with the number at `key`, or with each of the list there.
    fn check(&self, key: &str, got: &[Option<f64>]) {
        let want = &self.expected[key];
        assert!(self.expected.get(key).is_some(), "{} has no {key}", self.name);
        let want = want.as_object().map_or(want, |object| &object["value"]);
        let want: Vec<Option<f64>> = match want.as_array() {
            Some(list) => list.iter().map(number).collect(),
            None => vec![number(want)],
        };
        self.same(key, got, &want);
    }

    fn same(&self, what: &str, got: &[Option<f64>], want: &[Option<f64>]) {
        let close = |(a, b): (&Option<f64>, &Option<f64>)| match (a, b) {
            (Some(a), Some(b)) => a == b || (a - b).abs() <= 1e-9 * b.abs().max(1.0),
            (a, b) => a == b,
        };
        let all = got.len() == want.len() && got.iter().zip(want).all(close);
        assert!(all, "{} {what}: {got:?}, not {want:?}", self.name);
    }

    fn check_one(&self, key: &str, got: impl Into<Option<f64>>) {
        self.check(key, &[got.into()]);
    }

    fn check_table(&self, key: &str, got: &[Vec<f64>]) {
        let rows = self.expected[key].as_array().unwrap();
        assert_eq!(got.len(), rows.len(), "{} {key}", self.name);
        for (got, want) in got.iter().zip(rows) {
            let want: Vec<_> = want.as_array().unwrap().iter().map(number).collect();
            self.same(key, &some(got), &want);
        }
    }
}

fn number(value: &Value) -> Option<f64> {
    if value == "inf" { Some(f64::INFINITY) } else { value.as_f64() }
}

fn some(values: &[f64]) -> Vec<Option<f64>> {
    values.iter().copied().map(Some).collect()
}

fn each_case(check: impl Fn(&Case)) {
    let cases: Vec<Case> =
        file()["cases"].as_array().unwrap().iter().cloned().map(Case::of).collect();
    let _ = writeln!(std::io::stderr(), "parity: sets of predictions: {} cases", cases.len());
    assert!(!cases.is_empty());
    cases.iter().for_each(check);
}

#[test]
fn confusion_and_averages_are_scikit_learns() {
    each_case(|case| {
        let matrix = case.matrix();
        for (key, by) in [
            ("confusion_matrix", Normalise::None),
            ("confusion_matrix_normalize_true", Normalise::Row),
            ("confusion_matrix_normalize_pred", Normalise::Column),
            ("confusion_matrix_normalize_all", Normalise::All),
        ] {
            case.check_table(key, &matrix.normalised(by));
        }
        case.check_one("accuracy", matrix.accuracy());
        let classes = matrix.classes();
        let per_class = Case { expected: case.expected["per_class"].clone(), ..Case::empty(case) };
        per_class
            .check("precision", &classes.iter().map(|c| Some(c.precision)).collect::<Vec<_>>());
        per_class.check("recall", &classes.iter().map(|c| Some(c.recall)).collect::<Vec<_>>());
        per_class.check("f1", &classes.iter().map(|c| Some(c.f1)).collect::<Vec<_>>());
        per_class
            .check("support", &classes.iter().map(|c| Some(c.support as f64)).collect::<Vec<_>>());
        for (key, average) in
            [("macro", Average::Macro), ("weighted", Average::Weighted), ("micro", Average::Micro)]
        {
            let got = Averages::of(&matrix, average);
            let part = Case { expected: case.expected[key].clone(), ..Case::empty(case) };
            part.check_one("precision", got.precision);
            part.check_one("recall", got.recall);
            part.check_one("f1", got.f1);
        }
    });
}

#[test]
fn agreement_is_scikit_learns() {
    each_case(|case| {
        let matrix = case.matrix();
        let key = "balanced_accuracy (classes present in y_true)";
        case.check_one(key, balanced_accuracy(&matrix));
        case.check_one("mcc", matthews(&matrix));
        case.check_one("cohen_kappa", cohen_kappa(&matrix));
    });
}

#[test]
fn ranking_of_two_classes_is_scikit_learns() {
    each_case(|case| {
        if case.probabilities.len() != 2 {
            return;
        }
        let (scores, positive) = case.binary();
        case.check_one("roc_auc", roc_auc(scores, &positive));
        case.check_one("average_precision", average_precision(scores, &positive));
        case.check_one("brier", brier(&case.labels, &case.probabilities));
        if case.expected.get("roc_curve").is_none() {
            assert_eq!(RocCurve::of(scores, &positive), None);
            return;
        }
        let roc = RocCurve::of(scores, &positive).unwrap();
        let part = Case { expected: case.expected["roc_curve"].clone(), ..Case::empty(case) };
        part.check("fpr", &some(&roc.false_positive_rate));
        part.check("tpr", &some(&roc.true_positive_rate));
        part.check("thresholds", &some(&roc.thresholds));
        let pr = PrCurve::of(scores, &positive).unwrap();
        let part = Case { expected: case.expected["pr_curve"].clone(), ..Case::empty(case) };
        part.check("precision", &some(&pr.precision));
        part.check("recall", &some(&pr.recall));
        part.check("thresholds", &some(&pr.thresholds));
    });
}

#[test]
fn ranking_of_many_classes_is_scikit_learns() {
    each_case(|case| {
        if case.probabilities.len() == 2 {
            return;
        }
        let mean = |figures: &[Option<f64>]| -> Option<f64> {
            let figures: Vec<f64> = figures.iter().copied().collect::<Option<_>>()?;
            Some(figures.iter().sum::<f64>() / figures.len() as f64)
        };
        let areas = one_vs_rest(&case.labels, &case.probabilities, roc_auc);
        case.check("roc_auc_ovr_per_class", &areas);
        case.check_one("roc_auc_ovr_macro", mean(&areas));
        case.check_one("roc_auc_ovr_weighted", weighted_one_vs_rest(&case.labels, &areas));
        case.check_one("roc_auc_ovo_macro", one_vs_one(&case.labels, &case.probabilities));
        let precisions = one_vs_rest(&case.labels, &case.probabilities, average_precision);
        case.check("average_precision_per_class", &precisions);
        case.check_one("average_precision_macro", mean(&precisions));
        let key = "brier_multiclass (mean over rows of the sum of squares)";
        case.check_one(key, brier(&case.labels, &case.probabilities));
    });
}

#[test]
fn calibration_and_log_loss_are_the_references() {
    each_case(|case| {
        case.check_one("log_loss", log_loss(&case.labels, &case.probabilities));
        let in_bins = |bins| Calibration::of(&case.labels, &case.probabilities, bins).unwrap();
        // `ece_15`, `mce_15`, `ece_10`: the number of bins stands in the name.
        let keys = case.expected.as_object().unwrap().keys();
        let numbered = |key: &String| -> Option<(String, usize)> {
            let (figure, bins) = key.split_once('_')?;
            Some((figure.to_owned(), bins.parse().ok()?))
        };
        let told: Vec<(String, usize)> = keys.filter_map(numbered).collect();
        assert!(told.contains(&("ece".to_owned(), BINS)), "{}: the usual bins", case.name);
        for (figure, bins) in told {
            let calibration = in_bins(bins);
            let got = match figure.as_str() {
                "ece" => calibration.expected_error(),
                "mce" => calibration.maximum_error(),
                _ => continue,
            };
            case.check_one(&format!("{figure}_{bins}"), got);
        }
        let bins = case.expected["ece_bins [count, accuracy, confidence]"].as_array().unwrap();
        for (got, want) in in_bins(bins.len()).bins.iter().zip(bins) {
            let want: Vec<_> = want.as_array().unwrap().iter().map(number).collect();
            case.same("bin", &[Some(got.rows as f64), got.accuracy, got.confidence], &want);
        }
    });
}

#[test]
fn mcnemar_is_scipys() {
    each_case(|case| {
        let pairs = Discordant::of(&case.labels, &case.predicted, &case.other);
        let key = "mcnemar_vs_other";
        let part = Case { expected: case.expected[key].clone(), ..Case::empty(case) };
        part.check_one("a_right_b_wrong", pairs.first_right as f64);
        part.check_one("a_wrong_b_right", pairs.second_right as f64);
        part.check_one("exact_p", pairs.p());
    });
    for row in file()["mcnemar_table"].as_array().unwrap() {
        let count = |key: &str| row[key].as_u64().unwrap();
        let got = mcnemar_exact(count("a_right_b_wrong"), count("a_wrong_b_right"));
        let want = row["exact_p"].as_f64().unwrap();
        assert!((got - want).abs() <= 1e-9 * want, "{row}: {got}");
    }
}

#[test]
fn nothing_and_nonsense_are_undefined() {
    let none: [Vec<f64>; 2] = [vec![], vec![]];
    assert_eq!((log_loss(&[], &none), brier(&[], &none)), (None, None));
    assert_eq!((roc_auc::<f64>(&[], &[]), average_precision::<f64>(&[], &[])), (None, None));
    assert_eq!(Calibration::of(&[], &none, BINS), None);
    assert_eq!((one_vs_one(&[], &none), weighted_one_vs_rest(&[], &[None])), (None, None));
    let empty = Matrix::default();
    assert_eq!((balanced_accuracy(&empty), cohen_kappa(&empty)), (None, None));
    assert_eq!(Averages::of(&empty, Average::Weighted), Averages::default());
    // What a diverged model says.
    let nan = [vec![f32::NAN, 0.5], vec![f32::NAN, 0.5]];
    assert_eq!((log_loss(&[0, 1], &nan), brier(&[0, 1], &nan)), (None, None));
    assert_eq!(roc_auc(&nan[1], &[false, true]), None);
    assert_eq!(Calibration::of(&[0, 1], &nan, BINS), None);
    // A label beyond the probabilities.
    assert_eq!(log_loss(&[7], &[vec![0.5f32], vec![0.5]]), None);
}

impl Case {
    /// The same case without its rows, to check a part of what is expected.
    fn empty(case: &Self) -> Self {
        Self {
            name: case.name.clone(),
            expected: Value::Null,
            labels: vec![],
            predicted: vec![],
            other: vec![],
            probabilities: vec![],
        }
    }
}

use super::{
    EntityScores, Multilabel, Regression, Tagging, average_precision_per_label, given, macro_f1,
    mean_over_labels, roc_auc_per_label,
};
use crate::analysis::confusion::Matrix;
use crate::dataset::predictions::{Numbers, Pass, Predictions, Sets, Tags};
use crate::spec::metrics;

/// The figures of a pass by short name, the task's score first; without its loss, and without those that only the
/// trainer knows (thresholds tuned on other rows). What has no value for the rows is NaN.
pub fn figures(pass: &Pass) -> Vec<(&'static str, f64)> {
    match pass {
        Pass::Classes(pass) => classes(pass),
        Pass::Numbers(pass) => numbers(pass),
        Pass::Sets(pass) => sets(pass),
        Pass::Tags(pass) => tags(pass),
    }
}

fn classes(pass: &Predictions) -> Vec<(&'static str, f64)> {
    let matrix = Matrix::from_predictions(pass);
    vec![(metrics::ACC, matrix.accuracy()), (metrics::F1, macro_f1(matrix.counts()))]
}

/// With several targets the mean over them.
fn numbers(pass: &Numbers) -> Vec<(&'static str, f64)> {
    let of: Vec<Regression> =
        pass.truth.iter().zip(&pass.predicted).map(|(y, p)| Regression::of(y, p)).collect();
    let mean = |figure: fn(&Regression) -> Option<f64>| {
        let sum: Option<f64> = of.iter().map(figure).sum();
        sum.map_or(f64::NAN, |sum| sum / of.len() as f64)
    };
    vec![
        (metrics::PEARSON, mean(|r| r.pearson)),
        (metrics::SPEARMAN, mean(|r| r.spearman)),
        (metrics::MAE, mean(|r| r.mae)),
        (metrics::RMSE, mean(|r| r.rmse)),
        (metrics::R2, mean(|r| r.r2)),
    ]
}

/// A label is given from a probability of 0.5 on.
fn sets(pass: &Sets) -> Vec<(&'static str, f64)> {
    let Sets { truth, probabilities, names, .. } = pass;
    let plain = Multilabel::of(truth, &given(probabilities, &vec![0.5; names.len()]));
    let number = |x: Option<f64>| x.unwrap_or(f64::NAN);
    let of = |figure: fn(&Multilabel) -> f64| number(plain.as_ref().map(figure));
    vec![
        (metrics::MICRO_F1, of(|m| m.micro.f1)),
        (metrics::F1, of(|m| m.macro_.f1)),
        (
            metrics::MAP,
            number(mean_over_labels(&average_precision_per_label(truth, probabilities))),
        ),
        (metrics::EXACT, of(|m| m.exact_match)),
        (metrics::HAMMING, of(|m| m.hamming_loss)),
        (metrics::WEIGHTED_F1, of(|m| m.weighted.f1)),
        (metrics::SAMPLES_F1, of(|m| m.samples.f1)),
        (metrics::AUC, number(mean_over_labels(&roc_auc_per_label(truth, probabilities)))),
    ]
}

/// Whether tags are BIOES is told by those that occur.
fn tags(pass: &Tags) -> Vec<(&'static str, f64)> {
    let (truth, predicted) = (words(&pass.truth), words(&pass.predicted));
    let strictly = Tagging::strict(truth.iter().chain(&predicted).flatten().copied());
    let usual = EntityScores::of(&truth, &predicted, Tagging::Lenient);
    let strict = EntityScores::of(&truth, &predicted, strictly);
    vec![
        (metrics::F1, usual.micro().f1),
        (metrics::PRECISION, usual.micro().precision),
        (metrics::RECALL, usual.micro().recall),
        (metrics::ACC, usual.tag_accuracy.unwrap_or(f64::NAN)),
        (metrics::STRICT_F1, strict.micro().f1),
    ]
}

fn words(rows: &[Vec<String>]) -> Vec<Vec<&str>> {
    rows.iter().map(|row| row.iter().map(String::as_str).collect()).collect()
}

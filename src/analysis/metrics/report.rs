use serde::Serialize;

use super::{
    Average, Averages, BINS, Calibration, average_precision, balanced_accuracy, brier, cohen_kappa,
    log_loss, matthews, one_vs_one, one_vs_rest, roc_auc, weighted_one_vs_rest,
};
use crate::analysis::confusion::Matrix;
use crate::dataset::predictions::Predictions;

/// Everything that confusion counts say of a whole pass.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct CountReport {
    /// The share of right predictions.
    pub accuracy: f64,
    /// The mean recall of the classes that have rows.
    pub balanced_accuracy: Option<f64>,
    /// Matthews' correlation coefficient.
    pub mcc: f64,
    /// Cohen's kappa.
    pub kappa: Option<f64>,
    /// Over all declared classes.
    #[serde(rename = "macro")]
    pub macro_average: Averages,
    /// By the rows of each class.
    pub weighted: Averages,
    /// Over all decisions.
    pub micro: Averages,
}

impl CountReport {
    /// The figures of these counts.
    pub fn of(matrix: &Matrix) -> Self {
        Self {
            accuracy: matrix.accuracy(),
            balanced_accuracy: balanced_accuracy(matrix),
            mcc: matthews(matrix),
            kappa: cohen_kappa(matrix),
            macro_average: Averages::of(matrix, Average::Macro),
            weighted: Averages::of(matrix, Average::Weighted),
            micro: Averages::of(matrix, Average::Micro),
        }
    }
}

/// What the probabilities of a pass say beyond its counts. With two classes the ranking figures are
/// those of the second class, scikit-learn's positive one; with more they are means over the classes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ProbabilityReport {
    /// Mean cross-entropy, natural logarithm.
    pub log_loss: Option<f64>,
    /// See [`brier`].
    pub brier: Option<f64>,
    /// Area under the ROC curve; with more than two classes one against the rest, plain mean.
    pub roc_auc: Option<f64>,
    /// The same weighted by the rows of each class; `None` with two classes.
    pub roc_auc_weighted: Option<f64>,
    /// One class against one other, plain mean over pairs; `None` with two classes.
    pub roc_auc_ovo: Option<f64>,
    /// Average precision, plain mean.
    pub average_precision: Option<f64>,
    /// Expected calibration error, 15 bins.
    pub ece: Option<f64>,
    /// Maximum calibration error, 15 bins.
    pub mce: Option<f64>,
    /// ROC-AUC of each class against the rest.
    pub roc_auc_per_class: Vec<Option<f64>>,
    /// Average precision of each class against the rest.
    pub average_precision_per_class: Vec<Option<f64>>,
}

impl ProbabilityReport {
    /// The figures of saved predictions.
    pub fn of(predictions: &Predictions) -> Self {
        let (labels, probabilities) = (&predictions.labels, &predictions.probabilities);
        let areas = one_vs_rest(labels, probabilities, roc_auc);
        let precisions = one_vs_rest(labels, probabilities, average_precision);
        let two = probabilities.len() == 2;
        let many = |figure: Option<f64>| figure.filter(|_| !two);
        let calibration = Calibration::of(labels, probabilities, BINS);
        Self {
            log_loss: log_loss(labels, probabilities),
            brier: brier(labels, probabilities),
            roc_auc: overall(&areas),
            roc_auc_weighted: many(weighted_one_vs_rest(labels, &areas)),
            roc_auc_ovo: if two { None } else { one_vs_one(labels, probabilities) },
            average_precision: overall(&precisions),
            ece: calibration.as_ref().map(Calibration::expected_error),
            mce: calibration.as_ref().map(Calibration::maximum_error),
            roc_auc_per_class: areas,
            average_precision_per_class: precisions,
        }
    }
}

/// The second of two, else the plain mean, which is undefined if one of them is.
fn overall(figures: &[Option<f64>]) -> Option<f64> {
    if let [_, second] = figures {
        return *second;
    }
    let known: Vec<f64> = figures.iter().copied().collect::<Option<_>>()?;
    (!known.is_empty()).then(|| known.iter().sum::<f64>() / known.len() as f64)
}

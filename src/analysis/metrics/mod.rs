//! Figures from labels, predictions and probabilities: pure arithmetic, no files. A classifier's come
//! first; those of predicted numbers, of many labels a row and of entities are [`Regression`],
//! [`Multilabel`] and [`EntityScores`].
//!
//! Every definition is scikit-learn 1.9's, with `labels=range(classes)` and `zero_division=0`, and is
//! held to it to 1e-9 by `tests/fixtures/metrics/metrics_cases.json`; the other tasks' are scipy's and
//! seqeval's as well, by `tests/fixtures/families/metrics/tasks_cases.json`. Where scikit-learn raises, warns
//! and answers NaN, the answer here is `None`; where it warns and answers a number, it is that number.
//!
//! Labels are class indices of each row. Probabilities come one class at a time, `[class][row]`, as
//! [`Predictions`](crate::dataset::predictions::Predictions) holds them, in `f32` or `f64`.

mod agreement;
mod averages;
mod calibrated;
mod calibration;
mod entities;
mod mcnemar;
mod multiclass;
mod multilabel;
mod of_pass;
mod probabilities;
mod ranking;
mod regression;
mod report;
#[cfg(test)]
mod scikit;
pub mod student;
#[cfg(test)]
mod tasks;
mod temperature;

pub use agreement::{balanced_accuracy, cohen_kappa, matthews};
pub use averages::{Average, Averages, macro_f1};
pub use calibrated::{Sureness, at_temperature, sureness, temperature_of, threshold_at};
pub use calibration::{BINS, Bin, Calibration};
pub use entities::{Entity, EntityConfusion, EntityScores, Tagging};
pub use mcnemar::{Discordant, mcnemar_exact};
pub use multiclass::{one_vs_one, one_vs_rest, weighted_one_vs_rest};
pub use multilabel::{
    LabelCounts, Multilabel, average_precision_per_label, best_thresholds, given, mean_over_labels,
    roc_auc_per_label,
};
pub use of_pass::figures;
pub use probabilities::{brier, log_loss};
pub use ranking::{PrCurve, RocCurve, average_precision, roc_auc};
pub use regression::{Regression, pearson, r2, spearman};
pub use report::{CountReport, ProbabilityReport};
pub use temperature::{temperature, tempered};

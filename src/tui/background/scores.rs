use super::texts::Files;
use crate::analysis::metrics::{
    BINS, Calibration, EntityConfusion, LabelCounts, Multilabel, PrCurve, ProbabilityReport,
    Regression, RocCurve, average_precision_per_label, best_thresholds, given, roc_auc_per_label,
};
use crate::analysis::thresholds::{self, Threshold};
use crate::board::Board;
use crate::dataset::predictions::{self, Pass, Predictions};
use crate::spec::{RunId, Task};
use crate::store::{Reader, Split};

/// Whose probabilities.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScoresQuestion {
    /// The run.
    pub run: RunId,
    /// Which rows.
    pub split: Split,
    /// After which epoch.
    pub epoch: u32,
}

/// What the probabilities of a pass say.
#[derive(Debug, Clone)]
pub struct ScoresAnswer {
    /// What it answers.
    pub question: ScoresQuestion,
    /// The figures, or why there are none.
    pub found: Result<Found, String>,
    /// What a task without classes shows instead.
    pub other: Option<Other>,
}

/// The picture of a pass of a task without classes.
#[derive(Debug, Clone)]
pub enum Other {
    /// Of each target.
    Numbers(Vec<TargetPoints>),
    /// Of each label.
    Labels(Vec<LabelLine>),
    /// Of taggers, beside the matrix of tags: which entities are taken for which.
    Entities(EntityConfusion),
}

/// One target of a pass.
#[derive(Debug, Clone)]
pub struct TargetPoints {
    /// Its name.
    pub name: String,
    /// The true and the predicted number of each row.
    pub points: Vec<(f64, f64)>,
    /// Its figures.
    pub figures: Regression,
}

/// One label of a pass.
#[derive(Debug, Clone)]
pub struct LabelLine {
    /// Its name.
    pub name: String,
    /// The decisions at 0.5.
    pub counts: LabelCounts,
    /// Rows in all.
    pub rows: u64,
    /// Average precision.
    pub precision: Option<f64>,
    /// Area under the ROC curve.
    pub area: Option<f64>,
    /// The threshold with the highest F1 on these rows.
    pub threshold: f64,
}

/// Figures and curves.
#[derive(Debug, Clone)]
pub struct Found {
    /// Confidence against accuracy.
    pub calibration: Option<Calibration>,
    /// All figures.
    pub report: ProbabilityReport,
    /// Rows.
    pub rows: usize,
    /// For two classes: how the second is told from the first.
    pub two: Option<Two>,
}

/// Two classes, of which the second is the positive one.
#[derive(Debug, Clone)]
pub struct Two {
    /// Its name.
    pub positive: String,
    /// From the highest threshold down.
    pub roc: Option<RocCurve>,
    /// From the lowest threshold up.
    pub pr: Option<PrCurve>,
    /// The figures at thresholds of 0, 1, ... 100 %.
    pub at: Vec<Threshold>,
    /// The threshold with the highest F1.
    pub best: Option<f64>,
}

/// What the probabilities of a pass say.
pub fn scores(files: &mut Files, board: &Board, question: ScoresQuestion) -> ScoresAnswer {
    let ScoresQuestion { run, split, epoch } = question;
    let path = board.predictions_of(run, split, epoch);
    if !path.exists() {
        let why = format!("{run} keeps no predictions of {split} rows after epoch {epoch}.");
        return ScoresAnswer { question, found: Err(why), other: None };
    }
    let known = Reader::open(&board.database()).and_then(|reader| reader.run(run));
    let task = known.ok().flatten().map_or(Task::Classify, |run| run.spec.task);
    if matches!(task, Task::Regress | Task::Multilabel) {
        let (found, other) = match predictions::read_pass(&path, task) {
            Ok(pass) => (Err(format!("task={task} has no classes.")), other(&pass)),
            Err(e) => (Err(e.to_string()), None),
        };
        return ScoresAnswer { question, found, other };
    }
    if task == Task::Tag {
        let (found, other) = match predictions::read_pass(&path, task) {
            Ok(pass) => (of_words(&pass), other(&pass)),
            Err(e) => (Err(e.to_string()), None),
        };
        return ScoresAnswer { question, found, other };
    }
    ScoresAnswer { question, found: files.pass(path).map(|pass| found(&pass)), other: None }
}

/// What a pass of a task without classes shows.
pub fn other(pass: &Pass) -> Option<Other> {
    match pass {
        Pass::Numbers(pass) => {
            let columns = pass.names.iter().zip(&pass.truth).zip(&pass.predicted);
            let one = |((name, truth), predicted): ((&String, &Vec<f64>), &Vec<f64>)| {
                let points = truth.iter().copied().zip(predicted.iter().copied()).collect();
                let figures = Regression::of(truth, predicted);
                TargetPoints { name: name.clone(), points, figures }
            };
            Some(Other::Numbers(columns.map(one).collect()))
        }
        Pass::Sets(pass) => {
            let half = given(&pass.probabilities, &vec![0.5; pass.names.len()]);
            let counts = Multilabel::of(&pass.truth, &half)?.labels;
            let areas = roc_auc_per_label(&pass.truth, &pass.probabilities);
            let precisions = average_precision_per_label(&pass.truth, &pass.probabilities);
            let thresholds = best_thresholds(&pass.truth, &pass.probabilities);
            let line = |at: usize| {
                Some(LabelLine {
                    name: pass.names.get(at)?.clone(),
                    counts: *counts.get(at)?,
                    rows: pass.rows.len() as u64,
                    precision: precisions.get(at).copied().flatten(),
                    area: areas.get(at).copied().flatten(),
                    threshold: *thresholds.get(at)?,
                })
            };
            Some(Other::Labels((0..pass.names.len()).filter_map(line).collect()))
        }
        Pass::Tags(pass) => Some(Other::Entities(EntityConfusion::of_passes([pass]))),
        Pass::Classes(_) => None,
    }
}

/// Of tags: each word is a row.
pub fn of_words(pass: &Pass) -> Result<Found, String> {
    let words = if let Pass::Tags(pass) = pass { pass.by_word() } else { None };
    words.map(|words| found(&words)).ok_or("Of this pass no probabilities are kept.".to_owned())
}

/// Figures and curves of saved predictions.
pub fn found(pass: &Predictions) -> Found {
    let two = match (pass.probabilities.as_slice(), pass.label_names.as_slice()) {
        ([_, scores], [_, positive]) => {
            let percents: Vec<f64> = (0..=100).map(|percent| f64::from(percent) / 100.0).collect();
            let truth: Vec<bool> = pass.labels.iter().map(|label| *label == 1).collect();
            Some(Two {
                positive: positive.clone(),
                roc: RocCurve::of(scores, &truth),
                pr: PrCurve::of(scores, &truth),
                at: thresholds::at(pass, 1, &percents),
                best: thresholds::best(pass, 1).map(|t| t.threshold),
            })
        }
        _ => None,
    };
    Found {
        calibration: Calibration::of(&pass.labels, &pass.probabilities, BINS),
        report: ProbabilityReport::of(pass),
        rows: pass.rows.len(),
        two,
    }
}

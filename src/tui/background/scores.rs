use super::texts::Files;
use crate::analysis::metrics::{BINS, Calibration, PrCurve, ProbabilityReport, RocCurve};
use crate::analysis::thresholds::{self, Threshold};
use crate::board::Board;
use crate::dataset::predictions::Predictions;
use crate::spec::RunId;
use crate::store::Split;

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
    let found = if path.exists() {
        files.pass(path).map(|pass| found(&pass))
    } else {
        Err(format!("{run} keeps no predictions of {split} rows after epoch {epoch}."))
    };
    ScoresAnswer { question, found }
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

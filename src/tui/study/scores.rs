use super::texts::Files;
use crate::analysis::metrics::{BINS, Calibration, PrCurve, ProbabilityReport, RocCurve};
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
pub struct Scores {
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
    /// Counts at thresholds of 0, 1, ... 100 %.
    pub at: Vec<At>,
}

/// Counts at one threshold: a row is positive whose probability is at least that.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct At {
    /// Positive rows found.
    pub hits: u64,
    /// Negative rows taken for positive ones.
    pub alarms: u64,
    /// Positive rows not found.
    pub misses: u64,
    /// Negative rows left alone.
    pub rest: u64,
}

impl At {
    /// Precision, recall, F1 and accuracy; `None` where there is nothing to divide by.
    pub fn figures(self) -> [Option<f64>; 4] {
        let ratio = |part: u64, whole: u64| (whole > 0).then(|| part as f64 / whole as f64);
        let Self { hits, alarms, misses, rest } = self;
        [
            ratio(hits, hits + alarms),
            ratio(hits, hits + misses),
            ratio(2 * hits, 2 * hits + alarms + misses),
            ratio(hits + rest, hits + alarms + misses + rest),
        ]
    }
}

/// What the probabilities of a pass say.
pub fn scores(files: &mut Files, board: &Board, question: ScoresQuestion) -> Scores {
    let ScoresQuestion { run, split, epoch } = question;
    let path = board.predictions_of(run, split, epoch);
    let found = if path.exists() {
        files.pass(path).map(|pass| found(&pass))
    } else {
        Err(format!("{run} keeps no predictions of {split} rows after epoch {epoch}."))
    };
    Scores { question, found }
}

/// Figures and curves of saved predictions.
pub fn found(pass: &Predictions) -> Found {
    let two = match (pass.probabilities.as_slice(), pass.label_names.as_slice()) {
        ([_, scores], [_, positive]) => {
            let truth: Vec<bool> = pass.labels.iter().map(|label| *label == 1).collect();
            Some(Two {
                positive: positive.clone(),
                roc: RocCurve::of(scores, &truth),
                pr: PrCurve::of(scores, &truth),
                at: (0..=100).map(|percent| at(scores, &truth, percent)).collect(),
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

fn at(scores: &[f32], truth: &[bool], percent: u32) -> At {
    let threshold = f64::from(percent) / 100.0;
    let mut at = At::default();
    for (score, positive) in scores.iter().zip(truth) {
        let slot = match (f64::from(*score) >= threshold, positive) {
            (true, true) => &mut at.hits,
            (true, false) => &mut at.alarms,
            (false, true) => &mut at.misses,
            (false, false) => &mut at.rest,
        };
        *slot += 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_move_rows_between_the_four_counts() {
        let (scores, truth) = ([0.1, 0.4, 0.6, 0.9], [false, true, false, true]);
        let half = at(&scores, &truth, 50);
        assert_eq!(half, At { hits: 1, alarms: 1, misses: 1, rest: 1 });
        assert_eq!(half.figures(), [Some(0.5); 4]);
        let all = at(&scores, &truth, 0);
        assert_eq!((all.hits, all.alarms, all.misses), (2, 2, 0));
        assert_eq!(at(&scores, &truth, 100).figures()[0], None);
    }
}

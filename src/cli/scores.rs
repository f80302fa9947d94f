//! What the probabilities of a pass are worth: `confusion --calibration` and `confusion --threshold`.

use serde_json::json;

use super::error::CliError;
use super::exit;
use super::figures::{count, maybe, value};
use super::table::Table;
use super::verb::Context;
use crate::analysis::metrics::{BINS, Calibration, PrCurve, RocCurve, average_precision, roc_auc};
use crate::analysis::thresholds::{self, Threshold};
use crate::dataset::predictions::Predictions;
use crate::events::Number;

/// Accuracy against confidence.
pub fn calibration(of: &str, p: &Predictions, context: &mut Context) -> Result<u8, CliError> {
    let Some(found) = Calibration::of(&p.labels, &p.probabilities, BINS) else {
        return Err(CliError::Usage(format!("{of}: there are no rows, or not all have numbers.")));
    };
    let bound = |bin: usize| bin as f64 / BINS as f64;
    if context.json {
        let bin = |(i, bin): (usize, &crate::analysis::metrics::Bin)| {
            json!({
                "from": bound(i),
                "to": bound(i + 1),
                "rows": bin.rows,
                "accuracy": bin.accuracy,
                "confidence": bin.confidence,
            })
        };
        context.out.json(&json!({
            "bins": found.bins.iter().enumerate().map(bin).collect::<Vec<_>>(),
            "ece": found.expected_error(),
            "mce": found.maximum_error(),
        }))?;
        return Ok(exit::OK);
    }
    context.out.line(of)?;
    let mut table = Table::new(&[">confidence", ">rows", ">mean", ">accuracy", ">gap", "accuracy"]);
    for (i, bin) in found.bins.iter().enumerate().filter(|(_, bin)| bin.rows > 0) {
        let gap = bin.accuracy.zip(bin.confidence).map(|(a, c)| format!("{:+.4}", a - c));
        let full = if context.out.utf8 { "█" } else { "#" };
        let bar = full.repeat((bin.accuracy.unwrap_or_default() * 20.0).round() as usize);
        table.row([
            format!("{:.3} to {:.3}", bound(i), bound(i + 1)).into(),
            count(bin.rows).into(),
            maybe(bin.confidence).into(),
            maybe(bin.accuracy).into(),
            gap.unwrap_or_default().into(),
            bar.into(),
        ]);
    }
    context.out.table(&table)?;
    context.out.line(format!(
        "expected calibration error {}, maximum {}",
        value(found.expected_error()),
        value(found.maximum_error())
    ))?;
    Ok(exit::OK)
}

/// One class against the rest at many thresholds.
pub fn thresholds(
    of: &str,
    p: &Predictions,
    positive: u32,
    context: &mut Context,
) -> Result<u8, CliError> {
    let class = p.label_names.get(positive as usize).map(String::as_str).unwrap_or_default();
    let steps: Vec<f64> = (1..20).map(|i| f64::from(i) / 20.0).collect();
    let at = thresholds::at(p, positive, &steps);
    let best = thresholds::best(p, positive);
    let (scores, truth): (Vec<f64>, Vec<bool>) =
        thresholds::scores(p, positive).into_iter().unzip();
    let (area, precision) = (roc_auc(&scores, &truth), average_precision(&scores, &truth));
    if context.json {
        let roc = RocCurve::of(&scores, &truth).map(|c| {
            let thresholds: Vec<Number> = c.thresholds.iter().map(|t| Number(*t)).collect();
            json!({
                "false_positive_rate": c.false_positive_rate,
                "true_positive_rate": c.true_positive_rate,
                "thresholds": thresholds,
            })
        });
        let pr = PrCurve::of(&scores, &truth).map(
            |c| json!({ "precision": c.precision, "recall": c.recall, "thresholds": c.thresholds }),
        );
        context.out.json(&json!({
            "class": class,
            "thresholds": at,
            "best": best,
            "roc": roc,
            "pr": pr,
            "roc_auc": area,
            "average_precision": precision,
        }))?;
        return Ok(exit::OK);
    }
    context.out.line(format!("{of}; {class} against the rest"))?;
    let mut table = Table::new(&[
        ">threshold",
        ">precision",
        ">recall",
        ">F1",
        ">accuracy",
        ">false alarms",
        ">found",
        ">missed",
        ">rightly passed",
        "",
    ]);
    let mut row = |t: &Threshold, note: &str| {
        let numbers = [t.precision, t.recall, t.f1, t.accuracy].map(|x| value(x).into());
        let counts = [t.false_positives, t.true_positives, t.false_negatives, t.true_negatives];
        let counts = counts.map(|n| count(n).into());
        let start = std::iter::once(format!("{:.4}", t.threshold).into());
        table.row(start.chain(numbers).chain(counts).chain([note.into()]));
    };
    for t in &at {
        row(t, "");
    }
    if let Some(best) = &best {
        row(best, "highest F1");
    }
    context.out.table(&table)?;
    context.out.line(format!(
        "ROC-AUC {}, average precision {}; --json has both curves",
        maybe(area),
        maybe(precision)
    ))?;
    Ok(exit::OK)
}

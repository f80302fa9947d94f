//! The figures of a binary classifier at decision thresholds other than one half.

use serde::Serialize;

use crate::dataset::predictions::Predictions;

/// The figures at one threshold: a row counts as positive if its probability is at least that.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Threshold {
    /// The threshold.
    pub threshold: f64,
    /// Positive rows that count as positive.
    pub true_positives: u64,
    /// Negative rows that count as positive.
    pub false_positives: u64,
    /// Negative rows that do not.
    pub true_negatives: u64,
    /// Positive rows that do not.
    pub false_negatives: u64,
    /// Right ones among those that count as positive; 0 without any.
    pub precision: f64,
    /// Found ones among the positive rows (the true positive rate); 0 without any.
    pub recall: f64,
    /// The share of negative rows that count as positive; 0 without any.
    pub false_positive_rate: f64,
    /// The harmonic mean of precision and recall.
    pub f1: f64,
    /// Right ones among all rows.
    pub accuracy: f64,
}

/// The figures at each threshold, for the class with index `positive` of any number of classes against
/// the rest. Rows whose probability is no number never count as positive.
pub fn at(predictions: &Predictions, positive: u32, thresholds: &[f64]) -> Vec<Threshold> {
    let rows = scores(predictions, positive);
    thresholds.iter().map(|threshold| one(&rows, *threshold)).collect()
}

/// The threshold with the highest F1 among the probabilities that occur, the highest of equal ones;
/// `None` without positive rows.
pub fn best(predictions: &Predictions, positive: u32) -> Option<Threshold> {
    let mut rows = scores(predictions, positive);
    rows.retain(|(p, _)| !p.is_nan());
    rows.sort_by(|a, b| b.0.total_cmp(&a.0));
    let positives = rows.iter().filter(|(_, is)| *is).count();
    let (mut hits, mut taken) = (0_usize, 0_usize);
    let mut best: Option<(f64, f64)> = None;
    let mut rest = rows.as_slice();
    while let Some((p, _)) = rest.first().copied() {
        // Rows of equal probability fall together.
        let level = rest.iter().take_while(|row| row.0 == p).count();
        let (these, behind) = rest.split_at(level);
        hits += these.iter().filter(|(_, is)| *is).count();
        taken += level;
        rest = behind;
        let f1 = 2.0 * hits as f64 / (taken + positives) as f64;
        if best.is_none_or(|(_, highest)| f1 > highest) {
            best = Some((p, f1));
        }
    }
    let (threshold, _) = best.filter(|_| positives > 0)?;
    Some(one(&scores(predictions, positive), threshold))
}

/// Each row's probability of being positive, and whether it is.
pub fn scores(predictions: &Predictions, positive: u32) -> Vec<(f64, bool)> {
    let of_class = predictions.probabilities.get(positive as usize);
    let scores = of_class.into_iter().flatten().map(|p| f64::from(*p));
    scores.zip(predictions.labels.iter().map(|label| *label == positive)).collect()
}

fn one(rows: &[(f64, bool)], threshold: f64) -> Threshold {
    let count = |counted: bool, is: bool| {
        rows.iter().filter(|(p, positive)| (*p >= threshold) == counted && *positive == is).count()
            as u64
    };
    let (tp, fp) = (count(true, true), count(true, false));
    let (fnegative, tn) = (count(false, true), count(false, false));
    let ratio = |part: u64, whole: u64| if whole == 0 { 0.0 } else { part as f64 / whole as f64 };
    Threshold {
        threshold,
        true_positives: tp,
        false_positives: fp,
        true_negatives: tn,
        false_negatives: fnegative,
        precision: ratio(tp, tp + fp),
        recall: ratio(tp, tp + fnegative),
        false_positive_rate: ratio(fp, fp + tn),
        f1: ratio(2 * tp, 2 * tp + fp + fnegative),
        accuracy: ratio(tp + tn, rows.len() as u64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// scikit-learn's own example of `precision_recall_curve`: labels 0 0 1 1, scores .1 .4 .35 .8.
    fn example() -> Predictions {
        let spam = vec![0.125, 0.4375, 0.375, 0.75];
        Predictions {
            rows: vec![1, 2, 3, 4],
            labels: vec![0, 0, 1, 1],
            predicted: vec![0, 0, 0, 1],
            loss: vec![0.0; 4],
            probabilities: vec![spam.iter().map(|p| 1.0 - p).collect(), spam],
            label_names: vec!["ham".into(), "spam".into()],
        }
    }

    #[test]
    fn figures_at_a_threshold_are_those_of_its_confusion() {
        let [half, low, none] = at(&example(), 1, &[0.5, 0.375, 0.9])[..] else { panic!() };
        assert_eq!((half.precision, half.recall, half.accuracy), (1.0, 0.5, 0.75));
        assert_eq!((low.precision, low.recall, low.false_positive_rate), (2.0 / 3.0, 1.0, 0.5));
        assert_eq!((none.precision, none.recall, none.f1, none.accuracy), (0.0, 0.0, 0.0, 0.5));
        assert_eq!(at(&example(), 7, &[0.5])[0].accuracy, 0.0, "no such class");
    }

    #[test]
    fn the_best_threshold_has_the_highest_f1_of_all_that_occur() {
        let best = best(&example(), 1).unwrap();
        assert_eq!((best.threshold, best.f1), (0.375, 0.8));
        assert_eq!(super::best(&example(), 7), None);
        let mut odd = example();
        odd.probabilities[1][3] = f32::NAN;
        assert_eq!(super::best(&odd, 1).unwrap().true_positives, 1);
    }
}

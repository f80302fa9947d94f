use serde::Serialize;

use super::{BINS, Calibration, temperature, tempered};
use crate::dataset::predictions::{Pass, Predictions, Sets};

/// A temperature is fitted on that many rows at most, evenly spread: it is one number.
const MOST: usize = 20_000;
/// Probabilities are kept off 0 and 1 by it, where a logit would be infinite; of single precision the half of what
/// lies between 1 and the number below it.
const EDGE: f64 = 3e-8;

/// What a pass says of its own sureness.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Sureness {
    /// Mean negative log-likelihood: cross-entropy of classes or of the tags of words, binary cross-entropy of labels.
    pub loss: f64,
    /// Expected calibration error in 15 bins, of the predicted class, of the decision about each label, or of the tag of
    /// each word.
    pub ece: f64,
}

/// The temperature that makes the probabilities of a pass most honest: the one under which they have the lowest
/// negative log-likelihood. `None` for passes without probabilities, and where no temperature is best (every row is
/// right, say).
pub fn temperature_of(pass: &Pass) -> Option<f64> {
    let (labels, logits) = match pass {
        Pass::Classes(pass) => of_classes(pass),
        Pass::Sets(pass) => of_labels(pass),
        Pass::Tags(pass) => of_classes(&pass.by_word()?),
        Pass::Numbers(_) => return None,
    };
    let step = labels.len().div_ceil(MOST).max(1);
    let few: Vec<u32> = labels.iter().step_by(step).copied().collect();
    let logits: Vec<Vec<f64>> =
        logits.iter().map(|column| column.iter().step_by(step).copied().collect()).collect();
    temperature(&few, &logits)
}

/// The same rows with their probabilities at a temperature; as they are where there are none.
pub fn at_temperature(pass: &Pass, temperature: f64) -> Pass {
    let single = |columns: Vec<Vec<f64>>| -> Vec<Vec<f32>> {
        columns.into_iter().map(|column| column.into_iter().map(|p| p as f32).collect()).collect()
    };
    match pass {
        Pass::Classes(pass) => {
            let probabilities = single(tempered(&of_classes(pass).1, temperature));
            Pass::Classes(Predictions::of_probabilities(pass, probabilities))
        }
        Pass::Sets(pass) => {
            let odds = |p: &f32| (-logit(f64::from(*p)) / temperature).exp();
            let column = |column: &Vec<f32>| column.iter().map(|p| 1.0 / (1.0 + odds(p))).collect();
            let probabilities = pass.probabilities.iter().map(column).collect();
            Pass::Sets(Sets::of_probabilities(pass, single(probabilities)))
        }
        Pass::Tags(tags) if !tags.names.is_empty() => Pass::Tags(tags.at_temperature(temperature)),
        Pass::Numbers(_) | Pass::Tags(_) => pass.clone(),
    }
}

/// How sure a pass is of itself, and how rightly; `None` without probabilities or rows.
pub fn sureness(pass: &Pass) -> Option<Sureness> {
    if let Pass::Tags(tags) = pass {
        return sureness(&Pass::Classes(tags.by_word()?));
    }
    let loss = pass.loss().iter().map(|x| f64::from(*x)).sum::<f64>() / pass.loss().len() as f64;
    let calibration = match pass {
        Pass::Classes(pass) => Calibration::of(&pass.labels, &pass.probabilities, BINS),
        Pass::Sets(pass) => {
            let labels: Vec<u32> = pass.truth.iter().flatten().map(|has| u32::from(*has)).collect();
            let second: Vec<f64> =
                pass.probabilities.iter().flatten().map(|p| f64::from(*p)).collect();
            let first = second.iter().map(|p| 1.0 - p).collect();
            Calibration::of(&labels, &[first, second], BINS)
        }
        Pass::Numbers(_) | Pass::Tags(_) => None,
    };
    Some(Sureness { loss, ece: calibration?.expected_error() })
}

/// The threshold that gives at a temperature what this one gives without.
pub fn threshold_at(threshold: f64, temperature: f64) -> f64 {
    1.0 / (1.0 + (-logit(threshold) / temperature).exp())
}

/// Classes, and logits `[class][row]` up to a constant of each row.
fn of_classes(pass: &Predictions) -> (Vec<u32>, Vec<Vec<f64>>) {
    let log = |p: &f32| f64::from(*p).max(f64::from(f32::MIN_POSITIVE)).ln();
    let columns = pass.probabilities.iter().map(|column| column.iter().map(log).collect());
    (pass.labels.clone(), columns.collect())
}

/// Each decision about a label as a row of two classes.
fn of_labels(pass: &Sets) -> (Vec<u32>, Vec<Vec<f64>>) {
    let labels: Vec<u32> = pass.truth.iter().flatten().map(|has| u32::from(*has)).collect();
    let second: Vec<f64> =
        pass.probabilities.iter().flatten().map(|p| logit(f64::from(*p))).collect();
    (labels, vec![vec![0.0; second.len()], second])
}

fn logit(p: f64) -> f64 {
    let p = p.clamp(f64::from(f32::MIN_POSITIVE), 1.0 - EDGE);
    (p / (1.0 - p)).ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three classes: rows of which the share `right` has the class with the highest logit, which is `sure` above the
    /// others.
    fn pass(sure: f64) -> Pass {
        let rows: Vec<u64> = (1..=300).collect();
        let labels: Vec<u32> = (0..300).map(|i| if i % 10 < 7 { 0 } else { 1 + i % 2 }).collect();
        let sum = sure.exp() + 2.0;
        let p = [sure.exp() / sum, 1.0 / sum, 1.0 / sum].map(|p| vec![p as f32; 300]);
        let like = Predictions {
            rows,
            labels,
            label_names: ["a", "b", "c"].map(str::to_owned).to_vec(),
            ..Predictions::default()
        };
        Pass::Classes(Predictions::of_probabilities(&like, p.to_vec()))
    }

    #[test]
    fn too_sure_a_classifier_is_made_honest() {
        let said = pass(6.0);
        let temperature = temperature_of(&said).unwrap();
        // 7 of 10 are right: e^x / (e^x + 2) = 0.7, so that x = ln(14/3).
        let honest = (14.0_f64 / 3.0).ln();
        assert!((temperature - 6.0 / honest).abs() < 1e-4, "{temperature}");
        let (before, after) =
            (sureness(&said).unwrap(), sureness(&at_temperature(&said, temperature)).unwrap());
        assert!(before.ece > 0.29 && after.ece < 1e-4, "{before:?} {after:?}");
        assert!(after.loss < before.loss);
        // Who is right at any confidence but never wrong has no best temperature.
        let Pass::Classes(mut all_right) = said else { panic!() };
        all_right.labels = vec![0; 300];
        assert_eq!(temperature_of(&Pass::Classes(all_right)), None);
    }

    #[test]
    fn labels_have_one_temperature_and_their_decisions_stay() {
        let sets = |p: &[f32]| {
            let like = Sets {
                rows: vec![1, 2, 3, 4],
                names: vec!["x".into()],
                truth: vec![vec![true, true, false, false]],
                ..Sets::default()
            };
            Pass::Sets(Sets::of_probabilities(&like, vec![p.to_vec()]))
        };
        let said = sets(&[0.99, 0.02, 0.01, 0.97]);
        let temperature = temperature_of(&said);
        assert!(temperature.is_none_or(|t| t > 3.0), "half are wrong: {temperature:?}");
        let said = sets(&[0.99, 0.98, 0.01, 0.97]);
        let temperature = temperature_of(&said).unwrap();
        assert!(temperature > 1.0, "{temperature}");
        let Pass::Sets(honest) = at_temperature(&said, temperature) else { panic!() };
        let Pass::Sets(said) = said else { panic!() };
        for threshold in [0.3, 0.5, 0.975] {
            let moved = threshold_at(threshold, temperature);
            for (before, after) in said.probabilities[0].iter().zip(&honest.probabilities[0]) {
                assert_eq!(
                    f64::from(*before) >= threshold,
                    f64::from(*after) >= moved,
                    "{threshold}"
                );
            }
        }
        assert!(honest.loss.iter().sum::<f32>() < said.loss.iter().sum::<f32>());
    }
}

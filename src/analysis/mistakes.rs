//! The rows that a run gets most wrong, for tasks that learn no classes; [`super::errors`] has those of classifiers.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::hash::BuildHasher;

use serde::Serialize;

use super::spans;
use crate::dataset::predictions::Pass;

/// One row with what was true and what was predicted. Texts and names are as in the file: make them printable
/// before they reach a terminal.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Mistake {
    /// Its number in the data file, from 1.
    pub row: u64,
    /// Its text; `None` if the file has changed since and has no such row in the split.
    pub text: Option<String>,
    /// What was true, in words: numbers, labels, or the text with its entities in brackets.
    pub truth: String,
    /// What was predicted, in the same form.
    pub predicted: String,
    /// The loss of the row.
    pub loss: f32,
    /// In what the two differ.
    #[serde(flatten)]
    pub what: What,
}

/// In what a prediction differs from the truth.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum What {
    /// Predicted minus true number, of the target that is furthest off in standard deviations of the true ones.
    Number {
        /// That difference, in the units of the target.
        residual: f64,
    },
    /// Labels, or entities as their words and type.
    Items {
        /// True and not predicted.
        missed: Vec<String>,
        /// Predicted and not true.
        added: Vec<String>,
    },
}

impl What {
    /// As a few words: `+1.2`, `missed a, b; added c`.
    pub fn words(&self) -> String {
        match self {
            Self::Number { residual } => format!("{residual:+.4}"),
            Self::Items { missed, added } => {
                let part = |what: &str, names: &[String]| {
                    (!names.is_empty()).then(|| format!("{what} {}", names.join(", ")))
                };
                let parts = [part("missed", missed), part("added", added)];
                parts.into_iter().flatten().collect::<Vec<_>>().join("; ")
            }
        }
    }
}

/// The mistakes of a pass, highest loss first (NaN before all): for numbers all rows, else those whose labels or
/// entities differ. None for classifiers.
pub fn mistakes<S: BuildHasher>(pass: &Pass, texts: &HashMap<u64, &str, S>) -> Vec<Mistake> {
    let rows = pass.rows().iter().zip(pass.loss()).enumerate();
    let found = rows.filter_map(|(at, (row, loss))| {
        let (truth, predicted, what) = row_of(pass, at)?;
        let text = texts.get(row).map(|text| (*text).to_owned());
        Some(Mistake { row: *row, text, truth, predicted, loss: *loss, what })
    });
    let mut found: Vec<Mistake> = found.collect();
    found.sort_by(|a, b| match (a.loss.is_nan(), b.loss.is_nan()) {
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
        _ => b.loss.total_cmp(&a.loss),
    });
    found
}

fn row_of(pass: &Pass, at: usize) -> Option<(String, String, What)> {
    match pass {
        Pass::Classes(_) => None,
        Pass::Numbers(pass) => {
            let of = |columns: &[Vec<f64>]| -> Vec<f64> {
                columns.iter().filter_map(|column| column.get(at).copied()).collect()
            };
            let (truth, predicted) = (of(&pass.truth), of(&pass.predicted));
            let spread = |column: &Vec<f64>| {
                let mean = column.iter().sum::<f64>() / column.len().max(1) as f64;
                let square = column.iter().map(|x| (x - mean).powi(2)).sum::<f64>();
                (square / column.len().max(1) as f64).sqrt().max(f64::MIN_POSITIVE)
            };
            let gaps = truth.iter().zip(&predicted).map(|(y, p)| p - y).zip(&pass.truth);
            let furthest = gaps.max_by(|(a, of_a), (b, of_b)| {
                (a.abs() / spread(of_a)).total_cmp(&(b.abs() / spread(of_b)))
            });
            let words = |values: &[f64]| {
                let named = pass.names.iter().zip(values);
                let one = |(name, x): (&String, &f64)| {
                    if values.len() == 1 { number(*x) } else { format!("{name} {}", number(*x)) }
                };
                named.map(one).collect::<Vec<_>>().join(", ")
            };
            Some((words(&truth), words(&predicted), What::Number { residual: furthest?.0 }))
        }
        Pass::Sets(pass) => {
            let (truth, given) = pass.of_row(at);
            let less = |a: &[&str], b: &[&str]| -> Vec<String> {
                a.iter().filter(|x| !b.contains(x)).map(|x| (*x).to_owned()).collect()
            };
            let (missed, added) = (less(&truth, &given), less(&given, &truth));
            let is_wrong = !missed.is_empty() || !added.is_empty();
            let words = |names: Vec<&str>| {
                if names.is_empty() { "none".to_owned() } else { names.join(", ") }
            };
            is_wrong.then(|| (words(truth), words(given), What::Items { missed, added }))
        }
        Pass::Tags(pass) => {
            let (words, truth) = (pass.words.get(at)?, pass.truth.get(at)?);
            let predicted = pass.predicted.get(at)?;
            let [missed, added] = spans::differences(truth, predicted);
            if missed.is_empty() && added.is_empty() {
                return None;
            }
            let named = |all: Vec<_>| all.iter().map(|e| spans::named(words, e)).collect();
            let what = What::Items { missed: named(missed), added: named(added) };
            Some((spans::marked(words, truth), spans::marked(words, predicted), what))
        }
    }
}

fn number(x: f64) -> String {
    // Six digits: what was measured has seldom more.
    let text = format!("{x:.6}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::predictions::{Numbers, Sets, Tags};

    fn words(list: &[&str]) -> Vec<String> {
        list.iter().map(|w| (*w).to_owned()).collect()
    }

    #[test]
    fn the_worst_rows_come_first_with_what_is_wrong() {
        let numbers = Pass::Numbers(Numbers {
            rows: vec![3, 1],
            loss: vec![0.1, 2.0],
            names: words(&["score"]),
            truth: vec![vec![1.0, 4.5]],
            predicted: vec![vec![1.5, 2.0]],
        });
        let texts = HashMap::from([(1, "one")]);
        let found = mistakes(&numbers, &texts);
        assert_eq!((found[0].row, found[0].text.as_deref()), (1, Some("one")));
        assert_eq!((found[0].truth.as_str(), found[0].predicted.as_str()), ("4.5", "2"));
        assert_eq!((found[0].what.words(), found.len()), ("-2.5000".to_owned(), 2));
        let sets = Pass::Sets(Sets {
            rows: vec![1, 2],
            loss: vec![0.5, 0.1],
            names: words(&["a", "b"]),
            truth: vec![vec![true, true], vec![false, false]],
            probabilities: vec![vec![0.2, 0.9], vec![0.8, 0.1]],
        });
        let found = mistakes(&sets, &texts);
        assert_eq!((found.len(), found[0].what.words()), (1, "missed a; added b".to_owned()));
        let tags = Pass::Tags(Tags {
            rows: vec![1, 2],
            loss: vec![0.5, f32::NAN],
            words: vec![words(&["Mary", "Ann"]), words(&["Rome"])],
            truth: vec![words(&["B-PER", "I-PER"]), words(&["B-LOC"])],
            predicted: vec![words(&["B-PER", "O"]), words(&["O"])],
            ..Tags::default()
        });
        let found = mistakes(&tags, &texts);
        assert_eq!(
            (found[0].row, found[1].what.words()),
            (2, "missed Mary Ann PER; added Mary PER".into())
        );
        assert_eq!(
            (found[1].truth.as_str(), found[1].predicted.as_str()),
            ("[Mary Ann PER]", "[Mary PER] Ann")
        );
    }
}

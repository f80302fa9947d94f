//! Baselines of labels and of numbers: a linear map with one output for each, whose scores are logits of the labels or
//! numbers in standard deviations, as a network's head gives them.

use std::sync::atomic::AtomicBool;

use tuneboard::spec::{Baseline, Task};

use super::fitted::{Fitted, Learnt, Ready};
use super::linear::{Column, Linear};
use super::vocabulary::Vocabulary;
use super::{logistic, naive_bayes, ridge};
use crate::error::TrainError;

/// The logit of a label that all train rows have; minus that of one that none has. Its probability is next to one.
const SURE: f64 = 36.043_653_389_117_15;

impl Fitted {
    /// Fits each label by itself against all rows without it: scikit-learn's `OneVsRestClassifier`. `flags` are
    /// `[label][row]`, and `weights` how much rows with each label count. `None` if `stop` was set on the way.
    ///
    /// # Errors
    /// A model that learns no labels.
    pub fn of_labels(
        ready: Ready<'_>,
        flags: &[Vec<bool>],
        weights: &[f32],
        vocabulary: Vocabulary,
        stop: &AtomicBool,
    ) -> Result<Option<Learnt>, TrainError> {
        let columns = vocabulary.len();
        let (rows, words) = vocabulary.rows(ready.texts.iter().copied());
        let (mut fitted, mut note) = (Vec::new(), None);
        for (label, flags) in flags.iter().enumerate() {
            let labels: Vec<u32> = flags.iter().map(|has| u32::from(*has)).collect();
            let count = labels.iter().filter(|label| **label == 1).count();
            let weights = [1.0, weights.get(label).copied().map_or(1.0, f64::from)];
            if count == 0 || count == labels.len() {
                fitted.push(constant(columns, if count == 0 { -SURE } else { SURE }));
                continue;
            }
            fitted.push(match ready.model {
                Baseline::Majority => {
                    let odds = count as f64 / (labels.len() - count) as f64;
                    constant(columns, odds.ln())
                }
                Baseline::CountNb | Baseline::TfidfNb => second_minus_first(
                    &naive_bayes::fit(&rows, &labels, columns, &weights),
                    columns,
                ),
                Baseline::TfidfLogreg => {
                    let fit = logistic::fit(&rows, &labels, columns, &weights, stop);
                    let Some(fit) = fit else { return Ok(None) };
                    if !fit.converged {
                        note = Some(format!(
                            "The logistic regression of {:?} did not converge in {} iterations.",
                            ready.names.get(label).map(String::as_str).unwrap_or_default(),
                            fit.iterations
                        ));
                    }
                    second_minus_first(&fit.linear, columns)
                }
                Baseline::TfidfRidge => return Err(ready.cannot(Task::Multilabel)),
            });
        }
        Ok(Some(ready.learnt(Task::Multilabel, &fitted, vocabulary, words, note)))
    }

    /// Fits each target by itself: ridge regression, or its mean. `standard` are `[target][row]`, in standard deviations
    /// from the mean. `None` if `stop` was set on the way.
    ///
    /// # Errors
    /// A model that learns no numbers.
    pub fn of_numbers(
        ready: Ready<'_>,
        standard: &[Vec<f64>],
        vocabulary: Vocabulary,
        stop: &AtomicBool,
    ) -> Result<Option<Learnt>, TrainError> {
        let columns = vocabulary.len();
        let (rows, words) = vocabulary.rows(ready.texts.iter().copied());
        let (mut fitted, mut note) = (Vec::new(), None);
        for target in standard {
            fitted.push(match ready.model {
                Baseline::Majority => constant(columns, 0.0),
                Baseline::TfidfRidge => {
                    let fit = ridge::fit(&rows, target, columns, stop);
                    let Some((column, converged)) = fit else { return Ok(None) };
                    if !converged {
                        note = Some("The ridge regression did not converge.".to_owned());
                    }
                    column
                }
                _ => return Err(ready.cannot(Task::Regress)),
            });
        }
        Ok(Some(ready.learnt(Task::Regress, &fitted, vocabulary, words, note)))
    }
}

fn constant(columns: usize, intercept: f64) -> Column {
    let mut column = vec![0.0; columns + 1];
    if let Some(last) = column.last_mut() {
        *last = intercept;
    }
    column
}

/// The logit of the second of two classes.
fn second_minus_first(linear: &Linear, columns: usize) -> Column {
    let difference = |pair: &[f64]| match pair {
        [first, second] => second - first,
        _ => 0.0,
    };
    let mut column: Column = linear.weight.chunks(2).map(difference).collect();
    column.resize(columns, 0.0);
    column.push(difference(&linear.bias));
    column
}

//! Predictions of the tasks that learn no classes, as Parquet.

use super::super::parquet::{Cells, Values};
use super::super::sink::Words;
use super::super::targets::json_list;

/// What was predicted for each row of a `task=regress`. Columns: `row`, `loss`, and for each target
/// `target_NAME` and `predicted_NAME` in its units.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Numbers {
    /// Numbers of the rows in their data file, from 1.
    pub rows: Vec<u64>,
    /// The mean squared error of each row, in standard deviations of the targets.
    pub loss: Vec<f32>,
    /// The targets.
    pub names: Vec<String>,
    /// `[target][row]`.
    pub truth: Vec<Vec<f64>>,
    /// `[target][row]`.
    pub predicted: Vec<Vec<f64>>,
}

/// What was predicted for each row of a `task=multilabel`. Columns: `row`, `loss`, `label` and `predicted` (JSON
/// lists of labels; predicted ones have a probability of 0.5 or more), and `p_LABEL`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sets {
    /// Numbers of the rows in their data file, from 1.
    pub rows: Vec<u64>,
    /// The mean binary cross-entropy of each row.
    pub loss: Vec<f32>,
    /// The labels.
    pub names: Vec<String>,
    /// `[label][row]`.
    pub truth: Vec<Vec<bool>>,
    /// `[label][row]`.
    pub probabilities: Vec<Vec<f32>>,
}

/// The columns of a file, as they are written and read.
pub(super) type Written<'a> = Vec<(String, Values<'a>)>;
pub(super) type Read = Vec<(String, Cells)>;

impl Numbers {
    pub(super) fn columns(&self) -> Written<'_> {
        let mut columns = head(&self.rows, &self.loss);
        for (at, name) in self.names.iter().enumerate() {
            for (what, values) in [("target", &self.truth), ("predicted", &self.predicted)] {
                let values = values.get(at).cloned().unwrap_or_default();
                columns.push((format!("{what}_{name}"), Values::Exact(values)));
            }
        }
        columns
    }

    pub(super) fn of(columns: Read) -> Option<Self> {
        let mut found = Self::default();
        for (name, cells) in columns {
            let Cells::Numbers(numbers) = cells else { continue };
            match (name.as_str(), name.strip_prefix("target_"), name.strip_prefix("predicted_")) {
                ("row", ..) => found.rows = whole(&numbers),
                ("loss", ..) => found.loss = single(&numbers),
                (_, Some(target), _) => {
                    found.names.push(target.to_owned());
                    found.truth.push(numbers);
                }
                (.., Some(_)) => found.predicted.push(numbers),
                _ => {}
            }
        }
        let rows = found.rows.len();
        let is_whole = |columns: &[Vec<f64>]| {
            columns.len() == found.names.len() && columns.iter().all(|c| c.len() == rows)
        };
        let fits = !found.names.is_empty() && is_whole(&found.truth) && is_whole(&found.predicted);
        (fits && found.loss.len() == rows).then_some(found)
    }
}

impl Sets {
    pub(super) fn columns(&self) -> Written<'_> {
        let list = |has: &dyn Fn(usize) -> bool| {
            let names = self.names.iter().enumerate().filter(|(at, _)| has(*at));
            serde_json::json!(names.map(|(_, name)| name).collect::<Vec<_>>()).to_string()
        };
        let lists = |has: &dyn Fn(usize, usize) -> bool| {
            let rows = 0..self.rows.len();
            Values::Lists(rows.map(|row| list(&|label| has(label, row))).collect())
        };
        let mut columns = head(&self.rows, &self.loss);
        columns.push(("label".to_owned(), lists(&|label, row| self.truth[label][row])));
        columns.push((
            "predicted".to_owned(),
            lists(&|label, row| self.probabilities[label][row] >= 0.5),
        ));
        for (name, values) in self.names.iter().zip(&self.probabilities) {
            columns.push((format!("p_{name}"), Values::Real(values.clone())));
        }
        columns
    }

    pub(super) fn of(columns: Read) -> Option<Self> {
        let mut found = Self::default();
        let mut labels = None;
        for (name, cells) in columns {
            match (name.as_str(), name.strip_prefix("p_"), cells) {
                ("row", _, Cells::Numbers(numbers)) => found.rows = whole(&numbers),
                ("loss", _, Cells::Numbers(numbers)) => found.loss = single(&numbers),
                ("label", _, Cells::Words(words)) => labels = Some(lists(&words)?),
                (_, Some(label), Cells::Numbers(numbers)) => {
                    found.names.push(label.to_owned());
                    found.probabilities.push(single(&numbers));
                }
                _ => {}
            }
        }
        let labels = labels?;
        let rows = found.rows.len();
        let has = |name: &String| labels.iter().map(|row| row.contains(name)).collect();
        found.truth = found.names.iter().map(has).collect();
        let fits = found.probabilities.iter().all(|c| c.len() == rows) && labels.len() == rows;
        (fits && found.loss.len() == rows).then_some(found)
    }

    /// The labels of a row, and those that it was given.
    pub fn of_row(&self, row: usize) -> (Vec<&str>, Vec<&str>) {
        let named = |has: &dyn Fn(usize) -> bool| {
            let names = self.names.iter().enumerate().filter(|(at, _)| has(*at));
            names.map(|(_, name)| name.as_str()).collect()
        };
        let truth = |label: usize| self.truth.get(label).and_then(|c| c.get(row)) == Some(&true);
        let given = |label: usize| {
            self.probabilities.get(label).and_then(|c| c.get(row)).is_some_and(|p| *p >= 0.5)
        };
        (named(&truth), named(&given))
    }
}

pub(super) fn head<'a>(rows: &'a [u64], loss: &[f32]) -> Written<'a> {
    vec![("row".to_owned(), Values::Whole(rows)), ("loss".to_owned(), Values::Real(loss.to_vec()))]
}

pub(super) fn whole(numbers: &[f64]) -> Vec<u64> {
    numbers.iter().map(|x| *x as u64).collect()
}

pub(super) fn single(numbers: &[f64]) -> Vec<f32> {
    numbers.iter().map(|x| *x as f32).collect()
}

pub(super) fn lists(words: &Words) -> Option<Vec<Vec<String>>> {
    words.iter().map(|text| json_list(text?)).collect()
}

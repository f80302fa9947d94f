//! Answers as frames: one column per name, one row per thing.

use polars::prelude::*;

use crate::analysis::errors::{Case, Verdict};
use crate::spec::RunId;

/// Columns `row`, `text`, `label`, `characters`, `words`, and for each run `rN_predicted`,
/// `rN_probability` and `rN_loss`.
///
/// # Errors
/// A sentence, should a name come twice.
pub fn cases(cases: &[Case<'_>], runs: &[RunId]) -> Result<DataFrame, String> {
    let mut columns = vec![
        Column::new("row".into(), cases.iter().map(|c| c.row).collect::<Vec<_>>()),
        Column::new("text".into(), cases.iter().map(|c| c.text).collect::<Vec<_>>()),
        Column::new("label".into(), cases.iter().map(|c| c.label).collect::<Vec<_>>()),
    ];
    let lengths = |of: fn(&Case<'_>) -> Option<usize>| -> Vec<Option<u64>> {
        cases.iter().map(|case| of(case).map(|n| n as u64)).collect()
    };
    columns.push(Column::new("characters".into(), lengths(|c| c.characters)));
    columns.push(Column::new("words".into(), lengths(|c| c.words)));
    for (i, run) in runs.iter().enumerate() {
        let verdicts = || cases.iter().map(|case| case.verdicts.get(i));
        let numbers = |of: fn(&Verdict<'_>) -> f32| -> Vec<Option<f32>> {
            verdicts().map(|v| v.map(of)).collect()
        };
        let predicted: Vec<Option<&str>> = verdicts().map(|v| v.map(|v| v.predicted)).collect();
        columns.push(Column::new(format!("{run}_predicted").into(), predicted));
        columns.push(Column::new(format!("{run}_probability").into(), numbers(|v| v.probability)));
        columns.push(Column::new(format!("{run}_loss").into(), numbers(|v| v.loss)));
    }
    DataFrame::new(cases.len(), columns).map_err(|e| e.to_string())
}

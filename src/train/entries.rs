//! What tuneboard keeps in a model's `config.json` beside transformers' own.

use serde_json::Value;
use tuneboard::spec::Task;

use crate::model::is_of_tokens;

/// In `config.json`: the task, where it is not classification.
pub const TASK: &str = "tuneboard_task";
/// In `config.json`: true if the model reads pairs of texts.
pub const PAIRS: &str = "tuneboard_pairs";
/// In `config.json`: for each label the least probability with which a text is given it.
pub const THRESHOLDS: &str = "tuneboard_thresholds";
/// In `config.json`: `mean` and `sd` of each target, and the last layer of the `head`, whose outputs are
/// in standard deviations from the mean.
pub const SCALE: &str = "tuneboard_scale";

/// In `config.json`: what the logits are divided by, so that probabilities are honest; written by `tuneboard calibrate`.
pub const TEMPERATURE: &str = "tuneboard_temperature";
/// In `config.json`: the temperature under which the val rows are most probable. Nothing obeys it.
pub const FITTED: &str = "tuneboard_fitted_temperature";

/// The task that the head of a model with this `config.json` was trained on.
pub fn task_of(config: &Value) -> Task {
    let own = config.get(TASK).and_then(Value::as_str).and_then(|word| word.parse().ok());
    let problem = config.get("problem_type").and_then(Value::as_str);
    own.unwrap_or(match problem {
        Some("regression") => Task::Regress,
        Some("multi_label_classification") => Task::Multilabel,
        _ if is_of_tokens(config) => Task::Tag,
        _ => Task::Classify,
    })
}

/// What tuneboard keeps in a model's `config.json` beside transformers' own: its head means little without.
pub fn kept(config: &Value) -> Vec<(String, Value)> {
    let entry = |key: &str| Some((key.to_owned(), config.get(key)?.clone()));
    [PAIRS, THRESHOLDS, SCALE, TEMPERATURE, FITTED].into_iter().filter_map(entry).collect()
}

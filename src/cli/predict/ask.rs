use std::fs;
use std::path::Path;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::board::Board;
use crate::cli::error::CliError;
use crate::dataset::{Answers, Inputs};
use crate::runner;
use crate::store::Run;

/// Whether the model in a folder reads pairs of texts, as its config.json says.
pub fn reads_pairs(folder: &Path) -> bool {
    let text = fs::read(folder.join("config.json")).unwrap_or_default();
    let config: Value = serde_json::from_slice(&text).unwrap_or_default();
    config["tuneboard_pairs"] == json!(true)
}

/// The first line of `tuneboard-train predict`: what is predicted, by one of these names.
#[derive(Deserialize)]
struct Head {
    #[serde(default)]
    labels: Vec<String>,
    #[serde(default)]
    thresholds: Vec<f64>,
    #[serde(default)]
    targets: Vec<String>,
    #[serde(default)]
    tags: Vec<String>,
}

/// Each further one; JSON has no NaN.
#[derive(Deserialize)]
struct Line {
    label: Option<String>,
    given: Option<Vec<String>>,
    words: Option<Vec<String>>,
    all: Option<Vec<Option<Vec<Option<f32>>>>>,
    #[serde(default)]
    probabilities: Vec<Option<f32>>,
    #[serde(default)]
    values: Vec<Option<f64>>,
}

/// What a run's model says of texts. Of tags the probabilities are those of the predicted ones, or with `all_tags` those
/// of all, one word's behind the other's, and `label_names` are the tags.
///
/// # Errors
/// What the trainer refuses.
pub fn ask(
    board: &Board,
    run: &Run,
    folder: &Path,
    inputs: Inputs,
    all_tags: bool,
) -> Result<Answers, CliError> {
    let mut answers = Answers::default();
    if inputs.texts.is_empty() {
        return Ok(answers);
    }
    let folder = folder.display().to_string();
    let spec = &run.spec;
    let (length, size) = (spec.max_length.to_string(), spec.batch_size.max(32).to_string());
    let precision = spec.precision.to_string();
    let mut words = vec!["predict", &folder, "--max-length", &length, "--batch-size", &size];
    words.extend(["--device", &spec.device, "--precision", &precision]);
    if all_tags {
        words.push("--all-tags");
    }
    let input = inputs.texts.iter().enumerate().map(|(at, text)| {
        let line = match (inputs.pairs.get(at), inputs.words.get(at)) {
            (_, Some(words)) => json!({ "words": words }),
            (Some(pair), _) => json!({ "text": text, "pair": pair }),
            _ => json!({ "text": text }),
        };
        format!("{line}\n")
    });
    let input: String = input.collect();
    let printed = runner::trainer_output(board, &words, &input)?;

    let odd = || CliError::Internal("`tuneboard-train predict` printed something odd.".into());
    let mut lines = printed.lines();
    let head: Head = serde_json::from_str(lines.next().ok_or_else(odd)?).map_err(|_| odd())?;
    (answers.label_names, answers.target_names) = (head.labels, head.targets);
    answers.thresholds = head.thresholds;
    let are_tags = !head.tags.is_empty();
    if all_tags {
        answers.label_names.clone_from(&head.tags);
    }
    let mut of_words = Vec::new();
    let mut count = 0;
    for line in lines {
        let line: Line = serde_json::from_str(line).map_err(|_| odd())?;
        count += 1;
        let given = line.given.map(|given| json!(given).to_string());
        answers.predicted.extend(line.label.or(given));
        let known = |p: Option<f32>| p.unwrap_or(f32::NAN);
        if are_tags {
            of_words.push(json!(line.words.unwrap_or_default()).to_string());
        }
        answers.probabilities.push(match line.all {
            Some(all) => {
                let none = || vec![None; head.tags.len()];
                all.into_iter().flat_map(|word| word.unwrap_or_else(none)).map(known).collect()
            }
            None => line.probabilities.into_iter().map(known).collect(),
        });
        if are_tags {
            continue;
        }
        answers.values.push(line.values.into_iter().map(|x| x.unwrap_or(f64::NAN)).collect());
    }
    if count != inputs.texts.len() {
        return Err(odd());
    }
    if !inputs.pairs.is_empty() {
        answers.others.push(("pair", inputs.pairs));
    }
    if are_tags {
        answers.others.push(("words", of_words));
    }
    answers.texts = inputs.texts;
    Ok(answers)
}

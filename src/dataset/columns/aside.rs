use std::collections::HashSet;

use super::Found;
use crate::dataset::names::TEXT_NAMES;
use crate::dataset::sink::Column;
use crate::dataset::source::Source;

/// Other columns that hold texts: by their names, or because most of their values are words.
pub fn left_aside(source: &Source, sample: &[Column], found: &Found) -> Vec<String> {
    let known =
        |name: &str| TEXT_NAMES.iter().chain(OTHER_TEXTS).any(|t| t.eq_ignore_ascii_case(name));
    let is_text = |column: &Column| {
        let values: Vec<&String> =
            column.iter().flatten().filter(|v| !v.trim().is_empty()).collect();
        let words = |v: &&&String| v.split_whitespace().count() >= 3 && !v.starts_with(['[', '{']);
        let different: HashSet<&&String> = values.iter().collect();
        !values.is_empty()
            && values.iter().filter(words).count() * 2 > values.len()
            && (different.len() * 2 > values.len() || values.len() < 4)
    };
    let is_label = |column: &Column| {
        let figure = |v: &String| v.trim().parse::<f64>().is_ok();
        column.iter().flatten().all(figure)
    };
    source
        .names
        .iter()
        .zip(sample)
        .enumerate()
        .filter(|(i, _)| !found.has(*i))
        .filter(|(_, (name, column))| (known(name) && !is_label(column)) || is_text(column))
        .map(
            |(i, (name, _))| {
                if name.is_empty() { format!("column {}", i + 1) } else { name.clone() }
            },
        )
        .collect()
}

/// Names of texts that are seldom the one to learn from.
const OTHER_TEXTS: &[&str] = &[
    "title",
    "subject",
    "summary",
    "abstract",
    "premise",
    "hypothesis",
    "context",
    "passage",
    "query",
    "answer",
    "sentence1",
    "sentence2",
    "question1",
    "question2",
    "text_a",
    "text_b",
];

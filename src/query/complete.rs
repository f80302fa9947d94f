//! Completion of a query that is being typed.

use super::fields::{NAMES, SHORT, STATES};
use super::term::quoted;
use crate::spec::Flag;
use crate::spec::keys::{KEYS, ValueKind};

/// One completion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// What replaces the part that was typed: a key with its operator, or a value.
    pub text: String,
    /// What it is, in a few words; may be empty.
    pub help: String,
}

/// The completions at a place.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Completion {
    /// Where the part begins that a candidate replaces, in characters from 0.
    pub start: usize,
    /// In the order in which they are proposed.
    pub candidates: Vec<Candidate>,
}

/// What may follow the first `cursor` characters of `text`. `known` gives the values that the board holds
/// for a key (`tag`, `model`, `sweep`, `view` and so on) and, for `metric`, the names of its metrics.
pub fn complete(text: &str, cursor: usize, known: &dyn Fn(&str) -> Vec<String>) -> Completion {
    let typed: Vec<char> = text.chars().take(cursor).collect();
    let start = typed.iter().rposition(|c| c.is_whitespace()).map_or(0, |space| space + 1);
    let word: String = typed.iter().skip(start).collect();
    let minus = usize::from(word.starts_with('-'));
    let body = word.get(minus..).unwrap_or_default();
    match body.find(['<', '>', '=', ':', '!']) {
        None => Completion { start: start + minus, candidates: keys(body, known) },
        Some(at) => {
            let (key, rest) = body.split_at(at);
            let value = rest.trim_start_matches(['<', '>', '=', ':', '!']);
            // Only the last of several values is being typed.
            let part = value.rsplit(',').next().unwrap_or_default();
            let start = start + word.chars().count() - part.chars().count();
            Completion { start, candidates: values(key, part, known) }
        }
    }
}

fn keys(prefix: &str, known: &dyn Fn(&str) -> Vec<String>) -> Vec<Candidate> {
    let with = |name: &str, sign: char, help: &str| Candidate {
        text: format!("{name}{sign}"),
        help: help.to_owned(),
    };
    let short = SHORT.iter().map(|(name, full)| with(name, '>', full));
    let names = NAMES.iter().map(|(name, help)| {
        let sign = if matches!(*name, "epoch" | "time") { '>' } else { ':' };
        with(name, sign, help)
    });
    let keys = KEYS.iter().map(|key| {
        let sign =
            if matches!(key.kind, ValueKind::Int(..) | ValueKind::Float(..)) { '=' } else { ':' };
        with(key.name, sign, key.help)
    });
    let metrics = known("metric");
    let metrics = metrics.iter().map(|name| with(name, '>', "a metric"));
    let all = short.chain(names).chain(keys).chain(metrics);
    all.filter(|candidate| candidate.text.starts_with(prefix)).collect()
}

fn values(key: &str, prefix: &str, known: &dyn Fn(&str) -> Vec<String>) -> Vec<Candidate> {
    let fixed: &[&str] = match key {
        "state" | "outcome" => &STATES,
        "flag" => Flag::WORDS,
        "archived" => &["yes", "no", "any"],
        "since" | "before" => &["1h", "1d", "7d", "30d"],
        key => match KEYS.iter().find(|k| k.name == key).map(|k| k.kind) {
            Some(ValueKind::Choice(words) | ValueKind::Weights(words)) => words,
            Some(ValueKind::Flag) => &["true", "false"],
            _ => &[],
        },
    };
    let held = if fixed.is_empty() { known(key) } else { Vec::new() };
    let all = fixed.iter().map(|word| (*word).to_owned()).chain(held);
    let fits = all.filter(|value| value.to_lowercase().starts_with(&prefix.to_lowercase()));
    fits.map(|value| Candidate { text: quoted(&value, false), help: String::new() }).collect()
}

//! What the parity tests share: where the reference values lie, how they are found there, and the count
//! of what was compared. Names, sizes, classes and lengths come from the files, so that another set of
//! the same layout (tests/fixtures/README.md) is compared as this one is.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{env, fs};

use serde_json::Value;
use tch::{Kind, Tensor};
use tuneboard::spec::{Optimizer as Rule, RunSpec};

use crate::model::weights;

/// Tensors by name.
pub type Tensors = BTreeMap<String, Tensor>;

/// The folder of reference values: the one that `TUNEBOARD_FIXTURES` names, or `tests/fixtures`.
pub fn root() -> PathBuf {
    env::var_os("TUNEBOARD_FIXTURES").map_or_else(own, PathBuf::from)
}

/// The reference values of this repository.
pub fn own() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

/// The folders of `root()/at` that hold the file `holds`, in the order of their names.
pub fn folders(at: &str, holds: &str) -> Vec<PathBuf> {
    entries(at).into_iter().filter(|path| path.join(holds).is_file()).collect()
}

/// What stands before `ending` in the names of the files of `root()/at`, in order.
pub fn stems(at: &str, ending: &str) -> Vec<String> {
    let files = entries(at).into_iter().filter(|path| path.is_file());
    files.filter_map(|path| Some(name(&path).strip_suffix(ending)?.to_owned())).collect()
}

fn entries(at: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(root().join(at)) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

/// The last part of a path.
pub fn name(path: &Path) -> String {
    path.file_name().unwrap().to_string_lossy().into_owned()
}

/// How many characters two names have in common at their start.
pub fn shared(a: &str, b: &str) -> usize {
    a.chars().zip(b.chars()).take_while(|(a, b)| a == b).count()
}

/// A JSON file.
pub fn json(path: &Path) -> Value {
    let text = fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_str(&text).unwrap()
}

/// The objects of a file of JSON Lines.
pub fn json_lines(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A JSON list of numbers.
pub fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
}

/// A JSON list of strings.
pub fn strings(value: &Value) -> Vec<String> {
    value.as_array().unwrap().iter().map(|x| x.as_str().unwrap().to_owned()).collect()
}

/// A safetensors file.
pub fn tensors(path: &Path) -> Tensors {
    weights::read_all(path).unwrap()
}

/// The largest difference of two tensors of one shape.
pub fn gap(a: &Tensor, b: &Tensor) -> f64 {
    assert_eq!(a.size(), b.size());
    if a.numel() == 0 {
        return 0.0;
    }
    (a.to_kind(Kind::Double) - b.to_kind(Kind::Double)).abs().max().double_value(&[])
}

/// What stands before `.what` in the names of tensors: the cases of a file, in order.
pub fn cases(tensors: &Tensors, what: &str) -> Vec<String> {
    let ending = format!(".{what}");
    tensors.keys().filter_map(|name| Some(name.strip_suffix(&ending)?.to_owned())).collect()
}

/// The number behind `word` in a sentence such as `AdamW lr 1e-3, betas (0.9,0.999), eps 1e-8`.
pub fn number(text: &str, word: &str) -> Option<f64> {
    number_at(text, word, 1)
}

fn number_at(text: &str, word: &str, further: usize) -> Option<f64> {
    let parts = text.split([' ', ',', ';', '(', ')', '=', ':']);
    let parts: Vec<&str> = parts.filter(|part| !part.is_empty()).collect();
    let at = parts.iter().position(|part| *part == word)?;
    parts.get(at + further)?.parse().ok()
}

/// The optimiser that a sentence describes. Nothing is clipped.
pub fn optimizer(text: &str) -> RunSpec {
    let rule = match text.split([' ', '(']).next().unwrap().trim_start_matches("torch.optim.") {
        "AdamW" => Rule::AdamW,
        "Adam" => Rule::Adam,
        "SGD" => Rule::Sgd,
        other => panic!("no optimiser {other}"),
    };
    let usual = RunSpec::default();
    RunSpec {
        optimizer: rule,
        lr: number(text, "lr").unwrap_or(usual.lr),
        beta1: number(text, "betas").unwrap_or(usual.beta1),
        beta2: number_at(text, "betas", 2).unwrap_or(usual.beta2),
        eps: number(text, "eps").unwrap_or(usual.eps),
        momentum: number(text, "momentum").unwrap_or(0.0),
        weight_decay: number(text, "weight_decay").or(number(text, "wd")).unwrap_or(0.0),
        clip: 0.0,
        ..usual
    }
}

/// Counts what a test compares.
pub struct Tally {
    what: &'static str,
    cases: BTreeMap<String, usize>,
}

impl Tally {
    /// Of `what` nothing is compared yet.
    pub fn of(what: &'static str) -> Self {
        Self { what, cases: BTreeMap::new() }
    }

    /// Counts `cases` comparisons with `whose` values. 0 says that these values are there.
    pub fn add(&mut self, whose: &str, cases: usize) {
        *self.cases.entry(whose.to_owned()).or_default() += cases;
    }

    /// Says on stderr what was compared. Values that are there and were compared with nothing fail the
    /// test, and so does a kind that this repository holds and that was not found.
    pub fn end(self) {
        let Self { what, cases } = self;
        let parts: Vec<String> = cases.iter().map(|(whose, n)| format!("{whose} {n}")).collect();
        let total: usize = cases.values().sum();
        crate::progress::err(&format!("parity: {what}: {total} cases ({})", parts.join(", ")));
        assert!(cases.values().all(|n| *n > 0), "{what}: nothing compared: {cases:?}");
        assert!(!cases.is_empty() || root() != own(), "{what}: tests/fixtures holds none");
    }
}

/// Says how many `cases` of one set there were; none at all is wrong in this repository's own values.
pub fn compared(what: &'static str, set: &str, cases: usize) {
    let mut tally = Tally::of(what);
    if cases > 0 {
        tally.add(set, cases);
    }
    tally.end();
}

#[test]
fn numbers_are_read_from_sentences() {
    let text = "AdamW lr 1e-3, betas (0.9,0.99), eps 1e-8, weight_decay 0.01, one group";
    let spec = optimizer(text);
    assert_eq!((spec.lr, spec.beta1, spec.beta2), (1e-3, 0.9, 0.99));
    assert_eq!((spec.eps, spec.weight_decay, spec.momentum), (1e-8, 0.01, 0.0));
    assert_eq!(optimizer("SGD lr 0.02 momentum 0.9").momentum, 0.9);
    assert_eq!(number("T=20 per stage, cut_frac 0.1", "T"), Some(20.0));
    assert_eq!(number("no such word", "lr"), None);
}

#[test]
#[should_panic(expected = "nothing compared")]
fn values_that_nothing_was_compared_with_fail() {
    let mut tally = Tally::of("examples");
    tally.add("a", 1);
    tally.add("b", 0);
    tally.end();
}

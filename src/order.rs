//! What is looked at before runs are queued, whoever queues them: a form, a verb, a script. Models and
//! data sets are opened once, so that what the trainer would refuse is refused at once.

use std::collections::BTreeSet;

use thiserror::Error;

use crate::board::{Board, BoardError};
use crate::dataset::{self, DataError};
use crate::spec::keys::DATA_KEYS;
use crate::spec::{RunSpec, SpecError, Sweep};

/// Why runs cannot be queued.
#[derive(Debug, Error)]
#[error(transparent)]
pub enum OrderError {
    /// A key, or keys that exclude each other.
    Spec(#[from] SpecError),
    /// No such model.
    Board(#[from] BoardError),
    /// A data file that cannot be read, or not as asked.
    Data(#[from] DataError),
}

/// Refuses what the trainer would refuse: each distinct model and data set is looked at once.
///
/// # Errors
/// The first thing found wrong.
pub fn check_inputs<'a>(
    board: &Board,
    specs: impl IntoIterator<Item = &'a RunSpec>,
) -> Result<(), OrderError> {
    let mut seen = BTreeSet::new();
    for spec in specs {
        spec.check()?;
        board.site(&spec.site)?;
        if seen.insert(vec![spec.model.clone()]) {
            board.check_model(&spec.model)?;
        }
        if seen.insert(vec![spec.model.clone(), spec.max_length.to_string()]) {
            board.check_length(&spec.model, spec.max_length)?;
        }
        let identity = DATA_KEYS.iter().map(|k| spec.get(k).unwrap_or_default()).collect();
        if seen.insert(identity) {
            dataset::load(spec, board.root())?;
        }
    }
    Ok(())
}

/// A single run's name: `minilm-sms_spam`.
pub fn name_of(spec: &RunSpec) -> String {
    format!("{}-{}", stem(&spec.model), stem(&spec.data))
}

/// The name of one run of a sweep: `lr=3e-5 epochs=3 seed=1`.
pub fn name_in(sweep: &Sweep, spec: &RunSpec) -> String {
    let pair = |key: &str| format!("{key}={}", spec.get(key).unwrap_or_default());
    let varied: Vec<String> = sweep.varied().filter(|key| spec.obeys(key)).map(pair).collect();
    if varied.is_empty() { name_of(spec) } else { varied.join(" ") }
}

/// The last part of a path, without what stands behind its last dot.
fn stem(path: &str) -> &str {
    let last = path.trim_end_matches('/').rsplit('/').next().unwrap_or(path);
    match last.rsplit_once('.') {
        Some((stem, _)) if !stem.is_empty() => stem,
        _ => last,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_what_is_special() {
        let mut spec = RunSpec::default();
        spec.set("model", "models/minilm/").unwrap();
        spec.set("data", "data/sms_spam.csv").unwrap();
        assert_eq!(name_of(&spec), "minilm-sms_spam");
        let pairs = [("lr", "3e-5,1e-4"), ("seed", "0..1")];
        let sweep = Sweep::parse(spec, pairs).unwrap();
        assert_eq!(name_in(&sweep, &sweep.next(3).unwrap()), "lr=1e-4 seed=1");
        let pairs = [("model", "majority,minilm"), ("lr", "3e-5,1e-4")];
        let sweep = Sweep::parse(sweep.base, pairs).unwrap();
        assert_eq!(name_in(&sweep, &sweep.next(0).unwrap()), "model=majority");
    }
}

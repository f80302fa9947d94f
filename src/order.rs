//! What is looked at before runs are queued, whoever queues them: a form, a verb, a script. Models and
//! data sets are opened once, so that what the trainer would refuse is refused at once.

mod amend;
pub mod disk;

use std::collections::BTreeSet;

use thiserror::Error;

use crate::board::{Board, BoardError};
use crate::dataset::{self, DataError};
use crate::spec::{BuiltIn, Init, Outcome, RunId, RunSpec, RunState, SpecError, Sweep, locate};
use crate::store::{Reader, Run, StoreError};

pub use crate::spec::{name_in, name_of};
pub use amend::{Amended, amended};

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
    /// The database with the run to start from.
    Store(#[from] StoreError),
    /// A run that no other can start from.
    Parent(#[from] ParentError),
}

/// Why `init=rN` makes no sense.
#[derive(Debug, Error)]
pub enum ParentError {
    /// It will never have a checkpoint.
    #[error("init={id}: that run is {state}; a run starts only from one that is done or will be.")]
    Ended {
        /// The run.
        id: RunId,
        /// How it ended.
        state: String,
    },
    /// It has one no more, or not on this machine.
    #[error("init={id}: its best checkpoint is {place}.")]
    Missing {
        /// The run.
        id: RunId,
        /// Where it is, and how it comes here.
        place: String,
    },
    /// Its weights are those of another model.
    #[error("init={id} starts from a run of model={had}, not of model={given}; leave model= out.")]
    Model {
        /// The run.
        id: RunId,
        /// Its model.
        had: String,
        /// The one that was given.
        given: String,
    },
}

/// Refuses what the trainer would refuse: each distinct model and data set is looked at once. Returns
/// what people should know of the data sets: how each is read, and what is odd about it.
///
/// # Errors
/// The first thing found wrong.
pub fn check_inputs<'a>(
    board: &Board,
    specs: impl IntoIterator<Item = &'a RunSpec>,
) -> Result<Vec<String>, OrderError> {
    let mut seen = BTreeSet::new();
    let mut told = Vec::new();
    for spec in specs {
        spec.check()?;
        board.site(&spec.site)?;
        // A run that starts from another one needs no model folder.
        let with_weights = spec.init != Init::Random;
        if spec.init.parent().is_none()
            && seen.insert(vec![spec.model.clone(), spec.init.to_string()])
        {
            board.check_model(&spec.model, with_weights)?;
        }
        if spec.init.parent().is_none()
            && seen.insert(vec![spec.model.clone(), spec.max_length.to_string()])
        {
            board.check_length(&spec.model, spec.max_length)?;
        }
        if let Some(id) = spec.init.parent()
            && seen.insert(vec![id.to_string(), spec.model.clone()])
        {
            check_parent(board, id, &spec.model)?;
        }
        if seen.insert(FITTED.iter().map(|key| spec.get(key).unwrap_or_default()).collect()) {
            let folder = match (spec.init.parent(), BuiltIn::named(&spec.model)) {
                (Some(id), _) => Some(locate::kept_checkpoint(board.root(), id)),
                (None, Some(_)) => None,
                (None, None) => Some(board.model(&spec.model)?),
            };
            folder.map_or(Ok(()), |folder| board.check_fits(folder, spec))?;
        }
        if seen.insert(spec.rows_identity()) {
            let data = dataset::load(spec, board.root())?;
            told.push(data.told(&spec.data));
            told.extend(data.notes);
        }
    }
    let mut once = BTreeSet::new();
    told.retain(|sentence| once.insert(sentence.clone()));
    Ok(told)
}

/// The keys that say what a model's family must have.
const FITTED: [&str; 11] = [
    "model",
    "init",
    "task",
    "pool",
    "unfreeze",
    "stateful",
    "layer_norm",
    "adapter",
    "lora_rank",
    "lora_alpha",
    "lora_targets",
];

fn check_parent(board: &Board, id: RunId, model: &str) -> Result<(), OrderError> {
    let run = parent(board, id)?;
    if let RunState::Ended(outcome) = &run.state
        && *outcome != Outcome::Done
    {
        return Err(ParentError::Ended { id, state: outcome.word().to_owned() }.into());
    }
    let folder = locate::kept_checkpoint(board.root(), id);
    if run.state.outcome().is_some() && !folder.join("config.json").is_file() {
        let at = run.placement.map(|at| at.site).filter(|site| site != "local");
        let place = at.map_or_else(
            || "gone".to_owned(),
            |site| format!("still on {site}; fetch it with `tuneboard sites fetch {id}`"),
        );
        return Err(ParentError::Missing { id, place }.into());
    }
    board.base(&folder)?;
    let same = run.spec.model == model
        || matches!((board.model(&run.spec.model), board.model(model)), (Ok(a), Ok(b)) if a == b);
    if !same {
        let (had, given) = (run.spec.model, model.to_owned());
        return Err(ParentError::Model { id, had, given }.into());
    }
    Ok(())
}

fn parent(board: &Board, id: RunId) -> Result<Run, OrderError> {
    if !board.database().exists() {
        return Err(StoreError::NoRun(id).into());
    }
    let run = Reader::open(&board.database())?.run(id)?;
    Ok(run.ok_or(StoreError::NoRun(id))?)
}

/// Gives a sweep that starts from a run the model of that run, unless it names one.
///
/// # Errors
/// No such run.
pub fn take_model(board: &Board, sweep: &mut Sweep) -> Result<(), OrderError> {
    let is_open = sweep.base.model.is_empty() && sweep.varied().all(|key| key != "model");
    if let Some(id) = sweep.base.init.parent().filter(|_| is_open) {
        sweep.base.model = parent(board, id)?.spec.model;
    }
    Ok(())
}

/// A clone's name says what was changed: `lr=2.5e-5`; one without changes has the name of a single run, and one
/// with another seed alone that of the run it is like, `lr=2.5e-5 seed=3`.
pub fn name_of_clone(name: &str, like: &RunSpec, spec: &RunSpec) -> String {
    let changed = spec.differing_keys(like);
    if changed == ["seed"] {
        let words = name.split_whitespace().filter(|word| !word.starts_with("seed="));
        let words: Vec<&str> = words.collect();
        let own = if words.is_empty() { name_of(spec) } else { words.join(" ") };
        return format!("{own} seed={}", spec.seed);
    }
    if changed.is_empty() {
        return name_of(spec);
    }
    let pair = |key: &&str| format!("{key}={}", spec.get(key).unwrap_or_default());
    let pairs: Vec<String> = changed.iter().take(NAMED).map(pair).collect();
    let more = if changed.len() > NAMED { " ..." } else { "" };
    format!("{}{more}", pairs.join(" "))
}

/// Changed keys that a clone's name holds.
const NAMED: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_what_is_special() {
        let mut spec = RunSpec::default();
        spec.set("model", "models/minilm/").unwrap();
        spec.set("data", "data/sms_spam.csv").unwrap();
        assert_eq!(name_of(&spec), "minilm-sms_spam");
        let clone = RunSpec { lr: 2.5e-5, ..spec.clone() };
        assert_eq!(name_of_clone("x", &spec, &clone), "lr=2.5e-5");
        assert_eq!(name_of_clone("x", &spec, &spec), "minilm-sms_spam");
        let seed = RunSpec { seed: 3, ..spec.clone() };
        assert_eq!(name_of_clone("lr=2.5e-5 seed=1", &spec, &seed), "lr=2.5e-5 seed=3");
        assert_eq!(name_of_clone("seed=1", &spec, &seed), "minilm-sms_spam seed=3");
        let pairs = [("lr", "3e-5,1e-4"), ("seed", "0..1")];
        let sweep = Sweep::parse(spec, pairs).unwrap();
        assert_eq!(name_in(&sweep, &sweep.next(3).unwrap()), "lr=1e-4 seed=1");
        let pairs = [("model", "majority,minilm"), ("lr", "3e-5,1e-4")];
        let sweep = Sweep::parse(sweep.base, pairs).unwrap();
        assert_eq!(name_in(&sweep, &sweep.next(0).unwrap()), "model=majority");
    }
}

//! The checkpoint of a run that a verb works with.

use std::path::PathBuf;

use clap::ValueEnum;

use super::error::CliError;
use crate::board::Board;
use crate::spec::{Keep, Outcome};
use crate::store::Run;

/// Which weights of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Which {
    /// Those of the epoch with the lowest val loss
    Best,
    /// Those of the last epoch that was finished
    Last,
}

/// The folder of a run's checkpoint.
///
/// # Errors
/// A run that has none yet.
pub fn checkpoint(board: &Board, run: &Run, which: Which) -> Result<PathBuf, CliError> {
    let name = if which == Which::Best { "best" } else { "last" };
    let folder = board.checkpoints(run.id).join(name);
    if folder.join("config.json").is_file() {
        return Ok(folder);
    }
    let (id, state) = (run.id, run.state.word());
    if run.state.outcome() == Some(&Outcome::Done) && run.spec.keep != Keep::Both {
        return Err(CliError::Usage(format!(
            "{id} is done and has no checkpoint `{name}` any more: it was told keep={}.",
            run.spec.keep
        )));
    }
    Err(CliError::Usage(format!(
        "{id} is {state} and has no checkpoint `{name}`: {} is not there.",
        folder.join("config.json").display()
    )))
}

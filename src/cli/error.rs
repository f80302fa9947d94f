use std::io;

use thiserror::Error;

use super::exit;
use crate::board::BoardError;
use crate::dataset::DataError;
use crate::hub::HubError;
use crate::order::OrderError;
use crate::query::QueryError;
use crate::runner::RunnerError;
use crate::spec::SpecError;
use crate::store::StoreError;
use crate::tui::TuiError;

/// Everything that can end a verb. Each message is one sentence for people; the variant decides the
/// exit code.
#[derive(Debug, Error)]
pub enum CliError {
    /// What was asked for makes no sense here: wrong words, ids or values.
    #[error("{0}")]
    Usage(String),
    /// A key, value, sweep or id that is not one.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// A query that cannot be read.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// No board, or a config that cannot be read.
    #[error(transparent)]
    Board(#[from] BoardError),
    /// The database cannot be used.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// A data file that cannot be read, or not as asked.
    #[error(transparent)]
    Data(#[from] DataError),
    /// No runner, or no trainer.
    #[error(transparent)]
    Runner(#[from] RunnerError),
    /// A model that the hub does not give out, or not as it is.
    #[error(transparent)]
    Hub(#[from] HubError),
    /// The dashboard could not go on.
    #[error("{0}")]
    Dashboard(#[from] TuiError),
    /// The surroundings fail us: a runner that does not start, a folder that cannot be written.
    #[error("{0}")]
    Place(String),
    /// Whoever read our output went away.
    #[error("nobody reads the output any more")]
    BrokenPipe,
    /// Our output cannot be written.
    #[error("The output cannot be written: {0}.")]
    Output(io::Error),
    /// A mistake of ours.
    #[error("{0}")]
    Internal(String),
}

impl CliError {
    /// What the process exits with.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::BrokenPipe => exit::OK,
            Self::Usage(_)
            | Self::Spec(_)
            | Self::Query(_)
            | Self::Data(_)
            | Self::Runner(RunnerError::Refused(_))
            | Self::Hub(HubError::Unknown(_) | HubError::Forbidden { .. } | HubError::Refused(_))
            | Self::Dashboard(TuiError::Action { .. } | TuiError::Key { .. })
            | Self::Store(StoreError::NoRun(_) | StoreError::Spec(_)) => exit::USAGE,
            Self::Board(
                BoardError::NotFound(_) | BoardError::Io { .. } | BoardError::Untrusted { .. },
            )
            | Self::Store(_)
            | Self::Runner(_)
            | Self::Hub(_)
            | Self::Dashboard(_)
            | Self::Place(_)
            | Self::Output(_) => exit::BOARD,
            Self::Board(_) => exit::USAGE,
            Self::Internal(_) => exit::INTERNAL,
        }
    }
}

impl From<OrderError> for CliError {
    fn from(error: OrderError) -> Self {
        match error {
            OrderError::Spec(error) => error.into(),
            OrderError::Board(error) => error.into(),
            OrderError::Data(error) => error.into(),
            OrderError::Store(error) => error.into(),
            OrderError::Parent(error) => Self::Usage(error.to_string()),
        }
    }
}

impl From<io::Error> for CliError {
    /// Only writing our own output yields bare io errors; everything else names its file.
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            Self::BrokenPipe
        } else {
            Self::Output(error)
        }
    }
}

impl From<serde_json::Error> for CliError {
    fn from(error: serde_json::Error) -> Self {
        Self::Internal(format!("JSON could not be written: {error}."))
    }
}

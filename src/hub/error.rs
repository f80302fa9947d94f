use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::spec::printable;

/// What can go wrong between here and the hub. Each message is one sentence.
#[derive(Debug, Error)]
pub enum HubError {
    /// Nothing of that name, or nothing that this token may know of.
    #[error(
        "{0} is not there: the hub knows no such repository or revision (of a private one it says the \
         same; HF_TOKEN opens those)."
    )]
    Unknown(String),
    /// The hub wants to know who asks, or knows and says no.
    #[error(
        "The hub does not give out {what} (HTTP {status}): set HF_TOKEN to a token that may read it; for a \
         gated model ask for access on its page first."
    )]
    Forbidden {
        /// What was asked for.
        what: String,
        /// 401 or 403.
        status: u16,
    },
    /// Another status than success.
    #[error("The hub answers HTTP {status} for {what}; try again later.")]
    Status {
        /// What was asked for.
        what: String,
        /// Its code.
        status: u16,
    },
    /// No connection, or one that ended too early too often.
    #[error("{what} cannot be fetched: {why}.")]
    Network {
        /// What was asked for.
        what: String,
        /// A fragment.
        why: String,
    },
    /// An answer that is none.
    #[error("The hub's answer for {what} makes no sense: {why}.")]
    Odd {
        /// What was asked for.
        what: String,
        /// A fragment.
        why: String,
    },
    /// The bytes are not those that the hub announced.
    #[error(
        "{file} was damaged on the way: its checksum is {got}, and the hub says {want}; nothing of it \
         was kept, so fetch it again."
    )]
    Checksum {
        /// The file.
        file: String,
        /// Of what came.
        got: String,
        /// Of what was announced.
        want: String,
    },
    /// A model that cannot be used here.
    #[error("{0}")]
    Refused(String),
    /// The disk.
    #[error("{} cannot be written: {source}.", path.display())]
    Write {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl HubError {
    /// A file that cannot be written.
    pub(super) fn write(path: &Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::Write { path, source }
    }

    /// What a status that is no success means.
    pub(super) fn of_status(what: &str, status: u16) -> Self {
        let what = what.to_owned();
        match status {
            401 | 403 => Self::Forbidden { what, status },
            404 | 410 => Self::Unknown(what),
            _ => Self::Status { what, status },
        }
    }

    /// What the client reports; its text may hold words of the server.
    pub(super) fn network(what: &str, why: &dyn std::fmt::Display) -> Self {
        let why = printable(&why.to_string(), 200).trim_end_matches('.').to_owned();
        Self::Network { what: what.to_owned(), why }
    }

    /// True if the same request may succeed a moment later.
    pub(super) fn may_pass(&self) -> bool {
        match self {
            Self::Network { .. } => true,
            Self::Status { status, .. } => *status == 429 || *status >= 500,
            _ => false,
        }
    }
}

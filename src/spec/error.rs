use thiserror::Error;

use super::nearest::or_nearest;

/// What can be wrong with a spec, a sweep or an id. Every message is one whole sentence that names
/// the key and the nearest valid choice.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SpecError {
    /// A key that is not in [`super::keys::KEYS`].
    #[error("There is no key `{key}`{}", or_nearest(.nearest.as_deref()))]
    UnknownKey {
        /// What was written.
        key: String,
        /// The closest key that exists.
        nearest: Option<String>,
    },
    /// A value that the key does not take.
    #[error("`{key}={value}` is not valid: {why}.")]
    BadValue {
        /// The key.
        key: String,
        /// What was written.
        value: String,
        /// What is accepted, as a fragment.
        why: String,
    },
    /// A key that must be given and was not.
    #[error("`{key}` is missing: {hint}.")]
    Missing {
        /// The key.
        key: String,
        /// How to give it, as a fragment.
        hint: String,
    },
    /// Something that is not `key=value`.
    #[error("`{text}` is not of the form key=value{}", or_nearest(.nearest.as_deref()))]
    NotAPair {
        /// What was written.
        text: String,
        /// The closest key, written as a pair.
        nearest: Option<String>,
    },
    /// An id that does not read as one.
    #[error("`{text}` is not the id of a {what}; ids look like {example}.")]
    BadId {
        /// What was written.
        text: String,
        /// `run` or `sweep`.
        what: &'static str,
        /// A valid id.
        example: &'static str,
    },
    /// A sweep that cannot be expanded.
    #[error("The sweep cannot be expanded: {0}.")]
    Sweep(String),
    /// A TOML file that does not parse; the message carries line and column.
    #[error("{0}")]
    Toml(String),
}

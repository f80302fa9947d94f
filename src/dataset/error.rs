use std::io;

use thiserror::Error;

use crate::spec::printable;

/// Why rows cannot be read or split. Every message is one sentence; names and values from files are
/// made printable where the error is made.
#[derive(Debug, Error)]
pub enum DataError {
    /// No such file.
    #[error("There is no file {path}{}", did_you_mean(.nearest.as_deref()))]
    NotFound {
        /// As written in the spec.
        path: String,
        /// The file in that folder with the closest name.
        nearest: Option<String>,
    },
    /// A file that cannot be opened, read or written.
    #[error("{path}: {source}.")]
    Io {
        /// As written in the spec.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// A file that is not what it should be.
    #[error("{path}{}", ended(.why))]
    File {
        /// As written in the spec.
        path: String,
        /// What is wrong, as the rest of a sentence that starts with the path.
        why: String,
    },
    /// One row that cannot be read.
    #[error("{path}: row {row} {}", ended(.why))]
    Row {
        /// As written in the spec.
        path: String,
        /// From 1, header and blank lines not counted.
        row: u64,
        /// What is wrong, as the rest of the sentence.
        why: String,
    },
    /// Rows that cannot be divided into train, val and test.
    #[error("{}", ended(.0))]
    Split(String),
}

impl DataError {
    /// An error about the file as a whole; `why` starts with its verb: `is empty`.
    pub(super) fn file(path: &str, why: impl AsRef<str>) -> Self {
        Self::File { path: shown(path), why: format!(" {}", why.as_ref()) }
    }

    /// An error about something in the file; `why` is a sentence without its period.
    pub(super) fn within(path: &str, why: impl AsRef<str>) -> Self {
        Self::File { path: shown(path), why: format!(": {}", why.as_ref()) }
    }

    /// An error about one row; `why` starts with its verb.
    pub(super) fn row(path: &str, row: u64, why: impl Into<String>) -> Self {
        Self::Row { path: shown(path), row, why: why.into() }
    }

    /// An error of the operating system.
    pub(super) fn io(path: &str, source: io::Error) -> Self {
        Self::Io { path: shown(path), source }
    }
}

fn did_you_mean(nearest: Option<&str>) -> String {
    nearest.map_or(".".to_owned(), |n| format!("; did you mean `{n}`?"))
}

/// A sentence that ends in a question keeps its question mark.
fn ended(why: &str) -> String {
    if why.ends_with('?') { why.to_owned() } else { format!("{why}.") }
}

/// A path for a sentence.
pub(super) fn shown(path: &str) -> String {
    printable(path, 200).into_owned()
}

/// A name or value from a file, in backquotes, short enough for a sentence.
pub(super) fn quoted(text: &str) -> String {
    format!("`{}`", printable(text, 40))
}

/// `a, b and 3 more`: the first few of many.
pub(super) fn first_few<T>(items: &[T], show: impl Fn(&T) -> String) -> String {
    const FEW: usize = 5;
    let few = items.iter().take(FEW).map(show).collect::<Vec<_>>().join(", ");
    match items.len().saturating_sub(FEW) {
        0 => few,
        more => format!("{few} and {more} more"),
    }
}

/// `1 row`, `2 rows`.
pub(super) fn counted(n: usize, what: &str) -> String {
    if n == 1 {
        return format!("1 {what}");
    }
    match what.strip_suffix("ss") {
        Some(_) => format!("{n} {what}es"),
        None => format!("{n} {what}s"),
    }
}

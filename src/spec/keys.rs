//! The keys of a run, in one table.
//!
//! Adding a key means: a field in [`RunSpec`], a row in [`KEYS`], and code in the trainer that obeys
//! it. Everything else that tells keys apart reads their rows. The row of a new key says
//! `.later(N, "VALUE")`: N is one more than the largest so far, VALUE is what runs were trained with
//! before there was the key, so that they keep their hashes.

mod row;
mod table;
#[cfg(test)]
pub(crate) mod tests;
mod values;

use super::{KeyGroup, RunSpec, SpecError, Task, nearest, short};
pub use table::KEYS;

/// One key of [`RunSpec`].
#[derive(Debug)]
pub struct Key {
    /// As written in `key=value` and in TOML.
    pub name: &'static str,
    /// One line for help and forms.
    pub help: &'static str,
    /// What values it takes.
    pub kind: ValueKind,
    /// False for keys that do not belong to the experiment's identity (see [`RunSpec::hash`]).
    pub decides: bool,
    /// Where forms show it.
    pub group: KeyGroup,
    /// What else it takes part in.
    pub roles: &'static [Role],
    /// The tasks that obey it; empty for all.
    pub tasks: &'static [Task],
    /// The version of the hash rule that it came with; 0 for the keys of the first tuneboard.
    pub since: u8,
    /// For a key that came later: the value that runs queued before it were trained with, as [`Self::get`]
    /// writes it. It never changes, whatever becomes of the default.
    pub frozen: &'static str,
    /// Its value under `preset=notebook`, if that preset sets it.
    pub notebook: Option<&'static str>,
    /// The value as text that `set` accepts; empty for "not given".
    pub get: fn(&RunSpec) -> String,
    /// Sets the value, or says what is accepted, as a fragment.
    pub set: fn(&mut RunSpec, &str) -> Result<(), String>,
}

/// What a key takes part in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It decides which rows a run trains and is tested on.
    Rows,
    /// It decides how much memory a run takes.
    Memory,
    /// A baseline obeys it: a baseline reads whole texts, and is fitted at once without anything random.
    Baseline,
}

impl Key {
    /// Whether it has a role.
    pub fn is(&self, role: Role) -> bool {
        self.roles.contains(&role)
    }

    /// Whether a run of that task obeys it.
    pub fn is_for(&self, task: Task) -> bool {
        self.tasks.is_empty() || self.tasks.contains(&task)
    }
}

/// The type of a key's value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ValueKind {
    /// Any text.
    Text,
    /// A file or folder.
    Path,
    /// `true` or `false`.
    Flag,
    /// A whole number in a closed range.
    Int(u64, u64),
    /// A finite number in a closed range.
    Float(f64, f64),
    /// One of these words.
    Choice(&'static [&'static str]),
    /// One of these words, or names with weights: `spam:2,ham:1`.
    Weights(&'static [&'static str]),
    /// Names of columns with commas between.
    Columns,
    /// Three shares that sum to 1.
    Split,
}

impl ValueKind {
    /// Whether the commas of a value are its own and separate no values of a sweep.
    pub fn owns_commas(self, value: &str) -> bool {
        match self {
            Self::Split | Self::Columns => true,
            Self::Weights(_) => value.contains(':'),
            _ => false,
        }
    }
}

/// The key of that name.
///
/// # Errors
/// [`SpecError::UnknownKey`] with the nearest key.
pub fn find(name: &str) -> Result<&'static Key, SpecError> {
    KEYS.iter().find(|k| k.name == name).ok_or_else(|| SpecError::UnknownKey {
        key: name.to_owned(),
        nearest: nearest(name, KEYS.iter().map(|k| k.name)),
    })
}

/// Splits `key=value`.
///
/// # Errors
/// [`SpecError::NotAPair`].
pub fn pair(text: &str) -> Result<(&str, &str), SpecError> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => Ok((key.trim(), value.trim())),
        _ => Err(SpecError::NotAPair {
            text: text.to_owned(),
            nearest: nearest(text, KEYS.iter().map(|k| k.name)).map(|k| format!("{k}=...")),
        }),
    }
}

/// The text of a TOML value, as it would stand behind `key=` on the command line.
///
/// # Errors
/// Tables and dates are no values of keys.
pub fn toml_text(key: &str, value: &toml::Value) -> Result<String, SpecError> {
    Ok(match value {
        toml::Value::String(s) => s.clone(),
        toml::Value::Integer(n) => n.to_string(),
        toml::Value::Float(x) => short(*x),
        toml::Value::Boolean(b) => b.to_string(),
        toml::Value::Array(items) => {
            items.iter().map(|item| toml_text(key, item)).collect::<Result<Vec<_>, _>>()?.join(",")
        }
        toml::Value::Table(_) | toml::Value::Datetime(_) => {
            return Err(SpecError::BadValue {
                key: key.to_owned(),
                value: value.to_string(),
                why: "a number, a text, true, false or a list is expected".into(),
            });
        }
    })
}

//! A run by the names of its keys.

use super::keys::{self, KEYS, Key, Role};
use super::{BuiltIn, RunSpec, SpecError};

/// Stands for the value of a key that means nothing to a run's model.
pub const IGNORED: &str = "–";

impl RunSpec {
    /// The most val rows that a look within an epoch of `per_epoch` steps takes; `None` = all.
    pub fn most_val_rows(&self, per_epoch: u64) -> Option<u64> {
        let rows = u64::from(self.batch_size) * u64::from(self.accumulate);
        self.eval_rows.most(rows * self.eval_every.interval(self.epochs, per_epoch))
    }

    /// Sets one key from its text.
    ///
    /// # Errors
    /// An unknown key, or a value outside what the key takes.
    pub fn set(&mut self, key: &str, value: &str) -> Result<(), SpecError> {
        let known = keys::find(key)?;
        (known.set)(self, value.trim()).map_err(|why| SpecError::BadValue {
            key: key.to_owned(),
            value: value.trim().to_owned(),
            why,
        })
    }

    /// The text of one key, as `set` would take it; `None` for a key that does not exist.
    pub fn get(&self, key: &str) -> Option<String> {
        KEYS.iter().find(|k| k.name == key).map(|k| (k.get)(self))
    }

    /// Epochs that the run will train: `epochs`, or 1 for a model that is fitted at once.
    pub fn planned_epochs(&self) -> u32 {
        match BuiltIn::named(&self.model) {
            Some(BuiltIn::Baseline(_)) => 1,
            Some(BuiltIn::Gru | BuiltIn::Ulmfit) | None => self.epochs,
        }
    }

    /// False for a key that means nothing to the model or to the task: a baseline has no learning rate, and a
    /// language model pools nothing.
    pub fn obeys(&self, key: &str) -> bool {
        KEYS.iter().find(|k| k.name == key).is_none_or(|row| self.obeys_row(row))
    }

    /// As [`Self::obeys`].
    pub fn obeys_row(&self, key: &Key) -> bool {
        key.is_for(self.task)
            && match BuiltIn::named(&self.model) {
                Some(BuiltIn::Baseline(_)) => key.is(Role::Baseline),
                Some(BuiltIn::Gru | BuiltIn::Ulmfit) | None => true,
            }
    }

    /// The texts of the keys that decide which rows the run reads, in the order of [`KEYS`].
    pub fn rows_identity(&self) -> Vec<String> {
        KEYS.iter().filter(|key| key.is(Role::Rows)).map(|key| (key.get)(self)).collect()
    }

    /// The text of a key as tables show it: [`IGNORED`] where the model does not obey it.
    pub fn shown(&self, key: &str) -> String {
        if self.obeys(key) { self.get(key).unwrap_or_default() } else { IGNORED.to_owned() }
    }

    /// The keys whose text differs from `other`'s, in the order of [`KEYS`].
    pub fn differing_keys(&self, other: &Self) -> Vec<&'static str> {
        KEYS.iter().filter(|k| (k.get)(self) != (k.get)(other)).map(|k| k.name).collect()
    }

    /// Reads the `spec.toml` of a run's folder.
    ///
    /// # Errors
    /// As [`Self::read_toml`].
    pub fn from_toml(text: &str) -> Result<Self, SpecError> {
        let mut spec = Self::before_all_keys();
        spec.read_toml(text)?;
        Ok(spec)
    }

    /// Reads the keys of a TOML text over `self`.
    ///
    /// # Errors
    /// TOML that does not parse (with line and column), unknown keys, bad values.
    pub fn read_toml(&mut self, text: &str) -> Result<(), SpecError> {
        let table: toml::Table = text
            .parse()
            .map_err(|e: toml::de::Error| SpecError::Toml(e.to_string().trim_end().to_owned()))?;
        self.read_table(&table)
    }

    /// Reads the keys of a TOML table over `self`, a preset first: it would override what stands before it.
    ///
    /// # Errors
    /// Unknown keys, bad values.
    pub fn read_table(&mut self, table: &toml::Table) -> Result<(), SpecError> {
        for pass in [true, false] {
            for (key, value) in table.iter().filter(|(key, _)| (*key == "preset") == pass) {
                self.set(key, &keys::toml_text(key, value)?)?;
            }
        }
        Ok(())
    }

    /// The `spec.toml` of a run's folder: every key that has a value.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).unwrap_or_default()
    }
}

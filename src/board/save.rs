use std::fs::{self, Permissions};
use std::io;
use std::path::Path;

use toml_edit::{Array, DocumentMut, Item, Table, TableLike, Value};

use super::{Board, BoardError, Config};
use crate::spec::keys::{self, ValueKind};

impl Board {
    /// Adds a table `[sweeps.NAME]` with these pairs to `config.toml`.
    ///
    /// # Errors
    /// A name that is taken or is none, pairs that no sweep takes, a file that cannot be written.
    pub fn save_sweep(&self, name: &str, pairs: &[(String, String)]) -> Result<(), BoardError> {
        let mut table = Table::new();
        for (key, words) in pairs {
            table.insert(key, Item::Value(value(key, words)));
        }
        self.add_to_config("sweeps", name, Item::Table(table))
    }

    /// Adds a query to `[views]` of `config.toml`.
    ///
    /// # Errors
    /// A name that is taken or is none, a query that cannot be read, a file that cannot be written.
    pub fn save_view(&self, name: &str, query: &str) -> Result<(), BoardError> {
        self.add_to_config("views", name, Item::Value(query.into()))
    }

    /// Sets a key of `[tui]` in `config.toml`, in place of what stood there.
    ///
    /// # Errors
    /// A value that the key does not take, a file that cannot be written.
    pub fn save_setting(&self, key: &str, value: &str) -> Result<(), BoardError> {
        self.add_to_config("tui", key, Item::Value(value.into()))
    }

    /// Sets the columns of a view in `[tui.columns]`, in place of what stood there.
    ///
    /// # Errors
    /// A name that is none, columns that do not exist, a file that cannot be written.
    pub fn save_columns(&self, view: &str, columns: &str) -> Result<(), BoardError> {
        self.add_to_config("tui.columns", view, Item::Value(columns.into()))
    }

    /// Adds one entry to a section, or replaces it under `[tui]` and `[tui.columns]`; every comment and line of the file stays. The file is replaced whole,
    /// so that a crash leaves the old or the new one.
    fn add_to_config(&self, section: &str, name: &str, item: Item) -> Result<(), BoardError> {
        self.check_trust()?;
        let path = self.config_file();
        let bad = |why: String| BoardError::Config { path: path.clone(), why };
        let io = |source| BoardError::Io { path: path.clone(), source };
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if name.is_empty() || !name.chars().all(is_word) {
            return Err(bad(format!(
                "`{}` is no name under [{section}]: letters, digits, _ and - are allowed.",
                crate::spec::printable(name, 60)
            )));
        }
        let text = fs::read_to_string(&path).map_err(io)?;
        let mut document: DocumentMut =
            text.parse().map_err(|e: toml_edit::TomlError| bad(e.to_string().trim_end().into()))?;
        let mut entries: &mut dyn TableLike = document.as_table_mut();
        let parts: Vec<&str> = section.split('.').collect();
        for (at, part) in parts.iter().enumerate() {
            let child = entries.entry(part).or_insert_with(|| {
                let mut table = Table::new();
                // A section of tables has no header of its own.
                table.set_implicit(item.is_table() || at + 1 < parts.len());
                Item::Table(table)
            });
            entries = child
                .as_table_like_mut()
                .ok_or_else(|| bad(format!("`{section}` must be a table, written [{section}].")))?;
        }
        let is_own = parts.first() == Some(&"tui");
        if !is_own && entries.contains_key(name) {
            return Err(bad(format!(
                "there is a `{name}` under [{section}] already; choose another name."
            )));
        }
        entries.insert(name, item);
        let text = document.to_string();
        // What this board could not open again is never written.
        Config::read(&text, &path)?;
        // Who may write it stays as it was, whatever the umask.
        let mode = fs::metadata(&path).map_err(io)?.permissions();
        replace(&path, &text, Some(mode)).map_err(io)
    }
}

/// Replaces a file whole, so that a crash leaves the old or the new one.
pub(super) fn replace(path: &Path, text: &str, mode: Option<Permissions>) -> io::Result<()> {
    let temporary = path.with_extension(format!("{}.tmp", std::process::id()));
    let written = fs::write(&temporary, text)
        .and_then(|()| mode.map_or(Ok(()), |mode| fs::set_permissions(&temporary, mode)))
        .and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    written
}

/// Text as the TOML that a person would have written: numbers, true and false, lists; else a string.
fn value(key: &str, words: &str) -> Value {
    let kind = keys::find(key).map(|k| k.kind);
    let one = |word: &str| -> Value {
        match kind {
            Ok(ValueKind::Int(..)) => match word.parse::<i64>() {
                Ok(n) => n.into(),
                Err(_) => word.into(),
            },
            // As typed: 2e-5 stays 2e-5.
            Ok(ValueKind::Float(..)) => match word.parse::<Value>() {
                Ok(value) if value.is_float() || value.is_integer() => value,
                _ => word.into(),
            },
            Ok(ValueKind::Flag) => match word {
                "true" => true.into(),
                "false" => false.into(),
                _ => word.into(),
            },
            // `trials`, `search` and `sweep_seed` are no keys of a run.
            Err(_) => word.parse::<i64>().map_or_else(|_| word.into(), Value::from),
            Ok(_) => word.into(),
        }
    };
    let is_list = words.contains(',') && !words.contains(['\\', '(']);
    match kind {
        Ok(kind) if kind.owns_commas(words) => words.into(),
        _ if is_list => Value::Array(words.split(',').map(|w| one(w.trim())).collect::<Array>()),
        _ => one(words),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
        list.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn a_saved_sweep_reads_back_and_comments_stay() {
        let folder = tempfile::tempdir().unwrap();
        let board = Board::init(folder.path()).unwrap();
        let before = fs::read_to_string(board.config_file()).unwrap();
        let given = pairs(&[
            ("model", "minilm"),
            ("data", r"data/a\,b.csv"),
            ("lr", "2e-5,5e-5"),
            ("dropout", "uniform(0,0.3)"),
            ("split", "0.7,0.2,0.1"),
            ("seed", "0..4"),
            ("stratify", "true"),
            ("trials", "20"),
        ]);
        board.save_sweep("first-one", &given).unwrap();
        let after = fs::read_to_string(board.config_file()).unwrap();
        assert!(after.starts_with(&before), "{after}");
        assert!(
            after.contains("[sweeps.first-one]") && after.contains("lr = [2e-5, 5e-5]"),
            "{after}"
        );
        let read = Board::open(folder.path()).unwrap().config.sweeps["first-one"].clone();
        let mut wanted = given.clone();
        wanted.sort();
        let mut got = read;
        got.sort();
        assert_eq!(got, wanted);
    }

    #[test]
    fn nothing_is_written_over_and_no_odd_name_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        let board = Board::init(folder.path()).unwrap();
        board.save_sweep("a", &pairs(&[("lr", "1e-5")])).unwrap();
        let before = fs::read_to_string(board.config_file()).unwrap();
        for (name, want) in
            [("a", "already"), ("", "no name"), ("x.y", "no name"), ("a]\n", "no name")]
        {
            let error = board.save_sweep(name, &pairs(&[("lr", "1e-5")])).unwrap_err().to_string();
            assert!(error.contains(want), "{error}");
        }
        assert_eq!(fs::read_to_string(board.config_file()).unwrap(), before);
        board.save_view("good", "acc>0.9 -state:failed").unwrap();
        let views = Board::open(folder.path()).unwrap().config.views;
        assert_eq!(views["good"], "acc>0.9 -state:failed");
        for place in ["beside", "none"] {
            board.save_setting("preview", place).unwrap();
            assert_eq!(Board::open(folder.path()).unwrap().config.tui.preview, place);
        }
        assert!(board.save_setting("preview", "above").is_err());
        for columns in ["id,name=40,lr", "id,val/acc", ""] {
            board.save_columns("all", columns).unwrap();
            board.save_columns("good", "id,disk").unwrap();
            let kept = Board::open(folder.path()).unwrap().config.tui.columns;
            assert_eq!((&*kept["all"], &*kept["good"]), (columns, "id,disk"));
        }
        assert!(board.save_columns("all", "id,colour").is_err());
        let error = board.save_view("bad", "acc>").unwrap_err().to_string();
        assert!(error.contains("Column"), "{error}");
    }
}

//! The text that filters search: one per run, in lower case, one part per line: the name, the tags, keys as
//! `key=value`, the note. Keys without a value are left out, and later keys at the value that older runs have: a
//! word that is also the name of such a key must not find every run.

use rusqlite::{Connection, Result};

use crate::spec::keys::{KEYS, Key};
use crate::spec::{RunId, RunSpec, printable};

/// The longest name and tag that are stored.
pub(super) const NAME: usize = 200;
pub(super) const TAG: usize = 60;

pub(super) fn text(name: &str, spec: &RunSpec, tags: &[String], note: &str) -> String {
    let mut text = format!("{name}\n{}", tags.join("\n"));
    for key in KEYS {
        let value = (key.get)(spec);
        let is_as_ever = key.since > 0 && value == key.frozen;
        if !value.is_empty() && !is_as_ever {
            // A path may hold a line break.
            text.extend(["\n", key.name, "=", &printable(&value, usize::MAX)]);
        }
    }
    // Notes have lines of their own.
    text.extend(["\n", &printable(note, usize::MAX)]);
    text.to_lowercase()
}

/// The value of one key in such a text.
pub(super) fn value<'a>(text: &'a str, key_equals: &str) -> Option<&'a str> {
    let written = text.split('\n').skip(1).find_map(|line| line.strip_prefix(key_equals));
    let is_left_out = |key: &&Key| {
        key.since > 0 && !key.frozen.is_empty() && key_equals.strip_suffix('=') == Some(key.name)
    };
    written.or_else(|| KEYS.iter().find(is_left_out).map(|key| key.frozen))
}

/// Updates the text of a run after its name, tags or note changed.
pub(super) fn renew(db: &Connection, id: RunId) -> Result<usize> {
    let (name, spec, tags, note) = db
        .prepare_cached("SELECT name, spec, tags, note FROM run WHERE id = ?1")?
        .query_row([id.0], |r| {
            let spec = super::rows::spec(&r.get::<_, String>(1)?);
            let tags: Vec<String> =
                serde_json::from_str(&r.get::<_, String>(2)?).unwrap_or_default();
            Ok((r.get::<_, String>(0)?, spec, tags, r.get::<_, String>(3)?))
        })?;
    db.prepare_cached("UPDATE words SET text = ?2 WHERE run = ?1")?
        .execute((id.0, text(&name, &spec, &tags, &note)))
}

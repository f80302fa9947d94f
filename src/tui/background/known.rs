use std::collections::{BTreeMap, BTreeSet};

use crate::board::Board;
use crate::spec::keys::{KEYS, ValueKind};
use crate::store::{Listing, Reader, StoreError};

/// Values that the board holds, by key; for `metric` the names of metrics.
pub type Known = BTreeMap<String, Vec<String>>;

/// Runs whose values are proposed: the newest.
const RUNS: usize = 2000;
/// Values kept of a key.
const VALUES: usize = 200;

/// What the board's runs hold, for the completion of a query; nothing without a database.
pub fn known(board: &Board) -> Known {
    read(board).unwrap_or_default()
}

fn read(board: &Board) -> Result<Known, StoreError> {
    let reader = Reader::open(&board.database())?;
    let listing = Listing { archived: true, descending: true, ..Listing::default() };
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for run in reader.runs(&reader.first_ids(&listing, RUNS)?)? {
        let mut add = |key: &str, value: String| {
            let values = found.entry(key.to_owned()).or_default();
            if !value.is_empty() && values.len() < VALUES {
                values.insert(value);
            }
        };
        run.tags.iter().for_each(|tag| add("tag", tag.clone()));
        run.sweep.iter().for_each(|sweep| add("sweep", sweep.to_string()));
        run.last.keys().for_each(|metric| add("metric", metric.clone()));
        for key in KEYS
            .iter()
            .filter(|k| matches!(k.kind, ValueKind::Text | ValueKind::Path | ValueKind::Columns))
        {
            add(key.name, (key.get)(&run.spec));
        }
    }
    Ok(found.into_iter().map(|(key, values)| (key, values.into_iter().collect())).collect())
}

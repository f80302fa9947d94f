use std::sync::Arc;

use super::cells::{key_text, tags_of};
use crate::spec::{IGNORED, Task};
use crate::store::Run;
use crate::tui::labels::{site, state};
use crate::tui::snapshot::{Measured, Snapshot};
use crate::tui::text;

/// What columns need to know of all loaded rows.
pub fn measured(snap: &Snapshot) -> &Measured {
    snap.list.rows.measured(|rows| {
        let widest = |of: &dyn Fn(&Run) -> usize| {
            rows.iter().map(|run| of(run)).max().unwrap_or(0).min(usize::from(u16::MAX)) as u16
        };
        let varied = snap.list.varied.iter();
        Measured {
            name: widest(&|run| text::width(&run.name)),
            site: widest(&|run| text::width(site::of(run))),
            epoch: widest(&|run| state::epoch_words(run).len()),
            flags: widest(&|run| run.flags.iter().map(|flag| flag.to_string().len() + 1).sum()),
            tags: widest(&|run| text::width(&tags_of(run, true))),
            note: widest(&|run| text::width(&run.note)),
            keys: varied.map(|key| (*key, of_key(key, rows))).collect(),
            last: rows.iter().flat_map(|run| run.last.keys()).cloned().collect(),
            best: rows.iter().flat_map(|run| run.best.keys()).cloned().collect(),
            is_any_live: rows.iter().any(|run| run.state.is_live()),
            is_any_elsewhere: rows.iter().any(|run| site::of(run) != site::HERE),
            is_any_tagger: rows.iter().any(|run| run.spec.task == Task::Tag),
        }
    })
}

/// How wide the values of a key are, and whether all are numbers.
pub fn key(key: &'static str, snap: &Snapshot) -> (u16, bool) {
    let known = measured(snap).keys.get(key).copied();
    known.unwrap_or_else(|| of_key(key, &snap.list.rows))
}

fn of_key(key: &'static str, rows: &[Arc<Run>]) -> (u16, bool) {
    rows.iter().fold((0, true), |(width, is_number), run| {
        let value = key_text(key, run);
        let number = value.is_empty() || value == IGNORED || value.parse::<f64>().is_ok();
        (width.max(text::width(&value).min(1000) as u16), is_number && number)
    })
}

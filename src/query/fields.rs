//! The names that may stand before an operator.

use crate::spec::keys::{KEYS, ValueKind};
use crate::spec::metrics::val;
use crate::spec::nearest;

use super::term::{Number, Text};

/// The words of `state:`.
pub const STATES: [&str; 13] = [
    "queued", "starting", "running", "stopping", "ended", "done", "failed", "stopped", "pruned",
    "lost", "held", "live", "testing",
];

/// Short names of the metrics that are asked for most.
pub(super) const SHORT: [(&str, &str); 3] =
    [("acc", val::ACC), ("f1", val::F1), ("loss", val::LOSS)];

/// Names that are neither keys of a run nor metrics, with what they mean.
pub(super) const NAMES: [(&str, &str); 14] = [
    ("state", "what a run is doing, or how it ended"),
    ("flag", "what went wrong: diverged, nan, one_class, below_majority"),
    ("since", "queued since then: 7d, 2026-01-05"),
    ("tag", "a tag, whole"),
    ("name", "part of the name"),
    ("note", "part of the note"),
    ("id", "a number, as r12 or r3..r9"),
    ("sweep", "a sweep, as s3"),
    ("before", "queued before then"),
    ("epoch", "epochs done"),
    ("time", "time on a device, over all attempts: 90s, 5m, 2h"),
    ("archived", "yes, no or any"),
    ("view", "a query saved under [views]"),
    ("outcome", "the same as state"),
];

/// What a name means.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Field {
    Number(Number),
    Text(Text),
    State,
    Flag,
    Tag,
    Id,
    Sweep,
    Since,
    Before,
    Archived,
    View,
}

/// The field of that name, or the name that may have been meant.
pub(super) fn find(name: &str) -> Result<Field, Option<String>> {
    let (plain, last) = match name.rsplit_once('.') {
        Some((plain, "last")) => (plain, Some(true)),
        Some((plain, "best")) => (plain, Some(false)),
        _ => (name, None),
    };
    let short = SHORT.iter().find(|(short, _)| *short == plain).map(|(_, full)| *full);
    if let Some(metric) = short.or_else(|| plain.contains('/').then_some(plain)) {
        let metric = metric.to_owned();
        return Ok(Field::Number(Number::Metric { name: metric, last: last.unwrap_or(false) }));
    }
    if last.is_some() {
        return Err(None);
    }
    Ok(match name {
        "state" | "outcome" => Field::State,
        "flag" => Field::Flag,
        "tag" => Field::Tag,
        "name" => Field::Text(Text::Name),
        "note" => Field::Text(Text::Note),
        "id" => Field::Id,
        "sweep" => Field::Sweep,
        "since" => Field::Since,
        "before" => Field::Before,
        "epoch" => Field::Number(Number::Epoch),
        "time" => Field::Number(Number::Seconds),
        "archived" => Field::Archived,
        "view" => Field::View,
        key => match KEYS.iter().find(|k| k.name == key) {
            Some(key) if matches!(key.kind, ValueKind::Int(..) | ValueKind::Float(..)) => {
                Field::Number(Number::Key(key.name))
            }
            Some(key) => Field::Text(Text::Key(key.name)),
            None => return Err(nearest(key, all())),
        },
    })
}

/// Every name, in the order in which they are proposed.
pub(super) fn all() -> impl Iterator<Item = &'static str> {
    let short = SHORT.iter().map(|(short, _)| *short);
    let names = NAMES.iter().map(|(name, _)| *name);
    short.chain(names).chain(KEYS.iter().map(|key| key.name))
}

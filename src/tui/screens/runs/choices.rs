//! What the table can be sorted and folded by.

use super::columns;
use super::measured::measured;
use crate::spec::keys::KEYS;
use crate::spec::metrics::{heading, higher_is_better, test, val};
use crate::store::Sort;
use crate::tui::snapshot::{GroupBy, Snapshot};
use crate::tui::view::View;

/// What the table can be sorted by, with the title people know it by.
pub fn sort_choices(snap: &Snapshot, view: &View) -> Vec<(String, Sort)> {
    let mut choices: Vec<(String, Sort)> = vec![
        ("newest".into(), Sort::Id),
        ("state".into(), Sort::State),
        ("name".into(), Sort::Name),
    ];
    let best = |name: &str| (format!("best {}", heading(name)), Sort::Best(name.into()));
    choices.extend([val::ACC, val::F1, val::LOSS].map(best));
    let last = |name: &str| (format!("last {}", heading(name)), Sort::Last(name.into()));
    choices.extend([val::ACC, val::LOSS].map(last));
    let test = |name: &str| (heading(name), Sort::Last(name.into()));
    choices.extend([test::ACC, test::F1].map(test));
    choices.push(("time".into(), Sort::Duration));
    let rest = KEYS.iter().map(|k| k.name).filter(|key| !snap.list.varied.contains(key));
    let keys = snap.list.varied.iter().copied().chain(rest);
    choices.extend(keys.map(|key| (key.to_owned(), Sort::Key(key.into()))));
    for name in &measured(snap).best {
        let sort = Sort::Best(name.clone());
        if !choices.iter().any(|(_, s)| *s == sort || *s == Sort::Last(name.clone())) {
            choices.push((format!("best {name}"), sort));
        }
    }
    let chosen = view.chosen_columns().unwrap_or_default();
    for column in chosen.iter().map(|chosen| &chosen.column) {
        if let Some(sort) = columns::sort(column)
            && !choices.iter().any(|(_, known)| *known == sort)
        {
            choices.push((column.title(), sort));
        }
    }
    choices
}

/// Sorts by a column, best first; by the same one again, turned round.
pub fn sort_by(sort: Sort, view: &mut View) {
    let r = &mut view.runs;
    if r.sort == sort {
        r.descending = !r.descending;
    } else {
        r.descending = match &sort {
            Sort::Id | Sort::Duration => true,
            Sort::Best(metric) | Sort::Last(metric) => higher_is_better(metric),
            Sort::Name | Sort::State | Sort::Key(_) => false,
        };
        r.sort = sort;
    }
    // The best row is what one sorts for.
    (r.cursor, r.top, r.at) = (0, 0, None);
}

/// What rows can be folded by, with the words for it: every key, those that differ first.
pub fn group_choices(snap: &Snapshot) -> Vec<(String, GroupBy)> {
    let mut choices = vec![
        ("not at all".to_owned(), GroupBy::None),
        ("sweep".to_owned(), GroupBy::Sweep),
        ("all but the seed".to_owned(), GroupBy::Seeds),
    ];
    let varied = snap.list.varied.iter().copied();
    let rest = KEYS.iter().map(|k| k.name).filter(|key| !snap.list.varied.contains(key));
    choices.extend(varied.chain(rest).map(|key| (key.to_owned(), GroupBy::Key(key))));
    choices
}

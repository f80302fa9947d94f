use std::collections::BTreeSet;
use std::sync::Arc;

use super::choices::{group_choices, sort_choices};
use super::columns;
use super::cursor::mark;
use super::preview::next;
use super::welcome;
use crate::spec::RunId;
use crate::tui::command::Effect;
use crate::tui::keys::Does::{Act, Go, Set};
use crate::tui::keys::{Action, COMPARE, OF_RUNS, SWEEP, actions};
use crate::tui::screen::About;
use crate::tui::snapshot::{GroupBy, Snapshot};
use crate::tui::view::{Popup, Prompt, ScreenId, View};

/// What this screen is.
pub static ABOUT: About = About {
    id: ScreenId::RUNS,
    title: "Runs",
    tab: Some(&GO),
    under: ScreenId::RUNS,
    keys: &[
        &[
            &OPEN, &FILTER, &COMPARE, &SWEEP, &SORT, &REVERSE, &GROUP, &VIEWS, &SAVE_VIEW, &MARK,
            &MARK_ALL, &PREVIEW,
        ],
        OF_RUNS,
        &[&COLUMNS, &COLUMNS_LEFT, &COLUMNS_RIGHT, &SHOW_ARCHIVED],
    ],
};

actions! {
    OPEN "open" "enter", "open", "Open the run, or show the runs of the group", Act(open);
    FILTER "filter" "/", "filter", "Show only some runs: words, acc>0.9 lr<3e-5 tag:best since:7d",
        Set(|view, _| view.prompt(Prompt::Filter, &view.runs.filter.clone()));
    SORT "sort" "s", "sort", "Choose the column to sort by", Set(|view, snap| {
        let at = sort_choices(snap, view).iter().position(|(_, s)| *s == view.runs.sort);
        view.popup = Some(Popup::Sort(at.unwrap_or(0)));
    });
    REVERSE "reverse" "S", "", "Turn the order round",
        Set(|view, _| view.runs.descending = !view.runs.descending);
    GROUP "group" "g", "group", "Fold rows by sweep, by all but the seed, or by any key",
        Set(|view, snap| {
            let at = group_choices(snap).iter().position(|(_, by)| *by == view.runs.group);
            view.popup = Some(Popup::Group(at.unwrap_or(0)));
        });
    VIEWS "views" "V", "", "Saved queries", Set(|view, _| view.popup = Some(Popup::Views(0)));
    SAVE_VIEW "save-view" "ctrl-s", "", "Save the query under [views] in config.toml",
        Set(|view, _| {
            if view.runs.filter.is_empty() || view.runs.wrong.is_some() {
                view.refuse("Type a query with / first; it is saved as it stands.");
            } else {
                view.prompt(Prompt::ViewName, "");
            }
        });
    MARK "mark" "space", "mark", "Mark the run; keys below then act on all marked runs", Set(mark);
    MARK_ALL "mark-all" "*", "", "Mark every row shown, or none", Set(|view, snap| {
        let all: BTreeSet<RunId> = snap.list.ids.iter().copied().collect();
        view.runs.marks = if view.runs.marks.is_superset(&all) { BTreeSet::new() } else { all };
    });
    PREVIEW "preview" "z", "", "The run under the cursor below the table, beside it, or not at all",
        Act(|view, _| Some(next(view)));
    COLUMNS "columns" "o", "columns", "Choose the columns, their order and width; any key, any figure",
        Set(columns::choose);
    COLUMNS_LEFT "columns-left" "left", "", "Scroll to the columns at the left",
        Set(|view, snap| columns::turn(view, snap, -1));
    COLUMNS_RIGHT "columns-right" "right", "", "Scroll to the columns that have no room",
        Set(|view, snap| columns::turn(view, snap, 1));
    SHOW_ARCHIVED "show-archived" "H", "", "Show archived runs too",
        Set(|view, _| view.runs.archived = !view.runs.archived);
    GO "go-runs" "1", "", "The runs screen", Go(ScreenId::RUNS);
}

fn open(view: &mut View, snap: &Snapshot) -> Option<Effect> {
    if welcome::is_shown(view, snap) {
        return welcome::enter(view, snap);
    }
    if let Some(groups) = &snap.list.groups {
        let group = groups.get(view.runs.cursor)?;
        view.runs.only = Some((group.label.clone(), Arc::clone(&group.members)));
        view.runs.group = GroupBy::None;
        view.move_to_row(0, snap);
        view.runs.top = 0;
        return None;
    }
    view.show(*snap.list.ids.get(view.runs.cursor)?);
    view.go(ScreenId::RUN);
    None
}

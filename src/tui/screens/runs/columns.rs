//! Which columns the table has, how wide each is, and which of them are in view.

use ratatui::layout::Rect;

use super::measured::{self, measured};
use super::preview::regions;
use crate::spec::keys::{self, KEYS};
use crate::spec::metrics::{test, train, val};
use crate::spec::{ChosenColumn, LIST_COLUMNS, ListColumn};
use crate::store::{Run, SPARK, Sort};
use crate::tui::labels::site;
use crate::tui::layout::parts;
use crate::tui::line::Line;
use crate::tui::snapshot::Snapshot;
use crate::tui::text;
use crate::tui::view::{ColumnsPopup, Popup, View};
use crate::tui::widgets::table::{Column, Placed, place, scroll};

/// The columns that are in view, and how many are not on either side.
pub struct Shown {
    /// With their places.
    pub placed: Vec<Placed<ListColumn>>,
    /// Scrolled past.
    pub before: usize,
    /// Without room.
    pub after: usize,
}

/// What a click on the title sorts by.
pub fn sort(column: &ListColumn) -> Option<Sort> {
    Some(match column {
        ListColumn::State => Sort::State,
        ListColumn::Id | ListColumn::Created => Sort::Id,
        ListColumn::Name => Sort::Name,
        ListColumn::Key(key) => Sort::Key((*key).into()),
        ListColumn::Best(metric) => Sort::Best(metric.clone()),
        ListColumn::Last(_) if column.at_epoch().is_some() => return None,
        ListColumn::Last(metric) => Sort::Last(metric.clone()),
        ListColumn::Speed => Sort::Last(train::EXAMPLES_PER_S.into()),
        ListColumn::Time => Sort::Duration,
        ListColumn::Site => Sort::Key("site".into()),
        ListColumn::Epoch
        | ListColumn::Curve
        | ListColumn::Tags
        | ListColumn::Note
        | ListColumn::Flags
        | ListColumn::Disk => return None,
    })
}

/// The columns that fit into the table, from the one on that it is scrolled to.
pub fn shown(snap: &Snapshot, view: &View, area: Rect) -> Shown {
    let gap = if area.width >= 100 { 2 } else { 1 };
    let room = area.width.saturating_sub(4);
    let columns = all(snap, view, area.width);
    let count = columns.len();
    if view.runs.left == 0 && view.chosen_columns().is_none() {
        let placed = place(columns, room, gap);
        let after = count - placed.len();
        return Shown { placed, before: 0, after };
    }
    // What a row is known by stays in view.
    let is_frozen = |column: &&Column<_>| matches!(column.kind, ListColumn::Id | ListColumn::State);
    let frozen = columns.iter().take_while(is_frozen).count();
    let (placed, before, after) = scroll(columns, frozen, view.runs.left, room, gap);
    Shown { placed, before, after }
}

/// Scrolls so many columns to the right.
pub fn turn(view: &mut View, snap: &Snapshot, by: isize) {
    let (area, _) = regions(parts(view.area, snap).body, view);
    let now = shown(snap, view, area);
    if by > 0 && now.after == 0 {
        return;
    }
    view.runs.left = now.before.saturating_add_signed(by);
}

/// All columns of the table in their order, as wide as their contents.
pub fn all(snap: &Snapshot, view: &View, room: u16) -> Vec<Column<ListColumn>> {
    let natural = Natural { snap, view, wide: room >= 120 };
    let Some(chosen) = view.chosen_columns() else { return natural.automatic() };
    let one = |chosen: &ChosenColumn| {
        let column = natural.column(chosen.column.clone(), 0);
        match chosen.width {
            Some(width) => Column { width, most: width, ..column },
            None => column,
        }
    };
    chosen.iter().map(one).collect()
}

/// Opens the list in which columns are chosen: those that are shown first, then all others.
pub fn choose(view: &mut View, snap: &Snapshot) {
    if snap.list.groups.is_some() {
        return view.refuse("Folded rows have columns of their own; esc unfolds them.");
    }
    let natural = || all(snap, view, view.area.width).into_iter();
    let automatic = || natural().map(|c| ChosenColumn { column: c.kind, width: None }).collect();
    let chosen: Vec<ChosenColumn> = view.chosen_columns().map_or_else(automatic, <[_]>::to_vec);
    let rest = known(snap).into_iter().filter(|column| chosen.iter().all(|c| c.column != *column));
    let rest = rest.map(|column| (ChosenColumn { column, width: None }, false));
    let rows = chosen.iter().cloned().map(|column| (column, true)).chain(rest).collect();
    let before = view.columns.get(view.columns_name()).cloned();
    let popup = ColumnsPopup { line: Line::default(), at: 0, rows, before };
    view.popup = Some(Popup::Columns(popup));
}

/// How wide the column is if nothing is said of it.
pub fn natural_width(column: &ListColumn, snap: &Snapshot, view: &View) -> u16 {
    let natural = Natural { snap, view, wide: view.area.width >= 120 };
    natural.column(column.clone(), 0).width
}

/// Everything that may be a column: words, keys that differ and figures that are there first, then the other keys.
pub fn known(snap: &Snapshot) -> Vec<ListColumn> {
    let varied = snap.list.varied.iter().copied();
    let named = measured(snap).last.iter().filter(|name| !name.contains('@'));
    let figures = named.flat_map(|name| {
        let best = (!name.starts_with("test/")).then(|| ListColumn::Best(name.clone()));
        best.into_iter().chain([ListColumn::Last(name.clone())])
    });
    let rest = KEYS.iter().map(|key| key.name).filter(|key| !snap.list.varied.contains(key));
    let words = LIST_COLUMNS.into_iter().map(|(_, column)| column);
    let words = words.chain(varied.map(ListColumn::Key)).chain(figures);
    words.chain(rest.map(ListColumn::Key)).collect()
}

/// Columns as wide as what the loaded rows have.
struct Natural<'a> {
    snap: &'a Snapshot,
    view: &'a View,
    wide: bool,
}

impl Natural<'_> {
    fn has(&self, metric: &str) -> bool {
        measured(self.snap).last.contains(metric)
    }

    /// Width, the width it may grow to, and whether it ends at the right.
    fn width(&self, column: &ListColumn, title: &str) -> (u16, u16, bool) {
        let title = text::width(title) as u16;
        let fixed = |width: u16, right| (width, width, right);
        let widest = measured(self.snap);
        match column {
            ListColumn::State => fixed(10, false),
            ListColumn::Id => {
                let last = self.snap.list.ids.iter().skip(self.view.runs.top).take(200).max();
                fixed(last.map_or(3, |id| id.to_string().len() as u16).max(3), false)
            }
            ListColumn::Name => {
                let most = widest.name.clamp(8, 48);
                (most.min(if self.wide { 30 } else { 21 }), most, false)
            }
            ListColumn::Site => fixed(widest.site.clamp(4, 12), false),
            ListColumn::Key(key) => {
                let (width, is_number) = measured::key(key, self.snap);
                fixed(width.clamp(1, 16).max(title), is_number)
            }
            ListColumn::Epoch => fixed(self.epoch(), false),
            ListColumn::Best(_) | ListColumn::Last(_) | ListColumn::Speed => {
                fixed(title.clamp(7, 20), true)
            }
            ListColumn::Curve => (if self.wide { 14 } else { 5 }, SPARK as u16, false),
            ListColumn::Time => fixed(5, true),
            ListColumn::Disk => fixed(8, true),
            ListColumn::Created => fixed(11, false),
            ListColumn::Flags => fixed(widest.flags.clamp(5, 24), false),
            ListColumn::Tags => {
                let most = widest.tags.clamp(4, 40);
                (most.min(10), most, false)
            }
            ListColumn::Note => {
                let most = widest.note.clamp(4, 60);
                (most.min(16), most, false)
            }
        }
    }

    fn epoch(&self) -> u16 {
        let rows = &self.snap.list.rows;
        let live = measured(self.snap).is_any_live;
        let waits = |run: &Run| run.epoch == 0.0 && site::progress(run.id, self.snap).is_some();
        match (live, self.wide) {
            (true, true) if rows.iter().any(|run| waits(run)) => 29,
            (true, true) => 21,
            (true, false) => 14,
            (false, _) => measured(self.snap).epoch.max(5),
        }
    }

    fn column(&self, kind: ListColumn, rank: u8) -> Column<ListColumn> {
        let title = kind.title();
        let (width, most, right) = self.width(&kind, &title);
        Column { kind, title, width, most, right, rank }
    }

    /// A figure, under a title that says enough where the table chooses its columns.
    fn figure(&self, kind: ListColumn, title: &str, width: u16, rank: u8) -> Column<ListColumn> {
        Column { title: title.to_owned(), width, most: width, ..self.column(kind, rank) }
    }

    /// The columns that the rows have something for.
    fn automatic(&self) -> Vec<Column<ListColumn>> {
        let rows = measured(self.snap);
        let mut columns = vec![
            self.column(ListColumn::State, 0),
            self.column(ListColumn::Id, 0),
            self.column(ListColumn::Name, 1),
        ];
        if rows.is_any_elsewhere {
            columns.push(self.column(ListColumn::Site, 5));
        }
        // The spec's keys may be told by the name already: they go first when room is short, the last
        // of them before the first.
        for (i, key) in self.snap.list.varied.iter().enumerate() {
            let Some(known) = KEYS.iter().find(|known| known.name == *key) else { continue };
            if rows.is_any_elsewhere && known.name == "site" {
                continue;
            }
            // Paths are long and often told by the name: shorter columns stay before them.
            let path = matches!(known.kind, keys::ValueKind::Path);
            let rank = 8 + i as u8 + if path { 12 } else { 0 };
            columns.push(self.column(ListColumn::Key(key), rank));
        }
        columns.push(self.column(ListColumn::Epoch, 2));
        let last = |metric: &str| ListColumn::Last(metric.to_owned());
        if rows.is_any_live && self.has(train::STEP_LOSS) {
            // What moves while the first epoch is still under way.
            columns.push(self.column(last(train::STEP_LOSS), 9));
        }
        self.scores(&mut columns);
        if self.has(val::LOSS) {
            columns.push(self.column(last(val::LOSS), 4));
            columns.push(self.column(ListColumn::Curve, 4));
        }
        if self.has(test::ACC) {
            columns.push(self.column(last(test::ACC), 5));
        }
        columns.push(self.column(ListColumn::Time, 7));
        if rows.tags > 0 {
            columns.push(self.column(ListColumn::Tags, 17));
        }
        columns
    }

    /// The score of each task that there is.
    fn scores(&self, columns: &mut Vec<Column<ListColumn>>) {
        let tags = measured(self.snap).is_any_tagger;
        for (metric, last, width, best) in [
            (val::ACC, "val acc", 7, "best acc"),
            (val::PEARSON, "Pearson", 8, "best r"),
            (val::MICRO_F1, "micro f1", 8, "best f1"),
            (val::F1, "val f1", 7, "best f1"),
        ] {
            if self.has(metric) && (metric != val::F1 || tags) {
                columns.push(self.figure(ListColumn::Last(metric.into()), last, width, 6));
                columns.push(self.figure(ListColumn::Best(metric.into()), best, 8, 3));
            }
        }
    }
}

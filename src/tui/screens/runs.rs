//! The table of all runs, or of groups of them.

mod cells;
mod filter;
mod groups;

use std::collections::BTreeSet;

use ratatui::layout::Rect;

use self::cells::Kind;
use crate::spec::keys::KEYS;
use crate::store::{Counts, Sort, higher_is_better};
use crate::tui::canvas::{Canvas, Target};
use crate::tui::draw;
use crate::tui::snapshot::Snapshot;
use crate::tui::text;
use crate::tui::view::View;
use crate::tui::widgets::table::{Placed, place};

/// Rows of the table that fit.
pub fn page(area: Rect, snap: &Snapshot) -> usize {
    let body = draw::parts(area, snap).body;
    usize::from(body.height.saturating_sub(2))
}

/// What the table can be sorted by, with the title people know it by.
pub fn sort_choices(snap: &Snapshot) -> Vec<(String, Sort)> {
    let mut choices: Vec<(String, Sort)> = vec![
        ("newest".into(), Sort::Id),
        ("state".into(), Sort::State),
        ("name".into(), Sort::Name),
        ("best val acc".into(), Sort::Best("val/acc".into())),
        ("best val f1".into(), Sort::Best("val/f1".into())),
        ("best val loss".into(), Sort::Best("val/loss".into())),
        ("last val acc".into(), Sort::Last("val/acc".into())),
        ("last val loss".into(), Sort::Last("val/loss".into())),
        ("test acc".into(), Sort::Last("test/acc".into())),
        ("test f1".into(), Sort::Last("test/f1".into())),
        ("time".into(), Sort::Duration),
    ];
    let rest = KEYS.iter().map(|k| k.name).filter(|key| !snap.list.varied.contains(key));
    let keys = snap.list.varied.iter().copied().chain(rest);
    choices.extend(keys.map(|key| (key.to_owned(), Sort::Key(key.into()))));
    let metrics: BTreeSet<&String> = snap.list.rows.iter().flat_map(|r| r.best.keys()).collect();
    for name in metrics {
        let sort = Sort::Best(name.clone());
        if !choices.iter().any(|(_, s)| *s == sort || *s == Sort::Last(name.clone())) {
            choices.push((format!("best {name}"), sort));
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

/// What an empty board says.
pub fn welcome() -> Vec<String> {
    [
        "No runs yet.",
        "",
        "Press N for the launch form, or leave with q and queue some:",
        "",
        "  tuneboard sweep model=minilm data=data/sms_spam.csv lr=2e-5,5e-5 epochs=1,2",
        "  tuneboard run model=minilm data=data/sms_spam.csv",
        "",
        "or see it work from nothing:",
        "",
        "  make demo",
        "",
        "They appear here as soon as they are queued.",
    ]
    .map(str::to_owned)
    .to_vec()
}

/// Draws the table, and over it what helps to type a query.
pub fn draw(canvas: &mut Canvas, area: Rect, snap: &Snapshot, view: &View) {
    table(canvas, area, snap, view);
    filter::help(canvas, area, snap, view);
}

fn table(canvas: &mut Canvas, area: Rect, snap: &Snapshot, view: &View) {
    let r = &view.runs;
    let nothing = snap.list.ids.is_empty() && snap.list.complete;
    if nothing && r.filter.is_empty() && r.only.is_none() && snap.counts == Counts::default() {
        return super::popups::message(canvas, area, &welcome());
    }
    // The line stays where nothing narrows the list: rows that moved with the first mark would be missed by the
    // second click.
    filter::draw(canvas, Rect { height: 1, ..area }, snap, view);
    let area = Rect { y: area.y + 1, height: area.height - 1, ..area };
    if let Some(groups) = &snap.list.groups {
        return groups::draw(canvas, area, groups, view);
    }
    if nothing {
        let words =
            ["No run matches.".to_owned(), String::new(), "esc shows all runs again.".into()];
        return super::popups::message(canvas, area, &words);
    }
    let gap = if area.width >= 100 { 2 } else { 1 };
    let room = area.width.saturating_sub(4);
    let columns = place(cells::columns(snap, view, area.width), room, gap);
    titles(canvas, area, &columns, snap, view);
    let top = area.y + 1;
    for line in 0..area.height.saturating_sub(1) {
        let at = r.top + usize::from(line);
        let Some(id) = snap.list.ids.get(at) else { break };
        let y = top + line;
        let row = Rect::new(area.x, y, area.width, 1);
        canvas.hit(row, Target::Row(at));
        canvas.hit(Rect { width: 2, ..row }, Target::Mark(at));
        if at == r.cursor {
            canvas.tint(row, canvas.theme.selected);
            canvas.dot(area.x, y, '▌', canvas.theme.accent);
        }
        if r.marks.contains(id) {
            canvas.dot(area.x + 1, y, '◆', canvas.theme.accent);
        }
        match snap.list.row(at) {
            Some(run) => {
                for p in &columns {
                    let at = Rect::new(area.x + 2 + p.x, y, p.width, 1);
                    cells::draw(canvas, at, &p.column.kind, run, snap);
                }
            }
            // Not loaded yet: the row fills in within a blink.
            None => {
                canvas.put(area.x + 2, y, 12, &format!("{id} …"), canvas.theme.faint);
            }
        }
    }
    position(canvas, area, snap, view);
}

fn titles(canvas: &mut Canvas, area: Rect, columns: &[Placed<Kind>], snap: &Snapshot, view: &View) {
    let theme = canvas.theme;
    let choices = sort_choices(snap);
    for p in columns {
        let sort = p.column.kind.sort();
        let sorted = sort.as_ref() == Some(&view.runs.sort);
        let (style, arrow) = match (sorted, view.runs.descending) {
            (true, true) => (theme.accent, "▾"),
            (true, false) => (theme.accent, "▴"),
            (false, _) => (theme.dim, ""),
        };
        let words = format!("{}{arrow}", text::fit(&p.column.title, usize::from(p.width)));
        let x = area.x + 2 + p.x;
        if p.column.right {
            // The arrow may hang over into the gap, so that numbers and title still align.
            let hang = u16::from(sorted);
            canvas.put_right(x + p.width + hang, area.y, p.width + hang, &words, style);
        } else {
            canvas.put(x, area.y, p.width + 1, &words, style);
        }
        if let Some(i) = choices.iter().position(|(_, s)| Some(s) == sort.as_ref()) {
            canvas.hit(Rect::new(x, area.y, p.width, 1), Target::Title(i));
        }
    }
}

/// A thin thumb at the right edge, where there is more than a page.
fn position(canvas: &mut Canvas, area: Rect, snap: &Snapshot, view: &View) {
    let rows = area.height.saturating_sub(1);
    let count = View::row_count(snap);
    if count <= usize::from(rows) || rows == 0 || area.width == 0 {
        return;
    }
    let size = (usize::from(rows) * usize::from(rows) / count).max(1) as u16;
    let most = count - usize::from(rows);
    let at = (view.runs.top.min(most) * usize::from(rows - size) / most) as u16;
    for i in 0..size {
        canvas.dot(area.right() - 1, area.y + 1 + at + i, '▐', canvas.theme.faint);
    }
}

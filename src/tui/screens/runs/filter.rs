use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};

use super::keys::{COLUMNS_RIGHT, FILTER};
use crate::tui::canvas::{Canvas, Target};
use crate::tui::figures;
use crate::tui::snapshot::{GroupBy, Snapshot};
use crate::tui::text;
use crate::tui::view::{Popup, Prompt, View};
use crate::tui::widgets::typed::typed;

/// The query, what else narrows the table, how many rows are left, and how many columns are out of view on either
/// side.
pub fn draw(
    canvas: &mut Canvas,
    area: Rect,
    (before, after): (usize, usize),
    snap: &Snapshot,
    view: &View,
) {
    let theme = canvas.theme;
    let r = &view.runs;
    let mut at = area.x + 2;
    let room = |at: u16| area.right().saturating_sub(at + 1);
    if let Some(Popup::Prompt(Prompt::Filter, line)) = &view.popup {
        at = canvas.put(at, area.y, room(at), "/ ", theme.accent);
        at = typed(canvas, at, area.y, room(at).min(60), line) + 2;
    } else if !r.filter.is_empty() {
        let style = if r.wrong.is_some() { theme.bad } else { theme.strong };
        at = query(canvas, at, area, &[("/ ", theme.accent), (&r.filter, style)]);
    } else {
        at = query(canvas, at, area, &[("/ ", theme.accent), ("all runs", theme.faint)]);
    }
    let mut chip = |at: u16, words: &str| {
        let words = format!(" {words} ");
        canvas.put(at, area.y, room(at).min(44), &words, theme.selected.patch(theme.accent)) + 1
    };
    if let Some((name, _)) = &r.only {
        at = chip(at, name);
    }
    match r.group {
        GroupBy::Sweep => at = chip(at, "by sweep"),
        GroupBy::Seeds => at = chip(at, "seeds folded"),
        GroupBy::Key(key) => at = chip(at, &format!("by {key}")),
        GroupBy::None => {}
    }
    if r.archived {
        at = chip(at, "with archived");
    }
    if !r.marks.is_empty() {
        at = chip(at, &format!("{} marked", figures::whole(r.marks.len() as u64)));
    }
    let narrowed = !r.filter.is_empty() || r.only.is_some() || !r.marks.is_empty();
    if (narrowed || r.group != GroupBy::None) && view.popup.is_none() && room(at) > 22 {
        let end = canvas.put(at, area.y, 3, "esc", theme.accent);
        let end = canvas.put(end + 1, area.y, 5, "clear", theme.dim);
        canvas.hit(Rect { x: at, width: end - at, ..area }, Target::Back);
        at = end + 2;
    }
    let count = snap.list.count();
    let what = if r.group == GroupBy::None { "run" } else { "group" };
    let more = if snap.list.complete { "" } else { "+" };
    let words = format!(
        "{}{more} {what}{}",
        figures::whole(count as u64),
        if count == 1 { "" } else { "s" }
    );
    if usize::from(room(at)) > words.len() {
        let end = canvas.put_right(area.right() - 1, area.y, room(at), &words, theme.dim);
        columns(canvas, Rect { x: at, width: end.saturating_sub(at + 2), ..area }, before, after);
    }
}

/// How many columns are out of view, and the keys that bring them.
fn columns(canvas: &mut Canvas, area: Rect, before: usize, after: usize) {
    let theme = canvas.theme;
    let side =
        |count: usize, arrow: &'static str| (count > 0).then(|| (arrow, format!(" {count} ")));
    let sides: Vec<_> = [side(before, "←"), side(after, "→")].into_iter().flatten().collect();
    let words = if before + after == 1 { "column" } else { "columns" };
    let width: usize = sides.iter().map(|(_, count)| 1 + text::width(count)).sum();
    let width = width + words.len();
    if sides.is_empty() || width + 2 > usize::from(area.width) {
        return;
    }
    let start = area.right() - width as u16;
    let mut at = start;
    for (arrow, count) in &sides {
        at = canvas.pieces(at, area.y, 9, &[(arrow, theme.accent), (count, theme.dim)]);
    }
    canvas.put(at, area.y, words.len() as u16, words, theme.dim);
    canvas.hit(Rect { x: start, width: width as u16, ..area }, Target::Do(&COLUMNS_RIGHT));
}

/// Writes the query; a click on it edits it.
fn query(canvas: &mut Canvas, at: u16, area: Rect, pieces: &[(&str, Style)]) -> u16 {
    let room = area.right().saturating_sub(at + 1);
    let end = canvas.pieces(at, area.y, room, pieces);
    canvas.hit(Rect { x: at, width: end.saturating_sub(at), ..area }, Target::Do(&FILTER));
    end + 2
}

/// Below the line, while it is typed: where the query is wrong, and how it may go on.
pub fn help(canvas: &mut Canvas, area: Rect, snap: &Snapshot, view: &View) {
    let Some(Popup::Prompt(Prompt::Filter, line)) = &view.popup else { return };
    let theme = canvas.theme;
    let completion = view.completion(line, snap);
    let wrong = view.runs.wrong.as_ref();
    let rows = completion.candidates.len() as u16 + if wrong.is_some() { 2 } else { 0 };
    if rows == 0 {
        return;
    }
    let place = Rect::new(area.x + 1, area.y + 1, area.width.saturating_sub(2).min(84), rows)
        .intersection(area);
    canvas.clear(place);
    canvas.hit(place, Target::Popup);
    let text_at = area.x + 4;
    let mut y = place.y;
    if let Some(error) = wrong {
        // Columns of the terminal, not characters: a wide one takes two.
        let head: String = line.text().chars().take(error.column.saturating_sub(1)).collect();
        let arrow = text_at + text::width(&head).min(usize::from(place.width)) as u16;
        canvas.put(arrow, y, 1, "^", theme.bad.add_modifier(Modifier::BOLD));
        canvas.put(text_at, y + 1, place.width.saturating_sub(4), &error.why, theme.bad);
        y += 2;
    }
    for (i, candidate) in completion.candidates.iter().enumerate() {
        if y >= place.bottom() {
            return;
        }
        let row = Rect { y, height: 1, ..place };
        canvas.hit(row, Target::Choice(i));
        if i == view.runs.candidate {
            canvas.tint(row, theme.selected);
            canvas.put_right(row.right() - 1, y, 5, "tab", theme.accent);
        }
        let end = canvas.put(text_at, y, 30, &candidate.text, theme.text).max(text_at + 18);
        let room = row.right().saturating_sub(end + 8);
        canvas.put(end + 2, y, room, &candidate.help, theme.dim);
        y += 1;
    }
}

//! What lies over a screen: help, commands, questions, a line to type; and messages in its place.

mod help;
mod lists;
mod pick;

use crossterm::event::KeyCode;
use ratatui::layout::Rect;
use ratatui::style::Modifier;

use super::runs::sort_choices;
use crate::tui::canvas::{Canvas, Target};
use crate::tui::draw::key_name;
use crate::tui::keys::Keymap;
use crate::tui::line::Line;
use crate::tui::popup::matching;
use crate::tui::snapshot::Snapshot;
use crate::tui::text;
use crate::tui::view::{Popup, Prompt, View};

/// Draws what lies over the screen, if anything does.
pub fn draw(canvas: &mut Canvas, area: Rect, snap: &Snapshot, view: &View, keymap: &Keymap) {
    match &view.popup {
        None | Some(Popup::Prompt(Prompt::Filter | Prompt::Field(_), _)) => {}
        Some(Popup::Pick(pick)) => pick::draw(canvas, area, pick, snap),
        Some(Popup::Help(top)) => help::draw(canvas, area, *top, view, keymap),
        Some(Popup::Palette(line, at)) => palette(canvas, area, line, *at, view, keymap),
        Some(Popup::Sort(at)) => sort(canvas, area, *at, snap, view),
        Some(Popup::Group(at)) => lists::group(canvas, area, *at, snap, view),
        Some(Popup::Views(at)) => lists::views(canvas, area, *at, view),
        Some(Popup::Confirm(question, _)) => confirm(canvas, area, question),
        Some(Popup::Prompt(prompt, line)) => {
            let title = match prompt {
                Prompt::Filter => "filter".to_owned(),
                Prompt::Tags(ids) => match ids.as_slice() {
                    [id] => format!("tags of {id}"),
                    _ => format!("tags of {} runs", ids.len()),
                },
                Prompt::Note(id) => format!("note on {id}, ctrl-o opens $EDITOR"),
                Prompt::Name(id) => format!("name of {id}"),
                Prompt::ViewName => "save the query as".to_owned(),
                Prompt::Class => "go to class".to_owned(),
                Prompt::Field(_) => String::new(),
                Prompt::SweepName => "name of the sweep".to_owned(),
            };
            let inner = over(canvas, area, 64, 3, &title, "enter keeps, esc leaves");
            typed(canvas, inner.x, inner.y, inner.width, line);
        }
    }
}

/// A cleared frame in the upper middle of the screen; returns the area inside.
fn over(
    canvas: &mut Canvas,
    area: Rect,
    width: u16,
    height: u16,
    title: &str,
    aside: &str,
) -> Rect {
    let width = width.min(area.width.saturating_sub(4));
    let height = height.min(area.height.saturating_sub(2));
    let frame = Rect::new(
        area.x + (area.width - width) / 2,
        area.y + (area.height - height) / 3,
        width,
        height,
    );
    // A column of air on either side keeps what lies below apart.
    canvas.clear(Rect { x: frame.x.saturating_sub(1), width: frame.width + 2, ..frame });
    canvas.hit(frame, Target::Popup);
    canvas.panel(frame, title, aside)
}

/// A line being typed, with a block where the next character goes; returns the column behind it.
pub fn typed(canvas: &mut Canvas, x: u16, y: u16, width: u16, line: &Line) -> u16 {
    let (head, tail) = line.split();
    // A long line is seen from its end.
    let head = text::fit_end(head, usize::from(width.saturating_sub(1))).into_owned();
    let at = canvas.put(x, y, width, &head, canvas.theme.strong);
    let mut chars = tail.chars();
    let under = chars.next().map_or(" ".to_owned(), String::from);
    let block = canvas.theme.text.add_modifier(Modifier::REVERSED);
    let end = canvas.put(at, y, (x + width).saturating_sub(at), &under, block);
    canvas.put(end, y, (x + width).saturating_sub(end), chars.as_str(), canvas.theme.strong)
}

/// Lines in the middle of an area. Those that begin with two spaces are commands.
pub fn message(canvas: &mut Canvas, area: Rect, lines: &[String]) {
    let theme = canvas.theme;
    let room = area.width.saturating_sub(4);
    let widest = lines.iter().map(|l| text::width(l)).max().unwrap_or(0) as u16;
    let x = area.x + area.width.saturating_sub(widest.min(room)) / 2;
    let mut y = area.y + area.height.saturating_sub(lines.len() as u16) / 3;
    for (i, line) in lines.iter().enumerate() {
        let style = match i {
            0 => theme.strong,
            _ if line.starts_with("  ") => theme.accent,
            _ => theme.dim,
        };
        for part in text::wrap(line, usize::from(room)) {
            if y < area.bottom() {
                canvas.put(x, y, room, &part, style);
            }
            y += 1;
        }
        y += u16::from(line.is_empty());
    }
}

fn confirm(canvas: &mut Canvas, area: Rect, question: &str) {
    let theme = canvas.theme;
    let width = (text::width(question) as u16 + 6).clamp(34, 76);
    let lines = text::wrap(question, usize::from(width.min(area.width.saturating_sub(4)) - 4));
    let inner = over(canvas, area, width, lines.len() as u16 + 4, "sure?", "");
    for (i, line) in lines.iter().enumerate() {
        canvas.put(inner.x, inner.y + i as u16, inner.width, line, theme.strong);
    }
    let y = inner.bottom().saturating_sub(1);
    let pieces =
        [("y", theme.accent), (" yes   ", theme.dim), ("n", theme.accent), (" no", theme.dim)];
    canvas.pieces(inner.x, y, inner.width, &pieces);
    canvas.hit(Rect::new(inner.x, y, 7, 1), Target::Press(KeyCode::Char('y')));
    canvas.hit(Rect::new(inner.x + 7, y, 6, 1), Target::Press(KeyCode::Char('n')));
}

fn sort(canvas: &mut Canvas, area: Rect, at: usize, snap: &Snapshot, view: &View) {
    let theme = canvas.theme;
    let choices = sort_choices(snap);
    let inner = over(canvas, area, 34, choices.len() as u16 + 2, "sort by", "S turns");
    let first = at.saturating_sub(usize::from(inner.height).saturating_sub(1));
    for (line, (i, (name, sort))) in choices.iter().enumerate().skip(first).enumerate() {
        let y = inner.y + line as u16;
        if y >= inner.bottom() {
            break;
        }
        if i == at {
            canvas.tint(Rect::new(inner.x - 1, y, inner.width + 2, 1), theme.selected);
        }
        canvas.hit(Rect::new(inner.x - 1, y, inner.width + 2, 1), Target::Choice(i));
        let current = *sort == view.runs.sort;
        canvas.put(inner.x, y, inner.width, name, if current { theme.accent } else { theme.text });
        if current {
            let way = if view.runs.descending { "▾ high first" } else { "▴ low first" };
            canvas.put_right(inner.right(), y, 14, way, theme.accent);
        }
    }
}

fn palette(canvas: &mut Canvas, area: Rect, line: &Line, at: usize, view: &View, keymap: &Keymap) {
    let theme = canvas.theme;
    let found = matching(line.text(), view, keymap);
    let rows = found.len().clamp(1, 14) as u16;
    let inner = over(canvas, area, 74, rows + 4, "commands", "enter does it");
    let x = canvas.put(inner.x, inner.y, 2, ": ", theme.accent);
    typed(canvas, x, inner.y, inner.width.saturating_sub(2), line);
    if found.is_empty() {
        canvas.put(inner.x, inner.y + 2, inner.width, "No command has these letters.", theme.dim);
    }
    let page = usize::from(inner.height.saturating_sub(2));
    let first = at.saturating_sub(page.saturating_sub(1));
    for (line, (i, binding)) in found.iter().enumerate().skip(first).take(page).enumerate() {
        let y = inner.y + 2 + line as u16;
        canvas.hit(Rect::new(inner.x - 1, y, inner.width + 2, 1), Target::Choice(i));
        if i == at {
            canvas.tint(Rect::new(inner.x - 1, y, inner.width + 2, 1), theme.selected);
        }
        canvas.put(inner.x, y, 15, binding.name, theme.text);
        canvas.put(inner.x + 16, y, inner.width.saturating_sub(26), binding.help, theme.dim);
        let key = key_name(keymap.key_of(binding.action));
        canvas.put_right(inner.right(), y, 9, &key, theme.accent);
    }
}

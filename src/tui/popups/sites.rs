use crossterm::event::{KeyCode, KeyEvent};
use ratatui::layout::Rect;

use super::frame::over;
use crate::spec::{Desired, RunId};
use crate::tui::canvas::{Canvas, Target};
use crate::tui::command::{Command, Effect};
use crate::tui::labels::site;
use crate::tui::snapshot::Snapshot;
use crate::tui::text;
use crate::tui::view::{Popup, View};

/// The sites by name: this machine first.
fn names(snap: &Snapshot) -> Vec<&str> {
    let elsewhere = snap.sites.iter().map(|known| known.name.as_str());
    std::iter::once(site::HERE).chain(elsewhere.filter(|name| *name != site::HERE)).collect()
}

/// Takes a key: holds a site or lets runs start there, or clears it.
pub fn press(key: KeyEvent, at: usize, view: &mut View, snap: &Snapshot) -> Option<Effect> {
    let names = names(snap);
    let last = names.len().saturating_sub(1);
    let to = match key.code {
        KeyCode::Up | KeyCode::Char('k') => at.saturating_sub(1),
        KeyCode::Down | KeyCode::Char('j') => (at + 1).min(last),
        KeyCode::Enter | KeyCode::Char(' ') => {
            let name = (*names.get(at)?).to_owned();
            let held = !snap.held.contains(&name);
            return Some(Effect::Do(Command::HoldSite(name, held, Vec::new())));
        }
        KeyCode::Char('d') => {
            let name = (*names.get(at)?).to_owned();
            let there = snap.live.iter().filter(|run| site::of(run) == name);
            let goes_on = there.filter(|run| run.desired == Desired::Run);
            let ids: Vec<RunId> = goes_on.map(|run| run.id).collect();
            return Some(Effect::Do(Command::HoldSite(name, true, ids)));
        }
        _ => return None,
    };
    view.popup = Some(Popup::Sites(to));
    None
}

/// Each site, whether it is held, and how it is.
pub fn draw(canvas: &mut Canvas, area: Rect, at: usize, snap: &Snapshot) {
    let theme = canvas.theme;
    let names = names(snap);
    let height = names.len() as u16 + 4;
    let inner = over(canvas, area, 72, height, "sites", "esc leaves");
    let widest = names.iter().map(|name| text::width(name)).max().unwrap_or(8);
    let width = (widest as u16).clamp(6, 24);
    let page = usize::from(inner.height.saturating_sub(2));
    let first = at.saturating_sub(page.saturating_sub(1));
    for (line, (i, name)) in names.iter().enumerate().skip(first).take(page).enumerate() {
        let y = inner.y + line as u16;
        let row = Rect::new(inner.x - 1, y, inner.width + 2, 1);
        canvas.hit(row, Target::Choice(i));
        if i == at {
            canvas.tint(row, theme.selected);
        }
        canvas.put(inner.x, y, width, name, theme.text);
        let (words, style) = if snap.held.contains(*name) {
            ("◇ held: no more runs start there".to_owned(), theme.warn)
        } else {
            match snap.sites.iter().find(|known| known.name == *name && *name != site::HERE) {
                Some(known) => site::state(known, snap, theme),
                None => ("this machine".to_owned(), theme.dim),
            }
        };
        canvas.put(inner.x + width + 2, y, inner.width.saturating_sub(width + 2), &words, style);
    }
    let keys = [
        ("enter", theme.accent),
        (" holds it, or lets runs start again   ", theme.dim),
        ("d", theme.accent),
        (" drains it", theme.dim),
    ];
    canvas.pieces(inner.x, inner.bottom().saturating_sub(1), inner.width, &keys);
}

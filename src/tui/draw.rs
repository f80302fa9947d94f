//! The whole screen, from a snapshot and the view, and from nothing else.
//!
//! ```text
//! tuneboard  ~/board                                        ● runner      header
//!  1 Runs  2 Run  3 Confusion  4 Queue       ● 2 running  ✓ 12 done
//!  cuda:0 ━━━━╸── r12 lr=5e-5                                             devices
//! ───────────────────────────────────────────────────────────────────
//!  ...                                                                    the screen
//!  enter open  / filter  x stop                    : commands  ? help     keys, or what happened
//! ```

use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Modifier, Style};

use super::act::find;
use super::canvas::{Canvas, Target};
use super::effects::applies;
use super::figures;
use super::keys::{Action, Keymap};
use super::screens::{
    compare, confusion, launch, log, popups, queue, run, runs, site, state, sweep, texts,
};
use super::snapshot::{Health, RunnerState, Snapshot};
use super::text;
use super::view::{Screen, View};
use super::widgets::bar::bar;

/// Below this nothing can be read.
const LEAST: (u16, u16) = (50, 12);

/// The parts of the screen.
#[derive(Debug, Clone, Copy)]
pub struct Parts {
    header: Rect,
    /// The screen's own.
    pub body: Rect,
    keys: Rect,
}

/// How the terminal is shared out.
pub fn parts(area: Rect, snap: &Snapshot) -> Parts {
    let devices = u16::from(area.height >= 20 && !snap.slots.is_empty());
    let [header, body, keys] = Layout::vertical([
        Constraint::Length(3 + devices),
        Constraint::Fill(1),
        Constraint::Length(1),
    ])
    .areas(area);
    Parts { header, body, keys }
}

/// Draws everything.
pub fn draw(canvas: &mut Canvas, snap: &Snapshot, view: &View, keymap: &Keymap) {
    let area = canvas.buf.area;
    if area.width < LEAST.0 || area.height < LEAST.1 {
        return too_small(canvas, area);
    }
    let parts = parts(area, snap);
    header(canvas, parts.header, snap, view);
    // The first run of a board is launched where there is no database yet.
    let ready = snap.health == Health::NoDatabase && view.screen == Screen::Launch;
    if let Some(words) = trouble(&snap.health).filter(|_| !ready) {
        popups::message(canvas, parts.body, &words);
    } else {
        match view.screen {
            Screen::Runs => runs::draw(canvas, parts.body, snap, view),
            Screen::Run => run::draw(canvas, parts.body, snap, view, keymap),
            Screen::Confusion => confusion::draw(canvas, parts.body, snap, view),
            Screen::Queue => queue::draw(canvas, parts.body, snap, view),
            Screen::Compare => compare::draw(canvas, parts.body, snap, view),
            Screen::Sweep => sweep::draw(canvas, parts.body, snap, view),
            Screen::Launch => launch::draw(canvas, parts.body, snap, view),
            Screen::Log => log::draw(canvas, parts.body, snap, view),
            Screen::Texts => texts::draw(canvas, parts.body, snap, view),
        }
    }
    key_line(canvas, parts.keys, snap, view, keymap);
    popups::draw(canvas, area, snap, view, keymap);
}

fn too_small(canvas: &mut Canvas, area: Rect) {
    let words = [
        "too small".to_owned(),
        format!("{}x{}, needs {}x{}", area.width, area.height, LEAST.0, LEAST.1),
    ];
    let top = area.y + area.height.saturating_sub(2) / 2;
    for (i, line) in words.iter().enumerate() {
        let x = area.x + area.width.saturating_sub(text::width(line) as u16) / 2;
        let style = if i == 0 { canvas.theme.accent } else { canvas.theme.dim };
        canvas.put(x, top + i as u16, area.width, line, style);
    }
}

/// Lines to show instead of a screen.
fn trouble(health: &Health) -> Option<Vec<String>> {
    match health {
        Health::Ready => None,
        Health::Opening => Some(vec!["opening the board".into()]),
        Health::NoDatabase => Some(runs::welcome()),
        Health::Broken(why) => {
            Some(vec!["The board cannot be read just now.".into(), String::new(), why.clone()])
        }
    }
}

fn header(canvas: &mut Canvas, area: Rect, snap: &Snapshot, view: &View) {
    let theme = canvas.theme;
    let (x, y, width) = (area.x + 1, area.y, area.width - 2);
    let (dot, words, style) = match snap.runner {
        RunnerState::Alive => ("●", "runner", theme.good),
        RunnerState::Gone => ("○", "runner is gone", theme.warn),
        RunnerState::Absent if snap.counts.queued > 0 => ("○", "no runner", theme.warn),
        RunnerState::Absent => ("○", "no runner", theme.dim),
    };
    let runner = format!("{dot} {words}");
    canvas.put_right(area.right() - 1, y, width, &runner, style);
    let end = canvas.put(x, y, width, "tuneboard", theme.accent.add_modifier(Modifier::BOLD));
    let room = width.saturating_sub(end + 2 + text::width(&runner) as u16 + 1);
    let root = text::fit_end(&snap.root, usize::from(room)).into_owned();
    canvas.put(end + 2, y, room, &root, theme.dim);

    let mut at = x - 1;
    for (i, screen) in Screen::ALL.iter().take(Screen::TABS).enumerate() {
        let here = view.screen == *screen
            || (*screen == Screen::Run && view.screen == Screen::Log)
            || (*screen == Screen::Confusion && view.screen == Screen::Texts);
        let title = match (screen, view.open) {
            (Screen::Run, Some(id)) if width > 70 => format!("Run {id}"),
            _ => screen.title().to_owned(),
        };
        let words = format!(" {} {title} ", i + 1);
        let style = if here {
            theme.selected.patch(theme.accent).add_modifier(Modifier::BOLD)
        } else {
            theme.dim
        };
        let from = at;
        at = canvas.put(at, y + 1, width, &words, style);
        canvas.hit(Rect::new(from, y + 1, at - from, 1), Target::Tab(i));
    }
    counts(canvas, area.right() - 1, y + 1, area.right() - 1 - at.min(area.right() - 1), snap);
    if area.height > 3 {
        devices(canvas, Rect::new(x, y + 2, width, 1), snap);
    }
    canvas.rule(Rect::new(area.x, area.bottom() - 1, area.width, 1));
}

/// Counts by state, ending before column `right`: with words, or without if room is short.
fn counts(canvas: &mut Canvas, right: u16, y: u16, room: u16, snap: &Snapshot) {
    let c = &snap.counts;
    let parts: Vec<(String, &str, Style)> = state::tallies(c, canvas.theme);
    for words in [true, false] {
        let shown: Vec<(String, Style)> = parts
            .iter()
            .map(|(n, word, style)| (if words { format!("{n} {word}") } else { n.clone() }, *style))
            .collect();
        let width: usize = shown.iter().map(|(s, _)| text::width(s) + 2).sum();
        if width <= usize::from(room) {
            let mut at = right.saturating_sub(width as u16 - 2.min(width as u16));
            for (words, style) in shown {
                at = canvas.put(at, y, room, &words, style) + 2;
            }
            return;
        }
    }
}

fn devices(canvas: &mut Canvas, area: Rect, snap: &Snapshot) {
    let theme = canvas.theme;
    let mut at = area.x;
    for (i, slot) in snap.slots.iter().enumerate() {
        let left = area.right().saturating_sub(at);
        if left < 16 {
            let more = format!("+{}", snap.slots.len() - i);
            canvas.put(at, area.y, left, &more, theme.dim);
            return;
        }
        if slot.site != site::HERE {
            at = canvas.put(at, area.y, 12, &slot.site, theme.dim) + 1;
        }
        at = canvas.put(at, area.y, 10, &slot.slot, theme.dim) + 1;
        let run = slot.run.and_then(|id| snap.live.iter().find(|r| r.id == id));
        at = match (run, slot.run) {
            (Some(run), _) => {
                bar(canvas, at, area.y, 6, state::progress(run), theme.val);
                let words =
                    format!("{} {}", run.id, state::eta(run).map_or(String::new(), figures::span));
                canvas.put(
                    at + 7,
                    area.y,
                    area.right().saturating_sub(at + 7),
                    words.trim_end(),
                    theme.text,
                )
            }
            (None, Some(id)) => canvas.put(at, area.y, 8, &id.to_string(), theme.text),
            (None, None) => canvas.put(at, area.y, 6, "free", theme.faint),
        } + 3;
    }
}

fn key_line(canvas: &mut Canvas, area: Rect, snap: &Snapshot, view: &View, keymap: &Keymap) {
    let theme = canvas.theme;
    let x = area.x + 1;
    if let Some(notice) = &view.notice {
        let (glyph, style) = if notice.bad { ("✗ ", theme.bad) } else { ("✓ ", theme.good) };
        let room = area.width.saturating_sub(2);
        canvas.pieces(x, area.y, room, &[(glyph, style), (&notice.text, theme.text)]);
        return;
    }
    // What would change none of the runs is not offered; of runs that are out of view nothing is known.
    let ids = view.targets(snap);
    let applies = |action| {
        ids.is_empty() || ids.iter().any(|id| find(snap, *id).is_none_or(|r| applies(action, r)))
    };
    let always = [Action::Palette, Action::Help, Action::Quit];
    let hints = |own: bool| {
        keymap
            .rows()
            .filter(move |(b, keys)| {
                !b.hint.is_empty()
                    && !keys.is_empty()
                    && b.is_on(view.screen)
                    && always.contains(&b.action) != own
                    && applies(b.action)
            })
            .filter_map(|(b, keys)| Some((key_name(keys.first()?), b.hint, b.action)))
            .collect::<Vec<_>>()
    };
    let width = |list: &[(String, &str, Action)]| {
        list.iter().map(|(k, h, _)| text::width(k) + text::width(h) + 3).sum::<usize>() as u16
    };
    let tail = hints(false);
    let start = area.right().saturating_sub(width(&tail));
    let mut show = |list: &[(String, &str, Action)], mut at: u16, end: u16| {
        for (key, hint, action) in list {
            let needed = (text::width(key) + text::width(hint) + 1) as u16;
            if at + needed > end {
                return;
            }
            canvas.hit(Rect::new(at, area.y, needed, 1), Target::Do(*action));
            at = canvas.put(at, area.y, needed, key, theme.accent);
            at = canvas.put(at + 1, area.y, needed, hint, theme.dim) + 2;
        }
    };
    show(&tail, start, area.right());
    show(&hints(true), x, start.saturating_sub(1));
}

/// A key's name as the key line and help write it.
pub fn key_name(key: &str) -> String {
    match key {
        "left" => "←".into(),
        "right" => "→".into(),
        "up" => "↑".into(),
        "down" => "↓".into(),
        _ => key.to_owned(),
    }
}

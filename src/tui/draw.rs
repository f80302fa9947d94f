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

use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};

use super::canvas::{Canvas, Target};
use super::figures;
use super::keys::{Bound, Does, ERRORS, Keymap, key_name};
use super::labels::{site, state};
use super::layout::parts;
use super::popups;
use super::screen::Screen;
use super::screens;
use super::snapshot::{Health, RunnerState, Snapshot};
use super::text;
use super::view::{ScreenId, View};
use super::widgets::bar::bar;
use super::widgets::message::message;

/// Below this nothing can be read.
const LEAST: (u16, u16) = (50, 12);

/// Draws everything.
pub fn draw(canvas: &mut Canvas, snap: &Snapshot, view: &View, keymap: &Keymap) {
    let area = canvas.buf.area;
    if area.width < LEAST.0 || area.height < LEAST.1 {
        return too_small(canvas, area);
    }
    let parts = parts(area, snap);
    header(canvas, parts.header, snap, view);
    let screen = screens::of(view.screen);
    let ready = snap.health == Health::NoDatabase && screen.is_ready_without_database();
    match trouble(&snap.health).filter(|_| !ready) {
        Some(words) => message(canvas, parts.body, &words),
        None => screen.draw(canvas, parts.body, snap, view, keymap),
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
fn trouble(health: &Health) -> Option<Vec<&str>> {
    match health {
        Health::Ready => None,
        Health::Opening => Some(vec!["opening the board"]),
        Health::NoDatabase => Some(vec!["No runs yet.", "", "1 leads to the first."]),
        Health::Broken(why) => Some(vec!["The board cannot be read just now.", "", why]),
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
    let lit = screens::of(view.screen).about().under;
    for (i, about) in screens::tabs().map(Screen::about).enumerate() {
        let title = match view.open.filter(|_| about.id == ScreenId::RUN && width > 70) {
            Some(id) => format!("{} {id}", about.title),
            None => about.title.to_owned(),
        };
        let words = format!(" {} {title} ", i + 1);
        let style = if about.id == lit {
            theme.selected.patch(theme.accent).add_modifier(Modifier::BOLD)
        } else {
            theme.dim
        };
        let from = at;
        at = canvas.put(at, y + 1, width, &words, style);
        canvas.hit(Rect::new(from, y + 1, at - from, 1), Target::Go(about.id));
    }
    counts(canvas, area.right() - 1, y + 1, area.right() - 1 - at.min(area.right() - 1), snap);
    if area.height > 3 {
        devices(canvas, Rect::new(x, y + 2, width, 1), snap);
    }
    canvas.rule(Rect::new(area.x, area.bottom() - 1, area.width, 1));
    if let Some(words) = view.pace.as_ref().filter(|words| !words.is_empty()) {
        let words = format!(" {words} ");
        canvas.put_right(area.right() - 1, area.bottom() - 1, width, &words, theme.dim);
    }
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
        let right = if notice.sticks { dismiss(canvas, area, keymap) } else { area.right() };
        let room = right.saturating_sub(x + 1);
        canvas.pieces(x, area.y, room, &[(glyph, style), (&notice.text, theme.text)]);
        return;
    }
    // What would change none of the runs is not offered; of runs that are out of view nothing is known.
    let screen = screens::of(view.screen);
    let ids = screen.targets(view, snap);
    let applies = |bound: &&Bound| {
        let known = |id| snap.run(id).is_none_or(|run| (bound.action.applies)(run));
        let of_runs = matches!(bound.action.does, Does::ToRuns(_));
        let any = if ids.is_empty() { !of_runs } else { ids.iter().any(|id| known(*id)) };
        any && screen.offers(bound.action, view, snap)
    };
    let hints = |all| hints(all).filter(applies).collect::<Vec<_>>();
    let own = hints(keymap.own(view.screen));
    let tail: Vec<&Bound> = self::hints(keymap.everywhere()).collect();
    let width: usize = tail.iter().map(|bound| hint_width(bound) + 2).sum();
    let start = area.right().saturating_sub(width as u16);
    show_hints(canvas, Rect { x: start, width: area.right() - start, ..area }, &tail);
    let room = start.saturating_sub(1 + x);
    show_hints(canvas, Rect { x, width: room, ..area }, &own);
}

/// How an error that stays is left, and where all are; returns where these words begin.
fn dismiss(canvas: &mut Canvas, area: Rect, keymap: &Keymap) -> u16 {
    let theme = canvas.theme;
    let all = key_name(keymap.key_of(&ERRORS));
    let pieces = [
        ("esc", theme.accent),
        (" dismiss  ", theme.dim),
        (&all, theme.accent),
        (" all", theme.dim),
    ];
    let width: usize = pieces.iter().map(|(words, _)| text::width(words)).sum();
    let start = area.right().saturating_sub(width as u16 + 1);
    canvas.pieces(start, area.y, width as u16, &pieces);
    start
}

/// The actions that the key line names.
fn hints(all: &[Bound]) -> impl Iterator<Item = &Bound> {
    all.iter().filter(|bound| !bound.action.hint.is_empty() && !bound.shown.is_empty())
}

fn hint_key(bound: &Bound) -> String {
    bound.shown.first().map(|key| key_name(key)).unwrap_or_default()
}

fn hint_width(bound: &Bound) -> usize {
    text::width(&hint_key(bound)) + text::width(bound.action.hint) + 1
}

/// As many hints as fit; a click on one is as good as its key.
fn show_hints(canvas: &mut Canvas, area: Rect, hints: &[&Bound]) {
    let theme = canvas.theme;
    let mut at = area.x;
    for bound in hints {
        let needed = hint_width(bound) as u16;
        if at + needed > area.right() {
            return;
        }
        canvas.hit(Rect::new(at, area.y, needed, 1), Target::Do(bound.action));
        at = canvas.put(at, area.y, needed, &hint_key(bound), theme.accent);
        at = canvas.put(at + 1, area.y, needed, bound.action.hint, theme.dim) + 2;
    }
}

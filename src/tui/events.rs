//! What keys, clicks and pasted text do to the view.

use crossterm::event::{
    Event, KeyCode, KeyEvent, KeyEventKind, MouseButton, MouseEvent, MouseEventKind,
};
use ratatui::layout::{Position, Rect};

use super::background::{Question, Which, folder_of};
use super::canvas::Target;
use super::command::Effect;
use super::keys::{DOWN, Keymap, UP};
use super::perform::{perform, record};
use super::popups;
use super::screen::Click;
use super::screens;
use super::snapshot::Snapshot;
use super::verbs::{path_of, verb_of};
use super::view::{Popup, Prompt, View};

/// Rows that a turn of the wheel moves.
const WHEEL: usize = 3;

/// Takes an event; false if it changes nothing.
pub fn input(
    event: Event,
    view: &mut View,
    snap: &Snapshot,
    keymap: &Keymap,
    hits: &[(Rect, Target)],
) -> (bool, Option<Effect>) {
    let (changed, effect) = take(event, view, snap, keymap, hits);
    record(effect.as_ref(), view, snap);
    (changed, effect)
}

fn take(
    event: Event,
    view: &mut View,
    snap: &Snapshot,
    keymap: &Keymap,
    hits: &[(Rect, Target)],
) -> (bool, Option<Effect>) {
    match event {
        Event::Key(key) if key.kind != KeyEventKind::Release => {
            // What has to be read stays until it is dismissed.
            if key.code == KeyCode::Esc && view.popup.is_none() && view.notice.is_some() {
                let sticks = view.notice.take().is_some_and(|notice| notice.sticks);
                if sticks {
                    return (true, None);
                }
            }
            view.let_go();
            (true, press(key, view, snap, keymap))
        }
        Event::Paste(text) => (popups::paste(&text, view), None),
        Event::Mouse(mouse) => click(mouse, view, snap, keymap, hits),
        _ => (false, None),
    }
}

/// What the background thread has to find out for this view.
pub fn question(view: &View, snap: &Snapshot) -> Option<Question> {
    match &view.popup {
        Some(Popup::Pick(pick)) => {
            let name = match pick.which {
                Which::Columns => view.form.as_ref().and_then(|form| form.one("data")),
                _ => pick.names(snap).get(pick.at).map(|name| (*name).to_owned()),
            };
            Some(Question::Choices(pick.which, folder_of(pick.line.text()), name))
        }
        Some(Popup::Prompt(Prompt::Filter, _)) => Some(Question::Known),
        Some(Popup::Palette(line, _)) if verb_of(line.text(), &view.verbs).is_some() => {
            match path_of(line.text()) {
                Some((which, typed)) => Some(Question::Choices(which, folder_of(typed), None)),
                None => screens::of(view.screen).question(view, snap),
            }
        }
        _ => screens::of(view.screen).question(view, snap),
    }
}

fn press(key: KeyEvent, view: &mut View, snap: &Snapshot, keymap: &Keymap) -> Option<Effect> {
    if view.popup.is_some() {
        return popups::press(key, view, snap, keymap);
    }
    keymap.action(view.screen, key).and_then(|action| perform(action, view, snap))
}

fn click(
    mouse: MouseEvent,
    view: &mut View,
    snap: &Snapshot,
    keymap: &Keymap,
    hits: &[(Rect, Target)],
) -> (bool, Option<Effect>) {
    let drag = match mouse.kind {
        MouseEventKind::ScrollUp => return wheel(KeyCode::Up, view, snap, keymap),
        MouseEventKind::ScrollDown => return wheel(KeyCode::Down, view, snap, keymap),
        MouseEventKind::Down(MouseButton::Left) => false,
        MouseEventKind::Drag(MouseButton::Left) => true,
        _ => return (false, None),
    };
    let at = Position { x: mouse.column, y: mouse.row };
    let hit = hits.iter().rev().find(|(area, _)| area.contains(at));
    if view.popup.is_some() {
        return match (drag, hit) {
            (true, _) => (false, None),
            (false, hit) => click_popup(hit.map(|(_, target)| target), view, snap, keymap),
        };
    }
    // What happened stands where the keys were; a click anywhere brings them back.
    let Some((area, target)) = hit else { return (!drag && view.notice.take().is_some(), None) };
    if drag && *target != Target::Plot {
        return (false, None);
    }
    if !drag {
        view.let_go();
    }
    let screen = screens::of(view.screen);
    match target {
        Target::Go(id) => screens::enter(*id, view, snap),
        Target::Back => screen.back(view, snap),
        Target::Do(action) => return (true, perform(action, view, snap)),
        target => match screen.click(target, at.x - area.x, view, snap) {
            Click::Nothing => return (false, None),
            Click::Done => {}
            Click::Same(action) => return (true, perform(action, view, snap)),
        },
    }
    (true, None)
}

fn wheel(
    code: KeyCode,
    view: &mut View,
    snap: &Snapshot,
    keymap: &Keymap,
) -> (bool, Option<Effect>) {
    for _ in 0..WHEEL {
        if view.popup.is_some() {
            popups::press(code.into(), view, snap, keymap);
        } else {
            perform(if code == KeyCode::Up { &UP } else { &DOWN }, view, snap);
        }
    }
    (true, None)
}

fn click_popup(
    target: Option<&Target>,
    view: &mut View,
    snap: &Snapshot,
    keymap: &Keymap,
) -> (bool, Option<Effect>) {
    view.let_go();
    match target {
        Some(Target::Choice(at)) => (true, popups::choose(*at, view, snap, keymap)),
        Some(Target::Press(code)) => (true, popups::press((*code).into(), view, snap, keymap)),
        Some(Target::Popup) => (false, None),
        // A click beside what lies over the screen leaves it; what was typed of a query stays.
        _ => {
            let is_query = matches!(view.popup, Some(Popup::Prompt(Prompt::Filter, _)));
            let code = if is_query { KeyCode::Enter } else { KeyCode::Esc };
            (true, popups::press(code.into(), view, snap, keymap))
        }
    }
}

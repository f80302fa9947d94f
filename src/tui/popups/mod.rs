//! What lies over a screen and takes the keys: help, commands, lists, questions, a line to type.

mod columns;
mod confirm;
mod errors;
mod frame;
mod help;
mod lists;
mod palette;
mod pick;
mod prompt;
mod sites;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::layout::Rect;

use super::canvas::Canvas;
use super::command::Effect;
use super::keys::Keymap;
use super::snapshot::Snapshot;
use super::view::{Popup, Prompt, View};

/// Takes a key; the popup closes unless it is put back.
pub fn press(key: KeyEvent, view: &mut View, snap: &Snapshot, keymap: &Keymap) -> Option<Effect> {
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    if control && key.code == KeyCode::Char('c') {
        return Some(Effect::Quit);
    }
    match view.popup.take()? {
        Popup::Help(top) => view.popup = help::press(key, top).map(Popup::Help),
        Popup::Errors(top) => view.popup = help::press(key, top).map(Popup::Errors),
        Popup::Sort(at) => lists::press_sort(key, at, view, snap),
        Popup::Group(at) => lists::press_group(key, at, view, snap),
        Popup::Over(upright, at) => lists::press_over(key, (upright, at), view, snap),
        Popup::Sites(at) => return sites::press(key, at, view, snap),
        Popup::Views(at) => lists::press_views(key, at, view),
        Popup::Columns(popup) => return columns::press(key, popup, view, snap),
        Popup::Pick(pick) => return pick::press(key, pick, view, snap),
        Popup::Confirm(question, command) => return confirm::press(key, question, command, view),
        Popup::Palette(line, at) => return palette::press(key, line, at, view, snap, keymap),
        Popup::Prompt(prompt, line) => return prompt::press(key, prompt, line, view, snap),
    }
    None
}

/// Takes a click on a line.
pub fn choose(at: usize, view: &mut View, snap: &Snapshot, keymap: &Keymap) -> Option<Effect> {
    match &mut view.popup {
        Some(
            Popup::Sort(row)
            | Popup::Palette(_, row)
            | Popup::Group(row)
            | Popup::Views(row)
            | Popup::Over(_, row)
            | Popup::Sites(row),
        ) => {
            *row = at;
        }
        Some(Popup::Prompt(Prompt::Filter, _)) => {
            view.runs.candidate = at;
            return press(KeyCode::Tab.into(), view, snap, keymap);
        }
        Some(Popup::Columns(popup)) => {
            popup.at = at;
            return press(KeyCode::Char(' ').into(), view, snap, keymap);
        }
        Some(Popup::Pick(pick)) if pick.at != at => {
            // The first click shows what is in it, the second takes it.
            pick.at = at;
            return None;
        }
        _ => {}
    }
    press(KeyCode::Enter.into(), view, snap, keymap)
}

/// Takes pasted text; false where there is no line to type.
pub fn paste(text: &str, view: &mut View) -> bool {
    match &mut view.popup {
        Some(Popup::Prompt(prompt, line)) => {
            line.insert(text);
            if *prompt == Prompt::Filter {
                let words = line.text().to_owned();
                view.filter_to(&words);
            }
            true
        }
        Some(Popup::Pick(pick)) => {
            pick.line.insert(text);
            pick.at = 0;
            true
        }
        Some(Popup::Columns(popup)) => {
            popup.line.insert(text);
            popup.at = 0;
            true
        }
        Some(Popup::Palette(line, at)) => {
            line.insert(text);
            *at = 0;
            true
        }
        _ => false,
    }
}

/// Draws what lies over the screen, if anything does.
pub fn draw(canvas: &mut Canvas, area: Rect, snap: &Snapshot, view: &View, keymap: &Keymap) {
    match &view.popup {
        None => {}
        Some(Popup::Columns(popup)) => columns::draw(canvas, area, popup, view),
        Some(Popup::Pick(pick)) => pick::draw(canvas, area, pick, snap),
        Some(Popup::Errors(top)) => errors::draw(canvas, area, *top, snap, view),
        Some(Popup::Help(top)) => help::draw(canvas, area, *top, view, keymap),
        Some(Popup::Palette(line, at)) => {
            palette::draw(canvas, area, (line, *at), snap, view, keymap);
        }
        Some(Popup::Sort(at)) => lists::sort(canvas, area, *at, snap, view),
        Some(Popup::Group(at)) => lists::group(canvas, area, *at, snap, view),
        Some(Popup::Over(upright, at)) => lists::axis(canvas, area, (*upright, *at), snap, view),
        Some(Popup::Sites(at)) => sites::draw(canvas, area, *at, snap),
        Some(Popup::Views(at)) => lists::views(canvas, area, *at, view),
        Some(Popup::Confirm(question, _)) => confirm::draw(canvas, area, question),
        Some(Popup::Prompt(prompt, line)) => prompt::draw(canvas, area, prompt, line),
    }
}

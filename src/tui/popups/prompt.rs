use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::layout::Rect;

use super::frame::over;
use crate::tui::canvas::Canvas;
use crate::tui::command::{Command, Effect};
use crate::tui::keys::{DOWN, UP};
use crate::tui::line::Line;
use crate::tui::perform::perform;
use crate::tui::screens::confusion::find_class;
use crate::tui::screens::launch::LAUNCH;
use crate::tui::snapshot::Snapshot;
use crate::tui::view::{Popup, Prompt, View};
use crate::tui::widgets::typed::typed;

/// Takes a key.
pub fn press(
    key: KeyEvent,
    prompt: Prompt,
    mut line: Line,
    view: &mut View,
    snap: &Snapshot,
) -> Option<Effect> {
    match (key.code, &prompt) {
        (KeyCode::Esc, Prompt::Filter) => {
            view.filter_to("");
            return None;
        }
        (KeyCode::Enter, Prompt::Filter | Prompt::Class | Prompt::Key) | (KeyCode::Esc, _) => {
            return None;
        }
        (code, Prompt::Field(row)) if leaves_field(key) => {
            if let Some(form) = &mut view.form {
                form.set(*row, line.text());
            }
            // The next line is edited with the same hand.
            return match code {
                KeyCode::Up | KeyCode::BackTab => perform(&UP, view, snap),
                KeyCode::Down | KeyCode::Tab => perform(&DOWN, view, snap),
                KeyCode::Char(_) => perform(&LAUNCH, view, snap),
                _ => None,
            };
        }
        (KeyCode::Enter, _) => return finished(&prompt, &line, view, snap),
        // A longer note is written where people write.
        (KeyCode::Char('o'), Prompt::Note(id)) if key.modifiers.contains(KeyModifiers::CONTROL) => {
            return Some(Effect::Editor(*id, line.text().to_owned()));
        }
        (KeyCode::Tab, Prompt::Filter) => view.take_candidate(&mut line, snap),
        (KeyCode::BackTab, Prompt::Filter) => view.next_candidate(&line, snap),
        // The list can be walked while the filter is typed.
        (KeyCode::Up, Prompt::Filter) => drop(perform(&UP, view, snap)),
        (KeyCode::Down, Prompt::Filter) => drop(perform(&DOWN, view, snap)),
        _ => drop(line.key(key)),
    }
    match prompt {
        Prompt::Filter if view.runs.filter != line.text() => view.filter_to(line.text()),
        Prompt::Class => find_class(line.text(), view, snap),
        Prompt::Key => view.form.iter_mut().for_each(|form| form.find(line.text())),
        _ => {}
    }
    view.popup = Some(Popup::Prompt(prompt, line));
    None
}

fn leaves_field(key: KeyEvent) -> bool {
    match key.code {
        KeyCode::Enter | KeyCode::Tab | KeyCode::BackTab | KeyCode::Down | KeyCode::Up => true,
        KeyCode::Char('g') => key.modifiers.contains(KeyModifiers::CONTROL),
        _ => false,
    }
}

/// What enter makes of the line.
fn finished(prompt: &Prompt, line: &Line, view: &mut View, snap: &Snapshot) -> Option<Effect> {
    let words = line.text().trim().to_owned();
    let command = match prompt {
        Prompt::Tags(ids) => {
            let mut tags: Vec<String> = Vec::new();
            for tag in words.split([' ', ',']).filter(|tag| !tag.is_empty()) {
                if !tags.iter().any(|known| known == tag) {
                    tags.push(tag.to_owned());
                }
            }
            view.runs.marks.clear();
            Command::Tags(ids.clone(), tags)
        }
        Prompt::SweepName => Command::SaveSweep(words, view.form.as_ref()?.pairs(&snap.defaults)),
        Prompt::Name(_) if words.is_empty() => return None,
        Prompt::Name(id) => Command::Rename(*id, words),
        Prompt::ViewName => Command::SaveView(words, view.runs.filter.clone()),
        Prompt::Note(id) => Command::Note(*id, words),
        Prompt::Filter | Prompt::Class | Prompt::Key | Prompt::Field(_) => return None,
    };
    Some(Effect::Do(command))
}

/// Draws the line, unless the screen does.
pub fn draw(canvas: &mut Canvas, area: Rect, prompt: &Prompt, line: &Line) {
    let title = match prompt {
        Prompt::Filter | Prompt::Field(_) => return,
        Prompt::Tags(ids) => match ids.as_slice() {
            [id] => format!("tags of {id}"),
            _ => format!("tags of {} runs", ids.len()),
        },
        Prompt::Note(id) => format!("note on {id}, ctrl-o opens $EDITOR"),
        Prompt::Name(id) => format!("name of {id}"),
        Prompt::ViewName => "save the query as".to_owned(),
        Prompt::Class => "go to class".to_owned(),
        Prompt::Key => "go to key".to_owned(),
        Prompt::SweepName => "name of the sweep".to_owned(),
    };
    let inner = over(canvas, area, 64, 3, &title, "enter keeps, esc leaves");
    typed(canvas, inner.x, inner.y, inner.width, line);
}

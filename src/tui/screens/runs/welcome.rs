//! What an empty board shows: the steps to its first runs, which enter does one after the other.

use ratatui::layout::Rect;

use crate::spec::keys::KEYS;
use crate::store::Counts;
use crate::tui::background::{Start, Which};
use crate::tui::canvas::{Canvas, Target};
use crate::tui::command::Effect;
use crate::tui::form::{Form, Row};
use crate::tui::line::Line;
use crate::tui::screen::moved;
use crate::tui::snapshot::{Health, Snapshot};
use crate::tui::text;
use crate::tui::view::{Pick, Popup, ScreenId, View};

/// What the steps are called.
const STEPS: [&str; 4] = ["See it work", "Get a model", "Choose data", "Launch a run"];
const DEMO: usize = 0;
const MODEL: usize = 1;
const DATA: usize = 2;
const LAUNCH: usize = 3;

/// True if the board has no runs at all: nothing is left out of view.
pub fn is_shown(view: &View, snap: &Snapshot) -> bool {
    let r = &view.runs;
    let nothing =
        snap.list.ids.is_empty() && snap.list.complete && snap.counts == Counts::default();
    let all = r.filter.is_empty() && r.only.is_none() && snap.list.groups.is_none();
    snap.health == Health::NoDatabase || snap.health == Health::Ready && nothing && all
}

/// The step under the cursor: the first that is to be done, unless the user moved it.
fn step(view: &View, snap: &Snapshot) -> usize {
    let start = snap.answers.start.as_deref();
    let next = || match start.map(|start| (start.models.is_empty(), start.files.is_empty())) {
        None | Some((true, true)) => DEMO,
        Some((true, false)) => MODEL,
        Some((false, true)) => DATA,
        Some((false, false)) => LAUNCH,
    };
    view.runs.step.unwrap_or_else(next)
}

/// Moves the cursor.
pub fn turn(view: &mut View, snap: &Snapshot, by: isize) {
    view.runs.step = Some(moved(step(view, snap), by, STEPS.len()));
}

/// Does the step under the cursor.
pub fn enter(view: &mut View, snap: &Snapshot) -> Option<Effect> {
    match step(view, snap) {
        DEMO => return Some(verb(&["demo", "--queue-only"])),
        MODEL => {
            let pull =
                &["models", "pull", "sentence-transformers/all-MiniLM-L6-v2", "--name", "minilm"];
            return Some(verb(pull));
        }
        at => {
            let start = snap.answers.start.clone().unwrap_or_default();
            form(&start, at == DATA, view, snap);
        }
    }
    None
}

fn verb(words: &[&str]) -> Effect {
    Effect::Verb(words.iter().map(|word| (*word).to_owned()).collect(), false)
}

/// The launch form with what there is, its cursor on the launch; `asks` for the data first.
fn form(start: &Start, asks: bool, view: &mut View, snap: &Snapshot) {
    let mut form = Form::new(&snap.defaults);
    let row = |name: &str| KEYS.iter().position(|key| key.name == name).map(Row::Key);
    let one = |names: &[String]| names.first().filter(|_| names.len() == 1).cloned();
    let known = [("model", start.models.first().cloned()), ("data", one(&start.files))];
    for (key, value) in known {
        if let (Some(row), Some(value)) = (row(key), value)
            && form.text(row).is_empty()
        {
            form.set(row, &value);
        }
    }
    let [model, data] =
        ["model", "data"].map(|key| row(key).filter(|row| form.text(*row).is_empty()));
    let data = if asks { row("data") } else { data };
    // Once the data is chosen, enter launches.
    let at = model.unwrap_or(Row::Launch);
    form.cursor = form.rows().iter().position(|row| *row == at).unwrap_or(1);
    view.form = Some(form);
    view.go(ScreenId::LAUNCH);
    if let Some(row) = data {
        view.popup =
            Some(Popup::Pick(Pick { row, which: Which::Data, line: Line::default(), at: 0 }));
    }
}

/// What stands beside a step, and whether it is done.
fn aside(step: usize, start: Option<&Start>) -> (String, bool) {
    let listed = |names: &[String]| match names {
        [] => None,
        [one] => Some(one.clone()),
        [first, others @ ..] => Some(format!("{first} and {} more", others.len())),
    };
    let models = start.and_then(|start| listed(&start.models));
    let files = start.and_then(|start| listed(&start.files));
    match step {
        DEMO => ("data, a small model and six runs, from nothing (91 MB, once)".into(), false),
        MODEL => match models {
            Some(models) => (models, true),
            None => (
                "fetches all-MiniLM-L6-v2 (91 MB); others: tuneboard models pull ORG/NAME".into(),
                false,
            ),
        },
        DATA => match files {
            Some(files) => (files, true),
            None => {
                ("a file of texts and labels: put it under data/, or type its path".into(), false)
            }
        },
        _ => ("the form: every key checked as it is typed".into(), false),
    }
}

/// Draws the steps.
pub fn draw(canvas: &mut Canvas, area: Rect, snap: &Snapshot, view: &View) {
    let theme = canvas.theme;
    let start = snap.answers.start.as_deref();
    let at = step(view, snap);
    let width = area.width.saturating_sub(4).min(92);
    let x = area.x + (area.width - width.min(area.width)) / 2;
    let y = area.y + area.height.saturating_sub(11) / 3;
    canvas.put(x, y, width, "No runs yet. Enter leads to the first.", theme.strong);
    let mut line = y + 2;
    for (i, name) in STEPS.iter().enumerate() {
        let (words, is_done) = aside(i, start);
        let row = Rect::new(x, line, width, 1);
        canvas.row(row, i, i == at);
        canvas.hit(row, Target::Row(i));
        let (glyph, style) = if is_done { ("✓", theme.good) } else { ("·", theme.dim) };
        canvas.put(x + 2, line, 2, glyph, style);
        canvas.put(x + 4, line, 13, name, theme.text);
        let room = usize::from(width.saturating_sub(19));
        for part in text::wrap(&words, room) {
            canvas.put(x + 18, line, room as u16, &part, theme.dim);
            line += 1;
        }
    }
    let keys = "↑ ↓ choose, enter does it; N is the launch form, ? all keys. Runs queued in a shell appear here.";
    for (i, part) in text::wrap(keys, usize::from(width)).iter().enumerate() {
        canvas.put(x, line + 1 + i as u16, width, part, theme.dim);
    }
}

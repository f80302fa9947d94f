use crossterm::event::{KeyCode, KeyEvent};
use ratatui::layout::Rect;

use super::frame::over;
use crate::board::Model;
use crate::dataset::Profile;
use crate::tui::background::{Which, expanded, short_name};
use crate::tui::canvas::{Canvas, Target};
use crate::tui::command::Effect;
use crate::tui::figures;
use crate::tui::layout::scrolled;
use crate::tui::line::Line;
use crate::tui::snapshot::Snapshot;
use crate::tui::text;
use crate::tui::view::{Pick, Popup, View};
use crate::tui::widgets::typed::typed;

/// Takes a key.
pub fn press(key: KeyEvent, mut pick: Pick, view: &mut View, snap: &Snapshot) -> Option<Effect> {
    let names = pick.names(snap);
    let typed = expanded(pick.line.text().trim());
    let chosen = names.get(pick.at).copied().unwrap_or(&typed).replace(',', "\\,");
    match key.code {
        KeyCode::Esc => return None,
        // A model of the hub is fetched, and then named.
        KeyCode::Enter if of_hub(&pick, &chosen, snap).is_some() => {
            if let Some(form) = view.form.as_mut() {
                form.set(pick.row, short_name(&chosen));
            }
            let words = ["models", "pull", chosen.as_str()].map(str::to_owned).to_vec();
            return Some(Effect::Verb(words, true));
        }
        // A folder is gone into.
        KeyCode::Enter | KeyCode::Tab if chosen.ends_with('/') && !names.is_empty() => {
            (pick.line, pick.at) = (Line::new(&chosen), 0);
        }
        KeyCode::Enter | KeyCode::Tab => {
            if let Some(form) = view.form.as_mut().filter(|_| !chosen.is_empty()) {
                let before = form.text(pick.row).to_owned();
                let adds = key.code == KeyCode::Tab && !before.is_empty();
                let words = if adds { format!("{before},{chosen}") } else { chosen };
                form.set(pick.row, &words);
            }
            if key.code == KeyCode::Enter {
                return None;
            }
        }
        KeyCode::Up => pick.at = pick.at.saturating_sub(1),
        KeyCode::Down => pick.at = (pick.at + 1).min(names.len().saturating_sub(1)),
        _ => {
            if pick.line.key(key) {
                pick.at = 0;
            }
        }
    }
    view.popup = Some(Popup::Pick(pick));
    None
}

/// What a name of the list is, if it is a repository of the hub.
fn of_hub(pick: &Pick, name: &str, snap: &Snapshot) -> Option<&'static str> {
    let choices = snap.answers.choices.as_deref().filter(|known| known.which == pick.which)?;
    choices.hub.iter().find(|(known, _)| *known == name).map(|(_, title)| *title)
}

/// Names at the left, what is in the one under the cursor at the right.
pub fn draw(canvas: &mut Canvas, area: Rect, pick: &Pick, snap: &Snapshot) {
    let theme = canvas.theme;
    let title = pick.key();
    let names = pick.names(snap);
    let height = (names.len() as u16 + 5).clamp(15, 26);
    let inner = over(canvas, area, 110, height, title, "enter takes it, tab adds it to a list");
    let left = (inner.width * 2 / 5).max(24);
    let x = canvas.put(inner.x, inner.y, 2, "› ", theme.accent);
    typed(canvas, x, inner.y, left.saturating_sub(3), &pick.line);
    let rows = Rect { y: inner.y + 2, height: inner.height.saturating_sub(2), ..inner };
    let page = usize::from(rows.height);
    let top = scrolled(0, pick.at, page, names.len());
    for (line, (at, name)) in names.iter().enumerate().skip(top).take(page).enumerate() {
        let row = Rect::new(rows.x.saturating_sub(1), rows.y + line as u16, left, 1);
        canvas.hit(row, Target::Choice(at));
        if at == pick.at {
            canvas.tint(row, theme.selected);
        }
        // A path is known by its end.
        let room = left.saturating_sub(2);
        let shown = text::fit_end(name, usize::from(room));
        let style = if of_hub(pick, name, snap).is_some() { theme.dim } else { theme.text };
        let end = canvas.put(rows.x, row.y, room, &shown, style);
        if pick.found(snap) == Some(*name) {
            canvas.put(end + 1, row.y, (rows.x + room).saturating_sub(end + 1), "found", theme.dim);
        }
    }
    let choices = snap.answers.choices.as_deref().filter(|known| known.which == pick.which);
    let side = Rect { x: inner.x + left + 1, width: inner.width.saturating_sub(left + 1), ..inner };
    let lines = match (choices, names.get(pick.at)) {
        (None, _) => vec!["looking …".to_owned()],
        (Some(_), None) if pick.line.text().trim().is_empty() => nothing(pick.which),
        (Some(_), None) if pick.which == Which::Columns => {
            vec!["enter takes this as the column.".to_owned()]
        }
        (Some(_), None) => vec!["enter takes this as a path.".to_owned()],
        (Some(choices), Some(name)) => match pick.which {
            Which::Models => match of_hub(pick, name, snap) {
                Some(title) => vec![
                    format!("{title}, on the Hugging Face hub"),
                    format!("enter fetches it into models/{}", short_name(name)),
                ],
                None => choices.models.iter().find(|m| m.name == *name).map_or(vec![], model),
            },
            Which::Data => match &choices.profile {
                Some((of, Ok(profile))) if of == name => data(profile),
                Some((of, Err(why))) if of == name => vec![why.clone()],
                _ if name.ends_with('/') => vec!["a folder: enter goes into it".to_owned()],
                _ => vec!["reading …".to_owned()],
            },
            Which::Columns => match &choices.profile {
                Some((_, Ok(profile))) => data(profile),
                Some((_, Err(why))) => vec![why.clone()],
                None => Vec::new(),
            },
        },
    };
    let mut y = side.y;
    for (i, words) in lines.iter().enumerate() {
        for line in text::wrap(words, usize::from(side.width)) {
            if y < side.bottom() {
                let style = if i == 0 { theme.text } else { theme.dim };
                canvas.put(side.x, y, side.width, &line, style);
                y += 1;
            }
        }
    }
}

fn nothing(which: Which) -> Vec<String> {
    match which {
        Which::Models => vec![
            "No model here yet.".to_owned(),
            "A checkpoint folder under models/ holds config.json, tokenizer.json and \
             model.safetensors."
                .to_owned(),
        ],
        Which::Data => vec![
            "No data file here yet.".to_owned(),
            "CSV, TSV, JSON Lines and Parquet files under data/ are listed; or type a path: / ~/ ../".to_owned(),
        ],
        Which::Columns => vec!["The columns cannot be read.".to_owned()],
    }
}

fn model(model: &Model) -> Vec<String> {
    let weights = model.parameters.map(|n| format!("{} weights", figures::count(n as f64)));
    [
        model.family.clone(),
        weights,
        Some(format!("{} on disk", figures::bytes(model.bytes as f64))),
        model.problem.clone(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn data(profile: &Profile) -> Vec<String> {
    let mut lines =
        vec![format!("{} rows, {} classes", figures::whole(profile.rows), profile.classes.len())];
    let label = profile.label_column.as_deref().map(|label| format!(", label {label}"));
    lines.push(format!("text {}{}", profile.text_column, label.unwrap_or_default()));
    if let Some(split) = &profile.splits {
        let [a, b, c] = [split.train, split.val, split.test].map(figures::whole);
        lines.push(format!("train {a}, val {b}, test {c}"));
    }
    lines.push(format!("words: median {}, 95 % {}", profile.words.median, profile.words.p95));
    for class in profile.classes.iter().take(6) {
        lines.push(format!("{:.1} %  {}", class.share * 100.0, class.name));
    }
    if profile.classes.len() > 6 {
        lines.push(format!("and {} more", profile.classes.len() - 6));
    }
    lines.extend(profile.notes.iter().cloned());
    lines
}

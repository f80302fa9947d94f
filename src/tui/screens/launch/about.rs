use ratatui::layout::Rect;

use crate::spec::keys::{KEYS, ValueKind};
use crate::spec::{SWEEP_KEYS, short};
use crate::tui::canvas::Canvas;
use crate::tui::form::{Checked, Form, Row};
use crate::tui::labels::site;
use crate::tui::snapshot::Snapshot;
use crate::tui::text;

/// What the line under the cursor means, takes, and what is wrong with it.
pub fn draw(canvas: &mut Canvas, area: Rect, snap: &Snapshot, form: &Form, checked: &Checked) {
    let theme = canvas.theme;
    let row = form.row();
    let (title, lines) = match row {
        Row::Key(i) => match KEYS.get(i) {
            Some(key) => {
                let default = (key.get)(&snap.defaults);
                let default = if default.is_empty() { "not given".to_owned() } else { default };
                (key.name, vec![capital(key.help), takes(key.kind), format!("default {default}")])
            }
            None => ("", Vec::new()),
        },
        Row::Sweep(i) => match SWEEP_KEYS.get(i) {
            Some(key) => (key.name, vec![format!("{}.", capital(key.help)), key.takes.to_owned()]),
            None => ("", Vec::new()),
        },
        Row::Group(group) => (group.title(), vec!["enter folds and unfolds".to_owned()]),
        Row::Launch => {
            ("launch", vec!["Queues the runs and sees to it that a runner starts them.".to_owned()])
        }
    };
    let inner = canvas.panel(area, title, "");
    let mut y = inner.y;
    let mut put = |canvas: &mut Canvas, words: &str, style| {
        for line in text::wrap(words, usize::from(inner.width)) {
            if y < inner.bottom() {
                canvas.put(inner.x, y, inner.width, &line, style);
                y += 1;
            }
        }
    };
    // What is wrong comes first: it is what one looks for.
    match (row, checked.error(row), &checked.whole, checked.wrong.first()) {
        (_, Some(why), ..) => put(canvas, why, theme.bad),
        (Row::Launch, _, Some(why), _) | (Row::Launch, _, None, Some((_, why))) => {
            put(canvas, why, theme.bad);
        }
        _ => {}
    }
    if title == "site" {
        put(canvas, "Where it runs; ← → step through them.", theme.text);
        for (name, words, style) in site::choices(snap, theme) {
            put(canvas, &format!("{name:<12} {words}"), style);
        }
        return;
    }
    for (i, line) in lines.iter().filter(|l| !l.is_empty()).enumerate() {
        put(canvas, line, if i == 0 { theme.text } else { theme.dim });
    }
}

fn takes(kind: ValueKind) -> String {
    match kind {
        ValueKind::Choice(words) => words.join(", "),
        ValueKind::Weights(words) => format!("{}, or name:weight,...", words.join(", ")),
        ValueKind::Columns => "a column, or several as a,b".to_owned(),
        ValueKind::Flag => "true, false".to_owned(),
        ValueKind::Int(low, high) if high > u64::from(u32::MAX) => {
            format!("a whole number from {low}; 1,2,3 or 0..4 vary it")
        }
        ValueKind::Int(low, high) => format!("{low} to {high}; 1,2,3 or 0..4 vary it"),
        ValueKind::Float(low, high) => {
            format!("{} to {}; a,b,c or log(low,high) vary it", short(low), short(high))
        }
        ValueKind::Split => "three shares that sum to 1".to_owned(),
        ValueKind::Path => "enter shows what there is".to_owned(),
        ValueKind::Text => String::new(),
    }
}

fn capital(words: &str) -> String {
    let mut chars = words.chars();
    chars.next().map(|c| c.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

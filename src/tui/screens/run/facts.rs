use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};

use crate::spec::Task;
use crate::spec::keys::KEYS;
use crate::spec::metrics::{test, train};
use crate::tui::canvas::Canvas;
use crate::tui::figures;
use crate::tui::labels::{site, state};
use crate::tui::snapshot::{Detail, Snapshot};
use crate::tui::text;
use crate::tui::widgets::bar::bar;

/// Name, state and progress; below, where it runs and how fast.
pub fn title(canvas: &mut Canvas, area: Rect, detail: &Detail, snap: &Snapshot) {
    let theme = canvas.theme;
    let run = &detail.run;
    let (x, end) = (area.x + 1, area.right().saturating_sub(1));
    let (glyph, word, style) = site::run_state(run, snap, theme);
    let eta = state::eta(run).map(|ms| format!(" {} left", figures::span(ms))).unwrap_or_default();
    let time = match (run.state.is_live(), run.device_time) {
        (false, Some(took)) => format!(" in {}", figures::span(took)),
        _ => eta,
    };
    let words = format!("{}{time}", state::epoch_words(run));
    let bar_width = if area.width >= 100 { 16 } else { 8 };
    let right = text::width(&words) as u16 + bar_width + 1 + text::width(word) as u16 + 4;
    let start = end.saturating_sub(right);
    let at = canvas.put(start, area.y, 12, &format!("{glyph} {word}"), style);
    bar(canvas, at + 2, area.y, bar_width, state::progress(run), style);
    canvas.put(at + 2 + bar_width + 1, area.y, right, &words, theme.text);

    let room = |at: u16| start.saturating_sub(at + 1);
    let mut at = canvas.put(x, area.y, 8, &run.id.to_string(), theme.accent) + 1;
    at = canvas.put(at, area.y, room(at), &run.name, theme.strong) + 2;
    for tag in &run.tags {
        at = canvas.put(at, area.y, room(at), &format!("#{tag}"), theme.dim) + 1;
    }
    canvas.put(at, area.y, room(at), &run.note, theme.dim.add_modifier(Modifier::ITALIC));

    let mut at = x;
    if let Some(words) = site::progress(run.id, snap) {
        at = canvas.put(at, area.y + 1, end.saturating_sub(at), words, theme.warn) + 2;
    }
    if let Some(flag) = run.flags.first() {
        at = canvas.put(at, area.y + 1, end.saturating_sub(at), flag.sentence(), theme.warn) + 2;
    }
    for (value, unit) in figures_of(detail) {
        let needed = (text::width(&value) + text::width(unit) + 1) as u16;
        if at + needed > end {
            break;
        }
        at = canvas.put(at, area.y + 1, needed, &value, theme.text);
        at = canvas.put(at + u16::from(!unit.is_empty()), area.y + 1, needed, unit, theme.dim) + 2;
    }
}

/// Figures of the last attempt, those that matter most first.
fn figures_of(detail: &Detail) -> Vec<(String, &'static str)> {
    let run = &detail.run;
    let mut out = Vec::new();
    if let Some(place) = &run.placement {
        out.push(match place.site.as_str() {
            site::HERE => (place.slot.clone(), ""),
            name => (format!("{name} {}", place.slot), ""),
        });
    }
    for (metric, unit) in [(train::EXAMPLES_PER_S, "examples/s"), (train::TOKENS_PER_S, "tokens/s")]
    {
        if let Some(x) = run.last.get(metric) {
            out.push((figures::count(*x), unit));
        }
    }
    let memory = [(train::PEAK_MEMORY, "peak memory"), (train::STEP_MEMORY, "memory")];
    let known = |(metric, unit)| Some((run.last.get(metric)?, unit));
    if let Some((bytes, unit)) = memory.into_iter().find_map(known) {
        out.push((figures::bytes(*bytes), unit));
    }
    if let Some(lr) = run.last.get(train::LR).filter(|_| run.state.is_live()) {
        out.push((figures::metric(*lr), "lr now"));
    }
    let measured: &[(&str, &str)] = match run.spec.task {
        Task::Classify | Task::Lm => &[(test::ACC, "test acc"), (test::F1, "test f1")],
        Task::Regress => &[
            (test::PEARSON, "test Pearson"),
            (test::SPEARMAN, "Spearman"),
            (test::MAE, "mean error"),
        ],
        Task::Multilabel => &[(test::MICRO_F1, "test micro f1"), (test::MAP, "test mean AP")],
        Task::Tag => &[(test::F1, "test f1"), (test::STRICT_F1, "strict f1")],
    };
    for (metric, unit) in measured {
        if let Some(x) = run.last.get(*metric) {
            out.push((figures::metric(*x), *unit));
        }
    }
    if let Some(facts) = &run.facts {
        out.push((figures::count(facts.parameters as f64), "weights"));
        if let Some(learn) = facts.trainable.filter(|learn| *learn < facts.parameters) {
            out.push((figures::count(learn as f64), "learn"));
        }
        out.push((facts.precision.clone(), ""));
        let [train, val, test] = facts.rows;
        out.push((format!("{train}/{val}/{test}"), "rows"));
    }
    if let Some(rows) = run.sampled() {
        out.push((rows.to_string(), "val rows a look"));
    }
    if run.attempt > 1 {
        out.push((run.attempt.to_string(), "attempts"));
    }
    if let Some(still) = run.stood_still() {
        out.push((figures::span(still), "stopped or waiting in between"));
    }
    out
}

/// Every key of the spec: first those that differ from the board's defaults, in colour.
pub fn spec(canvas: &mut Canvas, area: Rect, detail: &Detail, snap: &Snapshot) {
    let theme = canvas.theme;
    let inner = canvas.panel(area, "spec", "in colour: not the default");
    let spec = &detail.run.spec;
    let own = spec.differing_keys(&snap.defaults);
    let obeyed = KEYS.iter().filter(|key| spec.obeys(key.name));
    let entries = obeyed.map(|key| (key.name, (key.get)(spec))).filter(|(_, v)| !v.is_empty());
    let (first, rest): (Vec<_>, Vec<_>) = entries.partition(|(key, _)| own.contains(key));
    let mut row = inner;
    for (key, value) in &first {
        if row.height == 0 {
            return;
        }
        let value_style = theme.accent.add_modifier(Modifier::BOLD);
        entry(canvas, row, key, value, theme.text, value_style);
        row = Rect { y: row.y + 1, height: row.height - 1, ..row };
    }
    // The others flow into as many columns as there is room for.
    let columns = if inner.width >= 50 { 2 } else { 1 };
    let width = inner.width / columns;
    let height = (rest.len() as u16).div_ceil(columns).max(1).min(row.height.max(1));
    for (i, (key, value)) in rest.iter().enumerate() {
        let (column, line) = (i as u16 / height, i as u16 % height);
        if column >= columns || line >= row.height {
            break;
        }
        let area =
            Rect { x: inner.x + column * width, y: row.y + line, width: width - 1, height: 1 };
        entry(canvas, area, key, value, theme.dim, theme.dim);
    }
}

fn entry(canvas: &mut Canvas, area: Rect, key: &str, value: &str, left: Style, right: Style) {
    canvas.put(area.x, area.y, 15, key, left);
    let room = area.width.saturating_sub(16);
    let safe = text::clean(value);
    canvas.put(area.x + 16, area.y, room, &text::fit_end(&safe, usize::from(room)), right);
}

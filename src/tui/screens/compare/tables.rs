use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;

use super::ink::{WIDE, direction, ink};
use super::keys::NEXT_PANEL;
use crate::analysis::compare::{Change, Figures};
use crate::analysis::sizes;
use crate::spec::metrics::higher_is_better;
use crate::tui::background::Compared;
use crate::tui::canvas::{Canvas, Target};
use crate::tui::figures;
use crate::tui::text;
use crate::tui::view::{Panel, View};

/// A cell: words and how they look.
type Cell = (String, Style);

/// The least height of a table.
const LOW: u16 = 5;

/// The table that the view asks for, and behind it the others as far as there is room, in two columns where they are
/// wide enough.
pub fn draw(canvas: &mut Canvas, area: Rect, compared: &Compared, view: &View) {
    let count = compared.runs.len() as u16;
    // A column of tables shows every run.
    let needed = (26 + 13 * count).max(64);
    let columns = if area.width >= 2 * needed && area.height >= 2 * LOW { 2 } else { 1 };
    let across = vec![Constraint::Fill(1); columns];
    let mut left: Vec<Rect> =
        Layout::horizontal(across).split(area).iter().rev().copied().collect();
    let mut place = left.pop().unwrap_or(area);
    let mut shown: Vec<(Panel, Rect)> = Vec::new();
    let mut panel = view.compare.panel;
    for at in 0..5 {
        let rows = rows(panel, compared, view, canvas).1.len() as u16;
        // What says nothing is shown only where it was asked for; last figures are told by the best ones mostly.
        if at == 0 || rows > 0 && panel != Panel::Last {
            let wanted = match panel {
                Panel::Confusion => rows.max(compared.comparison.classes.len() as u16 + 1) + 2,
                _ => rows.max(1) + 3,
            };
            if place.height < LOW.max(wanted.min(9)) && !shown.is_empty() {
                match left.pop() {
                    Some(next) => place = next,
                    None => break,
                }
            }
            let height = wanted.min(place.height);
            shown.push((panel, Rect { height, ..place }));
            place = Rect { y: place.y + height, height: place.height - height, ..place };
        }
        panel = panel.next();
    }
    // The last of each column fills it.
    for i in 0..shown.len() {
        let next = shown.get(i + 1).map(|(_, rect)| rect.x);
        if let Some((_, rect)) = shown.get_mut(i).filter(|(_, rect)| next != Some(rect.x)) {
            rect.height = area.bottom() - rect.y;
        }
    }
    // A second column that nothing stands in is no column.
    if let [(_, only)] = shown.as_mut_slice() {
        *only = area;
    }
    for (at, (panel, place)) in shown.into_iter().enumerate() {
        table(canvas, place, (panel, at == 0), compared, view);
    }
}

/// A table's title and its rows.
fn rows(
    panel: Panel,
    compared: &Compared,
    view: &View,
    canvas: &Canvas,
) -> (&'static str, Vec<(String, Vec<Cell>)>) {
    match panel {
        Panel::Keys if view.compare.all_keys => ("all keys", keys(compared, true, canvas)),
        Panel::Keys => ("keys that differ", keys(compared, false, canvas)),
        Panel::Best => {
            ("best, at epoch", with_sizes(compared, metrics(compared, true, canvas), canvas))
        }
        Panel::Last => ("last", with_sizes(compared, metrics(compared, false, canvas), canvas)),
        Panel::Classes => ("F1 of each class, test", classes(compared, canvas)),
        Panel::Confusion => ("confusion, test", confusion(compared, view, canvas)),
    }
}

/// One table; the first scrolls.
fn table(
    canvas: &mut Canvas,
    area: Rect,
    (panel, first): (Panel, bool),
    compared: &Compared,
    view: &View,
) {
    let (title, rows) = rows(panel, compared, view, canvas);
    let scrolled = if first { view.compare.top } else { 0 };
    let aside = if first { "v other table" } else { "" };
    let inner = canvas.panel(area, title, aside);
    canvas.hit(Rect { height: 1, ..area }, Target::Do(&NEXT_PANEL));
    if rows.is_empty() {
        let words = match panel {
            Panel::Keys => "Their specs are the same, key by key.",
            Panel::Best | Panel::Last => "no figures yet",
            Panel::Classes | Panel::Confusion => "Not all were tested on the same classes.",
        };
        for (i, line) in text::wrap(words, usize::from(inner.width)).iter().enumerate() {
            canvas.put(inner.x, inner.y + i as u16, inner.width, line, canvas.theme.dim);
        }
        return;
    }
    if panel == Panel::Confusion {
        let list = deltas(canvas, inner, compared, view);
        return listed(canvas, list, &rows, scrolled);
    }
    let titles = rows.iter().map(|(name, _)| text::width(name)).max().unwrap_or(8);
    let gutter = (titles.clamp(6, 22) as u16 + 2).min(inner.width / 3);
    let shown = shown(compared, view, inner.width.saturating_sub(gutter), area.width >= WIDE / 2);
    let width = inner.width.saturating_sub(gutter) / shown.len().max(1) as u16;
    for (place, run) in shown.iter().enumerate() {
        let (style, digit) = ink(canvas.theme, *run);
        let id = compared.runs.get(*run).map(|r| r.id.to_string()).unwrap_or_default();
        let right = inner.x + gutter + (place as u16 + 1) * width;
        canvas.put_right(right, inner.y, width.saturating_sub(1), &format!("{digit} {id}"), style);
    }
    let page = usize::from(inner.height.saturating_sub(1));
    let top = scrolled.min(rows.len().saturating_sub(page));
    for (line, (name, cells)) in rows.iter().skip(top).take(page).enumerate() {
        let y = inner.y + 1 + line as u16;
        let name = text::fit_middle(name, usize::from(gutter - 1));
        canvas.put(inner.x, y, gutter - 1, &name, canvas.theme.dim);
        for (place, run) in shown.iter().enumerate() {
            let right = inner.x + gutter + (place as u16 + 1) * width;
            if let Some((words, style)) = cells.get(*run) {
                canvas.put_right(right, y, width.saturating_sub(1), words, *style);
            }
        }
    }
    more(canvas, inner, rows.len(), top + page);
}

/// With the weights that learn in a row of their own, where in some run not all do.
fn with_sizes(
    compared: &Compared,
    mut rows: Vec<(String, Vec<Cell>)>,
    canvas: &Canvas,
) -> Vec<(String, Vec<Cell>)> {
    if !rows.is_empty() && compared.runs.iter().any(sizes::is_part) {
        let cell = |run| {
            let learn = sizes::trainable(run).map(|n| figures::count(n as f64));
            (learn.unwrap_or_else(|| "–".to_owned()), canvas.theme.text)
        };
        rows.push(("weights that learn".to_owned(), compared.runs.iter().map(cell).collect()));
    }
    rows
}

fn more(canvas: &mut Canvas, inner: Rect, count: usize, seen: usize) {
    if count > seen {
        let words = format!(" {} more ↓ ", count - seen);
        canvas.put_right(inner.right(), inner.bottom(), 14, &words, canvas.theme.dim);
    }
}

/// All runs, if each has room; else the baseline and the one under the cursor.
fn shown(compared: &Compared, view: &View, room: u16, wide: bool) -> Vec<usize> {
    let count = compared.runs.len();
    let least = if wide { 13 } else { 11 };
    if usize::from(room) >= count * least {
        return (0..count).collect();
    }
    let own = view.compare.cursor.clamp(1, count.saturating_sub(1).max(1));
    vec![0, own]
}

fn keys(compared: &Compared, all: bool, canvas: &Canvas) -> Vec<(String, Vec<Cell>)> {
    let theme = canvas.theme;
    let rows = compared.comparison.keys.iter().filter(|row| all || row.differs);
    rows.map(|row| {
        let base = row.values.first();
        let cell = |value: &String| {
            let words = if value.is_empty() { "–".to_owned() } else { value.clone() };
            (words, if Some(value) == base { theme.text } else { theme.accent })
        };
        (row.key.to_owned(), row.values.iter().map(cell).collect())
    })
    .collect()
}

fn metrics(compared: &Compared, best: bool, canvas: &Canvas) -> Vec<(String, Vec<Cell>)> {
    let theme = canvas.theme;
    let base = |row: &crate::analysis::compare::MetricRow| row.figures.first().copied().flatten();
    // What one compares comes first: test, then validation.
    let rank = |name: &str| match name.split('/').next() {
        Some("test") => 0,
        Some("val") => 1,
        _ => 2,
    };
    let mut rows: Vec<_> = compared.comparison.metrics.iter().collect();
    rows.sort_by_key(|row| rank(&row.name));
    rows.into_iter()
        .map(|row| {
            let last_of_base = base(row).map(|f| f.last);
            let cell = |figures: &Option<Figures>| match figures {
                None => ("–".to_owned(), theme.faint),
                Some(figures) if best => {
                    let words = figures.best.map_or_else(
                        || "–".to_owned(),
                        |b| format!("{} @{:.0}", figures::of(&row.name, b.value), b.epoch),
                    );
                    changed(words, figures.delta, figures.change, theme)
                }
                Some(figures) => {
                    let delta = last_of_base.map(|base| figures.last - base);
                    let style = match delta.filter(|d| d.is_finite()) {
                        Some(delta) if figures.delta.is_some() => {
                            direction(delta, higher_is_better(&row.name), theme)
                        }
                        _ => ("", theme.text),
                    };
                    (format!("{}{}", style.0, figures::of(&row.name, figures.last)), style.1)
                }
            };
            (row.name.clone(), row.figures.iter().map(cell).collect())
        })
        .collect()
}

fn changed(
    words: String,
    delta: Option<f64>,
    change: Option<Change>,
    theme: &crate::tui::theme::Theme,
) -> Cell {
    let style = match change {
        Some(Change::Better) => theme.good,
        Some(Change::Worse) => theme.bad,
        Some(Change::Same) | None => theme.text,
    };
    match delta.filter(|d| *d != 0.0) {
        Some(d) => (format!("{}{words}", if d > 0.0 { "▲" } else { "▼" }), style),
        None => (words, style),
    }
}

fn classes(compared: &Compared, canvas: &Canvas) -> Vec<(String, Vec<Cell>)> {
    let theme = canvas.theme;
    let rows = compared.comparison.classes.iter();
    rows.map(|row| {
        let cell = |(i, f1): (usize, &Option<f64>)| match f1 {
            None => ("–".to_owned(), theme.faint),
            Some(f1) => {
                let delta = row.delta.get(i).copied().flatten().filter(|d| i > 0 && *d != 0.0);
                let (glyph, style) =
                    delta.map_or(("", theme.text), |delta| direction(delta, true, theme));
                (format!("{glyph}{f1:.3}"), style)
            }
        };
        (row.label.clone(), row.f1.iter().enumerate().map(cell).collect())
    })
    .collect()
}

/// The cells of the confusion matrix that changed most against the baseline, for the run under the
/// cursor.
fn confusion(compared: &Compared, view: &View, canvas: &Canvas) -> Vec<(String, Vec<Cell>)> {
    let theme = canvas.theme;
    let own = view.compare.cursor.clamp(1, compared.runs.len().saturating_sub(1).max(1));
    let deltas = compared.comparison.confusion_deltas.get(own).and_then(Option::as_ref);
    let labels: Vec<&str> =
        compared.comparison.classes.iter().map(|row| row.label.as_str()).collect();
    let mut cells: Vec<(usize, usize, i64)> = deltas
        .into_iter()
        .flatten()
        .enumerate()
        .flat_map(|(i, row)| row.iter().enumerate().map(move |(j, d)| (i, j, *d)))
        .filter(|(_, _, d)| *d != 0)
        .collect();
    cells.sort_by_key(|(_, _, d)| std::cmp::Reverse(d.abs()));
    let name = |class: usize| labels.get(class).copied().unwrap_or("?");
    cells
        .into_iter()
        .map(|(i, j, delta)| {
            let words = if i == j {
                format!("{} right", name(i))
            } else {
                format!("{} → {}", name(i), name(j))
            };
            // More on the diagonal is better, more beside it worse.
            let style = if (delta > 0) == (i == j) { theme.good } else { theme.bad };
            (words, vec![(format!("{delta:+}"), style)])
        })
        .collect()
}

/// Room that the list of changed cells keeps beside the matrix.
const LIST: u16 = 30;

/// What changed as a heat map, if there is room for all of it; returns the room that is left.
fn deltas(canvas: &mut Canvas, inner: Rect, compared: &Compared, view: &View) -> Rect {
    const CELL: u16 = 6;
    let theme = canvas.theme;
    let own = view.compare.cursor.clamp(1, compared.runs.len().saturating_sub(1).max(1));
    let Some(cells) = compared.comparison.confusion_deltas.get(own).and_then(Option::as_ref) else {
        return inner;
    };
    let labels: Vec<&str> =
        compared.comparison.classes.iter().map(|row| row.label.as_str()).collect();
    let longest = labels.iter().map(|label| text::width(label)).max().unwrap_or(4);
    let gutter = longest.clamp(6, 16) as u16 + 1;
    let Ok(n) = u16::try_from(cells.len()) else { return inner };
    let wide = gutter + n.saturating_mul(CELL);
    if inner.width < wide.saturating_add(LIST) || inner.height < n.saturating_add(2) {
        return inner;
    }
    let largest = cells.iter().flatten().map(|d| d.abs()).max().unwrap_or(0).max(1);
    canvas.put(inner.x, inner.y, gutter - 1, "true ↓", theme.dim);
    for (at, label) in (0..n).zip(&labels) {
        let right = inner.x + gutter + (at + 1) * CELL - 1;
        let [above, beside] =
            [CELL - 1, gutter - 1].map(|room| text::fit_middle(label, usize::from(room)));
        canvas.put_right(right, inner.y, CELL - 1, &above, theme.dim);
        canvas.put_right(inner.x + gutter - 1, inner.y + 1 + at, gutter - 1, &beside, theme.dim);
    }
    for (i, row) in (0..n).zip(cells) {
        for (j, delta) in (0..n).zip(row) {
            let cell = Rect::new(inner.x + gutter + j * CELL, inner.y + 1 + i, CELL - 1, 1);
            if *delta == 0 {
                canvas.put_right(cell.right(), cell.y, cell.width, "·", theme.faint);
                continue;
            }
            // More on the diagonal is better, more beside it worse.
            let style = theme.heat(delta.abs() as f64 / largest as f64, (*delta > 0) == (i == j));
            canvas.tint(cell, style);
            canvas.put_right(cell.right(), cell.y, cell.width, &format!("{delta:+}"), style);
        }
    }
    let taken = wide + 3;
    Rect { x: inner.x + taken, width: inner.width - taken, ..inner }
}

fn listed(canvas: &mut Canvas, inner: Rect, rows: &[(String, Vec<Cell>)], scrolled: usize) {
    let page = usize::from(inner.height);
    let top = scrolled.min(rows.len().saturating_sub(page));
    for (line, (name, cells)) in rows.iter().skip(top).take(page).enumerate() {
        let y = inner.y + line as u16;
        canvas.put(inner.x + 8, y, inner.width.saturating_sub(8), name, canvas.theme.text);
        if let Some((words, style)) = cells.first() {
            canvas.put_right(inner.x + 6, y, 6, words, *style);
        }
    }
    more(canvas, inner, rows.len(), top + page);
}

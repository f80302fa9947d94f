use chrono::{DateTime, Local};
use ratatui::layout::Rect;

use crate::spec::keys::{self, KEYS};
use crate::spec::{IGNORED, ListColumn, RunState};
use crate::store::Run;
use crate::tui::canvas::Canvas;
use crate::tui::figures;
use crate::tui::labels::{site, state};
use crate::tui::snapshot::Snapshot;
use crate::tui::text;
use crate::tui::widgets::bar::bar;
use crate::tui::widgets::spark::spark;

/// The value of a key; of a path, the file's own name.
pub fn key_text(key: &str, run: &Run) -> String {
    let known = KEYS.iter().find(|k| k.name == key);
    let value = run.spec.shown(key);
    match known.map(|k| &k.kind) {
        Some(keys::ValueKind::Path) => value.rsplit('/').next().unwrap_or_default().to_owned(),
        _ => value,
    }
}

/// Tags, and the note if it has no column of its own.
pub fn tags_of(run: &Run, with_note: bool) -> String {
    let mut words: Vec<String> = run.tags.iter().map(|t| format!("#{t}")).collect();
    if run.archived {
        words.insert(0, "archived".into());
    }
    if with_note && !run.note.is_empty() {
        words.push(run.note.clone());
    }
    words.join(" ")
}

/// Draws one cell; `with_note` if the tags say the note, too.
pub fn draw(
    canvas: &mut Canvas,
    at: Rect,
    column: &ListColumn,
    run: &Run,
    snap: &Snapshot,
    with_note: bool,
) {
    let Rect { x, y, width, .. } = at;
    let theme = canvas.theme;
    match column {
        ListColumn::State => {
            let (glyph, word, style) = site::run_state(run, snap, theme);
            canvas.put(x, y, width, &format!("{glyph} {word}"), style);
        }
        ListColumn::Id => drop(canvas.put(x, y, width, &run.id.to_string(), theme.dim)),
        ListColumn::Name => drop(canvas.put(x, y, width, &run.name, theme.text)),
        ListColumn::Key(key) => {
            let value = key_text(key, run);
            if value == IGNORED {
                canvas.put_right(x + width, y, 1, IGNORED, theme.faint);
            } else if value.parse::<f64>().is_ok() {
                canvas.put_right(x + width, y, width, &value, theme.text);
            } else {
                let safe = text::clean(&value);
                canvas.put(x, y, width, &text::fit_end(&safe, usize::from(width)), theme.text);
            }
        }
        ListColumn::Epoch => match site::progress(run.id, snap) {
            Some(words) if run.epoch == 0.0 => drop(canvas.put(x, y, width, words, theme.warn)),
            _ => epoch(canvas, x, y, width, run),
        },
        ListColumn::Best(_) | ListColumn::Last(_) | ListColumn::Speed => {
            let Some((name, best)) = column.metric() else { return };
            let from = if best { &run.best } else { &run.last };
            if let Some(value) = from.get(name).or_else(|| run.last.get(name)) {
                // A figure of some of the rows is not to be held against those of all.
                let is_best = best && from.contains_key(name);
                let is_part = !is_best && name.starts_with("val/") && run.sampled().is_some();
                let style = if is_part {
                    theme.dim
                } else if best {
                    theme.strong
                } else {
                    theme.text
                };
                canvas.put_right(x + width, y, width, &figures::of(name, *value), style);
            }
        }
        ListColumn::Curve => spark(canvas, x, y, width, &run.spark, best_cell(run)),
        ListColumn::Time => {
            let took = run.device_time.map(figures::span).unwrap_or_default();
            canvas.put_right(x + width, y, width, &took, theme.dim);
        }
        ListColumn::Disk => {
            let size = snap.disk.get(&run.id).map(|bytes| figures::bytes(*bytes as f64));
            canvas.put_right(x + width, y, width, &size.unwrap_or_default(), theme.dim);
        }
        ListColumn::Created => {
            let now = DateTime::from_timestamp_millis(snap.now).unwrap_or_default();
            let words = figures::day(run.created, now.with_timezone(&Local));
            canvas.put(x, y, width, &words, theme.dim);
        }
        ListColumn::Flags => {
            let words: Vec<String> = run.flags.iter().map(ToString::to_string).collect();
            canvas.put(x, y, width, &words.join(" "), theme.warn);
        }
        ListColumn::Site => drop(canvas.put(x, y, width, site::of(run), theme.dim)),
        ListColumn::Tags => drop(canvas.put(x, y, width, &tags_of(run, with_note), theme.dim)),
        ListColumn::Note => drop(canvas.put(x, y, width, &run.note, theme.dim)),
    }
}

/// The value of the sparkline at the end of the best epoch.
fn best_cell(run: &Run) -> Option<usize> {
    let passed = f64::from(run.best_epoch?) / run.epoch;
    let cells = run.spark.len();
    passed.is_finite().then(|| ((passed * cells as f64).ceil() as usize).clamp(1, cells.max(1)) - 1)
}

fn epoch(canvas: &mut Canvas, x: u16, y: u16, width: u16, run: &Run) {
    let theme = canvas.theme;
    if run.state == RunState::Queued && run.epoch == 0.0 {
        canvas.put(x, y, width, "–", theme.faint);
        return;
    }
    let words = state::epoch_words(run);
    if !run.state.is_live() || width < 12 {
        let style = if run.epoch < f64::from(state::epochs(run)) { theme.text } else { theme.dim };
        canvas.put(x, y, width, &words, style);
        return;
    }
    let length = if width > 16 { 8 } else { 4 };
    bar(canvas, x, y, length, state::progress(run), theme.val);
    let end = canvas.put(x + length + 1, y, width, &words, theme.text);
    if let Some(eta) = state::eta(run) {
        let left = (x + width).saturating_sub(end + 1);
        let words = figures::span(eta);
        if text::width(&words) <= usize::from(left) {
            canvas.put_right(x + width, y, left, &words, theme.dim);
        }
    }
}

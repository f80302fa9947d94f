use ratatui::layout::Rect;

use crate::spec::Task;
use crate::spec::keys::{self, KEYS};
use crate::spec::metrics::{test, train, val};
use crate::spec::{IGNORED, RunState};
use crate::store::{Run, SPARK, Sort};
use crate::tui::canvas::Canvas;
use crate::tui::figures;
use crate::tui::labels::{site, state};
use crate::tui::snapshot::Snapshot;
use crate::tui::text;
use crate::tui::view::View;
use crate::tui::widgets::bar::bar;
use crate::tui::widgets::spark::spark;
use crate::tui::widgets::table::Column;

/// What a column shows.
#[derive(Debug, Clone, PartialEq)]
pub enum CellKind {
    /// Glyph and word.
    State,
    /// `r42`.
    Id,
    /// For people.
    Name,
    /// A varied key of the spec.
    Key(&'static str),
    /// Where it runs, once any run is elsewhere.
    Site,
    /// Epochs done, with a bar and the time left while it trains.
    Epoch,
    /// The latest value of a metric.
    Last(&'static str),
    /// Its best value.
    Best(&'static str),
    /// Loss so far.
    Spark,
    /// Wall-clock time.
    Time,
    /// Tags, else the note.
    Tags,
}

impl CellKind {
    /// What a click on the title sorts by.
    pub fn sort(&self) -> Option<Sort> {
        Some(match self {
            Self::State => Sort::State,
            Self::Id => Sort::Id,
            Self::Name => Sort::Name,
            Self::Key(key) => Sort::Key((*key).into()),
            Self::Last(metric) => Sort::Last((*metric).into()),
            Self::Best(metric) => Sort::Best((*metric).into()),
            Self::Time => Sort::Duration,
            Self::Site => Sort::Key("site".into()),
            Self::Epoch | Self::Spark | Self::Tags => return None,
        })
    }
}

/// The columns that these rows have something for, as wide as their contents.
pub fn columns(snap: &Snapshot, view: &View, room: u16) -> Vec<Column<CellKind>> {
    let rows = &snap.list.rows;
    let widest = |f: &dyn Fn(&Run) -> usize| rows.iter().map(f).max().unwrap_or(0) as u16;
    let last = snap.list.ids.iter().skip(view.runs.top).take(200).max();
    let id_width = last.map_or(3, |id| id.to_string().len() as u16).max(3);
    let name_width = widest(&|r| text::width(&r.name)).clamp(8, 48);
    let live = rows.iter().any(|r| r.state.is_live());
    let wide = room >= 120;
    let mut columns = vec![
        fixed(CellKind::State, "state", 10, false, 0),
        fixed(CellKind::Id, "id", id_width, false, 0),
    ];
    let least = if wide { 30 } else { 21 };
    let mut name = fixed(CellKind::Name, "name", name_width.min(least), false, 1);
    name.most = name_width;
    columns.push(name);
    let elsewhere = rows.iter().any(|r| site::of(r) != site::HERE);
    if elsewhere {
        let width = widest(&|r| text::width(site::of(r))).clamp(4, 12);
        columns.push(fixed(CellKind::Site, "site", width, false, 5));
    }
    // The spec's keys may be told by the name already: they go first when room is short, the last
    // of them before the first.
    for (i, key) in snap.list.varied.iter().enumerate() {
        let Some(known) = KEYS.iter().find(|k| k.name == *key) else { continue };
        if elsewhere && known.name == "site" {
            continue;
        }
        let width = widest(&|r| text::width(&key_text(key, r))).clamp(1, 16);
        let number = rows.iter().all(|r| {
            let value = r.spec.shown(known.name);
            value.is_empty() || value == IGNORED || value.parse::<f64>().is_ok()
        });
        let width = width.max(key.len() as u16);
        // Paths are long and often told by the name: shorter columns stay before them.
        let path = matches!(known.kind, keys::ValueKind::Path);
        let rank = 8 + i as u8 + if path { 12 } else { 0 };
        columns.push(fixed(CellKind::Key(key), key, width, number, rank));
    }
    let waits = rows.iter().any(|r| r.epoch == 0.0 && site::progress(r.id, snap).is_some());
    let epoch_width = match (live, wide) {
        (true, true) if waits => 29,
        (true, true) => 21,
        (true, false) => 14,
        (false, _) => widest(&|r| state::epoch_words(r).len()).max(5),
    };
    columns.push(fixed(CellKind::Epoch, "epoch", epoch_width, false, 2));
    let has = |metric: &str| rows.iter().any(|r| r.last.contains_key(metric));
    if live && has(train::STEP_LOSS) {
        // What moves while the first epoch is still under way.
        columns.push(fixed(CellKind::Last(train::STEP_LOSS), "train loss", 10, true, 9));
    }
    if has(val::ACC) {
        columns.push(fixed(CellKind::Last(val::ACC), "val acc", 7, true, 6));
        columns.push(fixed(CellKind::Best(val::ACC), "best acc", 8, true, 3));
    }
    columns.extend(scores(rows));
    if has(val::LOSS) {
        columns.push(fixed(CellKind::Last(val::LOSS), "val loss", 8, true, 4));
        let mut spark = fixed(CellKind::Spark, "", if wide { 14 } else { 5 }, false, 4);
        spark.most = SPARK as u16;
        columns.push(spark);
    }
    if has(test::ACC) {
        columns.push(fixed(CellKind::Last(test::ACC), "test acc", 8, true, 5));
    }
    columns.push(fixed(CellKind::Time, "time", 5, true, 7));
    let tags = widest(&|r| text::width(&tags_and_note(r))).min(40);
    if tags > 0 {
        let mut column = fixed(CellKind::Tags, "tags", tags.clamp(4, 10), false, 17);
        column.most = tags.max(4);
        columns.push(column);
    }
    columns
}

/// A column of that width.
fn fixed(kind: CellKind, title: &str, width: u16, right: bool, rank: u8) -> Column<CellKind> {
    Column { kind, title: title.into(), width, most: width, right, rank }
}

/// The scores of tasks without classes.
fn scores(rows: &[Run]) -> Vec<Column<CellKind>> {
    let has = |metric: &str| rows.iter().any(|r| r.last.contains_key(metric));
    let mut columns = Vec::new();
    for (metric, last, best) in
        [(val::PEARSON, "Pearson", "best r"), (val::MICRO_F1, "micro f1", "best f1")]
    {
        if has(metric) {
            columns.push(fixed(CellKind::Last(metric), last, 8, true, 6));
            columns.push(fixed(CellKind::Best(metric), best, 8, true, 3));
        }
    }
    if rows.iter().any(|r| r.spec.task == Task::Tag) && has(val::F1) {
        columns.push(fixed(CellKind::Last(val::F1), "val f1", 7, true, 6));
        columns.push(fixed(CellKind::Best(val::F1), "best f1", 8, true, 3));
    }
    columns
}

/// The value of a key; of a path, the file's own name.
fn key_text(key: &str, run: &Run) -> String {
    let known = KEYS.iter().find(|k| k.name == key);
    let value = run.spec.shown(key);
    match known.map(|k| &k.kind) {
        Some(keys::ValueKind::Path) => value.rsplit('/').next().unwrap_or_default().to_owned(),
        _ => value,
    }
}

fn tags_and_note(run: &Run) -> String {
    let mut words: Vec<String> = run.tags.iter().map(|t| format!("#{t}")).collect();
    if run.archived {
        words.insert(0, "archived".into());
    }
    if !run.note.is_empty() {
        words.push(run.note.clone());
    }
    words.join(" ")
}

/// Draws one cell.
pub fn draw(canvas: &mut Canvas, at: Rect, kind: &CellKind, run: &Run, snap: &Snapshot) {
    let Rect { x, y, width, .. } = at;
    let theme = canvas.theme;
    let right = x + width;
    let mut number = |value: Option<&f64>, style| {
        if let Some(value) = value {
            canvas.put_right(right, y, width, &figures::metric(*value), style);
        }
    };
    match kind {
        CellKind::State => {
            let (glyph, word, style) = site::run_state(run, snap, theme);
            canvas.put(x, y, width, &format!("{glyph} {word}"), style);
        }
        CellKind::Id => {
            canvas.put(x, y, width, &run.id.to_string(), theme.dim);
        }
        CellKind::Name => {
            canvas.put(x, y, width, &run.name, theme.text);
        }
        CellKind::Key(key) => {
            let value = key_text(key, run);
            if value == IGNORED {
                canvas.put_right(right, y, 1, IGNORED, theme.faint);
            } else if value.parse::<f64>().is_ok() {
                canvas.put_right(right, y, width, &value, theme.text);
            } else {
                let safe = text::clean(&value);
                canvas.put(x, y, width, &text::fit_end(&safe, usize::from(width)), theme.text);
            }
        }
        CellKind::Site => {
            canvas.put(x, y, width, site::of(run), theme.dim);
        }
        CellKind::Epoch => match site::progress(run.id, snap) {
            Some(words) if run.epoch == 0.0 => {
                canvas.put(x, y, width, words, theme.warn);
            }
            _ => epoch(canvas, x, y, width, run),
        },
        CellKind::Last(metric) => number(run.last.get(*metric), theme.text),
        CellKind::Best(metric) => number(run.best.get(*metric), theme.strong),
        CellKind::Spark => spark(canvas, x, y, width, &run.spark, best_cell(run)),
        CellKind::Time => {
            if let Some(took) = run.device_time {
                canvas.put_right(right, y, width, &figures::span(took), theme.dim);
            }
        }
        CellKind::Tags => {
            canvas.put(x, y, width, &tags_and_note(run), theme.dim);
        }
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

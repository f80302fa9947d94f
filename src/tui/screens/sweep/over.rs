//! Any figure or key over any other, a point for each run.

use std::collections::BTreeSet;

use ratatui::layout::Rect;

use super::settings::answer;
use crate::spec::ListColumn;
use crate::spec::keys::KEYS;
use crate::spec::metrics::{self, Unit};
use crate::store::Run;
use crate::tui::background::SweepFacts;
use crate::tui::canvas::{Canvas, Target};
use crate::tui::figures;
use crate::tui::snapshot::Snapshot;
use crate::tui::view::View;
use crate::tui::widgets::curve::{Chart, Series};

/// Values over this ratio are drawn over orders of magnitude.
const DECADES: f64 = 20.0;

/// What a run has of a key.
fn written_key(run: &Run, key: &str) -> Option<String> {
    run.spec.get(key).filter(|_| run.spec.obeys(key))
}

/// The words of a key that is not all numbers, each once, in order; a run stands at the place of its word.
fn words(facts: &SweepFacts, column: &ListColumn) -> Vec<String> {
    let ListColumn::Key(key) = column else { return Vec::new() };
    let all: BTreeSet<String> = facts.runs.iter().filter_map(|run| written_key(run, key)).collect();
    if all.iter().all(|word| word.parse::<f64>().is_ok()) {
        return Vec::new();
    }
    all.into_iter().collect()
}

/// The number that a run has there, given the column's [`words`].
fn value(run: &Run, column: &ListColumn, words: &[String]) -> Option<f64> {
    let value = match column {
        ListColumn::Key(key) => {
            let written = written_key(run, key)?;
            match words.iter().position(|word| *word == written) {
                Some(place) => place as f64,
                None => written.parse().ok()?,
            }
        }
        ListColumn::Time => run.device_time? as f64 / 1000.0,
        ListColumn::Epoch => run.epoch,
        column => {
            let (name, best) = column.metric()?;
            *if best { run.best.get(name) } else { run.last.get(name) }?
        }
    };
    value.is_finite().then_some(value)
}

/// What may be an axis: keys, words among them, time and figures in which the runs of the sweep differ.
pub fn choices(view: &View, snap: &Snapshot) -> Vec<ListColumn> {
    let Some(Ok(facts)) = answer(snap, view) else { return Vec::new() };
    let varied = facts.report.axes.iter().filter_map(|axis| KEYS.iter().find(|k| k.name == axis));
    let names: BTreeSet<&String> = facts.runs.iter().flat_map(|run| run.last.keys()).collect();
    let score = ListColumn::Best(facts.metric().to_owned());
    let figures = names.into_iter().flat_map(|name| {
        let best = (!name.starts_with("test/")).then(|| ListColumn::Best(name.clone()));
        best.into_iter().chain([ListColumn::Last(name.clone())])
    });
    let rest = KEYS.iter().map(|key| ListColumn::Key(key.name));
    let all = varied.map(|key| ListColumn::Key(key.name)).chain([ListColumn::Time, score.clone()]);
    let mut found: Vec<ListColumn> = Vec::new();
    for column in all.chain(figures).chain(rest) {
        let words = words(facts, &column);
        let mut values = facts.runs.iter().filter_map(|run| value(run, &column, &words));
        let first = values.next();
        let differs = values.any(|x| Some(x) != first) || first.is_some() && column == score;
        if !found.contains(&column) && differs {
            found.push(column);
        }
    }
    found
}

/// The axes: those that were chosen, else the score over the first key.
pub fn axes(view: &View, snap: &Snapshot) -> [Option<ListColumn>; 2] {
    let known = choices(view, snap);
    let score = answer(snap, view)
        .and_then(|facts| facts.as_ref().ok())
        .map(|facts| ListColumn::Best(facts.metric().to_owned()));
    let [x, y] = view.sweep.over.clone();
    let is_known = |column: &ListColumn| known.contains(column);
    [x.filter(is_known).or_else(|| known.first().cloned()), y.filter(is_known).or(score)]
}

/// What it is called.
pub fn label(column: &ListColumn) -> String {
    match column {
        ListColumn::Last(metric) => format!("last {}", metrics::heading(metric)),
        ListColumn::Best(metric) => format!("best {}", metrics::heading(metric)),
        column => column.to_string(),
    }
}

fn written(column: &ListColumn, log: bool) -> fn(f64) -> String {
    let is_bytes = column.metric().is_some_and(|(name, _)| metrics::unit(name) == Unit::Bytes);
    match (column, log) {
        (ListColumn::Time, true) => |x| figures::span((10f64.powf(x) * 1000.0) as i64),
        (ListColumn::Time, false) => |x| figures::span((x * 1000.0) as i64),
        (_, true) => |x| format!("{:.0e}", 10f64.powf(x)),
        _ if is_bytes => figures::bytes,
        _ => figures::metric,
    }
}

/// Draws the points; those of the setting under the cursor are told from the others, and a click on one goes to its
/// setting.
pub fn draw(canvas: &mut Canvas, area: Rect, facts: &SweepFacts, snap: &Snapshot, view: &View) {
    let theme = canvas.theme;
    let [Some(x), Some(y)] = axes(view, snap) else {
        let inner = canvas.panel(area, "a point for each run", "o other axes");
        let words = "The runs differ in nothing yet.";
        canvas.put(inner.x, inner.y, inner.width, words, theme.dim);
        return;
    };
    let settings = &facts.report.settings;
    let [x_words, y_words] = [&x, &y].map(|column| words(facts, column));
    let setting_of = |run: &Run| settings.iter().position(|s| s.runs.contains(&run.id));
    let points: Vec<(usize, (f64, f64))> = facts
        .runs
        .iter()
        .filter_map(|run| {
            let point = (value(run, &x, &x_words)?, value(run, &y, &y_words)?);
            Some((setting_of(run)?, point))
        })
        .collect();
    let of_x = || points.iter().map(|(_, point)| point.0);
    let (low, high) = (of_x().fold(f64::INFINITY, f64::min), of_x().fold(0.0, f64::max));
    let log = low > 0.0 && high / low > DECADES;
    let scale = |x: f64| if log { x.log10() } else { x };
    let title = format!("{} over {}{}", label(&y), label(&x), if log { ", log axis" } else { "" });
    let mut inner = canvas.panel(area, &title, "o other axes");
    for (column, words) in
        [(&x, &x_words), (&y, &y_words)].into_iter().filter(|(_, w)| !w.is_empty())
    {
        // The axis has the places of words alone.
        let places = words.iter().enumerate().map(|(at, word)| format!("{at} {word}"));
        let legend = format!("{}: {}", label(column), places.collect::<Vec<_>>().join("  "));
        let y = inner.bottom().saturating_sub(1);
        canvas.put(inner.x, y, inner.width, &legend, theme.dim);
        inner.height = inner.height.saturating_sub(1);
    }
    let margin = ((scale(high) - scale(low)) * 0.04).max(1e-12);
    let range =
        if points.is_empty() { (0.0, 1.0) } else { (scale(low) - margin, scale(high) + margin) };
    let (mine, others): (Vec<_>, Vec<_>) =
        points.iter().partition(|(setting, _)| *setting == view.sweep.cursor);
    let cloud = |of: Vec<&(usize, (f64, f64))>, style| {
        Series::scattered(of.iter().map(|(_, (x, y))| (scale(*x), *y)).collect(), style)
    };
    let series = vec![cloud(others, theme.val), cloud(mine.clone(), theme.accent)];
    let chart = Chart { x_log: log, x_label: written(&x, log), ..Chart::new(series, range) };
    chart.draw(canvas, inner);
    for (setting, (x, y)) in &points {
        let Some((at, row)) = chart.cell(inner, (scale(*x), *y)) else { continue };
        if *setting == view.sweep.cursor {
            canvas.dot(at, row, '◆', theme.accent);
        }
        canvas.hit(Rect::new(at, row, 1, 1), Target::Row(*setting));
    }
}

//! Two to eight runs side by side: who they are and whether they differ by more than chance, their
//! curves, and one table at a time of keys, figures, classes or confusion.
//!
//! ```text
//! 1 ● r12 lr=1e-5   baseline   0.9713
//! 2 ● r14 lr=5e-5              0.9588 ▼-0.0125   noise, p=0.42, n=558
//! ╭ val/loss ───────────╮╭ keys that differ ────────────╮
//! ```

mod tables;

use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;

use super::state;
use crate::analysis::compare::Pair;
use crate::spec::RunId;
use crate::store::{Curve, Run};
use crate::tui::canvas::{Canvas, Target};
use crate::tui::figures;
use crate::tui::snapshot::Snapshot;
use crate::tui::study::Compared;
use crate::tui::theme::Theme;
use crate::tui::view::View;
use crate::tui::widgets::curve::{Chart, Series};

/// From this width on, two charts stand above each other and tables show every run.
const WIDE: u16 = 110;

/// Draws the marked runs.
pub fn draw(canvas: &mut Canvas, area: Rect, snap: &Snapshot, view: &View) {
    let ids = view.compared();
    if ids.len() < 2 {
        let words = [
            "Mark two to eight runs with space, then press C.",
            "",
            "On the runs screen, the marks stand at the left of each row; a click there marks, too.",
        ];
        return super::popups::message(canvas, area, &words.map(str::to_owned));
    }
    let question = view.compare_question(snap);
    let compared = match &snap.study.compared {
        Some((of, answer)) if Some(of) == question.as_ref() => answer,
        // The answer of a moment ago, while runs train.
        Some((of, answer)) if of.runs == ids => answer,
        _ => return super::popups::message(canvas, area, &["comparing".to_owned()]),
    };
    let compared = match compared.as_ref() {
        Ok(compared) => compared,
        Err(why) => return super::popups::message(canvas, area, std::slice::from_ref(why)),
    };
    let rows = (compared.runs.len() as u16 + 1).min(area.height / 2);
    let [legend_area, body] =
        Layout::vertical([Constraint::Length(rows), Constraint::Fill(1)]).areas(area);
    legend(canvas, legend_area, compared, view);
    let left = if body.width >= WIDE { 45 } else { 42 };
    let [charts, table] =
        Layout::horizontal([Constraint::Percentage(left), Constraint::Fill(1)]).areas(body);
    if charts.height >= 16 {
        let [above, below] =
            Layout::vertical([Constraint::Fill(1), Constraint::Fill(1)]).areas(charts);
        curves(canvas, above, compared, "val/loss", view);
        curves(canvas, below, compared, "val/acc", view);
    } else {
        curves(canvas, charts, compared, "val/loss", view);
    }
    tables::draw(canvas, table, compared, view);
}

/// The pair of a run with the baseline.
fn pair(compared: &Compared, id: RunId) -> Option<&Pair> {
    let base = compared.runs.first()?.id;
    compared.comparison.pairs.iter().find(|p| (p.a, p.b) == (base, id))
}

/// A run's colour, and the digit that says the same without colour.
fn ink(theme: &Theme, at: usize) -> (Style, String) {
    (theme.series(at), (at + 1).to_string())
}

fn legend(canvas: &mut Canvas, area: Rect, compared: &Compared, view: &View) {
    let theme = canvas.theme;
    let names = area.width.saturating_sub(64).clamp(12, 44);
    let (id_at, name_at) = (area.x + 4, area.x + 11);
    let score_at = name_at + names + 9;
    let delta_at = score_at + 10;
    let badge_at = delta_at + 2;
    for (words, right) in [("test acc", score_at), ("Δ", delta_at)] {
        canvas.put_right(right, area.y, 9, words, theme.dim);
    }
    canvas.put(badge_at, area.y, area.right().saturating_sub(badge_at), "is it noise?", theme.dim);
    for (i, run) in compared.runs.iter().enumerate() {
        let y = area.y + 1 + i as u16;
        if y >= area.bottom() {
            break;
        }
        let row = Rect::new(area.x, y, area.width, 1);
        canvas.hit(row, Target::Row(i));
        if i == view.compare.cursor {
            canvas.tint(row, theme.selected);
            canvas.dot(area.x, y, '▌', theme.accent);
        }
        let (style, digit) = ink(theme, i);
        canvas.put(area.x + 1, y, 3, &format!("{digit}●"), style);
        canvas.put(id_at, y, 6, &run.id.to_string(), theme.dim);
        canvas.put(name_at, y, names, &run.name, theme.text);
        let score =
            |run: &Run| run.last.get("test/acc").or_else(|| run.best.get("val/acc")).copied();
        let words =
            score(run).map_or_else(|| state::label(run, theme).1.to_owned(), figures::metric);
        canvas.put_right(score_at, y, 8, &words, theme.strong);
        let room = area.right().saturating_sub(badge_at);
        if i == 0 {
            canvas.put(badge_at, y, room, "baseline", theme.dim);
            continue;
        }
        let delta = score(run).zip(compared.runs.first().and_then(score)).map(|(a, b)| a - b);
        if let Some(delta) = delta {
            let (glyph, style) = direction(delta, true, theme);
            let words = format!("{glyph}{:.4}", delta.abs());
            canvas.put_right(delta_at, y, 9, &words, style);
        }
        if let Some(pair) = pair(compared, run.id) {
            let style = if pair.is_real() { theme.accent } else { theme.dim };
            let [low, high] = pair.accuracy_ci95;
            let mut words = pair.to_string();
            let interval = format!("  [{low:+.3}, {high:+.3}]");
            // Half an interval would be read as another one.
            if words.len() + interval.len() <= usize::from(room) {
                words.push_str(&interval);
            }
            canvas.put(badge_at, y, room, &words, style);
        } else {
            let refused = &compared.comparison.refused;
            let why = refused.iter().find(|r| r.b == run.id).map_or("", |r| r.why.as_str());
            canvas.put(badge_at, y, room, why, theme.warn);
        }
    }
}

/// Better or worse, by glyph and by colour.
fn direction(delta: f64, higher: bool, theme: &Theme) -> (&'static str, Style) {
    match delta {
        0.0 => ("=", theme.dim),
        d => {
            let glyph = if d > 0.0 { "▲" } else { "▼" };
            (glyph, if (d > 0.0) == higher { theme.good } else { theme.bad })
        }
    }
}

fn curves(canvas: &mut Canvas, area: Rect, compared: &Compared, metric: &str, view: &View) {
    let inner = canvas.panel(area, metric, "over epochs");
    let points = |curve: &Curve| -> Vec<(f64, f64)> {
        curve.epoch.iter().copied().zip(curve.value.iter().copied()).collect()
    };
    let mut series: Vec<(usize, Series)> = compared
        .curves
        .iter()
        .enumerate()
        .filter_map(|(i, curves)| {
            let (style, digit) = ink(canvas.theme, i);
            let points = points(curves.get(metric)?);
            let tag = digit.chars().next();
            Some((i, Series { points, style, marked: false, tag }))
        })
        .collect();
    // The run under the cursor lies on top.
    series.sort_by_key(|(i, _)| *i == view.compare.cursor);
    let last = series.iter().filter_map(|(_, s)| s.points.last()).map(|p| p.0).fold(1.0, f64::max);
    let chart = Chart {
        series: series.into_iter().map(|(_, s)| s).collect(),
        x: (0.0, last),
        x_log: false,
        log: false,
        x_label: |x| format!("{}", (x * 100.0).round() / 100.0),
        best: None,
        read: None,
    };
    chart.draw(canvas, inner);
}

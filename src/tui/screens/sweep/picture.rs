use ratatui::layout::Rect;
use ratatui::style::Modifier;

use super::keys::NEXT_AXIS;
use super::mean::mean;
use crate::analysis::sweeps::{Setting, grid};
use crate::tui::background::SweepFacts;
use crate::tui::canvas::{Canvas, Target};
use crate::tui::figures;
use crate::tui::text;
use crate::tui::view::{Picture, View};
use crate::tui::widgets::curve::{Chart, Series};

/// More levels than this on an axis make a scatter plot of it, not rows of a heat map.
const LEVELS: usize = 12;

/// A heat map of two axes, or a scatter plot of one.
pub fn draw(canvas: &mut Canvas, area: Rect, facts: &SweepFacts, view: &View) {
    let report = &facts.report;
    canvas.hit(area, Target::Do(&NEXT_AXIS));
    if view.sweep.picture == Some(Picture::Cost) {
        return cost(canvas, area, facts, view);
    }
    if report.axes.is_empty() {
        let inner = canvas.panel(area, &facts.heading(), "");
        let what = if facts.are_folds() { "the fold and the seed were" } else { "the seed was" };
        let words = format!("Nothing but {what} varied.");
        canvas.put(inner.x, inner.y, inner.width, &words, canvas.theme.dim);
        return;
    }
    let count = report.axes.len();
    let rows = view.sweep.axis % count;
    let columns = (rows + 1) % count;
    let few = |axis: usize| report.effects.get(axis).is_some_and(|e| e.levels.len() <= LEVELS);
    if count > 1 && few(rows) && few(columns) {
        heat(canvas, area, facts, view, (rows, columns));
    } else {
        scatter(canvas, area, facts, rows);
    }
}

fn heat(
    canvas: &mut Canvas,
    area: Rect,
    facts: &SweepFacts,
    view: &View,
    (rows, columns): (usize, usize),
) {
    let theme = canvas.theme;
    let report = &facts.report;
    let axis = |i: usize| report.axes.get(i).map_or("", String::as_str);
    let what = facts.heading();
    let title = format!("{what}  {} ↓  {} →", axis(rows), axis(columns));
    let inner = canvas.panel(area, &title, if report.axes.len() > 2 { "a other axes" } else { "" });
    let (row_names, column_names, means) = grid(report, rows, columns);
    let (low, high) = means
        .values()
        .filter(|x| x.is_finite())
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), x| (l.min(*x), h.max(*x)));
    let gutter =
        row_names.iter().map(|n| text::width(n)).max().unwrap_or(4).clamp(4, 14) as u16 + 1;
    let room = inner.width.saturating_sub(gutter);
    // The map fills its panel.
    let wide = (room / column_names.len().max(1) as u16).max(1);
    let tall = (inner.height.saturating_sub(1) / row_names.len().max(1) as u16).max(1);
    // Figures stand in the middle of wide cells.
    let inset = wide.saturating_sub(9) / 2;
    let here = report.settings.get(view.sweep.cursor);
    for (j, name) in column_names.iter().enumerate() {
        let right = inner.x + gutter + (j as u16 + 1) * wide;
        if right <= inner.right() {
            canvas.put_right((right - inset).saturating_sub(1), inner.y, wide - 1, name, theme.dim);
        }
    }
    for (i, name) in row_names.iter().enumerate() {
        let y = inner.y + 1 + i as u16 * tall;
        if y + tall > inner.bottom() {
            break;
        }
        let middle = y + (tall - 1) / 2;
        canvas.put_right(inner.x + gutter - 1, middle, gutter - 1, name, theme.dim);
        for (j, column) in column_names.iter().enumerate() {
            let cell = Rect::new(inner.x + gutter + j as u16 * wide, y, wide, tall);
            if cell.right() > inner.right() {
                break;
            }
            let Some(mean) = means.get(&(i, j)) else {
                canvas.put_right(cell.right() - inset - 1, middle, wide, "·", theme.faint);
                continue;
            };
            // From the worst to the best cell: accuracies of one sweep lie close together.
            let heat = if high > low { (mean - low) / (high - low) } else { 1.0 };
            let heat = if report.lower && high > low { 1.0 - heat } else { heat };
            let best = if report.lower { low } else { high };
            // The worst cell keeps a ground of its own, else its figure could not be read.
            let style = theme.heat(0.03 + 0.97 * heat * heat, true);
            canvas.tint(cell, style);
            let at = |axis: usize| here.and_then(|s| s.values.get(axis));
            let mut style = style;
            if at(rows) == Some(name) && at(columns) == Some(column) {
                style = style.add_modifier(Modifier::REVERSED | Modifier::BOLD);
                canvas.tint(cell, style);
            }
            let star = if *mean == best { "◆" } else { "" };
            let words = match wide {
                7.. => format!("{star}{mean:.4}"),
                5..7 => format!("{mean:.2}"),
                3..5 => format!("{mean:.2}").trim_start_matches('0').to_owned(),
                _ => String::new(),
            };
            canvas.put_right(cell.right() - inset - 1, middle, wide, &words, style);
        }
    }
}

fn scatter(canvas: &mut Canvas, area: Rect, facts: &SweepFacts, axis: usize) {
    let theme = canvas.theme;
    let report = &facts.report;
    let Some(key) = report.axes.get(axis) else { return };
    let aside = if report.axes.len() > 1 { "a other axis" } else { "" };
    let mut points: Vec<(f64, f64)> = facts
        .runs
        .iter()
        .filter(|run| run.spec.obeys(key))
        .filter_map(|run| Some((run.spec.get(key)?.parse::<f64>().ok()?, facts.score(run)?)))
        .filter(|(x, y)| x.is_finite() && y.is_finite())
        .collect();
    if points.is_empty() {
        return levels(canvas, area, facts, axis, aside);
    }
    points.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (low, high) = (points.first().map_or(0.0, |p| p.0), points.last().map_or(1.0, |p| p.0));
    // Rates are drawn over orders of magnitude, and so they are looked at.
    let log = low > 0.0 && high / low > 20.0;
    let what = facts.heading();
    let title = format!("{what} over {key}{}", if log { ", log axis" } else { "" });
    let inner = canvas.panel(area, &title, aside);
    let scale = |x: f64| if log { x.log10() } else { x };
    let best = report.best(points.iter().copied());
    let margin = ((scale(high) - scale(low)) * 0.03).max(1e-12);
    let dots = points.iter().map(|(x, y)| Series::marked(vec![(scale(*x), *y)], theme.val));
    let chart = Chart {
        x_log: log,
        x_label: if log { |x| format!("{:.0e}", 10f64.powf(x)) } else { |x| figures::metric(x) },
        best: best.map(|(x, y)| (scale(x), y)),
        ..Chart::new(dots.collect(), (scale(low) - margin, scale(high) + margin))
    };
    chart.draw(canvas, inner);
}

/// Mean accuracy of each setting over the time of a run, the Pareto front as a line.
fn cost(canvas: &mut Canvas, area: Rect, facts: &SweepFacts, view: &View) {
    let theme = canvas.theme;
    let known = |s: &Setting| Some((s.cost.filter(|ms| *ms > 0)? as f64 / 1000.0, s.score.mean?));
    let all: Vec<(f64, f64)> = facts.report.settings.iter().filter_map(known).collect();
    let times = || all.iter().map(|p| p.0);
    let (low, high) = (times().fold(f64::INFINITY, f64::min), times().fold(0.0, f64::max));
    // Times a thousand apart would leave all but one at the edge.
    let log = low > 0.0 && high / low > 20.0;
    let inner =
        canvas.panel(area, &format!("{} over time per run, ━ front", facts.heading()), "p axes");
    let scale = |x: f64| if log { x.log10() } else { x };
    let points = |of: &[(f64, f64)]| of.iter().map(|(x, y)| (scale(*x), *y)).collect::<Vec<_>>();
    let on_front = facts.report.settings.iter().filter(|s| s.is_on_front);
    let mut front: Vec<(f64, f64)> = on_front.filter_map(known).collect();
    front.sort_by(|a, b| a.0.total_cmp(&b.0));
    let dot = |point: &(f64, f64)| Series::marked(points(&[*point]), theme.val);
    let mut series: Vec<Series> = all.iter().map(dot).collect();
    series.push(Series::marked(points(&front), theme.good));
    let here = facts.report.settings.get(view.sweep.cursor).and_then(known);
    let margin = ((scale(high) - scale(low)) * 0.05).max(scale(high).abs() * 0.02 + 1e-9);
    let range =
        if all.is_empty() { (0.0, 1.0) } else { (scale(low) - margin, scale(high) + margin) };
    let chart = Chart {
        x_log: log,
        x_label: if log {
            |x| figures::span((10f64.powf(x) * 1000.0) as i64)
        } else {
            |x| figures::span((x * 1000.0) as i64)
        },
        best: here.map(|(x, y)| (scale(x), y)),
        ..Chart::new(series, range)
    };
    chart.draw(canvas, inner);
}

/// One axis of words: a bar for each.
fn levels(canvas: &mut Canvas, area: Rect, facts: &SweepFacts, axis: usize, aside: &str) {
    let Some(effect) = facts.report.effects.get(axis) else { return };
    let inner = canvas.panel(area, &format!("{} by {}", facts.heading(), effect.key), aside);
    for (i, (name, spread)) in effect.levels.iter().enumerate() {
        let y = inner.y + i as u16;
        if y >= inner.bottom() {
            return;
        }
        canvas.put(inner.x, y, 20, name, canvas.theme.text);
        let words = format!("{}  n={}", mean(spread), spread.n);
        canvas.put(inner.x + 22, y, inner.width.saturating_sub(22), &words, canvas.theme.dim);
    }
}

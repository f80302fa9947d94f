use ratatui::layout::Rect;

use super::ink::ink;
use crate::store::Curve;
use crate::tui::background::Compared;
use crate::tui::canvas::{Canvas, Target};
use crate::tui::figures;
use crate::tui::layout::{grid, panels};
use crate::tui::view::View;
use crate::tui::widgets::curve::{Chart, Series};

/// The least size of a panel of one run.
const LEAST: (u16, u16) = (28, 7);

fn points(curve: &Curve) -> Vec<(f64, f64)> {
    curve.epoch.iter().copied().zip(curve.value.iter().copied()).collect()
}

/// A panel for each run, in which the others lie faint behind it: so all have the same axes.
pub fn each(canvas: &mut Canvas, area: Rect, compared: &Compared, metric: &str, view: &View) {
    let all: Vec<Option<Vec<(f64, f64)>>> =
        compared.curves.iter().map(|curves| curves.get(metric).map(points)).collect();
    let ends = all.iter().flatten().filter_map(|points| points.last()).map(|point| point.0);
    let last = ends.fold(1.0, f64::max);
    let count = compared.runs.len();
    let cells = panels(area, grid(area, count, LEAST));
    for (i, (run, place)) in compared.runs.iter().zip(cells).enumerate() {
        let (style, digit) = ink(canvas.theme, i);
        let own = all.get(i).cloned().flatten();
        let value = own.as_ref().and_then(|points| points.last());
        let value = value.map(|point| figures::metric(point.1)).unwrap_or_default();
        let inner =
            canvas.panel(place, &format!("{digit} {}", run.id), &format!("{metric} {value}"));
        let others = all.iter().enumerate().filter(|(other, _)| *other != i);
        let faint = |points: &Vec<_>| Series::line(points.clone(), canvas.theme.faint);
        let mut series: Vec<Series> =
            others.filter_map(|(_, points)| points.as_ref()).map(faint).collect();
        series.extend(own.map(|points| Series::line(points, style)));
        Chart::new(series, (0.0, last)).draw(canvas, inner);
        if view.compare.cursor == i {
            canvas.tint(Rect { height: 1, ..place }, canvas.theme.accent);
        }
        canvas.hit(place, Target::Row(i));
    }
}

/// The curves of all runs over each other.
pub fn draw(canvas: &mut Canvas, area: Rect, compared: &Compared, metric: &str, view: &View) {
    let inner = canvas.panel(area, metric, "over epochs");
    let mut series: Vec<(usize, Series)> = compared
        .curves
        .iter()
        .enumerate()
        .filter_map(|(i, curves)| {
            let (style, digit) = ink(canvas.theme, i);
            let points = points(curves.get(metric)?);
            let tag = digit.chars().next();
            Some((i, Series { tag, ..Series::line(points, style) }))
        })
        .collect();
    // The run under the cursor lies on top.
    series.sort_by_key(|(i, _)| *i == view.compare.cursor);
    let last = series.iter().filter_map(|(_, s)| s.points.last()).map(|p| p.0).fold(1.0, f64::max);
    let series = series.into_iter().map(|(_, series)| series).collect();
    Chart::new(series, (0.0, last)).draw(canvas, inner);
}

use ratatui::layout::Rect;

use super::ink::ink;
use crate::store::Curve;
use crate::tui::background::Compared;
use crate::tui::canvas::Canvas;
use crate::tui::view::View;
use crate::tui::widgets::curve::{Chart, Series};

/// The curves of all runs over each other.
pub fn draw(canvas: &mut Canvas, area: Rect, compared: &Compared, metric: &str, view: &View) {
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
            Some((i, Series { tag, ..Series::line(points, style) }))
        })
        .collect();
    // The run under the cursor lies on top.
    series.sort_by_key(|(i, _)| *i == view.compare.cursor);
    let last = series.iter().filter_map(|(_, s)| s.points.last()).map(|p| p.0).fold(1.0, f64::max);
    let series = series.into_iter().map(|(_, series)| series).collect();
    Chart::new(series, (0.0, last)).draw(canvas, inner);
}

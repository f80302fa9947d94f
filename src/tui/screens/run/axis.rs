//! What both charts of a run share: their axis, legends and edges.

use ratatui::layout::Rect;
use ratatui::style::Style;

use crate::store::Curve;
use crate::tui::canvas::Canvas;
use crate::tui::figures;
use crate::tui::snapshot::Detail;
use crate::tui::text;
use crate::tui::view::{View, XAxis};

/// When the first point was written.
pub fn start(detail: &Detail) -> i64 {
    detail.curves.values().filter_map(|c| c.time.first()).min().copied().unwrap_or(0)
}

/// Where the points of a curve lie on the axis.
pub fn xs(curve: &Curve, axis: XAxis, start: i64) -> Vec<f64> {
    match axis {
        XAxis::Step => curve.step.iter().map(|s| *s as f64).collect(),
        XAxis::Epoch => curve.epoch.clone(),
        XAxis::Time => curve.time.iter().map(|t| (t - start) as f64 / 1000.0).collect(),
    }
}

/// How a place on the axis is written.
pub fn x_label(axis: XAxis) -> fn(f64) -> String {
    match axis {
        XAxis::Step => figures::count,
        // Ticks of a twentieth of an epoch are told apart.
        XAxis::Epoch => |x| format!("{}", (x * 1000.0).round() / 1000.0),
        XAxis::Time => |x| figures::span((x * 1000.0) as i64),
    }
}

/// A place on the axis in words.
pub fn position(axis: XAxis, x: f64) -> String {
    match axis {
        XAxis::Step => format!("step {x:.0}"),
        XAxis::Epoch => format!("epoch {}", (x * 100.0).round() / 100.0),
        XAxis::Time => figures::span((x * 1000.0) as i64),
    }
}

/// The value of the point that is nearest.
pub fn nearest(points: &[(f64, f64)], x: f64) -> Option<f64> {
    points.iter().min_by(|a, b| (a.0 - x).abs().total_cmp(&(b.0 - x).abs())).map(|p| p.1)
}

/// The legend in the panel's upper edge, from the right; what does not fit is left out.
pub fn edge(canvas: &mut Canvas, area: Rect, title: &str, legend: &[(String, Style)]) {
    let room = usize::from(area.width).saturating_sub(text::width(title) + 7);
    let mut kept = Vec::new();
    let mut used = 1;
    for (words, style) in legend {
        let width = text::width(words) + 2;
        if used + width > room {
            break;
        }
        used += width;
        kept.push((words, style));
    }
    if kept.is_empty() {
        return;
    }
    let mut at = area.right().saturating_sub(used as u16 + 2);
    canvas.put(at, area.y, 1, " ", canvas.theme.text);
    at += 1;
    for (words, style) in kept {
        at = canvas.put(at, area.y, area.width, words, *style);
        at = canvas.put(at, area.y, 2, "  ", canvas.theme.text);
    }
}

/// How the curves are drawn, in the lower edge.
pub fn settings(canvas: &mut Canvas, area: Rect, view: &View, log: bool, weight: f64, loss: bool) {
    if area.width < 30 || area.height < 4 {
        return;
    }
    let mut words = match view.run.x {
        XAxis::Step => "steps".to_owned(),
        XAxis::Epoch => "epochs".to_owned(),
        XAxis::Time => "time".to_owned(),
    };
    if loss && log {
        words = format!("log, {words}");
    }
    if weight > 0.0 {
        words = format!("smoothed {weight}, {words}");
    }
    let style = canvas.theme.dim;
    canvas.put_right(
        area.right() - 2,
        area.bottom() - 1,
        area.width - 4,
        &format!(" {words} "),
        style,
    );
}

use ratatui::layout::Rect;
use ratatui::style::Style;

use super::rates;
use crate::store::Curve;
use crate::tui::canvas::Canvas;
use crate::tui::figures;
use crate::tui::screens::state;
use crate::tui::snapshot::Detail;
use crate::tui::text;
use crate::tui::theme::Theme;
use crate::tui::view::{SMOOTHING, View, XAxis};
use crate::tui::widgets::curve::{Chart, Series, smooth};

/// A curve of a chart: its metric, its word in the legend, its colour.
type Line = (&'static str, &'static str, fn(&Theme) -> Style);

/// The loss of the steps runs behind the others: it moves before the first epoch is over.
const LOSS: [Line; 3] = [
    ("train/step_loss", "step", |t| t.faded(t.train)),
    ("train/loss", "train", |t| t.train),
    ("val/loss", "val", |t| t.val),
];
const ACCURACY: [Line; 3] = [
    ("train/acc", "train", |t| t.train),
    ("val/f1", "f1", |t| t.test),
    ("val/acc", "val", |t| t.val),
];

/// Draws both charts over one x axis; learning rates take the place of accuracies where asked for.
pub fn draw(canvas: &mut Canvas, loss: Rect, accuracy: Rect, detail: &Detail, view: &View) {
    let range = range(detail, view.run.x);
    chart(canvas, loss, "loss", &LOSS, range, detail, view);
    if view.run.rates {
        rates::draw(canvas, accuracy, range, detail, view);
    } else {
        chart(canvas, accuracy, "accuracy", &ACCURACY, range, detail, view);
    }
}

fn range(detail: &Detail, axis: XAxis) -> (f64, f64) {
    let start = start(detail);
    let all = LOSS.iter().chain(&ACCURACY).filter_map(|(metric, ..)| detail.curves.get(*metric));
    let last = all.flat_map(|curve| xs(curve, axis, start)).fold(0.0, f64::max);
    let whole = f64::from(state::epochs(&detail.run));
    let steps = detail.run.facts.as_ref().map_or(0, |f| f.total_steps) as f64;
    let end = match axis {
        _ if !detail.run.state.is_live() => last,
        XAxis::Epoch => stage(last, whole),
        XAxis::Step if steps > 0.0 => stage(last, steps),
        XAxis::Step => stage(last, 2f64.powi(40)),
        XAxis::Time => stage(last, 30.0 * 2f64.powi(30)),
    };
    (0.0, if end > 0.0 { end } else { 1.0 })
}

/// The least half of a half of ... of the whole that holds `last`. While a run goes on, its curves
/// grow to the right and fill at least half of the plot; were the axis to follow each new point,
/// every dot would move all the time.
fn stage(last: f64, whole: f64) -> f64 {
    let mut end = whole.max(last);
    while end / 2.0 >= last && end > f64::MIN_POSITIVE && last > 0.0 {
        end /= 2.0;
    }
    end
}

/// When the first point was written.
pub(super) fn start(detail: &Detail) -> i64 {
    detail.curves.values().filter_map(|c| c.time.first()).min().copied().unwrap_or(0)
}

pub(super) fn xs(curve: &Curve, axis: XAxis, start: i64) -> Vec<f64> {
    match axis {
        XAxis::Step => curve.step.iter().map(|s| *s as f64).collect(),
        XAxis::Epoch => curve.epoch.clone(),
        XAxis::Time => curve.time.iter().map(|t| (t - start) as f64 / 1000.0).collect(),
    }
}

pub(super) fn x_label(axis: XAxis) -> fn(f64) -> String {
    match axis {
        XAxis::Step | XAxis::Epoch => |x| {
            if x.fract() == 0.0 { figures::count(x) } else { format!("{x:.1}") }
        },
        XAxis::Time => |x| figures::span((x * 1000.0) as i64),
    }
}

fn chart(
    canvas: &mut Canvas,
    area: Rect,
    title: &str,
    lines: &[Line],
    range: (f64, f64),
    detail: &Detail,
    view: &View,
) {
    let theme = canvas.theme;
    let (axis, start) = (view.run.x, start(detail));
    let weight = SMOOTHING.get(view.run.smooth).copied().unwrap_or(0.0);
    let log = view.run.log_y && title == "loss";
    let inner = canvas.panel(area, title, "");
    let plot = Chart::plot(inner);
    let mut chart = Chart {
        series: Vec::new(),
        x: range,
        x_log: false,
        log,
        x_label: x_label(axis),
        best: None,
        read: view.run.read,
    };
    let read_x = view.run.read.map(|c| chart.x_at(plot, c.min(plot.width.saturating_sub(1))));
    let mut legend: Vec<(String, Style)> = Vec::new();
    for (metric, word, style) in lines {
        let Some(curve) = detail.curves.get(*metric).filter(|c| !c.value.is_empty()) else {
            continue;
        };
        let style = style(theme);
        let points: Vec<(f64, f64)> =
            xs(curve, axis, start).into_iter().zip(curve.value.iter().copied()).collect();
        let shown = match read_x {
            Some(x) => nearest(&points, x),
            None => points.last().map(|p| p.1),
        };
        if let Some(value) = shown {
            legend.push((format!("{word} {}", figures::metric(value)), style));
        }
        if metric.starts_with("val/") && *metric != "val/f1" {
            chart.best = best(detail, curve, &points);
        }
        // Few points, one an epoch, are each worth a mark.
        let marked = points.len() * 4 <= usize::from(plot.width);
        if weight > 0.0 && !marked {
            let smoothed = smooth(&points, weight);
            chart.series.push(Series {
                points,
                style: theme.faded(style),
                marked: false,
                tag: None,
            });
            chart.series.push(Series { points: smoothed, style, marked: false, tag: None });
        } else {
            chart.series.push(Series { points, style, marked, tag: None });
        }
    }
    chart.draw(canvas, inner);
    if let Some(x) = read_x {
        legend.push((format!("at {}", position(axis, x)), theme.text));
    } else if let Some((x, y)) = chart.best.filter(|_| area.width > 60) {
        let at = position(axis, x);
        legend.insert(0, (format!("◆ {} at {at}", figures::metric(y)), theme.good));
    }
    // What matters most stays longest when room is short.
    legend.reverse();
    edge(canvas, area, title, &legend);
    settings(canvas, area, view, log, weight, title == "loss");
}

pub(super) fn position(axis: XAxis, x: f64) -> String {
    match axis {
        XAxis::Step => format!("step {x:.0}"),
        XAxis::Epoch => format!("epoch {}", (x * 100.0).round() / 100.0),
        XAxis::Time => figures::span((x * 1000.0) as i64),
    }
}

fn best(detail: &Detail, curve: &Curve, points: &[(f64, f64)]) -> Option<(f64, f64)> {
    let epoch = f64::from(detail.run.best_epoch?);
    let at = curve.epoch.iter().position(|e| (e - epoch).abs() < 1e-6)?;
    points.get(at).copied()
}

pub(super) fn nearest(points: &[(f64, f64)], x: f64) -> Option<f64> {
    points.iter().min_by(|a, b| (a.0 - x).abs().total_cmp(&(b.0 - x).abs())).map(|p| p.1)
}

/// The legend in the panel's upper edge, from the right; what does not fit is left out.
pub(super) fn edge(canvas: &mut Canvas, area: Rect, title: &str, legend: &[(String, Style)]) {
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
pub(super) fn settings(
    canvas: &mut Canvas,
    area: Rect,
    view: &View,
    log: bool,
    weight: f64,
    loss: bool,
) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_axis_of_a_live_run_grows_by_halves() {
        for (last, whole, end) in [
            (0.1, 8.0, 0.125),
            (0.6, 8.0, 1.0),
            (3.9, 8.0, 4.0),
            (4.0, 8.0, 4.0),
            (7.0, 8.0, 8.0),
            (9.0, 8.0, 9.0),
        ] {
            assert_eq!(stage(last, whole), end, "{last} of {whole}");
        }
        assert_eq!(stage(0.0, 3.0), 3.0);
    }
}

use ratatui::layout::Rect;
use ratatui::style::Style;

use super::axis::{edge, nearest, position, settings, start, x_label, xs};
use crate::spec::Task;
use crate::spec::metrics::{train, val};
use crate::store::Curve;
use crate::tui::canvas::Canvas;
use crate::tui::figures;
use crate::tui::labels::state;
use crate::tui::snapshot::Detail;
use crate::tui::theme::Theme;
use crate::tui::view::{SMOOTHING, View, XAxis};
use crate::tui::widgets::curve::{Chart, Series, smooth};

/// A curve of a chart: its metric, its word in the legend, its colour.
type Line = (&'static str, &'static str, fn(&Theme) -> Style);

/// The loss of the steps runs behind the others: it moves before the first epoch is over.
const LOSS: [Line; 3] = [
    (train::STEP_LOSS, "step", |t| t.faded(t.train)),
    (train::LOSS, "train", |t| t.train),
    (val::LOSS, "val", |t| t.val),
];
const ACCURACY: [Line; 3] =
    [(train::ACC, "train", |t| t.train), (val::F1, "f1", |t| t.test), (val::ACC, "val", |t| t.val)];
const CORRELATION: [Line; 3] = [
    (val::R2, "R2", |t| t.train),
    (val::SPEARMAN, "Spearman", |t| t.test),
    (val::PEARSON, "Pearson", |t| t.val),
];
const LABELS: [Line; 3] = [
    (val::MAP, "mean AP", |t| t.train),
    (val::F1, "macro", |t| t.test),
    (val::MICRO_F1, "micro", |t| t.val),
];
const ENTITIES: [Line; 3] = [
    (val::RECALL, "recall", |t| t.train),
    (val::PRECISION, "precision", |t| t.test),
    (val::F1, "f1", |t| t.val),
];

/// What the second chart of a task is called and shows, the score last.
fn second(task: Task) -> (&'static str, &'static [Line]) {
    match task {
        Task::Classify | Task::Lm => ("accuracy", &ACCURACY),
        Task::Regress => ("correlation", &CORRELATION),
        Task::Multilabel => ("f1 of labels", &LABELS),
        Task::Tag => ("f1 of entities", &ENTITIES),
    }
}

/// Draws the losses.
pub fn loss(canvas: &mut Canvas, area: Rect, range: (f64, f64), detail: &Detail, view: &View) {
    chart(canvas, area, ("loss", &LOSS, true), range, detail, view);
}

/// Draws the losses of one of many runs, under this title.
pub fn small(canvas: &mut Canvas, area: Rect, title: &str, detail: &Detail, view: &View) {
    let range = range(detail, view.run.x);
    // The reading cursor is of the open run.
    let mut view = View { run: view.run.clone(), ..View::default() };
    view.run.read = None;
    chart(canvas, area, (title, &LOSS, true), range, detail, &view);
}

/// Draws the accuracies, or what stands for them in the run's task.
pub fn accuracy(canvas: &mut Canvas, area: Rect, range: (f64, f64), detail: &Detail, view: &View) {
    let (title, lines) = second(detail.run.spec.task);
    chart(canvas, area, (title, lines, false), range, detail, view);
}

/// The x axis of both.
pub fn range(detail: &Detail, axis: XAxis) -> (f64, f64) {
    let start = start(detail);
    let (_, lines) = second(detail.run.spec.task);
    let all = LOSS.iter().chain(lines).filter_map(|(metric, ..)| detail.curves.get(*metric));
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

fn chart(
    canvas: &mut Canvas,
    area: Rect,
    (title, lines, is_loss): (&str, &[Line], bool),
    range: (f64, f64),
    detail: &Detail,
    view: &View,
) {
    let theme = canvas.theme;
    let (axis, start) = (view.run.x, start(detail));
    let weight = SMOOTHING.get(view.run.smooth).copied().unwrap_or(0.0);
    let log = view.run.log_y && is_loss;
    let inner = canvas.panel(area, title, "");
    let plot = Chart::plot(inner);
    let (x_label, read) = (x_label(axis), view.run.read);
    let mut chart = Chart { log, x_label, read, ..Chart::new(Vec::new(), range) };
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
        if metric.starts_with("val/") && lines.last().is_some_and(|(last, ..)| last == metric) {
            chart.best = best(detail, curve, &points);
        }
        // Few points, one an epoch, are each worth a mark.
        let marked = points.len() * 4 <= usize::from(plot.width);
        if weight > 0.0 && !marked {
            let smoothed = smooth(&points, weight);
            chart.series.push(Series::line(points, theme.faded(style)));
            chart.series.push(Series::line(smoothed, style));
        } else {
            chart.series.push(Series { marked, ..Series::line(points, style) });
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
    settings(canvas, area, view, log, weight, is_loss);
}

fn best(detail: &Detail, curve: &Curve, points: &[(f64, f64)]) -> Option<(f64, f64)> {
    let epoch = f64::from(detail.run.best_epoch?);
    let at = curve.epoch.iter().position(|e| (e - epoch).abs() < 1e-6)?;
    points.get(at).copied()
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

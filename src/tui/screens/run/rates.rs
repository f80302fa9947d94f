use ratatui::layout::Rect;
use ratatui::style::Style;

use super::axis::{edge, nearest, position, settings, start, x_label, xs};
use crate::spec::metrics::train;
use crate::tui::canvas::Canvas;
use crate::tui::figures;
use crate::tui::snapshot::Detail;
use crate::tui::view::View;
use crate::tui::widgets::curve::{Chart, Series};

/// The learning rate of the head; with a group behind it, of that group.
const METRIC: &str = train::STEP_LR;

/// Draws the learning rates over the steps: one curve, or one for each group of layers from the head down
/// where they differ.
pub fn draw(canvas: &mut Canvas, area: Rect, range: (f64, f64), detail: &Detail, view: &View) {
    let theme = canvas.theme;
    let title = "learning rate";
    let inner = canvas.panel(area, title, "");
    let groups = groups(detail);
    if groups.is_empty() {
        let words = if detail.run.spec.obeys("lr") {
            "comes with the first steps"
        } else {
            "fitted in one go, without a learning rate"
        };
        canvas.put(inner.x, inner.y, inner.width, words, theme.dim);
        return;
    }
    let (axis, log) = (view.run.x, view.run.log_y);
    let from = start(detail);
    let plot = Chart::plot(inner);
    let (x_label, read) = (x_label(axis), view.run.read);
    let mut chart = Chart { log, x_label, read, ..Chart::new(Vec::new(), range) };
    let read = view.run.read.map(|c| chart.x_at(plot, c.min(plot.width.saturating_sub(1))));
    let mut legend: Vec<(String, Style)> = Vec::new();
    let last = groups.len() - 1;
    for (at, (name, metric)) in groups.iter().enumerate() {
        let Some(curve) = detail.curves.get(*metric) else { continue };
        let style = match at {
            0 => theme.val,
            at if at % 2 == 0 => theme.faded(theme.val),
            _ => theme.faded(theme.train),
        };
        let points: Vec<(f64, f64)> =
            xs(curve, axis, from).into_iter().zip(curve.value.iter().copied()).collect();
        let shown = match read {
            Some(x) => nearest(&points, x),
            None => points.last().map(|p| p.1),
        };
        // Between the first and the last there is room for none.
        if let Some(rate) = shown.filter(|_| at == 0 || at == last) {
            legend.push((format!("{name} {}", figures::metric(rate)), style));
        }
        // A frozen group has no place on a logarithmic axis.
        let points = points.into_iter().filter(|(_, y)| !log || *y > 0.0).collect();
        chart.series.push(Series::line(points, style));
    }
    // The head lies over the others.
    chart.series.reverse();
    chart.draw(canvas, inner);
    match (read, last) {
        (Some(x), _) => legend.push((format!("at {}", position(axis, x)), theme.text)),
        (None, 0) => {}
        (None, last) => legend.push((format!("{} groups", last + 1), theme.dim)),
    }
    legend.reverse();
    edge(canvas, area, title, &legend);
    settings(canvas, area, view, log, 0.0, true);
}

/// Names and metrics from the head down to the embeddings.
fn groups(detail: &Detail) -> Vec<(&str, &str)> {
    let known = detail.curves.iter().filter(|(_, curve)| !curve.value.is_empty());
    let names = known.map(|(metric, _)| metric.as_str());
    let mut groups: Vec<(&str, &str)> = names
        .filter_map(|metric| Some((metric.strip_prefix(METRIC)?.strip_prefix('/')?, metric)))
        .collect();
    groups.sort_by_key(|(name, _)| match *name {
        "head" => (0, 0),
        "embeddings" => (2, 0),
        name => {
            let layer = name.rsplit('_').next().and_then(|n| n.parse::<i64>().ok());
            (1, -layer.unwrap_or_default())
        }
    });
    if groups.is_empty() && detail.curves.get(METRIC).is_some_and(|c| !c.value.is_empty()) {
        groups.push(("lr", METRIC));
    }
    groups
}

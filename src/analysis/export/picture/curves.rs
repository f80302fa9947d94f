use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::{HUES, INK, PALE};
use crate::spec::metrics::higher_is_better;
use crate::spec::{RunId, printable, short};
use crate::store::Curve;

/// A curve that is plotted: its run, its metric, its points.
pub type Plotted = (RunId, String, Curve);

/// More runs than this cannot be told apart.
pub const MOST_RUNS: usize = 16;

/// A panel for each metric.
const PANEL: (u32, u32) = (520, 340);
const LEGEND_LINE: u32 = 20;
/// Legend entries beside each other.
const LEGEND_COLUMNS: usize = 2;

/// Curves as SVG: a panel per metric, in the order in which metrics come first, with epochs to the right; a colour per
/// run, in the order of `runs` (at most [`MOST_RUNS`]); a ring where a curve is at its best. Values that are no
/// numbers leave a gap.
///
/// # Errors
/// A sentence if there is nothing to plot.
pub fn curves(runs: &[(RunId, String)], plotted: &[Plotted]) -> Result<String, String> {
    let mut metrics: Vec<&str> = Vec::new();
    for (_, metric, curve) in plotted {
        if !metrics.contains(&metric.as_str()) && curve.value.iter().any(|v| can_be_drawn(*v)) {
            metrics.push(metric);
        }
    }
    if metrics.is_empty() {
        return Err("There are no points to plot.".to_owned());
    }
    let columns = metrics.len().min(2);
    let rows = metrics.len().div_ceil(columns);
    let legend = runs.len().div_ceil(LEGEND_COLUMNS) as u32 * LEGEND_LINE + 16;
    let (width, height) = (PANEL.0 * columns.max(1) as u32, PANEL.1 * rows as u32);
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, (width, height + legend)).into_drawing_area();
        let drawn = root.fill(&WHITE).map_err(|e| e.to_string()).and_then(|()| {
            let (panels, below) = root.split_vertically(height);
            for (area, metric) in panels.split_evenly((rows, columns)).iter().zip(&metrics) {
                let lines: Vec<(usize, &Curve)> = plotted
                    .iter()
                    .filter(|(_, name, _)| name == metric)
                    .filter_map(|(id, _, curve)| {
                        Some((runs.iter().position(|(run, _)| run == id)?, curve))
                    })
                    .collect();
                panel(area, metric, &lines).map_err(|e| e.to_string())?;
            }
            names(&below, runs, width).map_err(|e| e.to_string())?;
            root.present().map_err(|e| e.to_string())
        });
        drawn.map_err(|why| format!("The curves cannot be drawn: {why}."))?;
    }
    Ok(svg)
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Drawn = Result<(), Box<dyn std::error::Error>>;

fn panel(area: &Area<'_>, metric: &str, lines: &[(usize, &Curve)]) -> Drawn {
    let points = |curve: &Curve| -> Vec<(f64, f64)> {
        curve.epoch.iter().copied().zip(curve.value.iter().copied()).collect()
    };
    let finite = || {
        lines.iter().flat_map(|(_, c)| points(c)).filter(|p| can_be_drawn(p.0) && can_be_drawn(p.1))
    };
    let (left, right) = span(finite().map(|p| p.0));
    let (low, high) = span(finite().map(|p| p.1));
    let air = (high - low) * 0.05;
    let font = |size: i32| ("sans-serif", size).into_font().color(&INK);
    let mut chart = ChartBuilder::on(area)
        .margin(10)
        .margin_right(18)
        .caption(printable(metric, 60).replace('\n', " "), font(17))
        .x_label_area_size(42)
        .y_label_area_size(62)
        .build_cartesian_2d(left..right, (low - air)..(high + air))?;
    chart
        .configure_mesh()
        .light_line_style(WHITE)
        .bold_line_style(PALE)
        .axis_style(INK)
        .x_labels(8)
        .y_labels(7)
        .x_desc("epoch")
        .x_label_formatter(&|x| label(*x))
        .y_label_formatter(&|y| label(*y))
        .label_style(font(13))
        .axis_desc_style(font(13))
        .draw()?;
    for (place, curve) in lines {
        let hue = hue(*place);
        let style = ShapeStyle::from(&hue).stroke_width(if *place < HUES.len() { 2 } else { 1 });
        for part in points(curve).split(|(x, y)| !can_be_drawn(*x) || !can_be_drawn(*y)) {
            match part {
                [] => {}
                [point] => {
                    chart.draw_series([Circle::new(*point, 2, hue.filled())])?;
                }
                part => {
                    chart.draw_series(LineSeries::new(part.iter().copied(), style))?;
                }
            }
        }
        let sign = if higher_is_better(metric) { 1.0 } else { -1.0 };
        let numbers =
            points(curve).into_iter().filter(|(x, y)| can_be_drawn(*x) && can_be_drawn(*y));
        if let Some(best) = numbers.max_by(|a, b| (sign * a.1).total_cmp(&(sign * b.1))) {
            chart.draw_series([Circle::new(best, 4, style)])?;
        }
    }
    Ok(())
}

/// Which colour is whose.
fn names(area: &Area<'_>, runs: &[(RunId, String)], width: u32) -> Drawn {
    let column = width as i32 / LEGEND_COLUMNS.min(runs.len()).max(1) as i32;
    // About 8 units a letter at this size.
    let fits = (column as usize - 60) / 8;
    for (place, (id, name)) in runs.iter().enumerate() {
        let x = 24 + (place % LEGEND_COLUMNS) as i32 * column;
        let y = 8 + (place / LEGEND_COLUMNS) as i32 * LEGEND_LINE as i32;
        let thick = if place < HUES.len() { 3 } else { 1 };
        area.draw(&Rectangle::new([(x, y + 6), (x + 18, y + 6 + thick)], hue(place).filled()))?;
        let words = format!("{id} {name}").replace('\n', " ");
        let style = ("sans-serif", 14).into_font().color(&INK).pos(Pos::new(HPos::Left, VPos::Top));
        area.draw_text(&printable(&words, fits.max(8)), &style, (x + 26, y))?;
    }
    Ok(())
}

fn hue(place: usize) -> RGBColor {
    HUES.get(place % HUES.len()).copied().unwrap_or(INK)
}

/// False for what is no number, or so large that the length of an axis would be none: a gap.
fn can_be_drawn(x: f64) -> bool {
    x.abs() < 1e305
}

/// From the lowest to the highest; never empty.
fn span(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let (low, high) =
        values.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), x| (l.min(x), h.max(x)));
    if low > high {
        return (0.0, 1.0);
    }
    if high - low > low.abs().max(1e-12) * 1e-9 {
        return (low, high);
    }
    let air = if low == 0.0 { 1.0 } else { low.abs() * 0.1 };
    (low - air, high + air)
}

/// A number beside an axis, without the noise of binary fractions.
fn label(x: f64) -> String {
    if x.abs() < 1e9 { short((x * 1e9).round() / 1e9) } else { short(x) }
}

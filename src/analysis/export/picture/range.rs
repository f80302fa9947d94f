use plotters::prelude::*;

use super::{HUES, INK, PALE};
use crate::analysis::lr_range::{Point, Suggestion, smoothed};
use crate::spec::printable;

/// Loss over learning rate of a range test as SVG, the rate on a logarithmic axis: each step as a dot, their smoothed
/// course as a line, the suggestion as a vertical one.
///
/// # Errors
/// A sentence if there is nothing to plot.
pub fn range(title: &str, points: &[Point], found: Option<&Suggestion>) -> Result<String, String> {
    let (Some((first, _)), Some((last, _))) = (points.first(), points.last()) else {
        return Err("There are no points to plot.".to_owned());
    };
    if !(first < last && *first > 0.0) {
        return Err("There are too few points to plot.".to_owned());
    }
    let mut svg = String::new();
    draw(&mut svg, title, points, (*first, *last), found)
        .map_err(|why| format!("The curve cannot be drawn: {why}."))?;
    Ok(svg)
}

fn draw(
    svg: &mut String,
    title: &str,
    points: &[Point],
    (first, last): (f64, f64),
    found: Option<&Suggestion>,
) -> Result<(), Box<dyn std::error::Error>> {
    let smooth = smoothed(points);
    let losses = points.iter().map(|(_, loss)| *loss).filter(|loss| loss.is_finite());
    let (low, high) =
        losses.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), x| (l.min(x), h.max(x)));
    let air = ((high - low) * 0.05).max(1e-6);
    let root = SVGBackend::with_string(svg, (640, 400)).into_drawing_area();
    root.fill(&WHITE)?;
    let font = |size: i32| ("sans-serif", size).into_font().color(&INK);
    let mut chart = ChartBuilder::on(&root)
        .margin(10)
        .margin_right(18)
        .caption(printable(title, 60).replace('\n', " "), font(17))
        .x_label_area_size(42)
        .y_label_area_size(62)
        .build_cartesian_2d((first..last).log_scale(), (low - air)..(high + air))?;
    chart
        .configure_mesh()
        .light_line_style(WHITE)
        .bold_line_style(PALE)
        .axis_style(INK)
        .x_desc("learning rate")
        .y_desc("train loss")
        .x_label_formatter(&|x| format!("{x:.0e}"))
        .y_label_formatter(&|y| format!("{y:.2}"))
        .label_style(font(13))
        .axis_desc_style(font(13))
        .draw()?;
    let [line, mark, ..] = HUES;
    chart.draw_series(points.iter().map(|point| Circle::new(*point, 1, PALE.filled())))?;
    chart.draw_series(LineSeries::new(smooth, ShapeStyle::from(&line).stroke_width(2)))?;
    if let Some(found) = found {
        let upright = [(found.rate, low - air), (found.rate, high + air)];
        chart.draw_series(LineSeries::new(upright, ShapeStyle::from(&mark).stroke_width(2)))?;
    }
    root.present()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_a_picture_with_its_suggestion() {
        let points: Vec<Point> =
            (0..30).map(|i| (1e-6 * 1.5_f64.powi(i), 0.7 - 0.01 * f64::from(i))).collect();
        let found = Suggestion { rate: 1e-4, lowest: 1e-3, bounds: [1e-5, 1e-3] };
        let with = range("a <b>", &points, Some(&found)).unwrap();
        let without = range("a <b>", &points, None).unwrap();
        assert!(with.starts_with("<svg") && with.len() > without.len());
        assert!(with.contains("a &lt;b&gt;") && super::super::png(&with).is_ok());
        assert!(range("x", &points[..1], None).is_err());
    }
}

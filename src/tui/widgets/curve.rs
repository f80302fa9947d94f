//! Curves in braille: two by four dots a cell.

use ratatui::layout::Rect;
use ratatui::style::Style;

use super::dots::Dots;
use crate::tui::canvas::{Canvas, Target};
use crate::tui::figures;
use crate::tui::text;
use crate::tui::theme::Plot;

/// A curve.
#[derive(Debug, Clone)]
pub struct Series {
    /// In order of x; a value that is not finite leaves a gap.
    pub points: Vec<(f64, f64)>,
    /// Its colour.
    pub style: Style,
    /// A line goes through the points.
    pub joined: bool,
    /// Points are few and each is marked.
    pub marked: bool,
    /// Stands at its last point, so that it is told from others without colour.
    pub tag: Option<char>,
}

/// Curves over one x axis.
#[derive(Debug)]
pub struct Chart {
    /// Those drawn last lie on top.
    pub series: Vec<Series>,
    /// The x axis.
    pub x: (f64, f64),
    /// The x axis counts powers of ten.
    pub x_log: bool,
    /// Values on a logarithmic axis; those of 0 and below are left out.
    pub log: bool,
    /// How a place on the x axis is written.
    pub x_label: fn(f64) -> String,
    /// Where to draw a star: the best epoch.
    pub best: Option<(f64, f64)>,
    /// The reading cursor's column.
    pub read: Option<u16>,
}

impl Series {
    /// A line through these points.
    pub fn line(points: Vec<(f64, f64)>, style: Style) -> Self {
        Self { points, style, joined: true, marked: false, tag: None }
    }

    /// The same, with a mark at each point.
    pub fn marked(points: Vec<(f64, f64)>, style: Style) -> Self {
        Self { marked: true, ..Self::line(points, style) }
    }

    /// Marks alone, in any order.
    pub fn scattered(points: Vec<(f64, f64)>, style: Style) -> Self {
        Self { joined: false, ..Self::marked(points, style) }
    }
}

impl Chart {
    /// Curves over an axis of plain numbers, written with two places at most.
    pub fn new(series: Vec<Series>, x: (f64, f64)) -> Self {
        let x_label = |x: f64| format!("{}", (x * 100.0).round() / 100.0);
        Self { series, x, x_log: false, log: false, x_label, best: None, read: None }
    }

    /// Where the curves lie in an area; labels take the rest.
    pub fn plot(area: Rect) -> Rect {
        let gutter = 7.min(area.width / 3);
        Rect::new(
            area.x + gutter,
            area.y,
            area.width.saturating_sub(gutter),
            area.height.saturating_sub(1),
        )
    }

    /// The x under a column of the plot.
    pub fn x_at(&self, plot: Rect, column: u16) -> f64 {
        let share = (f64::from(column) + 0.5) / f64::from(plot.width.max(1));
        self.x.0 + share * (self.x.1 - self.x.0)
    }

    /// Draws axes and curves.
    pub fn draw(&self, canvas: &mut Canvas, area: Rect) {
        let plot = Self::plot(area);
        if plot.width < 4 || plot.height < 2 {
            return;
        }
        canvas.hit(plot, Target::Plot);
        let Some((low, high)) = self.bounds() else {
            let words = "no points yet";
            let x = plot.x + plot.width.saturating_sub(words.len() as u16) / 2;
            canvas.put(x, plot.y + plot.height / 2, plot.width, words, canvas.theme.dim);
            return;
        };
        self.axes(canvas, plot, low, high);
        if let Some(column) = self.read.map(|c| c.min(plot.width - 1)) {
            for y in plot.top()..plot.bottom() {
                canvas.dot(plot.x + column, y, '│', canvas.theme.dim);
            }
        }
        let mut dots = Dots::new(plot);
        for series in self.series.iter().filter(|s| s.joined) {
            self.line(&mut dots, series, low, high);
        }
        dots.draw(canvas);
        for series in self.series.iter().filter(|s| s.marked) {
            for point in &series.points {
                self.mark(canvas, plot, *point, (low, high), '•', series.style);
            }
        }
        for series in &self.series {
            let last = series.points.iter().rfind(|(_, y)| y.is_finite());
            if let Some((tag, last)) = series.tag.zip(last) {
                self.mark(canvas, plot, *last, (low, high), tag, series.style);
            }
        }
        if let Some(best) = self.best {
            self.mark(canvas, plot, best, (low, high), '◆', canvas.theme.good);
        }
    }

    fn mark(
        &self,
        canvas: &mut Canvas,
        plot: Rect,
        point: (f64, f64),
        bounds: (f64, f64),
        glyph: char,
        style: Style,
    ) {
        if let Some((x, y)) = self.place(plot, point, bounds) {
            let glyph = match (canvas.theme.plot, glyph) {
                (Plot::Ascii, '•') => 'o',
                (Plot::Ascii, '◆') => '#',
                (_, glyph) => glyph,
            };
            canvas.dot(x, y, glyph, style);
        }
    }

    /// The cell of a point, where the chart is drawn in this area.
    pub fn cell(&self, area: Rect, point: (f64, f64)) -> Option<(u16, u16)> {
        let plot = Self::plot(area);
        let is_drawn = plot.width >= 4 && plot.height >= 2;
        self.place(plot, point, self.bounds().filter(|_| is_drawn)?)
    }

    fn place(&self, plot: Rect, (x, y): (f64, f64), (low, high): (f64, f64)) -> Option<(u16, u16)> {
        let across = share(x, self.x.0, self.x.1)?;
        let down = share(self.scaled(y), low, high)?;
        let column = (across * f64::from(plot.width * 2 - 1)).round() as u16 / 2;
        let row = ((1.0 - down) * f64::from(plot.height * 4 - 1)).round() as u16 / 4;
        Some((plot.x + column.min(plot.width - 1), plot.y + row.min(plot.height - 1)))
    }

    /// The y range of what is shown, with a little air.
    fn bounds(&self) -> Option<(f64, f64)> {
        let values = self.series.iter().flat_map(|s| &s.points).map(|(_, y)| self.scaled(*y));
        let (low, high) = values
            .filter(|y| y.is_finite())
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), y| (l.min(y), h.max(y)));
        if low > high {
            return None;
        }
        // Rounded outwards, so that a value a little beyond the others does not move all dots.
        let step = match figures::ticks(low, high, 12).as_slice() {
            [first, second, ..] => second - first,
            _ => low.abs().max(1e-6) * 0.1,
        };
        Some((((low / step).floor() - 0.2) * step, ((high / step).ceil() + 0.2) * step))
    }

    fn scaled(&self, y: f64) -> f64 {
        match self.log {
            true if y > 0.0 => y.log10(),
            true => f64::NAN,
            false => y,
        }
    }

    fn axes(&self, canvas: &mut Canvas, plot: Rect, low: f64, high: f64) {
        let theme = canvas.theme;
        let row_of = |y: f64| {
            let down = share(self.scaled(y), low, high)?;
            Some(plot.y + ((1.0 - down) * f64::from(plot.height * 4 - 1)).round() as u16 / 4)
        };
        let mut used: Option<u16> = None;
        for (value, label) in self.y_ticks(low, high, plot.height) {
            let Some(y) = row_of(value) else { continue };
            if used.is_some_and(|last| last.abs_diff(y) < 2) {
                continue;
            }
            used = Some(y);
            canvas.put_right(plot.x.saturating_sub(1), y, 6, &label, theme.dim);
            for x in plot.left()..plot.right() {
                canvas.dot(x, y, if theme.plot == Plot::Ascii { '.' } else { '┈' }, theme.faint);
            }
        }
        for (at, label) in self.x_ticks(plot) {
            canvas.put(at, plot.bottom(), text::width(&label) as u16, &label, theme.dim);
        }
    }

    /// The labels of the x axis with the columns where they begin: as many as stand apart, so that one of three
    /// epochs is not left out of a narrow plot.
    fn x_ticks(&self, plot: Rect) -> Vec<(u16, String)> {
        let ticks = if self.x_log { figures::log_ticks } else { figures::ticks };
        let most = usize::from(plot.width / 12).max(4);
        let mut placed = Vec::new();
        for wanted in (2..=most).rev() {
            placed.clear();
            let (mut free, mut apart) = (plot.x, true);
            for x in ticks(self.x.0, self.x.1, wanted) {
                let label = (self.x_label)(x);
                let width = text::width(&label) as u16;
                let Some(across) = share(x, self.x.0, self.x.1) else { continue };
                let middle = plot.x + (across * f64::from(plot.width - 1)).round() as u16;
                let at = middle
                    .saturating_sub(width / 2)
                    .clamp(plot.x, plot.right().saturating_sub(width).max(plot.x));
                if at < free {
                    apart = false;
                    continue;
                }
                free = at + width + 2;
                placed.push((at, label));
            }
            if apart {
                break;
            }
        }
        placed
    }

    fn y_ticks(&self, low: f64, high: f64, rows: u16) -> Vec<(f64, String)> {
        let wanted = usize::from(rows / 2).clamp(2, 8);
        if self.log && high - low > 0.6 {
            let (first, last) = (low.floor() as i32, high.ceil() as i32);
            let steps: &[f64] = if high - low > 2.0 { &[1.0] } else { &[1.0, 2.0, 5.0] };
            return (first..=last.min(first + 40))
                .flat_map(|power| steps.iter().map(move |s| s * 10f64.powi(power)))
                .filter(|y| (low..=high).contains(&y.log10()))
                .map(|y| {
                    (
                        y,
                        if y < 1e-3 {
                            format!("{y:.0e}")
                        } else {
                            format!("{}", (y * 1e6).round() / 1e6)
                        },
                    )
                })
                .collect();
        }
        let (a, b) = if self.log { (10f64.powf(low), 10f64.powf(high)) } else { (low, high) };
        let ticks = figures::ticks(a, b, wanted);
        let step = match ticks.as_slice() {
            [first, second, ..] => second - first,
            _ => b - a,
        };
        ticks.into_iter().map(|y| (y, figures::tick(y, step))).collect()
    }

    fn line(&self, dots: &mut Dots, series: &Series, low: f64, high: f64) {
        let (w, h) = dots.last();
        let mut last: Option<(i32, i32)> = None;
        for (x, y) in &series.points {
            let place = share(*x, self.x.0, self.x.1).zip(share(self.scaled(*y), low, high));
            let Some((across, down)) = place else {
                last = None;
                continue;
            };
            let here = ((across * w).round() as i32, ((1.0 - down) * h).round() as i32);
            dots.segment(last.unwrap_or(here), here, series.style);
            last = Some(here);
        }
    }
}

/// Where `x` lies between `low` and `high`; `None` outside and for what is no number.
fn share(x: f64, low: f64, high: f64) -> Option<f64> {
    let share = if high > low { (x - low) / (high - low) } else { 0.5 };
    (-1e-9..=1.0 + 1e-9).contains(&share).then(|| share.clamp(0.0, 1.0))
}

/// The exponential mean with weight `weight` on what was, corrected for its start so that the first
/// value is not overweighted. Gaps stay gaps.
pub fn smooth(points: &[(f64, f64)], weight: f64) -> Vec<(f64, f64)> {
    let (mut mean, mut mass) = (0.0, 0.0);
    points
        .iter()
        .map(|(x, y)| {
            if !y.is_finite() {
                return (*x, *y);
            }
            mean = weight * mean + (1.0 - weight) * y;
            mass = weight * mass + (1.0 - weight);
            (*x, mean / mass)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use ratatui::buffer::Buffer;

    use super::*;
    use crate::tui::theme::{Depth, Theme};

    fn chart(points: Vec<(f64, f64)>, log: bool) -> Chart {
        let series = vec![Series::line(points, Style::new())];
        Chart { log, ..Chart::new(series, (0.0, 10.0)) }
    }

    fn drawn(chart: &Chart, width: u16, height: u16) -> String {
        let area = Rect::new(0, 0, width, height);
        let mut buf = Buffer::empty(area);
        let theme = Theme::new(false, Depth::Mono);
        chart.draw(&mut Canvas::new(&mut buf, &theme), area);
        let rows = buf.content.chunks(usize::from(width));
        rows.map(|r| r.iter().map(ratatui::buffer::Cell::symbol).collect::<String>() + "\n")
            .collect()
    }

    #[test]
    fn a_falling_line_falls() {
        let points = (0..=10).map(|i| (f64::from(i), 1.0 - f64::from(i) / 10.0)).collect();
        insta::assert_snapshot!(drawn(&chart(points, false), 30, 7));
    }

    #[test]
    fn a_logarithmic_axis_makes_a_decay_straight() {
        let points = (0..=10).map(|i| (f64::from(i), 10f64.powi(-i / 2))).collect();
        insta::assert_snapshot!(drawn(&chart(points, true), 30, 9));
    }

    #[test]
    fn nothing_breaks_on_odd_values_and_sizes() {
        let odd = vec![
            (0.0, f64::NAN),
            (f64::NAN, 1.0),
            (1.0, f64::INFINITY),
            (2.0, -1.0),
            (3.0, 1e300),
            (4.0, 0.0),
        ];
        for log in [false, true] {
            for points in [odd.clone(), vec![], vec![(5.0, 0.5)], vec![(1.0, 0.0), (2.0, 0.0)]] {
                for (w, h) in [(1, 1), (4, 2), (11, 3), (80, 24)] {
                    drawn(&chart(points.clone(), log), w, h);
                }
            }
        }
    }

    #[test]
    fn smoothing_starts_at_the_first_value_and_keeps_gaps() {
        let s = smooth(&[(0.0, 2.0), (1.0, 2.0), (2.0, f64::NAN), (3.0, 4.0)], 0.5);
        assert_eq!((s[0].1, s[1].1), (2.0, 2.0));
        assert!(s[2].1.is_nan() && s[3].1 > 2.0 && s[3].1 < 4.0);
    }
}

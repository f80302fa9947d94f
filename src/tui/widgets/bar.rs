use ratatui::style::Style;

use crate::tui::canvas::Canvas;

/// A thin progress bar: `━━━━╸───`, with half a column as its smallest step.
pub fn bar(canvas: &mut Canvas, x: u16, y: u16, columns: u16, share: f64, style: Style) {
    let share = if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 };
    let halves = (share * f64::from(columns) * 2.0).round() as u16;
    for i in 0..columns {
        let (glyph, style) = match halves.saturating_sub(2 * i) {
            0 => ('─', canvas.theme.faint),
            1 => ('╸', style),
            _ => ('━', style),
        };
        canvas.dot(x + i, y, glyph, style);
    }
}

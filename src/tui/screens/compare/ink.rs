use ratatui::style::Style;

use crate::tui::theme::Theme;

/// From this width on, two charts stand above each other and tables show every run.
pub const WIDE: u16 = 110;

/// A run's colour, and the digit that says the same without colour.
pub fn ink(theme: &Theme, at: usize) -> (Style, String) {
    (theme.series(at), (at + 1).to_string())
}

/// Better or worse, by glyph and by colour.
pub fn direction(delta: f64, higher: bool, theme: &Theme) -> (&'static str, Style) {
    match delta {
        0.0 => ("=", theme.dim),
        d => {
            let glyph = if d > 0.0 { "▲" } else { "▼" };
            (glyph, if (d > 0.0) == higher { theme.good } else { theme.bad })
        }
    }
}

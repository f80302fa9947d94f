use ratatui::layout::Rect;
use ratatui::style::{Color, Style};

use crate::tui::canvas::Canvas;
use crate::tui::theme::Plot;

/// Dots that are not yet cells.
pub struct Dots {
    plot: Rect,
    width: u16,
    height: u16,
    bits: Vec<(u8, Style)>,
}

impl Dots {
    /// No dots yet.
    pub fn new(plot: Rect) -> Self {
        let cells = usize::from(plot.width) * usize::from(plot.height);
        Self {
            plot,
            width: plot.width * 2,
            height: plot.height * 4,
            bits: vec![(0, Style::new()); cells],
        }
    }

    /// Sets a dot.
    fn set(&mut self, x: i32, y: i32, style: Style) {
        let (Ok(x), Ok(y)) = (u16::try_from(x), u16::try_from(y)) else { return };
        let bit = match (x % 2, y % 4) {
            (0, 3) => 0x40,
            (_, 3) => 0x80,
            (0, row) => 0x01 << row,
            (_, row) => 0x08 << row,
        };
        let at = usize::from(y / 4) * usize::from(self.plot.width) + usize::from(x / 2);
        if let Some((bits, colour)) = self.bits.get_mut(at).filter(|_| x < self.width) {
            *bits |= bit;
            *colour = style;
        }
    }

    /// The last column and the last row of dots.
    pub fn last(&self) -> (f64, f64) {
        (f64::from(self.width) - 1.0, f64::from(self.height) - 1.0)
    }

    /// A straight line of dots (Bresenham).
    pub fn segment(&mut self, from: (i32, i32), to: (i32, i32), style: Style) {
        let ((mut x, mut y), (dx, dy)) = (from, ((to.0 - from.0).abs(), -(to.1 - from.1).abs()));
        let (sx, sy) = ((to.0 - from.0).signum(), (to.1 - from.1).signum());
        let mut error = dx + dy;
        loop {
            self.set(x, y, style);
            if (x, y) == to {
                return;
            }
            let twice = 2 * error;
            if twice >= dy {
                error += dy;
                x += sx;
            }
            if twice <= dx {
                error += dx;
                y += sy;
            }
        }
    }

    /// Draws the cells that have dots.
    pub fn draw(&self, canvas: &mut Canvas) {
        for (position, (bits, style)) in self.plot.positions().zip(&self.bits) {
            if *bits != 0 {
                let glyph = match canvas.theme.plot {
                    Plot::Braille => char::from_u32(0x2800 + u32::from(*bits)).unwrap_or(' '),
                    Plot::Block => block(*bits),
                    Plot::Ascii => ascii(*bits),
                };
                let style = if style.fg.is_none() { style.fg(Color::Reset) } else { *style };
                canvas.dot(position.x, position.y, glyph, style);
            }
        }
    }
}

/// The two upper dots of the left column, of the right one, and the lower ones.
const QUARTERS: [u8; 4] = [0x01 | 0x02, 0x08 | 0x10, 0x04 | 0x40, 0x20 | 0x80];

/// The quarters of a cell in which there are dots.
fn block(bits: u8) -> char {
    const GLYPHS: [char; 16] =
        [' ', '▘', '▝', '▀', '▖', '▌', '▞', '▛', '▗', '▚', '▐', '▜', '▄', '▙', '▟', '█'];
    let set = QUARTERS.iter().enumerate().filter(|(_, quarter)| bits & **quarter != 0);
    let at: usize = set.map(|(at, _)| 1 << at).sum();
    GLYPHS.get(at).copied().unwrap_or('█')
}

/// A letter whose ink is where the dots are: above, below, in the middle or all over.
fn ascii(bits: u8) -> char {
    let (above, below) = (bits & 0x09, bits & 0xc0);
    match (above != 0, below != 0, bits & 0x36 != 0) {
        (true, true, _) => '|',
        (true, false, false) => '\'',
        (false, true, false) => '.',
        (true, false, true) => '"',
        (false, true, true) => ',',
        (false, false, _) => '-',
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dots_are_told_by_quarters_and_by_letters() {
        // Rows of dots from the top: 1 and 4, 2 and 5, 3 and 6, 7 and 8.
        for (bits, quarter, letter) in [
            (0x01, '▘', '\''),
            (0x08 | 0x10, '▝', '"'),
            (0x04, '▖', '-'),
            (0x80, '▗', '.'),
            (0x01 | 0x80, '▚', '|'),
            (0x40 | 0x80, '▄', '.'),
            (0x24, '▄', '-'),
            (0xff, '█', '|'),
        ] {
            assert_eq!((block(bits), ascii(bits)), (quarter, letter), "{bits:#x}");
        }
    }
}

//! Rows that moved: the terminal moves them itself (DECSTBM) instead of getting them again.

use std::io::{self, Write};

use ratatui::buffer::{Buffer, Cell};

/// Rows that have to have moved before a scroll is cheaper than their cells.
const LEAST: usize = 4;
/// A list moves further by pages only, which leave nothing of what was there.
const FARTHEST: isize = 12;

/// Rows `top..bottom` move up by `by`, or down if it is negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scroll {
    top: usize,
    bottom: usize,
    by: isize,
}

fn rows(buffer: &Buffer) -> Vec<&[Cell]> {
    buffer.content.chunks(usize::from(buffer.area.width).max(1)).collect()
}

impl Scroll {
    /// The scroll that leaves the fewest rows to write, if any leaves few enough.
    pub fn between(shown: &Buffer, next: &Buffer) -> Option<Self> {
        if shown.area != next.area {
            return None;
        }
        let (old, new) = (rows(shown), rows(next));
        let count = new.len();
        let changed: Vec<bool> = old.iter().zip(&new).map(|(a, b)| a != b).collect();
        if changed.iter().filter(|is| **is).count() < LEAST {
            return None;
        }
        let mut best: Option<(usize, Self)> = None;
        for by in (-FARTHEST..=FARTHEST).filter(|by| *by != 0) {
            let mut start = 0;
            for at in 0..=count {
                let from = at.checked_add_signed(by).filter(|from| *from < count && at < count);
                let fits = from.is_some_and(|from| changed[at] && old[from] == new[at]);
                if fits {
                    continue;
                }
                let length = at - start;
                if length >= LEAST && best.is_none_or(|(most, _)| length > most) {
                    let reach = by.unsigned_abs();
                    let (top, bottom) =
                        if by > 0 { (start, at + reach) } else { (start - reach, at) };
                    best = Some((length, Self { top, bottom, by }));
                }
                start = at + 1;
            }
        }
        best.map(|(_, scroll)| scroll)
    }

    /// Tells the terminal, whose colours are its own at this moment, by codes that the VT100 had: what comes in is blank.
    pub fn write(self, out: &mut impl Write) -> io::Result<()> {
        let Self { top, bottom, by } = self;
        let (line, code) = if by > 0 { (bottom, "\n") } else { (top + 1, "\x1bM") };
        let moves = code.repeat(by.unsigned_abs());
        write!(out, "\x1b[{};{bottom}r\x1b[{line};1H{moves}\x1b[r", top + 1)
    }

    /// Moves the cells as the terminal does.
    pub fn apply(self, shown: &mut Buffer) {
        let width = usize::from(shown.area.width);
        let reach = self.by.unsigned_abs() * width;
        let Some(cells) = shown.content.get_mut(self.top * width..self.bottom * width) else {
            return;
        };
        if self.by > 0 {
            cells.rotate_left(reach);
            let kept = cells.len() - reach;
            cells[kept..].fill(Cell::EMPTY);
        } else {
            cells.rotate_right(reach);
            cells[..reach].fill(Cell::EMPTY);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZero;

    use ratatui::backend::{Backend, CrosstermBackend};
    use ratatui::style::{Color, Style};

    use super::*;

    /// A list below a title and above other rows, its rows from `first` on, the cursor in row `at`.
    fn screen(first: usize, at: u16) -> Buffer {
        let mut buffer = Buffer::with_lines(vec![" ".repeat(30); 16]);
        buffer.set_string(0, 0, "title", Style::new());
        for y in 1..12 {
            let row = first + usize::from(y);
            buffer.set_string(0, y, format!("r{row} 你好 {}", row * 7919 % 1000), Style::new());
        }
        buffer.set_style(ratatui::layout::Rect::new(0, at, 30, 1), Style::new().bg(Color::Blue));
        buffer.set_string(0, 13, format!("about {}", first + usize::from(at)), Style::new());
        buffer
    }

    #[test]
    fn a_scrolled_screen_is_the_screen_in_fewer_bytes() {
        let size = |n| NonZero::new(n).unwrap();
        let steps = [(0, 1), (0, 11), (1, 11), (2, 11), (5, 11), (4, 1), (1, 1), (40, 3)];
        let mut terminal = vt100::Parser::new(size(16), size(30), 0);
        let mut shown = Buffer::empty(screen(0, 1).area);
        for (step, (first, at)) in steps.into_iter().enumerate() {
            let next = screen(first, at);
            let plain = shown.diff(&next).len();
            let mut bytes = Vec::new();
            let scroll = Scroll::between(&shown, &next);
            if let Some(scroll) = scroll {
                scroll.write(&mut bytes).unwrap();
                scroll.apply(&mut shown);
                assert!(shown.diff(&next).len() < plain, "{step}");
            }
            assert_eq!(scroll.is_some(), (2..=6).contains(&step), "{step} {scroll:?}");
            CrosstermBackend::new(&mut bytes).draw(shown.diff(&next).into_iter()).unwrap();
            terminal.process(&bytes);
            shown = next;
            for y in 0..16 {
                for x in 0..30 {
                    let (cell, want) = (terminal.screen().cell(y, x).unwrap(), &shown[(x, y)]);
                    let found = if cell.is_wide_continuation() { " " } else { cell.contents() };
                    let found = if found.is_empty() { " " } else { found };
                    assert_eq!(found, want.symbol(), "{step} {x} {y}");
                    let is_lit = cell.bgcolor() != vt100::Color::Default;
                    let is_second_half = cell.is_wide_continuation();
                    assert!(is_second_half || is_lit == (want.bg == Color::Blue), "{step} {x} {y}");
                }
            }
        }
    }
}

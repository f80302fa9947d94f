//! What screens and widgets draw on: a buffer with the theme at hand, safe at every size, which
//! also remembers what a click would hit.

use crossterm::event::KeyCode;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;
use ratatui::widgets::{Block, BorderType, Borders, Clear, Widget};

use super::keys::Action;
use super::text;
use super::theme::Theme;
use super::view::ScreenId;

/// What lies under the mouse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A tab of the header, or a part of a screen that leads to another.
    Go(ScreenId),
    /// The way back.
    Back,
    /// A row of the screen's list, by index.
    Row(usize),
    /// A column's title, by its place among those in view.
    Title(usize),
    /// The plot area of a chart.
    Plot,
    /// A class of the confusion matrix.
    Class(usize),
    /// A cell of the confusion matrix: true class, predicted class.
    Cell(usize, usize),
    /// A pass, by its place among those of its split.
    Epoch(usize),
    /// The mark of a row.
    Mark(usize),
    /// A word of the key line, or a part of a screen that does the same.
    Do(&'static Action),
    /// What lies over the screen; a click on it goes no further.
    Popup,
    /// A line of what lies over the screen.
    Choice(usize),
    /// A word there that stands for a key.
    Press(KeyCode),
}

/// A buffer, a theme, and what was put where.
#[derive(Debug)]
pub struct Canvas<'a> {
    /// The cells.
    pub buf: &'a mut Buffer,
    /// The colours.
    pub theme: &'a Theme,
    /// What a click hits; later entries lie above earlier ones.
    pub hits: Vec<(Rect, Target)>,
}

impl<'a> Canvas<'a> {
    /// A canvas over a buffer.
    pub fn new(buf: &'a mut Buffer, theme: &'a Theme) -> Self {
        Self { buf, theme, hits: Vec::new() }
    }

    /// Writes at most `columns` columns and returns the column behind the text. Unsafe characters
    /// are dropped; what does not fit ends in an ellipsis; what lies outside is not drawn.
    pub fn put(&mut self, x: u16, y: u16, columns: u16, words: &str, style: Style) -> u16 {
        let area = self.buf.area;
        if y < area.y || y >= area.bottom() || x < area.x || x >= area.right() {
            return x;
        }
        let room = columns.min(area.right() - x);
        let safe = text::clean(words);
        let shown = text::fit(&safe, usize::from(room));
        self.buf.set_stringn(x, y, shown, usize::from(room), style).0
    }

    /// Writes a row of styled pieces and returns the column behind the last.
    pub fn pieces(&mut self, x: u16, y: u16, columns: u16, pieces: &[(&str, Style)]) -> u16 {
        let end = x.saturating_add(columns);
        pieces
            .iter()
            .fold(x, |at, (words, style)| self.put(at, y, end.saturating_sub(at), words, *style))
    }

    /// Writes so that the text ends before column `right`; returns where it begins.
    pub fn put_right(
        &mut self,
        right: u16,
        y: u16,
        columns: u16,
        words: &str,
        style: Style,
    ) -> u16 {
        let safe = text::clean(words);
        let shown = text::fit(&safe, usize::from(columns)).into_owned();
        let x = right.saturating_sub(text::width(&shown) as u16);
        self.put(x, y, columns, &shown, style);
        x
    }

    /// One character.
    pub fn dot(&mut self, x: u16, y: u16, glyph: char, style: Style) {
        if let Some(cell) = self.buf.cell_mut(Position { x, y }) {
            cell.set_char(glyph).set_style(style);
        }
    }

    /// Adds a style to what stands in an area.
    pub fn tint(&mut self, area: Rect, style: Style) {
        let area = area.intersection(self.buf.area);
        self.buf.set_style(area, style);
    }

    /// Empties an area.
    pub fn clear(&mut self, area: Rect) {
        Clear.render(area.intersection(self.buf.area), self.buf);
    }

    /// A thin horizontal rule.
    pub fn rule(&mut self, area: Rect) {
        let line = Block::new().borders(Borders::TOP).border_style(self.theme.faint);
        line.render(area, self.buf);
    }

    /// A thin frame with a title and an aside in its upper edge; returns the area inside, one
    /// column in from the frame.
    pub fn panel(&mut self, area: Rect, title: &str, aside: &str) -> Rect {
        if area.width < 4 || area.height < 2 {
            return Rect { width: 0, height: 0, ..area };
        }
        Block::bordered()
            .border_type(BorderType::Rounded)
            .border_style(self.theme.faint)
            .render(area, self.buf);
        let room = area.width.saturating_sub(4);
        let mut used = 0;
        if !title.is_empty() && room > 2 {
            let end = self.put(area.x + 2, area.y, room, &format!(" {title} "), self.theme.strong);
            used = end - area.x - 2;
        }
        let left = room.saturating_sub(used + 1);
        if !aside.is_empty() && usize::from(left) >= text::width(aside) + 2 {
            self.put_right(area.right() - 2, area.y, left, &format!(" {aside} "), self.theme.dim);
        }
        Rect::new(area.x + 2, area.y + 1, area.width - 4, area.height - 2)
    }

    /// A row of a list, under what is written there next: what a click on it hits, and the cursor's bar.
    pub fn row(&mut self, area: Rect, at: usize, has_cursor: bool) {
        self.hit(area, Target::Row(at));
        if has_cursor {
            self.tint(area, self.theme.selected);
            self.dot(area.x, area.y, '▌', self.theme.accent);
        }
    }

    /// Remembers what a click in the area means.
    pub fn hit(&mut self, area: Rect, target: Target) {
        self.hits.push((area, target));
    }
}

/// Replaces what a terminal without UTF-8 cannot show.
pub fn to_ascii(buf: &mut Buffer) {
    for cell in &mut buf.content {
        let Some(c) = cell.symbol().chars().next().filter(|c| !c.is_ascii()) else { continue };
        let plain = match c {
            '─' | '━' | '╸' | '┈' | '╌' | '·' | '–' => '-',
            '│' | '▌' | '▏' | '┊' => '|',
            '╭' | '╮' | '╰' | '╯' => '+',
            '●' | '•' | '◆' => '*',
            '○' | '◌' | '◇' => 'o',
            '✗' | '×' => 'x',
            '■' => '#',
            '…' => '~',
            '→' | '▸' => '>',
            '←' | '◂' => '<',
            '↑' | '▴' => '^',
            '✓' | '↓' | '▾' => 'v',
            '\u{2801}'..='\u{28ff}' => {
                if (u32::from(c) - 0x2800).count_ones() > 2 {
                    ':'
                } else {
                    '.'
                }
            }
            '\u{2581}'..='\u{2588}' => {
                char::from(*b"._-=+*##".get((u32::from(c) - 0x2581) as usize).unwrap_or(&b'#'))
            }
            '\u{2800}' => ' ',
            _ => '?',
        };
        cell.set_char(plain);
    }
}

use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};

use crate::analysis::confusion::{Matrix, Normalise};
use crate::tui::canvas::{Canvas, Target};
use crate::tui::text;

/// A confusion matrix as a heat map with its numbers.
#[derive(Debug)]
pub struct Heat<'a> {
    /// The counts.
    pub matrix: &'a Matrix,
    /// Class names.
    pub labels: &'a [String],
    /// Counts or shares.
    pub by: Normalise,
    /// The cell under the cursor: true class, predicted class.
    pub cursor: Option<(usize, usize)>,
    /// First row and column shown.
    pub first: (usize, usize),
    /// No numbers: one column a cell, so that all of a large matrix is seen.
    pub overview: bool,
}

/// More classes than this are numbered.
const NUMBERED: usize = 16;

/// How a matrix falls onto an area.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grid {
    /// Columns for row labels.
    pub gutter: u16,
    /// Columns of a cell.
    pub cell: u16,
    /// Rows of a cell, where there is plenty of room.
    pub tall: u16,
    /// Matrix columns in view.
    pub across: usize,
    /// Matrix rows in view.
    pub down: usize,
}

impl Heat<'_> {
    /// How the matrix falls onto the area.
    pub fn grid(&self, area: Rect) -> Grid {
        let n = self.matrix.len().max(1);
        let longest = self.labels.iter().map(|l| text::width(l)).max().unwrap_or(1);
        let number = if n > NUMBERED { n.to_string().len() + 1 } else { 0 };
        let gutter = ((longest + number).clamp(3, 22) as u16 + 1).min(area.width / 3);
        let room = area.width.saturating_sub(gutter);
        let rows = area.height.saturating_sub(1);
        let least = if self.overview { 1 } else { self.number_width() };
        let cell = match u16::try_from(n) {
            Ok(n) if !self.overview => (room / n).clamp(least, 21),
            Ok(n) => (room / n).clamp(least, 2),
            Err(_) => least,
        };
        let tall = match u16::try_from(n) {
            Ok(n) if !self.overview => (rows / n).clamp(1, (cell / 3).max(1)),
            _ => 1,
        };
        Grid {
            gutter,
            cell,
            tall,
            across: usize::from(room / cell.max(1)).min(n),
            down: usize::from(rows / tall).min(n),
        }
    }

    /// With many classes, columns are headed by numbers and rows say which is which.
    fn is_numbered(&self) -> bool {
        self.matrix.len() > NUMBERED
    }

    fn number_width(&self) -> u16 {
        match self.by {
            Normalise::None => {
                let most = self.matrix.counts().iter().flatten().max().copied().unwrap_or(0);
                (most.to_string().len() as u16 + 1).max(3)
            }
            _ => 4,
        }
    }

    /// Draws as much as fits, from `first` on.
    pub fn draw(&self, canvas: &mut Canvas, area: Rect) {
        if area.width < 6 || area.height < 2 || self.matrix.is_empty() {
            return;
        }
        let theme = canvas.theme;
        let grid = self.grid(area);
        let (top, left) = self.first;
        let chosen = |here: bool| {
            if here { theme.accent.add_modifier(Modifier::BOLD) } else { theme.dim }
        };
        for (at, j) in (left..self.matrix.len()).take(grid.across).enumerate() {
            let x = area.x + grid.gutter + at as u16 * grid.cell;
            let number = (j + 1).to_string();
            let label = match self.labels.get(j) {
                Some(label) if !self.is_numbered() => label.as_str(),
                _ => &number,
            };
            if grid.cell >= 3 {
                let style = chosen(self.cursor.is_some_and(|(_, at)| at == j));
                let label = text::fit_middle(label, usize::from(grid.cell - 1));
                canvas.put_right(x + grid.cell - 1, area.y, grid.cell - 1, &label, style);
            } else if self.cursor.is_some_and(|(_, at)| at == j) {
                canvas.dot(x, area.y, '▾', chosen(true));
            }
        }
        for (at, i) in (top..self.matrix.len()).take(grid.down).enumerate() {
            let y = area.y + 1 + at as u16 * grid.tall;
            let mut label = self.labels.get(i).cloned().unwrap_or_default();
            let number = (i + 1).to_string();
            if self.is_numbered() {
                let room = usize::from(grid.gutter).saturating_sub(number.len() + 2);
                label = format!("{} {number}", text::fit_middle(&label, room));
            }
            let middle = y + (grid.tall - 1) / 2;
            let style = chosen(self.cursor.is_some_and(|(at, _)| at == i));
            let label = text::fit_middle(&label, usize::from(grid.gutter - 1));
            canvas.put_right(area.x + grid.gutter - 1, middle, grid.gutter - 1, &label, style);
            canvas.hit(Rect::new(area.x, y, grid.gutter, grid.tall), Target::Class(i));
            for (across, j) in (left..self.matrix.len()).take(grid.across).enumerate() {
                let x = area.x + grid.gutter + across as u16 * grid.cell;
                let place = Rect::new(x, y, grid.cell, grid.tall);
                canvas.hit(place, Target::Cell(i, j));
                self.cell(canvas, place, i, j);
            }
        }
    }

    fn cell(&self, canvas: &mut Canvas, area: Rect, i: usize, j: usize) {
        let (count, share) = (self.matrix.count(i, j), self.matrix.share(i, j, self.by));
        // Shares of all would leave every cell of a large matrix pale: the largest counts as 1.
        let heat = match self.by {
            Normalise::All => {
                let most = self.matrix.counts().iter().flatten().max().copied().unwrap_or(0);
                if most == 0 { 0.0 } else { count as f64 / most as f64 }
            }
            _ => share,
        };
        let style = canvas.theme.heat(heat, i == j);
        if self.overview {
            let glyph = match heat {
                x if x <= 0.0 => '·',
                x if x < 0.1 => '▂',
                x if x < 0.4 => '▄',
                x if x < 0.7 => '▆',
                _ => '█',
            };
            let fg = style.bg.or(style.fg).map_or(style, |c| Style::new().fg(c));
            for x in area.x..area.right() {
                canvas.dot(x, area.y, glyph, if count == 0 { canvas.theme.faint } else { fg });
            }
            return;
        }
        canvas.tint(area, style);
        let words = match (count, self.by) {
            (0, _) => "·".to_owned(),
            (_, Normalise::None) => count.to_string(),
            _ if share >= 0.9995 => "100".to_owned(),
            _ if area.width >= 5 => format!("{:.1}", share * 100.0),
            _ if share < 0.005 => "<1".to_owned(),
            _ => format!("{:.0}", share * 100.0),
        };
        let selected = self.cursor == Some((i, j));
        let style = if selected { style.add_modifier(Modifier::BOLD) } else { style };
        let y = area.y + (area.height - 1) / 2;
        canvas.put_right(area.right() - 1, y, area.width, &words, style);
        if selected {
            // Seen without colour too.
            canvas.tint(area, Style::new().add_modifier(Modifier::REVERSED));
        }
    }
}

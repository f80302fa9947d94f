//! Tables for people: pure layout, no printing, no escape codes.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// What a cell means. A terminal with colours shows it; anything else does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tone {
    /// Nothing special.
    #[default]
    Plain,
    /// Ended well.
    Good,
    /// Went wrong.
    Bad,
    /// Going on now.
    Live,
    /// Less important.
    Faint,
}

/// A text and what it means.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cell {
    /// What stands in the cell.
    pub text: String,
    /// How it is meant.
    pub tone: Tone,
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self { text: text.into(), tone: Tone::Plain }
    }
}

impl Cell {
    /// A cell with a meaning.
    pub fn toned(text: impl Into<String>, tone: Tone) -> Self {
        Self { text: text.into(), tone }
    }
}

/// Columns and rows. Cells are made harmless when they are added: see [`super::sanitize::one_line`].
#[derive(Debug, Default)]
pub struct Table {
    heads: Vec<String>,
    right: Vec<bool>,
    flexible: usize,
    rows: Vec<Vec<Cell>>,
}

/// Columns stand this far apart.
const GAP: usize = 2;
/// A column is never cut below this.
const NARROWEST: usize = 8;

impl Table {
    /// A table with these columns. A name that starts with `>` is set flush right; one that starts
    /// with `~` may be cut where the terminal is too narrow (at most one).
    pub fn new(columns: &[&str]) -> Self {
        let flexible = columns.iter().position(|c| c.starts_with('~')).unwrap_or(0);
        let head = |c: &&str| super::sanitize::one_line(c.strip_prefix(['>', '~']).unwrap_or(c));
        Self {
            heads: columns.iter().map(head).collect(),
            right: columns.iter().map(|c| c.starts_with('>')).collect(),
            flexible,
            rows: Vec::new(),
        }
    }

    /// Adds a row; missing cells are empty.
    pub fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        let mut row: Vec<Cell> = cells
            .into_iter()
            .map(|c| Cell { text: super::sanitize::one_line(&c.text), tone: c.tone })
            .collect();
        row.resize(self.heads.len(), Cell::default());
        self.rows.push(row);
    }

    /// Padded lines, the head first, each as cells that only need to be put one after the other.
    /// `width` None = as wide as it takes.
    pub fn lines(&self, width: Option<usize>) -> Vec<Vec<Cell>> {
        let mut widths: Vec<usize> = self.heads.iter().map(|h| h.width()).collect();
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.text.width());
            }
        }
        if let (Some(limit), Some(flexible)) = (width, widths.get(self.flexible).copied()) {
            let total = widths.iter().sum::<usize>() + GAP * widths.len().saturating_sub(1);
            let cut = flexible.saturating_sub(total.saturating_sub(limit));
            if total > limit
                && let Some(w) = widths.get_mut(self.flexible)
            {
                *w = cut.max(NARROWEST.min(flexible));
            }
        }
        let heads = self.heads.iter().map(|h| Cell::toned(h.as_str(), Tone::Faint)).collect();
        std::iter::once(&heads).chain(&self.rows).map(|row| self.line(row, &widths)).collect()
    }

    fn line(&self, row: &[Cell], widths: &[usize]) -> Vec<Cell> {
        let last = row.len().saturating_sub(1);
        let cells = row.iter().zip(widths).zip(&self.right).enumerate();
        cells
            .map(|(i, ((cell, &width), &right))| {
                let text = cut(&cell.text, width);
                let pad = " ".repeat(width.saturating_sub(text.width()));
                let gap = if i == last { "" } else { "  " };
                let text = match (right, i == last) {
                    (true, _) => format!("{pad}{text}{gap}"),
                    (false, true) => text,
                    (false, false) => format!("{text}{pad}{gap}"),
                };
                Cell { text, tone: cell.tone }
            })
            .collect()
    }
}

/// The text, or as much of it as fits with an ellipsis behind it.
pub fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut kept = String::new();
    let mut used = 1;
    for c in text.chars() {
        used += c.width().unwrap_or(0);
        if used > width {
            break;
        }
        kept.push(c);
    }
    kept + "…"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(table: &Table, width: Option<usize>) -> String {
        let lines = table.lines(width).into_iter();
        lines.map(|l| l.into_iter().map(|c| c.text).collect::<String>() + "\n").collect()
    }

    fn example() -> Table {
        let mut table = Table::new(&["id", "~name", ">acc"]);
        table.row(["r1".into(), "minilm-sms_spam".into(), "0.99".into()]);
        table.row(["r12".into(), "日本語".into(), Cell::toned("-", Tone::Faint)]);
        table
    }

    #[test]
    fn columns_line_up_also_with_wide_characters() {
        insta::assert_snapshot!(plain(&example(), None), @r"
        id   name              acc
        r1   minilm-sms_spam  0.99
        r12  日本語              -
        ");
    }

    #[test]
    fn only_the_flexible_column_shrinks() {
        insta::assert_snapshot!(plain(&example(), Some(20)), @r"
        id   name        acc
        r1   minilm-s…  0.99
        r12  日本語        -
        ");
    }

    #[test]
    fn escape_codes_and_line_ends_stay_out() {
        let mut table = Table::new(&["a", "b"]);
        table.row(["x\x1b[31my\nz".into()]);
        assert_eq!(plain(&table, None), "a     b\nxy z  \n");
    }
}

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
        if let Some(limit) = width {
            self.narrow(&mut widths, limit);
        }
        let heads = self.heads.iter().map(|h| Cell::toned(h.as_str(), Tone::Faint)).collect();
        std::iter::once(&heads).chain(&self.rows).map(|row| self.line(row, &widths)).collect()
    }

    /// Makes columns narrower until they fit, as far as that goes: the flexible one first, then whichever is widest.
    /// Of numbers only the head is cut.
    fn narrow(&self, widths: &mut [usize], limit: usize) {
        let cells = |column: usize| self.rows.iter().filter_map(move |row| row.get(column));
        let numbers =
            |column: usize| cells(column).map(|cell| cell.text.width()).max().unwrap_or(0);
        let least: Vec<usize> = widths
            .iter()
            .zip(&self.right)
            .enumerate()
            .map(|(i, (width, right))| {
                let narrowest = NARROWEST.min(*width);
                if *right { numbers(i).max(narrowest) } else { narrowest }
            })
            .collect();
        let gaps = GAP * widths.len().saturating_sub(1);
        let room = |widths: &[usize], i: usize| {
            widths.get(i).zip(least.get(i)).map_or(0, |(width, least)| width.saturating_sub(*least))
        };
        loop {
            let over = (widths.iter().sum::<usize>() + gaps).saturating_sub(limit);
            let widest = (0..widths.len()).filter(|i| room(widths, *i) > 0);
            let flexible = Some(self.flexible).filter(|i| room(widths, *i) > 0);
            let next = flexible.or_else(|| widest.max_by_key(|i| widths.get(*i)));
            let Some(i) = next.filter(|_| over > 0) else { return };
            // The flexible one gives all it can; of the others, the widest one column at a time.
            let give = if flexible.is_some() { over.min(room(widths, i)) } else { 1 };
            if let Some(width) = widths.get_mut(i) {
                *width -= give;
            }
        }
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
    fn long_words_of_other_columns_and_heads_of_numbers_give_way_too() {
        let mut table = Table::new(&["~name", "a metric", ">a label of many words"]);
        table.row(["r1".into(), "train/a_very_long_name_of_a_metric".into(), "12".into()]);
        insta::assert_snapshot!(plain(&table, Some(30)), @r"
        name  a metric     a label of…
        r1    train/a_ve…           12
        ");
        let narrow = plain(&table, Some(5));
        assert!(narrow.contains("12") && narrow.contains("r1"), "numbers are never cut: {narrow}");
    }

    #[test]
    fn escape_codes_and_line_ends_stay_out() {
        let mut table = Table::new(&["a", "b"]);
        table.row(["x\x1b[31my\nz".into()]);
        assert_eq!(plain(&table, None), "a     b\nxy z  \n");
    }
}

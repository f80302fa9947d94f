//! How the terminal is shared out.

use ratatui::layout::{Constraint, Layout, Rect};

use super::snapshot::Snapshot;

/// The parts of the terminal.
#[derive(Debug, Clone, Copy)]
pub struct Parts {
    /// Name, tabs, devices.
    pub header: Rect,
    /// The screen's own.
    pub body: Rect,
    /// Keys, or what happened.
    pub keys: Rect,
}

/// How the terminal is shared out.
pub fn parts(area: Rect, snap: &Snapshot) -> Parts {
    let devices = u16::from(area.height >= 20 && !snap.slots.is_empty());
    let [header, body, keys] = Layout::vertical([
        Constraint::Length(3 + devices),
        Constraint::Fill(1),
        Constraint::Length(1),
    ])
    .areas(area);
    Parts { header, body, keys }
}

/// Columns and rows of equal panels for so many pictures: as few columns as leave each panel high enough.
pub fn grid(area: Rect, count: usize, least: (u16, u16)) -> (u16, u16) {
    let most = (area.width / least.0).max(1);
    let rows = |columns: u16| (count as u16).div_ceil(columns).max(1);
    let fits = |columns: &u16| area.height / rows(*columns) >= least.1;
    let columns = (1..=most).find(fits).unwrap_or(most);
    (columns, rows(columns).min((area.height / least.1).max(1)))
}

/// The panels of such a grid, row by row.
pub fn panels(area: Rect, (columns, rows): (u16, u16)) -> Vec<Rect> {
    let share = |count: u16| vec![Constraint::Fill(1); usize::from(count)];
    let lines = Layout::vertical(share(rows)).split(area);
    let cells = |line: &Rect| Layout::horizontal(share(columns)).split(*line).to_vec();
    lines.iter().flat_map(cells).collect()
}

/// The first row shown of a list, so that the cursor's row is.
pub fn scrolled(top: usize, cursor: usize, page: usize, count: usize) -> usize {
    let page = page.max(1);
    let top = top.min(count.saturating_sub(page));
    if cursor < top {
        cursor
    } else if cursor >= top + page {
        cursor + 1 - page
    } else {
        top
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panels_are_wide_before_they_are_many_in_a_row() {
        for (width, height, count, want) in [
            (120, 24, 1, (1, 1)),
            (120, 24, 3, (1, 3)),
            (120, 24, 4, (2, 2)),
            (200, 14, 4, (2, 2)),
            (200, 8, 4, (4, 1)),
            (80, 8, 9, (2, 1)),
        ] {
            let area = Rect::new(0, 0, width, height);
            let found = grid(area, count, (30, 7));
            assert_eq!(found, want, "{width}x{height} {count}");
            let panels = panels(area, found);
            assert!(panels.iter().all(|panel| panel.width >= 30 && panel.height >= 7));
        }
    }
}

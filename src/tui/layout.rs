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

//! The live curves of all runs that train, as small multiples.

use ratatui::layout::{Constraint, Layout, Rect};

use crate::tui::canvas::{Canvas, Target};
use crate::tui::layout::{grid, panels};
use crate::tui::preview::Preview;
use crate::tui::screens::run::curves;
use crate::tui::snapshot::Snapshot;
use crate::tui::text;
use crate::tui::view::View;

/// The least size of one.
const LEAST: (u16, u16) = (30, 7);
/// Rows below the devices that leave room for them under the list.
const LOW: u16 = 20;
/// A list this wide leaves room for them at its side.
const NARROW: u16 = 140;

/// The list, and the wall if there is room for it and anything to show.
pub fn regions(area: Rect, snap: &Snapshot, view: &View) -> (Rect, Option<Rect>) {
    let wide = |size| [Constraint::Fill(1), Constraint::Length(size)];
    let rows = (snap.live.len() + snap.queue.len()) as u16;
    let [list, wall] = match view.runs.preview {
        _ if snap.live.is_empty() => return (area, None),
        Preview::Below if area.height >= LOW => {
            // The list takes what it needs, and never more than half.
            let list = rows.saturating_add(3).clamp(6, area.height / 2);
            Layout::vertical(wide(area.height - list)).areas(area)
        }
        Preview::Beside if area.width >= NARROW => {
            Layout::horizontal(wide(area.width / 2)).areas(area)
        }
        _ => return (area, None),
    };
    (list, Some(wall))
}

/// Draws a panel for each live run; a click on one goes to its row.
pub fn draw(canvas: &mut Canvas, area: Rect, snap: &Snapshot, view: &View) {
    let count = snap.live.len();
    let cells = panels(area, grid(area, count, LEAST));
    let mut shown = 0;
    for (at, (run, place)) in snap.live.iter().zip(cells).enumerate() {
        shown += 1;
        let room = usize::from(place.width.saturating_sub(30)).max(8);
        let name = text::fit(&run.name, room);
        let title = format!("{} {name}", run.id);
        match snap.wall.iter().find(|detail| detail.run.id == run.id) {
            Some(detail) => curves::small(canvas, place, &title, detail, view),
            None => drop(canvas.panel(place, &title, "")),
        }
        if view.queue_at == Some(run.id) {
            canvas.tint(Rect { height: 1, width: place.width, ..place }, canvas.theme.accent);
        }
        canvas.hit(place, Target::Row(at));
    }
    if shown < count {
        let words = format!(" {} more run ", count - shown);
        canvas.put_right(area.right() - 2, area.bottom() - 1, 20, &words, canvas.theme.dim);
    }
}

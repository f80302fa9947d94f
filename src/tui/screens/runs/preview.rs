//! Where the preview stands, and what it needs.

use ratatui::layout::{Constraint, Layout, Rect};

use crate::tui::command::{Command, Effect};
use crate::tui::layout::parts;
use crate::tui::preview::Preview;
use crate::tui::snapshot::{GroupBy, Snapshot};
use crate::tui::view::View;

/// Bytes of the log's end that are read for it.
pub const LOG: u64 = 4096;
/// A lower or narrower table leaves no room for it.
const LOW: u16 = 34;
const NARROW: u16 = 140;

/// The table, and the preview if there is room for it.
pub fn regions(area: Rect, view: &View) -> (Rect, Option<Rect>) {
    let shared = |size| [Constraint::Fill(1), Constraint::Length(size)];
    let [table, preview] = match view.runs.preview {
        _ if view.runs.group != GroupBy::None => return (area, None),
        Preview::Below if area.height >= LOW => {
            Layout::vertical(shared((area.height * 2 / 5).clamp(13, 22))).areas(area)
        }
        Preview::Beside if area.width >= NARROW => {
            Layout::horizontal(shared((area.width * 2 / 5).clamp(56, 90))).areas(area)
        }
        _ => return (area, None),
    };
    (table, Some(preview))
}

/// Moves it below the table, beside it, or away; the board remembers where.
pub fn next(view: &mut View) -> Effect {
    let next = match view.runs.preview {
        Preview::None => Preview::Below,
        Preview::Below => Preview::Beside,
        Preview::Beside => Preview::None,
    };
    view.runs.preview = next;
    Effect::Do(Command::SavePreview(next))
}

fn is_shown(view: &View) -> bool {
    // The header's height depends on the devices, which leave it room or do not; one row decides nothing here.
    regions(parts(view.area, &Snapshot::default()).body, view).1.is_some()
}

/// True if it overlays the curves of the marked runs.
pub fn shows_marks(view: &View) -> bool {
    view.runs.marks.len() > 1 && is_shown(view)
}

/// True if it shows the run under the cursor.
pub fn shows_run(view: &View) -> bool {
    view.runs.marks.len() < 2 && is_shown(view)
}

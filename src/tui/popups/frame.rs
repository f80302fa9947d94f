use ratatui::layout::Rect;

use crate::tui::canvas::{Canvas, Target};

/// A cleared frame in the upper middle of the screen; returns the area inside.
pub fn over(
    canvas: &mut Canvas,
    area: Rect,
    width: u16,
    height: u16,
    title: &str,
    aside: &str,
) -> Rect {
    let width = width.min(area.width.saturating_sub(4));
    let height = height.min(area.height.saturating_sub(2));
    let frame = Rect::new(
        area.x + (area.width - width) / 2,
        area.y + (area.height - height) / 3,
        width,
        height,
    );
    // A column of air on either side keeps what lies below apart.
    canvas.clear(Rect { x: frame.x.saturating_sub(1), width: frame.width + 2, ..frame });
    canvas.hit(frame, Target::Popup);
    canvas.panel(frame, title, aside)
}

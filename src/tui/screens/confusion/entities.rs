use ratatui::layout::Rect;

use crate::analysis::metrics::EntityConfusion;
use crate::tui::canvas::Canvas;
use crate::tui::figures;
use crate::tui::text;

/// Types of entities: rows are true, columns predicted, then what was missed or has other bounds; below them what is
/// spurious.
pub fn draw(canvas: &mut Canvas, area: Rect, found: &EntityConfusion) {
    let theme = canvas.theme;
    let inner = canvas.panel(area, "entities", "true ↓ predicted →");
    let ends = ["missed", "bounds"];
    let heads = || found.types.iter().map(String::as_str).chain(ends);
    let widest = heads().map(text::width).max().unwrap_or(0).clamp(6, 14) as u16 + 2;
    let first = found.types.iter().map(|kind| text::width(kind)).max().unwrap_or(0);
    let room = (first.clamp(8, 16) as u16).min(inner.width / 2);
    let right = |column: usize| inner.x + room + (column as u16 + 1) * widest;
    let fits = |column: usize| right(column) <= inner.right();
    // What was missed matters more than the last types.
    let types = (0..found.types.len()).take_while(|column| fits(column + ends.len())).count();
    for (at, head) in found.types.iter().take(types).map(String::as_str).chain(ends).enumerate() {
        canvas.put_right(
            right(at),
            inner.y,
            widest - 1,
            &text::fit(head, usize::from(widest - 1)),
            theme.dim,
        );
    }
    let mut cell = |row: usize, column: usize, count: u64, is_right: bool| {
        let style = match (is_right, count) {
            (_, 0) => theme.dim,
            (true, _) => theme.good,
            (false, _) => theme.bad,
        };
        let y = inner.y + 1 + row as u16;
        if y < inner.bottom() {
            canvas.put_right(right(column), y, widest - 1, &figures::whole(count), style);
        }
    };
    for row in 0..found.types.len() {
        let counts = found.counts.get(row).into_iter().flatten().take(types).enumerate();
        counts.for_each(|(column, count)| cell(row, column, *count, row == column));
        for (at, counts) in [&found.missed, &found.bounds].into_iter().enumerate() {
            cell(row, types + at, counts.get(row).copied().unwrap_or_default(), false);
        }
    }
    let last = found.types.len();
    found.spurious.iter().take(types).enumerate().for_each(|(at, n)| cell(last, at, *n, false));
    for (row, kind) in found.types.iter().map(String::as_str).chain(["spurious"]).enumerate() {
        let y = inner.y + 1 + row as u16;
        if y < inner.bottom() {
            canvas.put(inner.x, y, room, &text::fit_middle(kind, usize::from(room)), theme.text);
        }
    }
}

use ratatui::layout::Rect;

use crate::spec::Outcome;
use crate::tui::canvas::Canvas;
use crate::tui::keys::{Keymap, RESUME, RETRY};
use crate::tui::snapshot::Detail;
use crate::tui::text;

/// What a failed run said last, and which key takes it up again.
pub fn draw(canvas: &mut Canvas, area: Rect, detail: &Detail, keymap: &Keymap) {
    let theme = canvas.theme;
    let (why, last) = match detail.run.state.outcome() {
        Some(Outcome::Failed { why, last_lines }) => (why.as_str(), last_lines.as_str()),
        Some(Outcome::Lost { why }) => (why.as_str(), ""),
        _ => ("", ""),
    };
    let inner = canvas.panel(area, "last words", &format!("attempt {}", detail.run.attempt));
    if inner.height == 0 {
        return;
    }
    let foot = inner.bottom() - 1;
    let mut y = inner.y;
    for line in text::wrap(why, usize::from(inner.width)) {
        if y < foot {
            canvas.put(inner.x, y, inner.width, &line, theme.bad);
            y += 1;
        }
    }
    let room = usize::from(foot.saturating_sub(y + 2));
    let lines: Vec<String> =
        last.lines().flat_map(|line| text::wrap(line, usize::from(inner.width))).collect();
    for line in lines.iter().skip(lines.len().saturating_sub(room)) {
        y += 1;
        canvas.put(inner.x, y, inner.width, line, theme.dim);
    }
    let resume = keymap.key_of(&RESUME);
    let retry = keymap.key_of(&RETRY);
    let pieces = [
        (resume, theme.accent),
        (" go on from the last checkpoint   ", theme.text),
        (retry, theme.accent),
        (" from the start", theme.text),
    ];
    canvas.pieces(inner.x, foot, inner.width, &pieces);
}

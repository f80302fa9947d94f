use crate::tui::canvas::Canvas;
use crate::tui::theme::Plot;

/// Seven of eight, so that lines of a table stay apart.
const LEVELS: [char; 7] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇'];

/// A sparkline of at most `columns` columns; the column of the value at `best` is a dot, so that it is seen
/// without colour too.
pub fn spark(
    canvas: &mut Canvas,
    x: u16,
    y: u16,
    columns: u16,
    values: &[f32],
    best: Option<usize>,
) {
    let theme = canvas.theme;
    for (i, (glyph, best)) in glyphs(values, usize::from(columns), best).into_iter().enumerate() {
        let style = if best { theme.good } else { theme.faded(theme.val) };
        let glyph = if theme.plot == Plot::Ascii { plain(glyph) } else { glyph };
        canvas.dot(x + i as u16, y, glyph, style);
    }
}

/// The same in letters that every font has.
fn plain(glyph: char) -> char {
    match LEVELS.iter().position(|level| *level == glyph) {
        Some(level) => char::from(*b"_.-~=+#".get(level).unwrap_or(&b'#')),
        None if glyph == '•' => '*',
        None => 'x',
    }
}

/// Each column's glyph, and whether the best value is in it.
fn glyphs(values: &[f32], columns: usize, best: Option<usize>) -> Vec<(char, bool)> {
    let finite = values.iter().copied().filter(|v| v.is_finite());
    let (low, high) =
        finite.fold((f32::INFINITY, f32::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
    let count = values.len().min(columns);
    (0..count)
        .map(|column| {
            // Columns share the values evenly; each shows the lowest of its own.
            let (from, to) = (column * values.len() / count, (column + 1) * values.len() / count);
            let own = values.get(from..to.max(from + 1)).unwrap_or_default();
            let value = own.iter().copied().filter(|v| v.is_finite()).fold(f32::NAN, f32::min);
            if best.is_some_and(|i| (from..to).contains(&i)) {
                return ('•', true);
            }
            if value.is_nan() {
                return ('×', false);
            }
            let level = if high > low { (value - low) / (high - low) * 6.0 } else { 0.0 };
            (LEVELS.get(level.round() as usize).copied().unwrap_or('▇'), false)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(values: &[f32], columns: usize, best: Option<usize>) -> String {
        glyphs(values, columns, best).into_iter().map(|(c, _)| c).collect()
    }

    #[test]
    fn the_best_value_is_a_dot() {
        assert_eq!(line(&[0.8, 0.5, 0.2, 0.3], 8, Some(2)), "▇▄•▂");
        assert_eq!(line(&[0.8, 0.5, 0.2, 0.3], 8, None), "▇▄▁▂");
        assert_eq!(line(&[0.8, 0.7, 0.5, 0.6, 0.2, 0.3, 0.4, 0.4], 4, Some(4)), "▆▄•▃");
        assert_eq!(line(&[1.0, f32::NAN, 2.0], 8, Some(0)), "•×▇");
        assert_eq!(line(&[f32::NAN], 8, None), "×");
        assert_eq!(line(&[], 8, None), "");
    }
}

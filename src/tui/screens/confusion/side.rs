use ratatui::layout::{Constraint, Layout, Rect};

use crate::analysis::confusion::{Matrix, Mistake};
use crate::tui::canvas::{Canvas, Target};
use crate::tui::figures;
use crate::tui::layout::scrolled;
use crate::tui::text;

/// The figures of a matrix at the right of a title's first line; where they begin.
pub fn figures_of(canvas: &mut Canvas, area: Rect, matrix: Option<&Matrix>) -> u16 {
    let end = area.right().saturating_sub(1);
    let Some(matrix) = matrix else { return end };
    let words = format!(
        "accuracy {}  macro F1 {}  rows {}",
        figures::metric(matrix.accuracy()),
        figures::metric(matrix.macro_f1()),
        figures::whole(matrix.total())
    );
    canvas.put_right(end, area.y, area.width, &words, canvas.theme.text)
}

/// The most frequent mistakes above, figures of each class below.
pub fn draw(
    canvas: &mut Canvas,
    area: Rect,
    matrix: &Matrix,
    labels: &[String],
    (class, column): (usize, usize),
) {
    let mistakes = matrix.mistakes(usize::from(area.height));
    let wanted = (mistakes.len().max(1) as u16 + 2).min(area.height / 2);
    let [above, below] =
        Layout::vertical([Constraint::Length(wanted), Constraint::Fill(1)]).areas(area);
    confused(canvas, above, labels, &mistakes, (class, column));
    classes(canvas, below, matrix, labels, class);
}

fn label(labels: &[String], class: usize) -> &str {
    labels.get(class).map_or("?", String::as_str)
}

fn confused(
    canvas: &mut Canvas,
    area: Rect,
    labels: &[String],
    mistakes: &[Mistake],
    cell: (usize, usize),
) {
    let theme = canvas.theme;
    let inner = canvas.panel(area, "most confused", "share of true");
    if mistakes.is_empty() {
        canvas.put(inner.x, inner.y, inner.width, "no mistakes at all", theme.good);
    }
    for (i, mistake) in mistakes.iter().enumerate() {
        let y = inner.y + i as u16;
        if y >= inner.bottom() {
            break;
        }
        let row = Rect::new(inner.x.saturating_sub(1), y, inner.width + 2, 1);
        canvas.hit(row, Target::Cell(mistake.truth, mistake.predicted));
        if (mistake.truth, mistake.predicted) == cell {
            canvas.tint(row, theme.selected);
        }
        let share = format!("{:.1}%", mistake.share * 100.0);
        let mut right = inner.right();
        if inner.width >= 34 {
            canvas.put_right(right, y, 6, &share, theme.dim);
            right -= 7;
        }
        right = canvas.put_right(right, y, 6, &mistake.count.to_string(), theme.bad);
        let room = right.saturating_sub(inner.x + 1);
        let half = usize::from(room.saturating_sub(3) / 2);
        let from = text::fit_middle(label(labels, mistake.truth), half).into_owned();
        let to = text::fit_middle(label(labels, mistake.predicted), half).into_owned();
        canvas.pieces(
            inner.x,
            y,
            room,
            &[(&from, theme.text), (" → ", theme.dim), (&to, theme.text)],
        );
    }
}

fn classes(canvas: &mut Canvas, area: Rect, matrix: &Matrix, labels: &[String], class: usize) {
    let theme = canvas.theme;
    let inner = canvas.panel(area, "classes", "/ finds one");
    let page = usize::from(inner.height.saturating_sub(1));
    if page == 0 {
        return;
    }
    // Numbers end at these places, counted from the right; the first ones go when room is short.
    let width = if inner.width >= 44 { 7 } else { 6 };
    let columns = [("rows", 3), ("prec", 2), ("recall", 1), ("F1", 0)];
    let shown = if inner.width >= 36 { 4 } else { 2 };
    let columns = columns.get(columns.len() - shown..).unwrap_or_default();
    let right = |place: u16| inner.right().saturating_sub(place * (width + 1));
    let room = inner.width.saturating_sub(shown as u16 * (width + 1) + 1);
    for (title, place) in columns {
        canvas.put_right(right(*place), inner.y, width, title, theme.dim);
    }
    let first = scrolled(class.saturating_sub(page / 2), class, page, matrix.len());
    for (line, i) in (first..matrix.len()).take(page).enumerate() {
        let y = inner.y + 1 + line as u16;
        let row = Rect::new(inner.x.saturating_sub(1), y, inner.width + 2, 1);
        canvas.hit(row, Target::Class(i));
        if i == class {
            canvas.tint(row, theme.selected);
        }
        let figures = matrix.class(i);
        let name = text::fit_middle(label(labels, i), usize::from(room));
        canvas.put(inner.x, y, room, &name, theme.text);
        let share = |x: f64, of: u64| if of == 0 { "–".to_owned() } else { format!("{x:.3}") };
        let weak = figures.support > 0 && figures.f1 < 0.5;
        for (_, place) in columns {
            let (words, style) = match place {
                3 => (figures.support.to_string(), theme.dim),
                2 => (share(figures.precision, figures.predicted), theme.text),
                1 => (share(figures.recall, figures.support), theme.text),
                _ => {
                    let words = share(figures.f1, figures.support + figures.predicted);
                    (words, if weak { theme.bad } else { theme.strong })
                }
            };
            canvas.put_right(right(*place), y, width, &words, style);
        }
    }
}

//! What stands in the place of the matrix for a task without classes: predicted against true numbers, or the
//! decisions about each label.

use ratatui::layout::{Constraint, Layout, Rect};

use super::{entities, scores};
use crate::tui::background::{LabelLine, Other, TargetPoints};
use crate::tui::canvas::Canvas;
use crate::tui::figures;
use crate::tui::snapshot::Snapshot;
use crate::tui::text;
use crate::tui::view::View;
use crate::tui::widgets::curve::{Chart, Series};
use crate::tui::widgets::message::message;

/// Draws the picture of the pass in view.
pub fn draw(canvas: &mut Canvas, area: Rect, snap: &Snapshot, view: &View) {
    match scores::answer(view, snap).map(|(found, other)| (other, found)) {
        None => message(canvas, area, &["reading"]),
        Some((Some(Other::Numbers(targets)), _)) => numbers(canvas, area, targets, view),
        Some((Some(Other::Labels(labels)), _)) => table(canvas, area, labels, view),
        Some((Some(Other::Entities(found)), _)) => entities::draw(canvas, area, found),
        Some((None, Err(why))) => message(canvas, area, std::slice::from_ref(why)),
        Some((None, Ok(_))) => message(canvas, area, &["There is no picture of this pass."]),
    }
}

fn numbers(canvas: &mut Canvas, area: Rect, targets: &[TargetPoints], view: &View) {
    let theme = canvas.theme;
    let at = view.pass.class.min(targets.len().saturating_sub(1));
    let Some(TargetPoints { name, points, figures: of }) = targets.get(at) else { return };
    let [charts, low] = Layout::vertical([Constraint::Fill(1), Constraint::Length(4)]).areas(area);
    let [left, right] = Layout::horizontal([Constraint::Fill(1); 2]).areas(charts);
    let finite = |x: &f64| x.is_finite();
    let truth = points.iter().map(|(y, _)| *y).filter(finite);
    let (low_x, high_x) =
        truth.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), x| (l.min(x), h.max(x)));
    if low_x > high_x {
        return message(canvas, area, &["No row has a number."]);
    }
    let range = (low_x, if high_x > low_x { high_x } else { low_x + 1.0 });
    let inner = canvas.panel(left, name, "predicted ↑ true →");
    let diagonal = vec![(range.0, range.0), (range.1, range.1)];
    let lines =
        vec![Series::line(diagonal, theme.faint), Series::scattered(points.clone(), theme.val)];
    Chart::new(lines, range).draw(canvas, inner);
    let inner = canvas.panel(right, "residuals", "predicted - true ↑ true →");
    let residuals = points.iter().map(|(y, p)| (*y, p - y)).collect();
    let zero = vec![(range.0, 0.0), (range.1, 0.0)];
    let lines = vec![Series::line(zero, theme.faint), Series::scattered(residuals, theme.test)];
    Chart::new(lines, range).draw(canvas, inner);
    let aside = format!("{} rows", figures::whole(points.len() as u64));
    let title = if targets.len() > 1 {
        format!("target {} of {}", at + 1, targets.len())
    } else {
        "figures".to_owned()
    };
    let inner = canvas.panel(low, &title, &aside);
    let number = |x: Option<f64>| x.map_or_else(|| "–".to_owned(), figures::metric);
    let words = [
        ("Pearson", of.pearson),
        ("Spearman", of.spearman),
        ("mean error", of.mae),
        ("RMSE", of.rmse),
        ("R2", of.r2),
    ]
    .map(|(name, x)| format!("{name} {}", number(x)));
    canvas.put(inner.x, inner.y, inner.width, &words.join("  "), theme.text);
}

fn table(canvas: &mut Canvas, area: Rect, labels: &[LabelLine], view: &View) {
    let theme = canvas.theme;
    let aside = "given from 0.5 on";
    let inner = canvas.panel(area, "labels", aside);
    let heads = [
        "has+given",
        "given only",
        "has only",
        "neither",
        "precision",
        "recall",
        "F1",
        "AP",
        "AUC",
        "threshold",
    ];
    let width = 11;
    let shown = usize::from(inner.width.saturating_sub(16) / width).min(heads.len());
    let room = inner.width.saturating_sub(shown as u16 * width + 1);
    let right = |column: usize| inner.x + room + 1 + (column as u16 + 1) * width - 1;
    for (column, head) in heads.iter().take(shown).enumerate() {
        canvas.put_right(right(column), inner.y, width - 1, head, theme.dim);
    }
    let page = usize::from(inner.height.saturating_sub(1));
    let first = crate::tui::layout::scrolled(
        0,
        view.pass.class.min(labels.len().saturating_sub(1)),
        page,
        labels.len(),
    );
    for (line, label) in labels.iter().skip(first).take(page).enumerate() {
        let y = inner.y + 1 + line as u16;
        let scores = label.counts.scores();
        let style = if scores.f1 < 0.5 { theme.bad } else { theme.text };
        let name = text::fit_middle(&label.name, usize::from(room));
        canvas.put(inner.x, y, room, &name, theme.text);
        let counts = label.counts;
        let neither = label.rows.saturating_sub(counts.hits + counts.alarms + counts.misses);
        let number = |x: Option<f64>| x.map_or_else(|| "–".to_owned(), |x| format!("{x:.3}"));
        let cells = [
            counts.hits.to_string(),
            counts.alarms.to_string(),
            counts.misses.to_string(),
            neither.to_string(),
            number(Some(scores.precision)),
            number(Some(scores.recall)),
            number(Some(scores.f1)),
            number(label.precision),
            number(label.area),
            number(Some(label.threshold)),
        ];
        for (column, cell) in cells.iter().take(shown).enumerate() {
            let style = if column == 6 { style } else { theme.text };
            canvas.put_right(right(column), y, width - 1, cell, style);
        }
    }
}

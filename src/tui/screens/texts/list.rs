use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;

use crate::tui::background::{Filter, TextRow, Texts, TextsQuestion};
use crate::tui::canvas::Canvas;
use crate::tui::figures;
use crate::tui::layout::scrolled;
use crate::tui::snapshot::Snapshot;
use crate::tui::text;
use crate::tui::view::View;
use crate::tui::widgets::message::{NO_RUN, message};

const HINT: &str = "f shows other rows: the cell, all mistakes, those of the marked runs.";
/// Runs beside the open one that texts are held against.
const BESIDE: usize = 7;
/// From this width on, the text under the cursor is shown beside the list.
const WIDE: u16 = 110;

/// Which texts are listed.
pub fn question(view: &View, snap: &Snapshot) -> Option<TextsQuestion> {
    let (run, split, epoch) = view.shown_pass(snap)?;
    let filter = view.texts.filter;
    let most = if matches!(filter, Filter::Won | Filter::Lost) { 1 } else { BESIDE };
    let others = match view.texts.against {
        Some(id) => vec![id],
        None => view.runs.marks.iter().copied().filter(|id| *id != run).take(most).collect(),
    };
    Some(TextsQuestion { run, split, epoch, filter, others })
}

/// The answer to what the view asks, if it is there.
pub fn answer<'a>(snap: &'a Snapshot, view: &View) -> Option<&'a Texts> {
    let question = question(view, snap)?;
    snap.answers.texts.as_deref().filter(|texts| texts.question == question)
}

/// Draws the list, or one text.
pub fn draw(canvas: &mut Canvas, area: Rect, snap: &Snapshot, view: &View) {
    let Some(texts) = answer(snap, view) else {
        let words = match question(view, snap) {
            None if view.open.is_none() => NO_RUN,
            None => "This pass has no confusion counts yet.",
            Some(_) => "reading predictions and texts",
        };
        return message(canvas, area, &[words]);
    };
    let [title, body] = Layout::vertical([Constraint::Length(2), Constraint::Fill(1)]).areas(area);
    head(canvas, title, texts);
    if texts.rows.is_empty() {
        let words = texts.problem.clone().unwrap_or_else(|| match texts.question.filter {
            Filter::Cell(..) => "No row is in this cell.".to_owned(),
            _ => "No such row: nothing was got wrong this way.".to_owned(),
        });
        return message(canvas, body, &[words.as_str(), "", HINT]);
    }
    let cursor = view.texts.cursor.min(texts.rows.len() - 1);
    let Some(row) = texts.rows.get(cursor) else { return };
    if view.texts.full {
        return whole(canvas, body, texts, row, cursor, view);
    }
    if area.width < WIDE {
        return list(canvas, body, texts, cursor);
    }
    let [left, right] =
        Layout::horizontal([Constraint::Fill(58), Constraint::Fill(42)]).areas(body);
    list(canvas, left, texts, cursor);
    whole(canvas, right, texts, row, cursor, view);
}

/// The words of a filter.
fn heading(texts: &Texts) -> String {
    let question = &texts.question;
    let others = || {
        let ids: Vec<String> = question.others.iter().map(ToString::to_string).collect();
        ids.join(", ")
    };
    let name = |class: usize| texts.labels.get(class).map_or("?", String::as_str);
    match question.filter {
        Filter::Cell(..) if texts.labels.is_empty() => "all mistakes".to_owned(),
        Filter::Cell(truth, predicted) if truth == predicted => {
            format!("{} taken for what it is", name(truth))
        }
        Filter::Cell(truth, predicted) => format!("{} taken for {}", name(truth), name(predicted)),
        Filter::Wrong => "all mistakes".to_owned(),
        Filter::WrongInAll => format!("wrong in {} and {}", question.run, others()),
        Filter::Won => format!("{} right, {} wrong", question.run, others()),
        Filter::Lost => format!("{} wrong, {} right", question.run, others()),
    }
}

fn head(canvas: &mut Canvas, area: Rect, texts: &Texts) {
    let theme = canvas.theme;
    let question = &texts.question;
    let end = area.right().saturating_sub(1);
    let count = format!(
        "{} of {} rows",
        figures::whole(texts.total as u64),
        figures::whole(texts.of as u64)
    );
    let right = canvas.put_right(end, area.y, area.width, &count, theme.text);
    let x = canvas.put(area.x + 1, area.y, 8, &question.run.to_string(), theme.accent) + 1;
    let pass = format!("{} epoch {}  ", question.split, question.epoch);
    let x = canvas.put(x, area.y, right.saturating_sub(x + 1), &pass, theme.dim);
    canvas.put(x, area.y, right.saturating_sub(x + 1), &heading(texts), theme.strong);
    if let Some(problem) = texts.problem.as_ref().filter(|_| !texts.rows.is_empty()) {
        canvas.put(area.x + 1, area.y + 1, area.width.saturating_sub(2), problem, theme.warn);
    }
}

fn list(canvas: &mut Canvas, area: Rect, texts: &Texts, cursor: usize) {
    let theme = canvas.theme;
    let aside = match texts.total.checked_sub(texts.rows.len()) {
        Some(more) if more > 0 => format!("the first {}", texts.rows.len()),
        _ => "highest loss first".to_owned(),
    };
    let inner = canvas.panel(area, "texts", &aside);
    let differs = texts.rows.iter().any(|row| row.differs.is_some());
    let is_cell = matches!(texts.question.filter, Filter::Cell(..)) && !texts.labels.is_empty();
    let most = if differs { 44 } else { 30 };
    let classes = if is_cell { 0 } else { (inner.width / 3).clamp(12, most) };
    let (loss, sure, length) = (inner.x + 6, inner.x + 12, inner.x + 18);
    let y = inner.y;
    canvas.put_right(loss, y, 6, "loss", theme.dim);
    canvas.put_right(sure, y, 6, "prob", theme.dim);
    canvas.put_right(length, y, 6, "chars", theme.dim);
    let x = length + 2;
    if !is_cell {
        let head = if differs { "missed, added" } else { "true → predicted" };
        canvas.put(x, y, classes, head, theme.dim);
    }
    let words_at = x + if is_cell { 0 } else { classes + 1 };
    canvas.put(words_at, y, inner.right().saturating_sub(words_at), "text", theme.dim);
    let page = usize::from(inner.height.saturating_sub(1)).max(1);
    let top = scrolled(cursor.saturating_sub(page / 2), cursor, page, texts.rows.len());
    for (line, (at, row)) in texts.rows.iter().enumerate().skip(top).take(page).enumerate() {
        let y = inner.y + 1 + line as u16;
        let whole = Rect::new(inner.x.saturating_sub(1), y, inner.width + 2, 1);
        canvas.row(whole, at, at == cursor);
        let wrong = row.label != row.predicted;
        let style = if wrong { theme.bad } else { theme.good };
        canvas.put_right(loss, y, 6, &format!("{:.2}", row.loss), style);
        canvas.put_right(sure, y, 6, &probability(row.confidence, 2), theme.text);
        let chars = row.text.as_ref().map(|t| t.chars().count().to_string());
        canvas.put_right(length, y, 6, chars.as_deref().unwrap_or("–"), theme.dim);
        if let Some(differs) = &row.differs {
            canvas.put(x, y, classes, differs, style);
        } else if !is_cell {
            let half = usize::from(classes.saturating_sub(3) / 2);
            let from = text::fit_middle(&row.label, half).into_owned();
            let to = text::fit_middle(&row.predicted, half).into_owned();
            canvas.pieces(x, y, classes, &[(&from, theme.text), (" → ", theme.dim), (&to, style)]);
        }
        // Only as much as can be seen: a text may be a book.
        let room = inner.right().saturating_sub(words_at);
        let seen: String =
            row.text.iter().flat_map(|t| t.chars()).take(4 * usize::from(room) + 40).collect();
        let seen = if row.text.is_none() { "not in the data file any more".into() } else { seen };
        canvas.put(words_at, y, room, seen.trim_start(), theme.text);
    }
}

/// A probability, where the task has one of the whole row.
fn probability(p: f32, digits: usize) -> String {
    if p.is_nan() { "–".to_owned() } else { format!("{p:.digits$}") }
}

/// What was true and what was said, in full where that is more than two words; gives the line below.
fn said(canvas: &mut Canvas, inner: Rect, row: &TextRow, style: Style) -> u16 {
    let theme = canvas.theme;
    let loss = format!("loss {:.3}", row.loss);
    if let Some(differs) = &row.differs {
        let mut y = inner.y;
        let parts = [("true ", &row.label, theme.strong), ("said ", &row.predicted, style)];
        for (what, words, style) in parts {
            canvas.put(inner.x, y, inner.width, what, theme.dim);
            let room = inner.width.saturating_sub(5);
            for line in text::wrap(words, usize::from(room)).iter().take(4) {
                canvas.put(inner.x + 5, y, room, line, style);
                y += 1;
            }
        }
        canvas.pieces(
            inner.x,
            y,
            inner.width,
            &[(differs, style), ("  ", theme.dim), (&loss, theme.dim)],
        );
        return y + 1;
    }
    let half = usize::from(inner.width.saturating_sub(20) / 2).max(6);
    canvas.pieces(
        inner.x,
        inner.y,
        inner.width,
        &[
            ("true ", theme.dim),
            (&text::fit_middle(&row.label, half), theme.strong),
            ("  predicted ", theme.dim),
            (&text::fit_middle(&row.predicted, half), style),
        ],
    );
    let figures = format!("{loss}  probability {}", probability(row.confidence, 3));
    canvas.put(inner.x, inner.y + 1, inner.width, &figures, theme.dim);
    inner.y + 2
}

/// One text, wrapped, with what was said of it.
fn whole(
    canvas: &mut Canvas,
    area: Rect,
    texts: &Texts,
    row: &TextRow,
    cursor: usize,
    view: &View,
) {
    let theme = canvas.theme;
    let title = format!("row {}", row.row);
    let aside = format!("{} of {}", cursor + 1, texts.rows.len());
    let inner = canvas.panel(area, &title, &aside);
    let style = if row.label == row.predicted { theme.good } else { theme.bad };
    let mut y = said(canvas, inner, row, style);
    for (id, said) in texts.question.others.iter().zip(&row.others) {
        if y + 3 >= inner.bottom() {
            break;
        }
        let (said, style) = match said {
            None => ("never saw it", theme.dim),
            Some(said) if *said == row.label => (said.as_str(), theme.good),
            Some(said) => (said.as_str(), theme.bad),
        };
        canvas.pieces(
            inner.x,
            y,
            inner.width,
            &[(&id.to_string(), theme.dim), (" says ", theme.dim), (said, style)],
        );
        y += 1;
    }
    y += 1;
    let room = inner.bottom().saturating_sub(y);
    let Some(words) = &row.text else {
        canvas.put(inner.x, y, inner.width, "The data file has no such row any more.", theme.warn);
        return;
    };
    let lines = text::wrap(words, usize::from(inner.width));
    let most = lines.len().saturating_sub(usize::from(room));
    let top = if view.texts.full { view.texts.scroll.min(most) } else { 0 };
    for (i, line) in lines.iter().skip(top).take(usize::from(room)).enumerate() {
        canvas.put(inner.x, y + i as u16, inner.width, line, theme.text);
    }
    let below = most - top;
    if below > 0 {
        let words = format!(" {below} more lines ↓ ");
        canvas.put_right(area.right() - 2, area.bottom() - 1, 24, &words, theme.dim);
    }
}

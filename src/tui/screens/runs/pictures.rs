//! The preview: the run under the cursor in curves, its confusion matrix, what differs from its neighbours and
//! its last words; of marked runs, their curves over each other.

use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;

use super::keys::{OPEN, PREVIEW};
use super::preview::shows_marks;
use crate::analysis::confusion::{Matrix, Normalise};
use crate::spec::Outcome;
use crate::spec::metrics::val;
use crate::store::{Run, Split};
use crate::tui::canvas::{Canvas, Target};
use crate::tui::figures;
use crate::tui::labels::site;
use crate::tui::preview::Preview;
use crate::tui::screens::compare::{self, ink::ink};
use crate::tui::screens::run::curves;
use crate::tui::snapshot::{Detail, Snapshot};
use crate::tui::text;
use crate::tui::view::View;
use crate::tui::widgets::heat::Heat;

/// Draws the preview. While the run under the cursor is read, the pictures of the one before stay, under a dim title.
pub fn draw(canvas: &mut Canvas, area: Rect, snap: &Snapshot, view: &View) {
    if snap.list.ids.is_empty() {
        return;
    }
    let [title, body] = Layout::vertical([Constraint::Length(1), Constraint::Fill(1)]).areas(area);
    if shows_marks(view) {
        head(canvas, title, &format!("{} marked", view.runs.marks.len()), "", canvas.theme.strong);
        if let Some(Ok(compared)) = compare::answer(view, snap) {
            let [loss, accuracy, rest] = three(body, view.runs.preview);
            compare::curves::draw(canvas, loss, compared, val::LOSS, view);
            let score = compared.runs.first().map_or(val::ACC, |run| run.spec.task.score()[0]);
            compare::curves::draw(canvas, accuracy, compared, score, view);
            legend(canvas, rest, &compared.runs, score);
        }
        return;
    }
    let Some(run) = view.open.and_then(|id| snap.run(id)) else { return };
    let detail = snap.detail.as_deref();
    let is_new = detail.is_some_and(|detail| detail.run.id == run.id);
    let style = if is_new { canvas.theme.strong } else { canvas.theme.dim };
    head(canvas, title, &run.id.to_string(), &run.name, style);
    if let Some(detail) = detail {
        let [loss, accuracy, rest] = three(body, view.runs.preview);
        let range = curves::range(detail, view.run.x);
        curves::loss(canvas, loss, range, detail, view);
        curves::accuracy(canvas, accuracy, range, detail, view);
        let [matrix, words] = two(rest, view.runs.preview);
        confusion(canvas, matrix, detail, snap);
        last(canvas, words, detail, snap, view);
    }
    canvas.hit(body, Target::Do(&OPEN));
}

/// Room for the losses, the accuracies and the rest.
fn three(area: Rect, preview: Preview) -> [Rect; 3] {
    let shares = [Constraint::Fill(4), Constraint::Fill(3), Constraint::Fill(3)];
    match preview {
        Preview::Beside => Layout::vertical(shares).areas(area),
        _ => Layout::horizontal(shares).areas(area),
    }
}

/// The rest in two; next to the table there is more width than height, and below it the other way round.
fn two(area: Rect, preview: Preview) -> [Rect; 2] {
    match preview {
        Preview::Beside => Layout::horizontal([Constraint::Fill(1); 2]).areas(area),
        _ => Layout::vertical([Constraint::Fill(1); 2]).areas(area),
    }
}

/// A rule with a name on it, and the key that moves the preview.
fn head(canvas: &mut Canvas, area: Rect, id: &str, name: &str, style: Style) {
    canvas.rule(area);
    let theme = canvas.theme;
    let key = format!(" {} ", PREVIEW.keys);
    let end = canvas.put_right(area.right() - 1, area.y, 12, " preview ", theme.dim);
    let left = canvas.put_right(end, area.y, 6, &key, theme.accent);
    canvas.hit(Rect { x: left, width: area.right() - left, ..area }, Target::Do(&PREVIEW));
    let at = canvas.put(area.x + 2, area.y, 14, &format!(" {id} "), theme.accent);
    let room = left.saturating_sub(at + 2);
    if !name.is_empty() {
        canvas.put(at, area.y, room, &format!("{} ", text::fit(name, usize::from(room))), style);
    }
}

/// Which curve is whose.
fn legend(canvas: &mut Canvas, area: Rect, runs: &[Run], score: &str) {
    let inner = canvas.panel(area, "marked", "C compares");
    for (at, run) in runs.iter().take(usize::from(inner.height)).enumerate() {
        let y = inner.y + at as u16;
        let (style, digit) = ink(canvas.theme, at);
        canvas.put(inner.x, y, 3, &format!("{digit}●"), style);
        canvas.put(inner.x + 3, y, 6, &run.id.to_string(), canvas.theme.dim);
        let best = run.best.get(score).map_or(String::new(), |x| figures::metric(*x));
        let end = canvas.put_right(inner.right(), y, 7, &best, canvas.theme.strong);
        let room = end.saturating_sub(inner.x + 11);
        canvas.put(inner.x + 10, y, room, &run.name, canvas.theme.text);
    }
}

/// The latest counts of validation rows, in small.
fn confusion(canvas: &mut Canvas, area: Rect, detail: &Detail, snap: &Snapshot) {
    let epochs = detail.passes.iter().filter(|(split, _)| *split == Split::Val);
    let Some(epoch) = epochs.map(|(_, epoch)| *epoch).next_back() else {
        let inner = canvas.panel(area, "confusion", "");
        canvas.put(inner.x, inner.y, inner.width, "comes with the first epoch", canvas.theme.dim);
        return;
    };
    let inner = canvas.panel(area, &format!("confusion, epoch {epoch}"), "");
    let counts = Some(&snap.passes).filter(|passes| passes.run == Some(detail.run.id));
    let Some(counts) = counts.and_then(|passes| passes.counts.get(&(Split::Val, epoch))) else {
        return;
    };
    let matrix = Matrix::new(counts);
    let overview = usize::from(inner.width.saturating_sub(12)) / 4 < matrix.len();
    let labels = &counts.labels;
    let by = Normalise::Row;
    Heat { matrix: &matrix, labels, by, cursor: None, first: (0, 0), overview }.draw(canvas, inner);
}

/// The keys that differ in the list, in colour where a neighbour has another value; then what went wrong, or the end
/// of the log.
fn last(canvas: &mut Canvas, area: Rect, detail: &Detail, snap: &Snapshot, view: &View) {
    let theme = canvas.theme;
    let run = &detail.run;
    let inner = canvas.panel(area, "differs", "");
    let at = view.runs.cursor;
    let neighbours =
        [at.checked_sub(1), Some(at + 1)].map(|at| at.and_then(|at| snap.list.row(at)));
    let mut lines: Vec<(String, Style)> = Vec::new();
    for key in snap.list.varied.iter() {
        let value = run.spec.shown(key);
        let differs = |other: &&Run| other.spec.shown(key) != value;
        let is_own = neighbours.iter().flatten().any(differs);
        let shown = text::fit_end(&value, 24).into_owned();
        lines.push((format!("{key} {shown}"), if is_own { theme.accent } else { theme.dim }));
    }
    let mut y = inner.y;
    let mut x = inner.x;
    for (words, style) in &lines {
        let width = text::width(words) as u16 + 2;
        if x > inner.x && x + width > inner.right() + 2 {
            (x, y) = (inner.x, y + 1);
        }
        if y < inner.bottom() {
            canvas.put(x, y, inner.right().saturating_sub(x), words, *style);
        }
        x += width;
    }
    let rest = inner.bottom().saturating_sub(y + 1);
    let words = end_words(run, snap);
    let wrapped: Vec<(String, Style)> = words
        .into_iter()
        .flat_map(|(words, is_bad)| {
            let style = if is_bad { theme.bad } else { theme.dim };
            let room = usize::from(inner.width);
            // A line of the log is read by its beginning; what went wrong is read to its end.
            let lines = if is_bad {
                text::wrap(&words, room)
            } else {
                words.lines().map(|line| text::fit(&text::clean(line), room).into_owned()).collect()
            };
            lines.into_iter().map(move |line| (line, style))
        })
        .collect();
    let from = wrapped.len().saturating_sub(usize::from(rest));
    let shown =
        if wrapped.first().is_some_and(|(_, style)| *style == theme.bad) { 0 } else { from };
    for (line, (words, style)) in wrapped.iter().skip(shown).take(usize::from(rest)).enumerate() {
        canvas.put(inner.x, y + 1 + line as u16, inner.width, words, *style);
    }
}

/// Why it failed, what it waits for, or the last lines of its log; true for what went wrong.
fn end_words(run: &Run, snap: &Snapshot) -> Vec<(String, bool)> {
    if let Some(words) = site::progress(run.id, snap) {
        return vec![(words.to_owned(), false)];
    }
    if let Some(Outcome::Failed { why, .. } | Outcome::Lost { why }) = run.state.outcome() {
        return vec![(why.clone(), true)];
    }
    let log = snap.log.as_ref().filter(|log| log.run == run.id);
    let lines = log.map(|log| log.lines.as_slice()).unwrap_or_default();
    let first = lines.len().saturating_sub(12);
    lines.iter().skip(first).map(|line| (line.clone(), false)).collect()
}

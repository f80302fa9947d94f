use ratatui::layout::{Constraint, Layout, Rect};

use super::{others, scores, side, together};
use crate::analysis::confusion::Matrix;
use crate::spec::Task;
use crate::tui::background::Other;
use crate::tui::canvas::{Canvas, Target};
use crate::tui::labels::state;
use crate::tui::layout::{parts, scrolled};
use crate::tui::snapshot::{Detail, Snapshot};
use crate::tui::text;
use crate::tui::view::View;
use crate::tui::widgets::bar::bar;
use crate::tui::widgets::heat::Heat;
use crate::tui::widgets::message::{NO_RUN, message};

fn regions(area: Rect) -> [Rect; 3] {
    let [title, body] = Layout::vertical([Constraint::Length(2), Constraint::Fill(1)]).areas(area);
    let side = (area.width / 3).clamp(30, 52);
    let [heat, side] =
        Layout::horizontal([Constraint::Fill(1), Constraint::Length(side)]).areas(body);
    [title, heat, side]
}

/// Brings the class under the cursor into view.
pub fn scroll(view: &mut View, snap: &Snapshot) {
    let Some(confusion) = view.confusion(snap) else { return };
    let matrix = Matrix::new(confusion);
    let [_, area, _] = regions(parts(view.area, snap).body);
    let inner =
        Rect { width: area.width.saturating_sub(4), height: area.height.saturating_sub(3), ..area };
    let grid = heat(&matrix, &confusion.labels, view).grid(inner);
    let (class, count) = (view.pass.class, matrix.len());
    view.pass.top = scrolled(view.pass.top, class, grid.down, count);
    view.pass.left = scrolled(view.pass.left, view.pass.column, grid.across, count);
}

/// Puts the cursor on the class whose name begins with these words, or contains them.
pub fn find_class(words: &str, view: &mut View, snap: &Snapshot) {
    let words = words.to_lowercase();
    let labels = view.confusion(snap).map(|c| c.labels.as_slice()).unwrap_or_default();
    let begins = labels.iter().position(|label| label.to_lowercase().starts_with(&words));
    let contains = || labels.iter().position(|label| label.to_lowercase().contains(&words));
    if let Some(class) = begins.or_else(contains) {
        (view.pass.class, view.pass.column) = (class, class);
        scroll(view, snap);
    }
}

fn heat<'a>(matrix: &'a Matrix, labels: &'a [String], view: &View) -> Heat<'a> {
    let pass = &view.pass;
    Heat {
        matrix,
        labels,
        by: pass.normalise,
        cursor: Some((pass.class, pass.column)),
        first: (pass.top, pass.left),
        overview: pass.overview,
    }
}

/// Whether the open run learnt a task without classes, which has another picture.
pub fn has_none(view: &View, snap: &Snapshot) -> bool {
    let task = match view.together_answer(snap).map(|answer| answer.facts.as_ref()) {
        Some(facts) => facts.ok().map(|facts| facts.task),
        None => view.detail(snap).map(|detail| detail.run.spec.task),
    };
    matches!(task, Some(Task::Regress | Task::Multilabel))
}

/// Draws the pass in view.
pub fn draw(canvas: &mut Canvas, area: Rect, snap: &Snapshot, view: &View) {
    if view.together().is_some() {
        return of_setting(canvas, area, snap, view);
    }
    let [title_area, heat_area, side_area] = regions(area);
    let (epochs, at) = view.epochs(snap);
    let Some(detail) = view.detail(snap) else {
        let words = match view.open {
            None => NO_RUN.to_owned(),
            Some(id) => format!("opening {id}"),
        };
        return message(canvas, area, &[words]);
    };
    if has_none(view, snap) && !epochs.is_empty() {
        title(canvas, title_area, detail, view, None, (&epochs, at));
        return others::draw(canvas, heat_area.union(side_area), snap, view);
    }
    let Some(confusion) = view.confusion(snap) else {
        title(canvas, title_area, detail, view, None, (&epochs, at));
        let words = if epochs.is_empty() {
            let (id, split) = (detail.run.id, view.pass.split);
            let what = if has_none(view, snap) { "predictions" } else { "confusion counts" };
            format!("{id} has no {what} of {split} rows yet; they come with each epoch.")
        } else {
            "reading".to_owned()
        };
        return message(canvas, heat_area, &[words]);
    };
    let matrix = Matrix::new(confusion);
    title(canvas, title_area, detail, view, Some(&matrix), (&epochs, at));
    body(canvas, area, snap, view, &matrix, &confusion.labels);
}

/// The runs of a setting as one.
fn of_setting(canvas: &mut Canvas, area: Rect, snap: &Snapshot, view: &View) {
    let [title_area, heat_area, side_area] = regions(area);
    let facts = match view.together_answer(snap).map(|answer| &answer.facts) {
        None => return message(canvas, area, &["reading"]),
        Some(Err(why)) => return message(canvas, area, std::slice::from_ref(why)),
        Some(Ok(facts)) => facts,
    };
    let matrix = facts.confusion.as_deref().map(Matrix::new);
    together::title(canvas, title_area, &facts.heading, matrix.as_ref(), view);
    match (&facts.confusion, &matrix) {
        (Some(confusion), Some(matrix))
            if matches!(facts.other, None | Some(Other::Entities(_))) =>
        {
            body(canvas, area, snap, view, matrix, &confusion.labels);
        }
        _ => others::draw(canvas, heat_area.union(side_area), snap, view),
    }
}

/// The matrix and what stands beside it, or what the probabilities say.
fn body(
    canvas: &mut Canvas,
    area: Rect,
    snap: &Snapshot,
    view: &View,
    matrix: &Matrix,
    labels: &[String],
) {
    let [_, heat_area, side_area] = regions(area);
    if view.pass.scores {
        let area = Rect { width: area.width, ..heat_area };
        return scores::draw(canvas, area, snap, view);
    }
    let aside = format!("{} classes", matrix.len());
    let inner = canvas.panel(
        heat_area,
        &format!("true ↓  predicted →  {}", view.pass.normalise.heading()),
        &aside,
    );
    let plot = Rect { height: inner.height.saturating_sub(1), ..inner };
    let heat = heat(matrix, labels, view);
    heat.draw(canvas, plot);
    let grid = heat.grid(plot);
    hidden(canvas, inner, matrix, view, (grid.down, grid.across));
    let cell = (view.pass.class, view.pass.column);
    side::draw(canvas, side_area, matrix, labels, cell);
}

/// Says which part of a large matrix is in view.
fn hidden(canvas: &mut Canvas, inner: Rect, matrix: &Matrix, view: &View, seen: (usize, usize)) {
    let n = matrix.len();
    if seen.0 >= n && seen.1 >= n {
        return;
    }
    let last = |first: usize, count: usize| (first + count).min(n);
    let words = format!(
        "rows {}–{}, columns {}–{} of {n}",
        view.pass.top + 1,
        last(view.pass.top, seen.0),
        view.pass.left + 1,
        last(view.pass.left, seen.1),
    );
    let y = inner.bottom().saturating_sub(1);
    canvas.put(inner.x, y, inner.width, &words, canvas.theme.dim);
}

fn title(
    canvas: &mut Canvas,
    area: Rect,
    detail: &Detail,
    view: &View,
    matrix: Option<&Matrix>,
    (epochs, at): (&[u32], Option<usize>),
) {
    let theme = canvas.theme;
    let (x, end) = (area.x + 1, area.right().saturating_sub(1));
    let run = &detail.run;
    let right = side::figures_of(canvas, area, matrix);
    let at_name = canvas.put(x, area.y, 8, &run.id.to_string(), theme.accent) + 1;
    canvas.put(at_name, area.y, right.saturating_sub(at_name + 2), &run.name, theme.strong);

    let y = area.y + 1;
    let mut to = canvas.put(x, y, 8, &view.pass.split.to_string(), theme.val) + 2;
    if let Some((at, epoch)) = at.and_then(|i| epochs.get(i).map(|e| (i, e))) {
        to = canvas.put(to, y, 8, "epoch ", theme.dim);
        let share = (at + 1) as f64 / epochs.len() as f64;
        let width = (area.width / 4).clamp(8, 40);
        bar(canvas, to, y, width, share, theme.val);
        for i in 0..width {
            let epoch = usize::from(i) * epochs.len() / usize::from(width);
            canvas.hit(Rect::new(to + i, y, 1, 1), Target::Epoch(epoch));
        }
        let words = format!(" {epoch}/{}", state::epochs(run));
        to = canvas.put(to + width, y, 12, &words, theme.text) + 2;
        if run.best_epoch == Some(*epoch) {
            to = canvas.put(to, y, 8, "◆ best", theme.good) + 2;
        }
        if epochs.len() > 1 {
            canvas.put(
                to,
                y,
                end.saturating_sub(to),
                text::fit("← → walks the epochs", 22).as_ref(),
                theme.dim,
            );
        }
    }
}

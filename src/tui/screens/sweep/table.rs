use std::collections::BTreeSet;

use ratatui::layout::Rect;

use super::mean::mean;
use crate::analysis::sweeps::{Setting, SweepReport, per_hour};
use crate::spec::RunId;
use crate::tui::background::SweepFacts;
use crate::tui::canvas::Canvas;
use crate::tui::figures;
use crate::tui::layout::scrolled;
use crate::tui::view::View;

/// Settings, best first.
pub fn draw(canvas: &mut Canvas, area: Rect, facts: &SweepFacts, view: &View) {
    let ended = facts.runs.iter().filter(|run| run.state.outcome().is_some());
    let ended: BTreeSet<RunId> = ended.map(|run| run.id).collect();
    let theme = canvas.theme;
    let report = &facts.report;
    let inner = canvas.panel(
        area,
        &format!("settings, {}", facts.folded()),
        "◇ nothing is better and cheaper",
    );
    let (rank, score, runs, time, speed) =
        (inner.x + 4, inner.x + 23, inner.x + 29, inner.x + 37, inner.x + 46);
    let values = inner.x + 50;
    let room = inner.right().saturating_sub(values);
    let heading = facts.heading();
    let best = if facts.are_folds() { heading.clone() } else { format!("best {heading}") };
    let title = heading.rsplit(' ').next().filter(|_| heading.len() < 9).unwrap_or("score");
    for (right, words) in [
        (rank, "#"),
        (score, best.as_str()),
        (runs, "n"),
        (time, "time"),
        (speed, &format!("{title}/h")),
    ] {
        canvas.put_right(right, inner.y, 16, words, theme.dim);
    }
    let nothing = if facts.are_folds() { "fold, seed" } else { "seed" };
    let axes = if report.axes.is_empty() { nothing.to_owned() } else { report.axes.join("  ") };
    canvas.put(values, inner.y, room, &axes, theme.dim);
    let page = usize::from(inner.height.saturating_sub(1)).max(1);
    let count = report.settings.len();
    let cursor = view.sweep.cursor.min(count.saturating_sub(1));
    let top = scrolled(cursor.saturating_sub(page / 2), cursor, page, count);
    for (line, (at, setting)) in report.settings.iter().enumerate().skip(top).take(page).enumerate()
    {
        let y = inner.y + 1 + line as u16;
        let row = Rect::new(inner.x.saturating_sub(1), y, inner.width + 2, 1);
        canvas.row(row, at, at == cursor);
        if setting.runs.iter().all(|id| view.runs.marks.contains(id)) {
            canvas.dot(inner.x, y, '✓', theme.accent);
        }
        canvas.put_right(rank, y, 4, &(at + 1).to_string(), theme.dim);
        if setting.is_on_front {
            canvas.dot(inner.x + 5, y, '◇', theme.good);
        }
        canvas.put_right(score, y, 17, &mean(&setting.score), theme.strong);
        // A mean of runs that are under way is not the last word.
        let count = setting.runs.len();
        match setting.runs.iter().filter(|id| ended.contains(id)).count() {
            of if of < count => canvas.put_right(runs, y, 5, &format!("{of}/{count}"), theme.warn),
            _ => canvas.put_right(runs, y, 5, &count.to_string(), theme.dim),
        };
        let cost = setting.cost.map_or_else(|| "–".to_owned(), figures::span);
        canvas.put_right(time, y, 7, &cost, theme.text);
        let words = per_hour(report, setting).map_or_else(|| "–".to_owned(), figures::metric);
        canvas.put_right(speed, y, 8, &words, theme.dim);
        let words = report
            .axes
            .iter()
            .zip(&setting.values)
            .map(|(key, value)| format!("{key}={}", figures::brief(value)))
            .chain(takes_as_much(report, setting))
            .collect::<Vec<_>>()
            .join("  ");
        canvas.put(values, y, room, &words, theme.text);
    }
}

/// Weights that learn and memory, where settings differ in the former.
fn takes_as_much(report: &SweepReport, setting: &Setting) -> Vec<String> {
    let first = report.settings.iter().find_map(|setting| setting.trainable);
    let differ = report.settings.iter().filter_map(|s| s.trainable).any(|n| Some(n) != first);
    if !differ {
        return Vec::new();
    }
    let learn = setting.trainable.map(|n| format!("{} learn", figures::count(n as f64)));
    let memory = setting.memory.map(|n| figures::bytes(n as f64));
    learn.into_iter().chain(memory).collect()
}

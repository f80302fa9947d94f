//! A sweep as a whole: a picture of its axes, what each of them matters, what it cost, and its settings best
//! first, with seeds folded and the Pareto front marked.
//!
//! ```text
//! s3 lr x epochs   24 of 24 done   2.3 GPU hours
//! ╭ val acc, lr ↓ epochs → ─╮╭ effect ──────────╮
//! ├ settings ───────────────┴┴──────────────────┤
//! ```

mod picture;
mod table;

use ratatui::layout::{Constraint, Layout, Rect};

use crate::store::Millis;
use crate::tui::canvas::{Canvas, Target};
use crate::tui::figures;
use crate::tui::keys::Action;
use crate::tui::snapshot::Snapshot;
use crate::tui::study::SweepFacts;
use crate::tui::text;
use crate::tui::view::View;
use crate::tui::widgets::bar::bar;

/// The answer to what the view asks, or to what it asked a moment ago.
pub fn answer<'a>(snap: &'a Snapshot, view: &View) -> Option<&'a Result<SweepFacts, String>> {
    let (question, facts) = snap.study.sweep.as_ref()?;
    (Some(question.sweep) == view.sweep.sweep).then_some(facts.as_ref())
}

/// Draws the sweep.
pub fn draw(canvas: &mut Canvas, area: Rect, snap: &Snapshot, view: &View) {
    if view.sweep.sweep.is_none() {
        let words = [
            "No sweep is chosen.",
            "",
            "Choose a run that belongs to one on the runs screen, then press W.",
        ];
        return super::popups::message(canvas, area, &words.map(str::to_owned));
    }
    let facts = match answer(snap, view) {
        None => return super::popups::message(canvas, area, &["reading the sweep".to_owned()]),
        Some(Err(why)) => {
            return super::popups::message(canvas, area, std::slice::from_ref(why));
        }
        Some(Ok(facts)) => facts,
    };
    let [title, body] = Layout::vertical([Constraint::Length(1), Constraint::Fill(1)]).areas(area);
    head(canvas, title, facts, view);
    let [above, below] = Layout::vertical([Constraint::Fill(55), Constraint::Fill(45)]).areas(body);
    let side = (area.width * 2 / 5).clamp(30, 60);
    let [left, right] =
        Layout::horizontal([Constraint::Fill(1), Constraint::Length(side)]).areas(above);
    picture::draw(canvas, left, facts, view);
    effects(canvas, right, facts);
    table::draw(canvas, below, facts, view);
}

fn head(canvas: &mut Canvas, area: Rect, facts: &SweepFacts, view: &View) {
    let theme = canvas.theme;
    let id = view.sweep.sweep.map(|id| id.to_string()).unwrap_or_default();
    let done = facts.runs.iter().filter(|run| run.state.outcome().is_some()).count();
    let mut words = format!("{done} of {} ended", facts.runs.len());
    let report = &facts.report;
    for (time, device) in [(report.gpu, "GPU"), (report.cpu, "CPU")] {
        if time > 0 {
            words = format!("{words}, {} on {device}s", hours(time));
        }
    }
    let right = canvas.put_right(area.right() - 1, area.y, area.width, &words, theme.text);
    let x = canvas.put(area.x + 1, area.y, 8, &id, theme.accent) + 1;
    canvas.put(x, area.y, right.saturating_sub(x + 1), &facts.name, theme.strong);
}

/// Device time in hours, which is what it is paid in; less than one in minutes.
fn hours(time: Millis) -> String {
    match time as f64 / 3_600_000.0 {
        h if h >= 1.0 => format!("{h:.1} h"),
        _ => figures::span(time),
    }
}

fn effects(canvas: &mut Canvas, area: Rect, facts: &SweepFacts) {
    let theme = canvas.theme;
    let inner = canvas.panel(area, "effect of each axis", "of the variance");
    canvas.hit(area, Target::Do(Action::NextAxis));
    let mut effects: Vec<_> = facts.report.effects.iter().collect();
    effects.sort_by(|a, b| b.share.unwrap_or(-1.0).total_cmp(&a.share.unwrap_or(-1.0)));
    let names = effects.iter().map(|e| text::width(&e.key)).max().unwrap_or(4).clamp(4, 16) as u16;
    let bars = inner.width.saturating_sub(names + 8).min(30);
    let mut y = inner.y;
    for effect in effects {
        if y >= inner.bottom() {
            return;
        }
        canvas.put(inner.x, y, names, &effect.key, theme.text);
        if let Some(share) = effect.share {
            bar(canvas, inner.x + names + 1, y, bars, share, theme.val);
            let words = format!("{:.0}%", share * 100.0);
            canvas.put_right(inner.x + names + 1 + bars + 6, y, 6, &words, theme.strong);
        } else {
            let room = inner.width.saturating_sub(names + 1);
            let is_drawn = effect.levels.len() > 1 && effect.levels.iter().all(|(_, s)| s.n <= 1);
            let why = if is_drawn { "each value ran once" } else { "cannot be told" };
            canvas.put(inner.x + names + 1, y, room, why, theme.dim);
        }
        y += 1;
        // The best level says in which direction to go on.
        let best =
            effect.levels.iter().filter(|(_, s)| s.mean.is_some()).max_by(|(_, a), (_, b)| {
                a.mean.partial_cmp(&b.mean).unwrap_or(std::cmp::Ordering::Equal)
            });
        if let Some((level, spread)) =
            best.filter(|_| y < inner.bottom() && effect.levels.len() > 1)
        {
            let words = format!("best {}: {}", figures::brief(level), mean(spread));
            canvas.put(
                inner.x + names + 1,
                y,
                inner.width.saturating_sub(names + 1),
                &words,
                theme.dim,
            );
            y += 1;
        }
    }
}

/// `0.9713 ±0.0021`.
fn mean(spread: &crate::analysis::groups::Spread) -> String {
    match (spread.mean, spread.sd) {
        (Some(mean), Some(sd)) => format!("{} ±{sd:.4}", figures::metric(mean)),
        (Some(mean), None) => figures::metric(mean),
        (None, _) => "–".to_owned(),
    }
}

use ratatui::layout::Rect;

use super::keys::NEXT_AXIS;
use super::mean::mean;
use crate::spec::Outcome;
use crate::store::Millis;
use crate::tui::background::SweepFacts;
use crate::tui::canvas::{Canvas, Target};
use crate::tui::figures;
use crate::tui::text;
use crate::tui::view::View;
use crate::tui::widgets::bar::bar;

/// Which sweep, how far it is, and what it cost.
pub fn head(canvas: &mut Canvas, area: Rect, facts: &SweepFacts, view: &View) {
    let theme = canvas.theme;
    let id = view.sweep.sweep.map(|id| id.to_string()).unwrap_or_default();
    let done = facts.runs.iter().filter(|run| run.state.outcome().is_some()).count();
    let mut words = format!("{done} of {} ended", facts.runs.len());
    let pruned =
        facts.runs.iter().filter(|run| matches!(run.state.outcome(), Some(Outcome::Pruned(_))));
    match pruned.count() {
        0 => {}
        count => words = format!("{words}, {count} pruned"),
    }
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

/// What the runs on fresh seeds say.
pub fn confirmed(facts: &SweepFacts) -> Option<String> {
    let found = facts.confirmation.as_ref()?;
    Some(found.sentences(&facts.report.axes, facts.metric()).join(" "))
}

/// Device time in hours, which is what it is paid in; less than one in minutes.
fn hours(time: Millis) -> String {
    match time as f64 / 3_600_000.0 {
        h if h >= 1.0 => format!("{h:.1} h"),
        _ => figures::span(time),
    }
}

/// How much of the differences each axis explains.
pub fn effects(canvas: &mut Canvas, area: Rect, facts: &SweepFacts) {
    let theme = canvas.theme;
    let inner = canvas.panel(area, "effect of each axis", "of the variance");
    canvas.hit(area, Target::Do(&NEXT_AXIS));
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
        let levels = effect.levels.iter().filter_map(|(level, s)| Some(((level, s), s.mean?)));
        let best = facts.report.best(levels).map(|(level, _)| level);
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

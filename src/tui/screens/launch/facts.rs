use ratatui::layout::Rect;

use crate::tui::background::{FormFacts, Twin};
use crate::tui::canvas::Canvas;
use crate::tui::figures;
use crate::tui::form::Checked;
use crate::tui::snapshot::Snapshot;
use crate::tui::text;

/// What the form makes: how many runs, which keys vary, what they take, which are there already.
pub fn draw(canvas: &mut Canvas, area: Rect, snap: &Snapshot, checked: &Checked) {
    let theme = canvas.theme;
    let Some(sweep) = &checked.sweep else {
        let inner = canvas.panel(area, "not a run yet", "");
        let first = checked.whole.as_ref().or(checked.wrong.first().map(|(_, why)| why));
        let words = first.map_or("", String::as_str);
        for (i, line) in text::wrap(words, usize::from(inner.width)).iter().enumerate() {
            if (i as u16) < inner.height {
                canvas.put(inner.x, inner.y + i as u16, inner.width, line, theme.bad);
            }
        }
        return;
    };
    let count = sweep.planned() + sweep.confirming();
    let title = if count == 1 { "1 run".to_owned() } else { format!("{count} runs") };
    let inner = canvas.panel(area, &title, "");
    let mut lines: Vec<(String, ratatui::style::Style)> = Vec::new();
    let varied: Vec<String> = checked
        .varied
        .iter()
        .map(|(key, n)| n.map_or_else(|| format!("{key} drawn"), |n| format!("{key} ×{n}")))
        .collect();
    if !varied.is_empty() {
        lines.push((varied.join("  "), theme.accent));
    }
    // Facts that answer an older form would be lies.
    match snap.answers.form.as_deref().filter(|facts| facts.sweep == *sweep) {
        None => lines.push(("looking …".to_owned(), theme.dim)),
        Some(facts) => {
            if let Some([train, val, test]) = facts.rows {
                let whole = |n| figures::whole(n);
                let words = format!("rows {} / {} / {}", whole(train), whole(val), whole(test));
                lines.push((words, theme.dim));
            }
            if let Some(reading) = &facts.reading {
                // What is left aside is what one must not overlook.
                let style = if reading.contains("left aside") { theme.warn } else { theme.dim };
                lines.push((reading.clone(), style));
            }
            lines.push((cost(facts, count), theme.text));
            let plan = &sweep.plan;
            lines.extend(
                plan.sentences(&sweep.base, sweep.held_out())
                    .into_iter()
                    .map(|words| (words, theme.dim)),
            );
            if let Some(room) = &facts.room {
                let bytes = |n: u64| figures::bytes(n as f64);
                let words = format!("{} on the disk, {} free", bytes(room.kept), bytes(room.free));
                let full = room.warning().is_some();
                lines.push((words, if full { theme.warn } else { theme.dim }));
            }
            lines.extend(twins(facts).map(|words| (words, theme.warn)));
        }
    }
    let mut y = inner.y;
    for (words, style) in lines {
        for line in text::wrap(&words, usize::from(inner.width)) {
            if y < inner.bottom() {
                canvas.put(inner.x, y, inner.width, &line, style);
                y += 1;
            }
        }
    }
}

/// What all runs take, if nothing is pruned.
fn cost(facts: &FormFacts, count: usize) -> String {
    let Some(forecast) = &facts.forecast else {
        return format!("no past run of {} to tell the time by", facts.sweep.base.model);
    };
    let mut words = match forecast.millis {
        Some(each) if count == 1 => format!("about {}", figures::span(each)),
        Some(each) => format!(
            "about {} each, {} {}",
            figures::span(each),
            figures::span(each.saturating_mul(count as i64)),
            if facts.sweep.plan.prune.is_some() { "at worst" } else { "in all" }
        ),
        None => "time unknown".to_owned(),
    };
    if let Some(bytes) = forecast.memory {
        words = format!("{words}, {} a step", figures::bytes(bytes));
    }
    let like = if forecast.is_alike { "as" } else { "roughly as" };
    match forecast.runs {
        1 => format!("{words} ({like} {})", forecast.nearest),
        n => format!("{words} ({like} {} and {} more)", forecast.nearest, n - 1),
    }
}

fn twins(facts: &FormFacts) -> Option<String> {
    let result = |twin: &Twin| {
        let score = twin.score.map_or_else(|| twin.state.clone(), figures::metric);
        format!("{score} on {} ({})", twin.when, twin.id).replace("on today", "today")
    };
    let best = facts.twins.first()?;
    Some(match (facts.twins.len(), facts.looked) {
        (_, 1) if !best.is_over => format!("this is there already: {} is {}", best.id, best.state),
        (_, 1) => format!("you already ran this: {}", result(best)),
        (n, all) => format!("{n} of {all} already run; best {}", result(best)),
    })
}

use ratatui::layout::Rect;

use crate::spec::schedule::Rates;
use crate::tui::canvas::Canvas;
use crate::tui::figures;
use crate::tui::form::Checked;
use crate::tui::snapshot::Snapshot;
use crate::tui::widgets::curve::{Chart, Series};

/// Optimiser steps an epoch of which nothing is known is drawn with.
const STEPS: u64 = 100;

/// The learning rate over the first run, with a curve for each group of layers where they differ.
pub fn draw(canvas: &mut Canvas, area: Rect, snap: &Snapshot, checked: &Checked) {
    let theme = canvas.theme;
    let Some(sweep) = &checked.sweep else {
        canvas.panel(area, "learning rate", "");
        return;
    };
    let Ok(spec) = sweep.next(0) else { return };
    if !spec.obeys("lr") {
        let inner = canvas.panel(area, "learning rate", "");
        let words = format!("{} is fitted in one go, without one", spec.model);
        canvas.put(inner.x, inner.y, inner.width, &words, theme.dim);
        return;
    }
    let facts = snap.answers.form.as_deref().filter(|facts| facts.sweep == *sweep);
    let rows = facts.and_then(|f| f.rows).map(|r| r[0]);
    let per_step = u64::from(spec.batch_size) * u64::from(spec.accumulate);
    let per_epoch = rows.map_or(STEPS, |n| n.div_ceil(per_step.max(1)).max(1));
    // Layers, the embeddings and the head.
    let groups = facts.and_then(|f| f.layers).unwrap_or(12) + 2;
    let rates = Rates::new(&spec, per_epoch, groups);
    let total = rates.total().max(1);
    let mut aside: Vec<String> = Vec::new();
    if rates.differ() {
        // How many there are is a guess where nothing is known of the model.
        aside.extend(facts.and_then(|f| f.layers).map(|_| format!("{groups} groups")));
    }
    aside.extend(rows.map(|_| format!("{} steps", figures::whole(total))));
    let aside = aside.join(", ");
    let first = if sweep.runs() > 1 { " of the first" } else { "" };
    let inner = canvas.panel(area, &format!("learning rate{first}"), &aside);
    let dots = u64::from(inner.width.max(8)) * 2;
    let series = |group: u32| {
        let point = |i: u64| {
            let step = (total * i / dots).min(total - 1);
            (step as f64 / per_epoch as f64, rates.of_group(step, group))
        };
        let style = match group {
            0 => theme.val,
            group if group % 2 == 0 => theme.faded(theme.val),
            _ => theme.faded(theme.train),
        };
        Series::line((0..=dots).map(point).collect(), style)
    };
    let shown = if rates.differ() { rates.groups() } else { 1 };
    // The head lies over the others.
    let series = (0..shown).rev().map(series).collect();
    Chart::new(series, (0.0, f64::from(spec.epochs))).draw(canvas, inner);
}

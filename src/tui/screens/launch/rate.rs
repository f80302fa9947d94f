use ratatui::layout::Rect;

use crate::spec::schedule::Rates;
use crate::tui::canvas::Canvas;
use crate::tui::figures;
use crate::tui::form::Checked;
use crate::tui::snapshot::Snapshot;
use crate::tui::widgets::curve::{Chart, Series};

/// Optimiser steps an epoch of which nothing is known is drawn with.
const STEPS: u64 = 100;

/// The learning rate over the first run.
pub fn draw(canvas: &mut Canvas, area: Rect, snap: &Snapshot, checked: &Checked) {
    let theme = canvas.theme;
    let Some(sweep) = &checked.sweep else {
        canvas.panel(area, "learning rate", "");
        return;
    };
    let Ok(spec) = sweep.next(0) else { return };
    let facts = snap.study.form.as_deref().filter(|facts| facts.sweep == *sweep);
    let rows = facts.and_then(|f| f.rows).map(|r| r[0]);
    let per_step = u64::from(spec.batch_size) * u64::from(spec.accumulate);
    let per_epoch = rows.map_or(STEPS, |n| n.div_ceil(per_step.max(1)).max(1));
    // Layers, the embeddings and the head.
    let groups = facts.and_then(|f| f.layers).unwrap_or(12) + 2;
    let rates = Rates::new(&spec, per_epoch, groups);
    let total = rates.total().max(1);
    let aside = match rows {
        Some(_) => format!("{} steps", figures::whole(total)),
        None => String::new(),
    };
    let first = if sweep.len() > 1 { " of the first" } else { "" };
    let inner = canvas.panel(area, &format!("learning rate{first}"), &aside);
    let dots = u64::from(inner.width.max(8)) * 2;
    let points = (0..=dots)
        .map(|i| {
            let step = (total * i / dots).min(total - 1);
            (step as f64 / per_epoch as f64, rates.lr(step))
        })
        .collect();
    let chart = Chart {
        series: vec![Series { points, style: theme.val, marked: false, tag: None }],
        x: (0.0, f64::from(spec.epochs)),
        log: false,
        x_label: |x| format!("{}", (x * 100.0).round() / 100.0),
        best: None,
        read: None,
    };
    chart.draw(canvas, inner);
}

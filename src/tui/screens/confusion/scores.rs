use ratatui::layout::{Constraint, Layout, Rect};

use super::entities;
use crate::tui::background::{Found, Other, ScoresQuestion, Two};
use crate::tui::canvas::Canvas;
use crate::tui::figures;
use crate::tui::snapshot::Snapshot;
use crate::tui::view::View;
use crate::tui::widgets::curve::{Chart, Series};
use crate::tui::widgets::message::message;

/// Whose probabilities are shown.
pub fn question(view: &View, snap: &Snapshot) -> Option<ScoresQuestion> {
    let (run, split, epoch) = view.shown_pass(snap)?;
    Some(ScoresQuestion { run, split, epoch })
}

/// What is known of the probabilities in view, and the picture of a task without classes.
pub fn answer<'a>(
    view: &View,
    snap: &'a Snapshot,
) -> Option<(&'a Result<Found, String>, Option<&'a Other>)> {
    if view.together().is_some() {
        let facts = view.together_answer(snap)?.facts.as_ref().ok()?;
        return Some((&facts.found, facts.other.as_ref()));
    }
    let question = question(view, snap);
    let answer = snap.answers.scores.as_deref().filter(|s| Some(s.question) == question)?;
    Some((&answer.found, answer.other.as_ref()))
}

/// What the probabilities say: reliability, and for two classes ROC, precision and recall at a threshold.
/// Of taggers their entities stand beside it.
pub fn draw(canvas: &mut Canvas, area: Rect, snap: &Snapshot, view: &View) {
    let area = match answer(view, snap).and_then(|(_, other)| other) {
        Some(Other::Entities(found)) => {
            // Types, a line above them and one below, and the frame.
            let rows = (found.types.len() as u16 + 4).min(area.height / 2);
            let [table, rest] = if area.width < 110 {
                Layout::vertical([Constraint::Length(rows), Constraint::Fill(1)]).areas(area)
            } else {
                Layout::horizontal([Constraint::Fill(1); 2]).areas(area)
            };
            entities::draw(canvas, table, found);
            rest
        }
        _ => area,
    };
    let found = match answer(view, snap).map(|(found, _)| found) {
        None => return message(canvas, area, &["reading"]),
        Some(Err(why)) => {
            return message(canvas, area, std::slice::from_ref(why));
        }
        Some(Ok(found)) => found,
    };
    let figures_rows = 4 + u16::from(found.two.is_some()) * 3;
    let [charts, low] =
        Layout::vertical([Constraint::Fill(1), Constraint::Length(figures_rows)]).areas(area);
    match &found.two {
        Some(two) => {
            let [a, b, c] = Layout::horizontal([Constraint::Fill(1); 3]).areas(charts);
            if charts.width >= 96 {
                reliability(canvas, a, found);
                roc(canvas, b, two, view);
                pr(canvas, c, two, view);
            } else {
                let [a, b] = Layout::horizontal([Constraint::Fill(1); 2]).areas(charts);
                reliability(canvas, a, found);
                pr(canvas, b, two, view);
            }
        }
        None => reliability(canvas, charts, found),
    }
    words(canvas, low, found, view);
}

fn unit(series: Vec<Series>) -> Chart {
    Chart::new(series, (0.0, 1.0))
}

fn reliability(canvas: &mut Canvas, area: Rect, found: &Found) {
    let theme = canvas.theme;
    let inner = canvas.panel(area, "reliability", "right ↑ sure →");
    let bins = found.calibration.iter().flat_map(|c| &c.bins);
    let points: Vec<(f64, f64)> =
        bins.filter_map(|bin| Some((bin.confidence?, bin.accuracy?))).collect();
    let diagonal = vec![(0.0, 0.0), (1.0, 1.0)];
    unit(vec![Series::line(diagonal, theme.faint), Series::marked(points, theme.val)])
        .draw(canvas, inner);
}

fn roc(canvas: &mut Canvas, area: Rect, two: &Two, view: &View) {
    let theme = canvas.theme;
    let inner = canvas.panel(area, "ROC", "found ↑ false alarms →");
    let points = two.roc.as_ref().map_or_else(Vec::new, |roc| {
        roc.false_positive_rate
            .iter()
            .copied()
            .zip(roc.true_positive_rate.iter().copied())
            .collect()
    });
    let here = two.at.get(usize::from(view.pass.threshold));
    let here = here.map(|at| (at.false_positive_rate, at.recall));
    let diagonal = vec![(0.0, 0.0), (1.0, 1.0)];
    let mut chart =
        unit(vec![Series::line(diagonal, theme.faint), Series::line(points, theme.val)]);
    chart.best = here;
    chart.draw(canvas, inner);
}

fn pr(canvas: &mut Canvas, area: Rect, two: &Two, view: &View) {
    let theme = canvas.theme;
    let inner = canvas.panel(area, "precision and recall", "precise ↑ found →");
    let points = two.pr.as_ref().map_or_else(Vec::new, |pr| {
        pr.recall.iter().copied().zip(pr.precision.iter().copied()).collect()
    });
    let corner = vec![(0.0, 0.0)];
    let mut chart = unit(vec![Series::line(corner, theme.faint), Series::line(points, theme.val)]);
    let here = two.at.get(usize::from(view.pass.threshold));
    chart.best = here.map(|at| (at.recall, at.precision));
    chart.draw(canvas, inner);
}

fn words(canvas: &mut Canvas, area: Rect, found: &Found, view: &View) {
    let theme = canvas.theme;
    let aside = format!("{} rows", figures::whole(found.rows as u64));
    let inner = canvas.panel(area, "probabilities", &aside);
    let report = &found.report;
    let number = |x: Option<f64>| x.map_or_else(|| "–".to_owned(), figures::metric);
    let line = |pairs: &[(&str, Option<f64>)]| {
        let words: Vec<String> =
            pairs.iter().map(|(name, x)| format!("{name} {}", number(*x))).collect();
        words.join("  ")
    };
    let lines = [
        line(&[("ECE", report.ece), ("MCE", report.mce), ("log loss", report.log_loss)]),
        line(&[
            ("Brier", report.brier),
            ("ROC AUC", report.roc_auc),
            ("average precision", report.average_precision),
        ]),
    ];
    for (i, words) in lines.iter().enumerate() {
        canvas.put(inner.x, inner.y + i as u16, inner.width, words, theme.text);
    }
    let Some(two) = &found.two else { return };
    let at = usize::from(view.pass.threshold);
    let Some(counts) = two.at.get(at) else { return };
    let y = inner.y + 3;
    let best = two.best.map_or(String::new(), |best| format!("  (best F1 from {best:.3} on)"));
    let threshold = format!("◆ {} from {:.2} on", two.positive, at as f64 / 100.0);
    let dim = theme.dim;
    canvas.pieces(inner.x, y, inner.width, &[(&threshold, theme.accent), (&best, dim)]);
    let words = line(&[
        ("precision", Some(counts.precision)),
        ("recall", Some(counts.recall)),
        ("F1", Some(counts.f1)),
        ("accuracy", Some(counts.accuracy)),
    ]);
    canvas.put(inner.x, y + 1, inner.width, &words, theme.strong);
}

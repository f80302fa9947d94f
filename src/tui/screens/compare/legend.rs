use ratatui::layout::Rect;

use super::ink::{direction, ink};
use crate::analysis::compare::{Contrast, FoldContrast, Pair};
use crate::spec::RunId;
use crate::spec::metrics::{heading, test};
use crate::store::Run;
use crate::tui::background::Compared;
use crate::tui::canvas::Canvas;
use crate::tui::figures;
use crate::tui::labels::state;
use crate::tui::view::View;

/// The pair of a run with the baseline.
fn pair(compared: &Compared, id: RunId) -> Option<&Pair> {
    let base = compared.runs.first()?.id;
    compared.comparison.pairs.iter().find(|p| (p.a, p.b) == (base, id))
}

/// The setting of a run against the baseline's, where there are several seeds.
fn contrast(compared: &Compared, id: RunId) -> Option<&Contrast> {
    let base = compared.runs.first()?.id;
    compared.comparison.contrasts.iter().find(|c| c.a.contains(&base) && c.b.contains(&id))
}

/// The folds of a run's setting against those of the baseline's.
fn folds(compared: &Compared, id: RunId) -> Option<&FoldContrast> {
    let base = compared.runs.first()?.id;
    compared.comparison.folds.iter().find(|c| c.a.contains(&base) && c.b.contains(&id))
}

/// Whether a run holds out another fold of the baseline's setting.
fn is_fold_of_baseline(compared: &Compared, id: RunId) -> bool {
    let base = compared.runs.first().map(|run| run.id);
    compared
        .comparison
        .folds
        .iter()
        .any(|c| c.a.contains(&id) && base.is_some_and(|b| c.a.contains(&b)))
}

/// The runs, their scores, and whether they differ by more than chance.
pub fn draw(canvas: &mut Canvas, area: Rect, compared: &Compared, view: &View) {
    let theme = canvas.theme;
    let names = area.width.saturating_sub(64).clamp(12, 44);
    let (id_at, name_at) = (area.x + 4, area.x + 11);
    let score_at = name_at + names + 9;
    let delta_at = score_at + 10;
    let badge_at = delta_at + 2;
    let score = compared.runs.first().map_or(test::ACC, |run| run.spec.task.score()[1]);
    for (words, right) in [(heading(score).as_str(), score_at), ("Δ", delta_at)] {
        canvas.put_right(right, area.y, 13, words, theme.dim);
    }
    canvas.put(badge_at, area.y, area.right().saturating_sub(badge_at), "is it noise?", theme.dim);
    for (i, run) in compared.runs.iter().enumerate() {
        let y = area.y + 1 + i as u16;
        if y >= area.bottom() {
            break;
        }
        let row = Rect::new(area.x, y, area.width, 1);
        canvas.row(row, i, i == view.compare.cursor);
        let (style, digit) = ink(theme, i);
        canvas.put(area.x + 1, y, 3, &format!("{digit}●"), style);
        canvas.put(id_at, y, 6, &run.id.to_string(), theme.dim);
        canvas.put(name_at, y, names, &run.name, theme.text);
        let words =
            run.score().map_or_else(|| state::label(run, theme).1.to_owned(), figures::metric);
        canvas.put_right(score_at, y, 8, &words, theme.strong);
        let room = area.right().saturating_sub(badge_at);
        if i == 0 {
            canvas.put(badge_at, y, room, "baseline", theme.dim);
            continue;
        }
        let delta = run.score().zip(compared.runs.first().and_then(Run::score)).map(|(a, b)| a - b);
        if let Some(delta) = delta {
            let (glyph, style) = direction(delta, true, theme);
            let words = format!("{glyph}{:.4}", delta.abs());
            canvas.put_right(delta_at, y, 9, &words, style);
        }
        let pair = pair(compared, run.id);
        let held_out = folds(compared, run.id)
            .and_then(|c| Some((c.to_string(), c.is_real(), c.figures.first()?.over_folds.ci95)));
        let said = match (contrast(compared, run.id), pair) {
            _ if held_out.is_some() => held_out,
            (Some(c), _) => Some((c.to_string(), c.is_real(), c.accuracy.ci95)),
            (None, Some(pair)) => {
                let is_real = pair.is_real() && !pair.is_one_setting;
                Some((pair.to_string(), is_real, pair.accuracy_ci95))
            }
            (None, None) => None,
        };
        if let Some((mut words, is_real, [low, high])) = said {
            let style = if is_real { theme.accent } else { theme.dim };
            let interval = format!("  [{low:+.3}, {high:+.3}]");
            // Half an interval would be read as another one.
            if words.len() + interval.len() <= usize::from(room) {
                words.push_str(&interval);
            }
            canvas.put(badge_at, y, room, &words, style);
        } else if is_fold_of_baseline(compared, run.id) {
            canvas.put(badge_at, y, room, "the baseline's setting", theme.dim);
        } else {
            let refused = &compared.comparison.refused;
            let why = refused.iter().find(|r| r.b == run.id).map_or("", |r| r.why.as_str());
            canvas.put(badge_at, y, room, why, theme.warn);
        }
    }
}

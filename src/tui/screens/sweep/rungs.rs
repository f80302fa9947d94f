use ratatui::layout::Rect;

use super::keys::RUNGS;
use crate::analysis::sweeps::{Pruning, Rung};
use crate::spec::search::prune::PARTS;
use crate::tui::background::SweepFacts;
use crate::tui::canvas::{Canvas, Target};
use crate::tui::figures;

/// The ladder: a line for each rung, the highest first, with what a run needs there, who is there now and who
/// was cut.
pub fn draw(canvas: &mut Canvas, area: Rect, facts: &SweepFacts) {
    let theme = canvas.theme;
    canvas.hit(area, Target::Do(&RUNGS));
    let is_pruned = facts.plan.prune.is_some();
    let rule = facts.plan.prune.unwrap_or_default();
    let title = if is_pruned { "rungs" } else { "rungs, had it been pruned" };
    let aside = format!("one in {} goes on   l axes", rule.eta);
    let inner = canvas.panel(area, title, &aside);
    if facts.rungs.is_empty() {
        let words = "No run has had an evaluation between half an epoch and its end.";
        canvas.put(inner.x, inner.y, inner.width, words, theme.dim);
        return;
    }
    let x = Columns::of(inner);
    canvas.put(inner.x, inner.y, 6, "rung", theme.dim);
    for (right, words) in
        [(x.epoch, "epoch"), (x.runs, "runs"), (x.needs, "needs"), (x.best, "best")]
    {
        canvas.put_right(right, inner.y, 9, words, theme.dim);
    }
    let who = format!("▶ now  ■ cut  by {}", facts.heading());
    canvas.put(x.who, inner.y, inner.right().saturating_sub(x.who), &who, theme.dim);
    let mut y = inner.y + 1;
    for rung in facts.rungs.iter().rev() {
        // The last line is for the sum.
        if y + 1 >= inner.bottom() {
            break;
        }
        canvas.put(inner.x, y, 6, &format!("{}/{PARTS}", rung.number), theme.strong);
        canvas.put_right(x.epoch, y, 6, &figures::metric(rung.epoch), theme.text);
        canvas.put_right(x.runs, y, 5, &rung.runs.to_string(), theme.text);
        // While few runs are there, each goes on.
        let needs = rung.threshold.map_or_else(|| "all go on".to_owned(), figures::metric);
        canvas.put_right(x.needs, y, 9, &needs, theme.text);
        if let Some(best) = rung.best {
            canvas.put_right(x.best, y, 8, &figures::metric(best), theme.good);
        }
        runs(canvas, Rect::new(x.who, y, inner.right().saturating_sub(x.who), 1), rung);
        y += 1;
    }
    if let Some(pruning) = facts.pruning.as_ref().filter(|pruning| pruning.runs > 0) {
        canvas.put(inner.x, y, inner.width, &sum(pruning), theme.dim);
    }
}

/// The right ends of the columns, and where the runs begin.
struct Columns {
    epoch: u16,
    runs: u16,
    needs: u16,
    best: u16,
    who: u16,
}

impl Columns {
    fn of(inner: Rect) -> Self {
        let [epoch, runs, needs, best] = [11, 17, 27, 36].map(|at| inner.x + at);
        Self { epoch, runs, needs, best, who: best + 2 }
    }
}

/// Who is at a rung now, and who was cut there, as far as there is room.
fn runs(canvas: &mut Canvas, area: Rect, rung: &Rung) {
    let theme = canvas.theme;
    let now = rung.now.iter().map(|id| ('▶', id, theme.accent));
    let cut = rung.cut.iter().map(|id| ('■', id, theme.test));
    let mut x = area.x;
    for (glyph, id, style) in now.chain(cut) {
        let words = format!("{glyph}{id}");
        if x + words.chars().count() as u16 > area.right() {
            canvas.put_right(area.right(), area.y, 1, "…", theme.dim);
            return;
        }
        x = canvas.put(x, area.y, area.right() - x, &words, style) + 1;
    }
}

/// What pruning saved and lost, in a line.
fn sum(pruning: &Pruning) -> String {
    let saved = pruning.saved * 100.0;
    let (cut, all) = (pruning.cut.len(), pruning.runs);
    if pruning.is_pruned {
        return format!("{cut} of {all} cut, {saved:.0}% of their schedules saved");
    }
    let lost = match (pruning.best, pruning.kept) {
        (Some((best, _)), Some((kept, _))) if best == kept => "the best kept".to_owned(),
        (Some((best, x)), Some((kept, y))) => {
            format!("best {best} {} lost to {kept} {}", figures::metric(x), figures::metric(y))
        }
        _ => "none done".to_owned(),
    };
    format!("{cut} of {all} would be cut, {saved:.0}% saved, {lost}")
}

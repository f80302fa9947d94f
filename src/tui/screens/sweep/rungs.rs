use ratatui::layout::Rect;

use super::keys::RUNGS;
use crate::analysis::sweeps::Pruning;
use crate::spec::metrics::heading;
use crate::spec::search::ladder::Step;
use crate::spec::search::prune::PARTS;
use crate::spec::{Outcome, RunId, turned};
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
    let mut rungs: Vec<(u32, &[Step])> =
        facts.ladder.rungs().filter(|(_, steps)| !steps.is_empty()).collect();
    rungs.reverse();
    if rungs.is_empty() {
        let words = "No run has had an evaluation between half an epoch and its end.";
        canvas.put(inner.x, inner.y, inner.width, words, theme.dim);
        return;
    }
    let metric = facts.metric();
    let x = Columns::of(inner);
    canvas.put(inner.x, inner.y, 6, "rung", theme.dim);
    for (right, words) in
        [(x.epoch, "epoch"), (x.runs, "runs"), (x.needs, "needs"), (x.best, "best")]
    {
        canvas.put_right(right, inner.y, 9, words, theme.dim);
    }
    let who = format!("▶ now  ■ cut  by {}", heading(metric));
    canvas.put(x.who, inner.y, inner.right().saturating_sub(x.who), &who, theme.dim);
    let mut y = inner.y + 1;
    for (number, steps) in rungs {
        // The last line is for the sum.
        if y + 1 >= inner.bottom() {
            break;
        }
        canvas.put(inner.x, y, 6, &format!("{number}/{PARTS}"), theme.strong);
        let epoch = steps.first().map_or(0.0, |step| step.at.epoch);
        canvas.put_right(x.epoch, y, 6, &figures::metric(epoch), theme.text);
        canvas.put_right(x.runs, y, 5, &steps.len().to_string(), theme.text);
        let shown = |value: f64| figures::metric(turned(metric, value));
        // While few runs are there, each goes on.
        let needs =
            facts.ladder.threshold(&rule, number).map_or_else(|| "all go on".to_owned(), shown);
        canvas.put_right(x.needs, y, 9, &needs, theme.text);
        let values = steps.iter().map(|step| step.at.mark.value).filter(|value| value.is_finite());
        if let Some(best) = values.min_by(f64::total_cmp) {
            canvas.put_right(x.best, y, 8, &shown(best), theme.good);
        }
        runs(
            canvas,
            Rect::new(x.who, y, inner.right().saturating_sub(x.who), 1),
            facts,
            number,
            steps,
        );
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
fn runs(canvas: &mut Canvas, area: Rect, facts: &SweepFacts, number: u32, steps: &[Step]) {
    let theme = canvas.theme;
    let is_cut = |id: RunId| match (&facts.pruning, facts.plan.prune) {
        (Some(pruning), None) => {
            pruning.cut.iter().any(|(run, rung, _)| (*run, *rung) == (id, number))
        }
        _ => facts.runs.iter().any(|run| {
            run.id == id
                && matches!(run.state.outcome(), Some(Outcome::Pruned(at)) if at.rung == number)
        }),
    };
    let is_here = |id: RunId| {
        let is_live = facts.runs.iter().any(|run| run.id == id && run.state.outcome().is_none());
        is_live && facts.ladder.height(id).is_some_and(|(rung, _)| rung == number)
    };
    let now =
        steps.iter().filter(|step| is_here(step.run)).map(|step| ('▶', step.run, theme.accent));
    let cut = steps.iter().filter(|step| is_cut(step.run)).map(|step| ('■', step.run, theme.test));
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

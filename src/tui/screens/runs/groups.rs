use ratatui::layout::Rect;

use crate::spec::Task;
use crate::spec::metrics::{heading, val};
use crate::tui::canvas::Canvas;
use crate::tui::figures;
use crate::tui::labels::state;
use crate::tui::snapshot::{Group, Spread};
use crate::tui::text;
use crate::tui::view::View;

/// What groups of that task show.
fn figures_of(task: Task) -> [&'static str; 3] {
    let [val, test] = task.score();
    [val, val::LOSS, test]
}

/// Their headings; groups of several tasks have scores.
fn titles(groups: &[Group]) -> [String; 3] {
    let task = groups.first().map_or(Task::Classify, |group| group.task);
    if groups.iter().any(|group| group.task != task) {
        return ["best val score", "best val loss", "test score"].map(str::to_owned);
    }
    let [val, loss, test] = figures_of(task).map(heading);
    [format!("best {val}"), format!("best {loss}"), test]
}

/// Draws folded rows: what they share, how many, what they do, mean and deviation.
pub fn draw(canvas: &mut Canvas, area: Rect, groups: &[Group], view: &View) {
    let theme = canvas.theme;
    let figures_width = 17;
    let (count_width, states_width) = (6, if area.width >= 110 { 26 } else { 12 });
    let fixed = count_width + states_width + 3 * (figures_width + 2) + 8;
    let wanted = groups.iter().map(|g| text::width(&g.label)).max().unwrap_or(8).max(8) as u16;
    let label_width = wanted.min(area.width.saturating_sub(fixed)).max(14);
    let x = area.x + 2;
    let count_right = x + label_width + 2 + count_width;
    let states_x = count_right + 2;
    let figure_right = |i: usize| states_x + states_width + (i as u16 + 1) * (figures_width + 2);
    canvas.put(x, area.y, label_width, "group", theme.dim);
    canvas.put_right(count_right, area.y, count_width, "runs", theme.dim);
    canvas.put(states_x, area.y, states_width, "states", theme.dim);
    for (i, title) in titles(groups).iter().enumerate() {
        if figure_right(i) < area.right() {
            canvas.put_right(figure_right(i), area.y, figures_width, title, theme.dim);
        }
    }
    for line in 0..area.height.saturating_sub(1) {
        let at = view.runs.top + usize::from(line);
        let Some(group) = groups.get(at) else { break };
        let y = area.y + 1 + line;
        let row = Rect::new(area.x, y, area.width, 1);
        canvas.row(row, at, at == view.runs.cursor);
        if group.members.iter().all(|id| view.runs.marks.contains(id)) {
            canvas.dot(area.x + 1, y, '◆', theme.accent);
        }
        canvas.put(x, y, label_width, &group.label, theme.text);
        let members = figures::whole(group.members.len() as u64);
        canvas.put_right(count_right, y, count_width, &members, theme.dim);
        let mut at = states_x;
        for (words, _, style) in state::tallies(&group.counts, theme) {
            let left = (states_x + states_width).saturating_sub(at);
            if text::width(&words) <= usize::from(left) {
                at = canvas.put(at, y, left, &words, style) + 2;
            }
        }
        for (i, metric) in figures_of(group.task).into_iter().enumerate() {
            if let Some(spread) =
                group.figures.get(metric).filter(|_| figure_right(i) < area.right())
            {
                draw_spread(canvas, figure_right(i), y, spread);
            }
        }
    }
}

fn draw_spread(canvas: &mut Canvas, right: u16, y: u16, spread: &Spread) {
    let theme = canvas.theme;
    // Deviations stand in a column of their own, whether there is one or not.
    let room = 8;
    if let Some(sd) = spread.sd() {
        canvas.put_right(right, y, room, &format!("±{sd:.4}"), theme.dim);
    }
    canvas.put_right(right - room - 1, y, 8, &figures::metric(spread.mean), theme.strong);
}
